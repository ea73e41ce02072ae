"""Test sentences and probes as they are shown: a heat line each, and what it was for; and scores side by side."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from markupsafe import Markup

from app.domain.explanations import Method, Metric, Protocol, Sample, State, Step
from app.domain.live_texts import PROBE, SENTENCE, LiveText, Role, from_step
from app.domain.neurons import Statistics
from app.domain.probing import HYPOTHESIS, VERDICT, probe_of, verdict_of
from app.domain.vocabulary import Vocabulary
from app.store.explanation_rows import ExplanationRow, ScoreRow
from app.web import charts, heatmap, wording
from app.web.explanation_items import main_sample

KINDS = (SENTENCE, PROBE, HYPOTHESIS, VERDICT)  # of step, that are shown here


class TextLine(NamedTuple):
    """One text that the live model read."""

    what: str  # what it was for
    mark: str  # what was wrong with what was foretold; empty where nothing was
    about: str  # for who cannot see it
    peak: float
    html: Markup
    values: str  # hex, as in excerpt rows
    wide: bool
    indented: bool


class Round(NamedTuple):
    """One hypothesis of a probing, with the texts that tested it."""

    number: int
    hypothesis: str
    verdict: str  # in words; empty where it was not tested to the end
    held: bool
    lines: tuple[TextLine, ...]


class Value(NamedTuple):
    """One score in a table."""

    value: float | None
    interval: Markup
    problem: str  # why there is no value


class Side(NamedTuple):
    """One statement among those that are compared."""

    id: int
    text: str
    method: str
    here: bool  # the one that the page is about
    original: Value
    augmented: Value


@dataclass(frozen=True)
class Tested:
    """`_live_texts.html`."""

    sentences: tuple[TextLine, ...]
    told: str  # of the sentences, in a sentence
    rounds: tuple[Round, ...]
    sides: tuple[Side, ...]
    sides_on: str  # what the sides were scored by, in words


def tested(
    row: ExplanationRow,
    steps: Sequence[Step],
    neighbours: Sequence[ExplanationRow],
    statistics: Statistics,
    vocabulary: Vocabulary,
) -> Tested | None:
    """What was tried on the live model for an explanation; `neighbours` are all of its neuron. None where nothing was."""
    mine = [step for step in steps if step.kind in KINDS]
    sides, on = _sides(row, neighbours)
    if not mine and not sides:
        return None
    full = max(abs(statistics.explain_maximum), abs(statistics.explain_minimum))
    painter = _Painter(vocabulary, full)
    sentences = [from_step(step) for step in mine if step.kind == SENTENCE]
    lines = []
    for sentence in sentences:
        drawn = sentence.excerpt >= 0
        kept = sentence.role is Role.KEPT
        what = (
            "kept for scoring"
            if kept
            else f"evidence, from excerpt {sentence.excerpt:,}"
            if drawn
            else "evidence"
        )
        mark = "false positive" if sentence.false_positive else ""
        lines.append(painter.line(sentence.live, what, mark))
    return Tested(
        tuple(lines),
        _told(row, [s.false_positive for s in sentences]) if sentences else "",
        _rounds(mine, painter),
        sides,
        on,
    )


def _told(row: ExplanationRow, wrong: Sequence[bool]) -> str:
    if row.method != Method.REVISION:
        return f"{len(wrong)} sentences drawn at random from the explain split, among those that activate the neuron."
    n = sum(wrong)
    said = (
        "none leaves the neuron silent"
        if not n
        else f"{n} leave the neuron silent"
        if n > 1
        else "1 leaves the neuron silent"
    )
    return f"{len(wrong)} sentences that the explainer wrote to fit the earlier statement: {said}."


def _rounds(steps: Sequence[Step], painter: "_Painter") -> tuple[Round, ...]:
    texts = {
        data["round"]: data["text"]
        for step in steps
        if step.kind == HYPOTHESIS
        for data in [json.loads(step.data_json)]
    }
    verdicts = {found.round: found for step in steps if step.kind == VERDICT for found in [verdict_of(step)]}
    probes = [probe_of(step) for step in steps if step.kind == PROBE]
    rounds = []
    for number, text in texts.items():
        lines = [
            painter.line(
                probe.live,
                f"foretold {'active' if probe.expected else 'silent'}",
                "" if probe.right else f"was {'active' if probe.active else 'silent'}",
            )
            for probe in probes
            if probe.round == number
        ]
        verdict = verdicts.get(number)
        words, held = "", False
        if verdict is not None:
            held = verdict.held
            words = f"{verdict.right} of {verdict.texts} foretold rightly{': it held' if held else ''}"
        rounds.append(Round(number, str(text), words, held, tuple(lines)))
    return tuple(rounds)


class _Painter:
    """Paints texts on the neuron's own scale."""

    def __init__(self, vocabulary: Vocabulary, full: float) -> None:
        self._palette = heatmap.palette(vocabulary)
        self._full = np.array([full if np.isfinite(full) and full > 0 else 1.0], np.float32)

    def line(self, live: LiveText, what: str, mark: str) -> TextLine:
        tokens = np.array([live.tokens], np.int32)  # [1, T]
        values = np.array([live.activations], np.float32)  # [1, T]
        at = np.abs(values).argmax(axis=1)
        [painted] = heatmap.paint(self._palette, tokens, values, self._full, at)
        html = Markup(painted.html.decode())  # noqa: S704 - escaped by the palette
        about = f"{what}{f', {mark}' if mark else ''}"
        return TextLine(
            what, mark, about, float(values[0, at[0]]), html, painted.values, painted.wide, painted.indented
        )


