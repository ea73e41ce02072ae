"""A search for false positives in words, and its excerpts as two heat lines each."""

import json
from typing import NamedTuple

import numpy as np

from app.domain import false_positives as fp
from app.domain.false_positives import Found
from app.domain.neurons import Float32, Int32, Polarity
from app.domain.vocabulary import Vocabulary, visible
from app.store.explanation_rows import ExplanationRow
from app.store.false_positives import SearchRow
from app.web import heat_lines
from app.web.compare_contexts import Block
from app.web.formats import count, moment, number, percent, plural, short, signed
from app.web.model_cache import ModelFacts

FULL = np.float32(10)  # of predictions, whatever the simulator's own scale
AROUND = 12  # tokens shown on either side of the one in question, on a terminal


class Searched(NamedTuple):
    """What a search's parameters say."""

    above: float  # the neuron is active strictly above it, of the explained sign
    position0: bool
    sentences: tuple[str, ...]
    warning: str  # why "predicted high" may say nothing of this neuron; empty where it does


class SearchView(NamedTuple):
    """One search on the explanation's page."""

    id: int
    said: Searched
    when: str
    when_exact: str
    job: str
    blocks: tuple[Block, ...]
    missing: str  # why there are no blocks; empty where there are


def described(search: SearchRow) -> Searched:
    """The search in sentences: by whom, over what, what counts, and how often it went wrong."""
    said = json.loads(search.parameters_json)
    examined, strongest = int(said["examined"]), int(said["strongest"])
    asked = (
        f" ({count(said['asked'])} were asked for, and there are no more)" if examined < said["asked"] else ""
    )
    seen = (
        "none from a document that the explanation’s maker has seen"
        if said["seen_known"]
        else "but nobody knows which text the explanation’s maker saw, so that some may not have been new to them"
    )
    calibrated, warning = _calibrated(said)
    return Searched(
        float(said["threshold"]),
        bool(said["position0"]),
        (
            f"Simulated by {search.simulator_model or search.simulator} ({search.simulator}, scale {said['scale']}, "
            f"seed {search.seed}): {plural(examined, 'excerpt')} of the score split{asked}, {seen}.",
            f"Silent is what is not above {short(float(said['threshold']))}, the 0.99 quantile of the neuron’s tokens "
            f"on the explain split. {calibrated}",
            f"Of the {plural(strongest, 'excerpt')} predicted highest, the neuron is silent throughout in "
            f"{said['strongest_silent']} ({percent(said['strongest_silent'] / strongest)}); of all {count(examined)} "
            f"in {count(said['silent'])} ({percent(said['silent'] / examined)}).",
        ),
        warning,
    )


def _calibrated(said: dict[str, float | str]) -> tuple[str, str]:
    """(what predictions stand for, what makes them worthless)."""
    if "slope" not in said:
        return "", f"The predictions could not be calibrated. {said['no_calibration']}"
    slope, intercept = float(said["slope"]), float(said["intercept"])
    words = (
        f"Calibrated on {said['dev_records']} other records, a prediction of 10 stands for "
        f"{signed(10 * slope + intercept)} and one of 0 for {signed(intercept)}."
    )
    if slope > 0:
        return words, ""
    return words, "On the records calibrated on, the neuron does not rise with the predictions at all."


def found(search: SearchRow, polarity: Polarity, said: Searched) -> list[Found]:
    """What each excerpt of the search shows."""
    return fp.examine(
        search.excerpts, search.predicted, polarity.sign * search.actual, said.above, position0=said.position0
    )


def marked(vocabulary: Vocabulary, tokens: Int32, at: int) -> str:
    """The token in question between arrows, with some text on either side, everything visible on one line."""
    before, after = tokens[max(0, at - AROUND) : at], tokens[at + 1 : at + 1 + AROUND]
    parts = [vocabulary.bytes_of(each) for each in (before, tokens[at : at + 1], after)]
    left, token, right = (visible(part).replace("\n", "↵").replace("\t", "⇥") for part in parts)
    return f"…{left}→{token}←{right}…"


def view(search: SearchRow, row: ExplanationRow, facts: ModelFacts) -> SearchView:
    """The search as the page shows it: predictions over what the neuron does, the worst first."""
    said = described(search)
    blocks: tuple[Block, ...] = ()
    missing = "The model was collected anew since: its excerpts are others now. Search again to see some."
    if search.current and facts.excerpts.collection_id == search.collection_id:
        missing = ""
        largest = np.float32(np.abs(search.actual).max())
        blocks = tuple(
            _block(search, row, facts, i, each, largest)
            for i, each in enumerate(found(search, row.polarity, said))
        )
    return SearchView(
        search.id,
        said,
        moment(search.created_at),
        search.created_at.isoformat(timespec="seconds"),
        search.job_id or "",
        blocks,
        missing,
    )


def _block(
    search: SearchRow, row: ExplanationRow, facts: ModelFacts, i: int, each: Found, largest: np.float32
) -> Block:
    tokens = facts.excerpts.tokens[each.excerpt]
    predicted: Float32 = (row.polarity.sign * search.predicted[i]).astype(np.float32)
    actual = search.actual[i]
    lines = (
        heat_lines.line(facts, "predicted", "", tokens, predicted, FULL, each.token, simulated=True),
        heat_lines.line(facts, "actual", "", tokens, actual, largest, each.token),
    )
    source, start = heat_lines.place_of(facts, each.excerpt)
    note = (
        f"predicted {number(float(search.predicted[i, each.token]))} where the neuron gives "
        f"{signed(float(actual[each.token]))}; {'active elsewhere in it' if each.active else 'silent throughout'}"
    )
    return Block(source, start, lines, note)
