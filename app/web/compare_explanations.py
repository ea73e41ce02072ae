"""Several explanations of one neuron: their scores by the same measures, what they predict of the same excerpts, and
how far apart they are where both were simulated on the same records.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import NamedTuple

import numpy as np

from app.domain import bootstrap, paired
from app.domain.explanations import Method, Metric, Protocol, Sample, State
from app.domain.neurons import Float32, Int32, Kind, NeuronRef, Polarity
from app.domain.protocols import score_records
from app.errors import BadInput
from app.store import Store, explanations
from app.store.explanation_rows import ExplanationRow, ScoreRow
from app.store.sheets import Sheet, sheet
from app.web import measures, predictions
from app.web.measures import Measure
from app.web.model_cache import ModelCache, ModelFacts
from app.web.predictions import Predicted

PAIRED = (Protocol.HELDOUT_FULL, Protocol.HELDOUT_5_5, Protocol.BILLS_5_5)


class MeasureRow(NamedTuple):
    """One measure's scores: for each explanation the newest by each simulator, defined ones before states."""

    measure: Measure
    cells: tuple[tuple[ScoreRow, ...], ...]


class Pair(NamedTuple):
    """Two explanations on the same records of one protocol."""

    protocol: Protocol
    first: int  # which explanation of the comparison
    second: int
    by: tuple[str, str]  # who simulated each
    found: paired.Paired


@dataclass(frozen=True, eq=False)
class OnExcerpt:
    """One excerpt: what the neuron does and what each explanation predicts."""

    ordinal: int
    tokens: Int32  # [T]
    actual: Float32 | None  # [T]; None where no record of it is kept and none was published
    expected: tuple[Float32 | None, ...]  # [T] each; None where it was not simulated on this excerpt


@dataclass(frozen=True, eq=False)
class Explanations:
    """A comparison of explanations."""

    ref: NeuronRef
    ordinal: int
    facts: ModelFacts
    sheet: Sheet
    rows: tuple[ExplanationRow, ...]
    predicted: tuple[Predicted | None, ...]  # of each the newest; None: not simulated
    measures: tuple[MeasureRow, ...]
    pairs: tuple[Pair, ...]
    excerpts: tuple[OnExcerpt, ...]


def look(store: Store, facts_of: ModelCache, ids: Sequence[int]) -> Explanations:
    """Raises NotFound for one that is not there, BadInput where they are of different neurons."""
    with store.reading() as session:
        refs = {explanations.get(session, id_).ref: id_ for id_ in reversed(ids)}
        if len(refs) > 1:
            told = ", ".join(f"{id_} of {ref}" for ref, id_ in sorted(refs.items(), key=lambda each: each[1]))
            raise BadInput(
                f"these explanations are of different neurons ({told}): compare the neurons instead"
            )
        [ref] = refs
        facts = facts_of.get(ref.model)
        evidence = sheet(session, facts.excerpts, ref)
        by_id = {row.id: row for row in evidence.explanations}
        rows = tuple(by_id[id_] for id_ in ids)
        records, position0 = evidence.records, evidence.statistics.position0
        held = [predictions.of_explanation(session, row, records, position0) for row in rows]
    newest = tuple(each[0] if each else None for each in held)
    return Explanations(
        ref,
        facts.layer(ref.layer).ordinal,
        facts,
        evidence,
        rows,
        newest,
        _measures(rows),
        tuple(_pairs(rows, held, evidence)),
        tuple(_excerpts(facts, evidence, newest)),
    )


def _measures(rows: Sequence[ExplanationRow]) -> tuple[MeasureRow, ...]:
    protocols, samples, metrics = list(Protocol), list(Sample), list(Metric)
    there = {Measure(s.value.protocol, s.value.sample, s.value.metric) for row in rows for s in row.scores}
    ordered = sorted(
        there, key=lambda m: (protocols.index(m.protocol), samples.index(m.sample), metrics.index(m.metric))
    )
    return tuple(MeasureRow(each, tuple(_newest(row, each) for row in rows)) for each in ordered)


def _newest(row: ExplanationRow, measure: measures.Measure) -> tuple[ScoreRow, ...]:
    """Of each simulator the newest defined score, else the newest state. An explanation's scores are newest first."""
    chosen: dict[tuple[str, str], ScoreRow] = {}
    for score in row.scores:
        if measure == (score.value.protocol, score.value.sample, score.value.metric):
            key = score.simulator, score.simulator_model
            there = chosen.get(key)
            if there is None or (there.value.state is not State.OK and score.value.state is State.OK):
                chosen[key] = score
    return tuple(chosen.values())