def _sides(row: ExplanationRow, neighbours: Sequence[ExplanationRow]) -> tuple[tuple[Side, ...], str]:
    """The explanation beside what it was made from and whatever else was scored on the same sentences; newest last."""
    by_id = {each.id: each for each in neighbours}
    source = by_id.get(row.source_id or 0)
    if source is None or row.state is not State.OK:
        return (), ""
    on = _set_of(row)
    led = next((s for s in row.scores if _revision(s) == on and on), None)
    led = led or next((s for s in row.scores if s.value.metric is Metric.CORRELATION and s.simulator), None)
    if led is None:
        return (), ""
    others = [each for each in neighbours if on and any(_revision(s) == on for s in each.scores)]
    chosen = {each.id: each for each in (source, row, *others)}
    protocol = next(
        (
            s.value.protocol
            for s in row.scores
            if s.value.protocol is not Protocol.GENERATED and _same(s, led)
        ),
        None,
    )
    sides = tuple(
        Side(
            each.id,
            each.text,
            wording.name(each.method),
            each.id == row.id,
            _value([s for s in each.scores if _same(s, led) and s.value.protocol is protocol], protocol),
            _value(
                [s for s in each.scores if _same(s, led) and on and _revision(s) == on], Protocol.GENERATED
            ),
        )
        for each in sorted(chosen.values(), key=lambda each: each.id)
    )
    words = wording.simulated_by(led.simulator, led.simulator_model)
    named = wording.PROTOCOLS[protocol] if protocol is not None else "no records"
    return sides, f"Correlation by {words}; original records: {named}."


def compared(source: ExplanationRow, row: ExplanationRow) -> tuple[Value, Value]:
    """Correlation on the augmented set that `row` was scored on last: of what it was made from, and of itself."""
    on = _set_of(row)
    led = next((s for s in row.scores if on and _revision(s) == on), None)
    if led is None:
        nothing = Value(None, Markup(""), "not scored")
        return nothing, nothing
    sides = [
        _value([s for s in each.scores if _same(s, led) and _revision(s) == on], Protocol.GENERATED)
        for each in (source, row)
    ]
    return sides[0], sides[1]


def _set_of(row: ExplanationRow) -> int:
    """The revision whose sentences this one was scored on last; 0 without any."""
    return next((found for score in row.scores if (found := _revision(score))), 0)


def _revision(score: ScoreRow) -> int:
    if score.value.protocol is not Protocol.GENERATED:
        return 0
    return int(json.loads(score.value.parameters_json).get("revision", 0))


def _same(score: ScoreRow, led: ScoreRow) -> bool:
    """Whether both come from the same simulator asked the same way."""
    return (score.simulator, score.simulator_model, score.seed) == (
        led.simulator,
        led.simulator_model,
        led.seed,
    )


def _value(scores: Sequence[ScoreRow], protocol: Protocol | None) -> Value:
    sample: Sample | None = main_sample(protocol) if protocol is not None else None
    mine = [s.value for s in scores if s.value.metric is Metric.CORRELATION and s.value.sample is sample]
    if not mine:
        return Value(None, Markup(""), "not scored")
    found = mine[0]  # the newest
    if found.value is None:
        return Value(None, Markup(""), wording.STATES[found.state])
    return Value(found.value, charts.interval(found.value, found.low, found.high), "")