def _pairs(
    rows: Sequence[ExplanationRow], held: Sequence[tuple[Predicted, ...]], evidence: Sheet
) -> list[Pair]:
    found = []
    for protocol in PAIRED:
        scored = [_scored(row, each, protocol) for row, each in zip(rows, held, strict=True)]
        for i, j in combinations(range(len(rows)), 2):
            first, second = scored[i], scored[j]
            if first is None or second is None or rows[i].polarity is not rows[j].polarity:
                continue
            result = _difference(first, second, rows[i].polarity, protocol, evidence)
            if result is not None:
                found.append(Pair(protocol, i, j, (first.by, second.by), result))
    return found


def _scored(row: ExplanationRow, held: Sequence[Predicted], protocol: Protocol) -> Predicted | None:
    """The prediction behind the newest defined correlation of a protocol."""
    for score in row.scores:
        value = score.value
        main = (value.protocol, value.sample, value.metric) == (
            protocol,
            Sample.TOP_AND_RANDOM,
            Metric.CORRELATION,
        )
        if main and value.state is State.OK:
            own = score.simulation_id is not None or row.method == Method.TOKEN_LOOKUP
            return next((each for each in held if own and each.simulation == score.simulation_id), None)
    return None


def _difference(
    first: Predicted, second: Predicted, polarity: Polarity, protocol: Protocol, evidence: Sheet
) -> paired.Paired | None:
    """None where they are not of the same records."""
    records, skip = evidence.records, int(evidence.statistics.position0)
    if first.actual is not None or second.actual is not None:
        if first.actual is None or second.actual is None:
            return None
        excerpts = first.excerpts
        actual, other = first.actual, _rows(second.excerpts, second.actual, excerpts)
        if other is None or len(second.excerpts) != len(excerpts) or not np.array_equal(actual, other):
            return None
        strong = records.excerpts[records.kinds == int(Kind.TOP)]
        strata = np.where(np.isin(excerpts, strong), 0, 1).astype(np.int32)
        documents = np.full(len(excerpts), -1, np.int32)
    else:
        scored, strata = score_records(records, protocol, polarity)
        excerpts, documents, actual = scored.excerpts, scored.documents, scored.activations
    values = [_rows(each.excerpts, each.expected, excerpts) for each in (first, second)]
    if values[0] is None or values[1] is None:
        return None
    counted = slice(skip, None if first.last and second.last else -1)
    return paired.difference(
        (polarity.sign * actual)[:, counted],
        values[0][:, counted],
        values[1][:, counted],
        strata,
        bootstrap.units(documents, excerpts),
    )


def _rows(excerpts: Int32, values: Float32, wanted: Int32) -> Float32 | None:
    """The values [R, T] of the wanted excerpts; None where one is missing."""
    at = {excerpt: row for row, excerpt in reversed(list(enumerate(excerpts.tolist())))}
    if any(excerpt not in at for excerpt in wanted.tolist()):
        return None
    return values[[at[excerpt] for excerpt in wanted.tolist()]]


def _excerpts(facts: ModelFacts, evidence: Sheet, predicted: Sequence[Predicted | None]) -> list[OnExcerpt]:
    """All that any of them was simulated on."""
    records = evidence.records
    actual = {
        excerpt: records.activations[row]
        for row, excerpt in reversed(list(enumerate(records.excerpts.tolist())))
    }
    expected: list[dict[int, Float32]] = []
    for each in predicted:
        mine: dict[int, Float32] = {}
        for row, excerpt in enumerate(each.excerpts.tolist() if each is not None else []):
            if each is not None and excerpt not in mine:
                mine[excerpt] = each.expected[row]
                if each.actual is not None:
                    actual[excerpt] = each.actual[row]
        expected.append(mine)
    found = [
        OnExcerpt(
            excerpt,
            facts.excerpts.tokens[excerpt],
            actual.get(excerpt),
            tuple(mine.get(excerpt) for mine in expected),
        )
        for excerpt in dict.fromkeys(excerpt for mine in expected for excerpt in mine)
        if 0 <= excerpt < len(facts.excerpts.tokens)
    ]
    return sorted(found, key=_place)


def _place(excerpt: OnExcerpt) -> tuple[int, float]:
    """Those that most were simulated on come first, then those where the neuron is strongest."""
    strongest = -1.0 if excerpt.actual is None else float(np.abs(excerpt.actual).max())
    return sum(each is None for each in excerpt.expected), -strongest
