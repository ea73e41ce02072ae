"""The trust checks on one explanation's own simulation, as its page shows them."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from app.domain import protocols, trust_own
from app.domain.explanations import Method, Protocol, State
from app.domain.neurons import Float32, NeuronRef, Records
from app.domain.next_token import compared
from app.domain.token_lookup import lookup_records, token_means
from app.domain.trust import PASS, Test
from app.domain.trust_own import OwnCheck, OwnSample
from app.store import Store
from app.store.explanation_rows import ExplanationRow, ScoreRow, SimulationRow
from app.store.sheets import Sheet, sheet
from app.web import wording
from app.web.formats import percent, plural
from app.web.model_cache import ModelCache

CHECKED = (Protocol.HELDOUT_FULL, Protocol.HELDOUT_5_5, Protocol.POPULATION, Protocol.BILLS_5_5)


class Fall(NamedTuple):
    """How far a metric falls by one test."""

    mean: float
    spread: float
    noticed: float
    enough: bool  # it falls in most draws


class FallLine(NamedTuple):
    """One metric."""

    metric: str
    score: float
    narrow: Fall
    broad: Fall


class OwnPart(NamedTuple):
    """One sample."""

    sample: str
    words: str  # what is predicted, or why nothing was checked
    lines: tuple[FallLine, ...]


class Own(NamedTuple):
    """Of the newest simulation of one explanation."""

    protocol: str
    by: str
    draws: int
    parts: tuple[OwnPart, ...]


def own(
    store: Store,
    facts_of: ModelCache,
    row: ExplanationRow,
    scores: Sequence[ScoreRow],
    simulations: Sequence[SimulationRow],
) -> Own | None:
    """None where there is no simulation of the records that are there now, or its protocol's records are not kept."""
    looked_up = row.method == Method.TOKEN_LOOKUP
    newest = next(((score, each) for score in scores for each in simulations if _belongs(score, each)), None)
    if newest is None and not looked_up:
        return None
    evidence = _evidence(store, facts_of, row.ref)
    if evidence is None:
        return None
    protocol = newest[0].value.protocol if newest else Protocol.HELDOUT_FULL
    stats, polarity = evidence.statistics, row.polarity
    scored, strata = protocols.score_records(evidence.records, protocol, polarity, bands=stats.band_excerpts)
    dev = protocols.dev_records(evidence.records, polarity)
    if newest is not None:
        found = [_simulated(newest[1], records) for records in (scored, dev)]
        by = wording.simulated_by(newest[1].simulator, newest[1].simulator_model)
    else:
        seen = lookup_records(evidence.records)
        means = token_means(seen.tokens, seen.activations, position0=stats.position0)
        found = [means.on_scale(records.tokens, polarity.sign) for records in (scored, dev)]
        by = "token means"
    expected, expected_dev = found
    if expected is None or not len(scored):
        return None
    calibration = None
    if expected_dev is not None and len(dev):
        calibration = compared(row.method, dev, expected_dev)
    scored, expected = compared(row.method, scored, expected)
    parts = trust_own.check(scored, strata, expected, protocol, polarity, calibration, stats)
    return Own(protocol.value, by, trust_own.DRAWS, tuple(_part(each) for each in parts))


def _belongs(score: ScoreRow, simulation: SimulationRow) -> bool:
    return (
        score.simulation_id == simulation.id
        and simulation.state is State.OK
        and simulation.actual is None  # published ones bring records of their own
        and score.value.protocol in CHECKED
    )


def _evidence(store: Store, facts_of: ModelCache, ref: NeuronRef) -> Sheet | None:
    facts = facts_of.get(ref.model)
    with store.reading() as session:
        found = sheet(session, facts.excerpts, ref)
    return found if len(found.records) else None


def _simulated(simulation: SimulationRow, records: Records) -> Float32 | None:
    """What it predicts of these records; None where it does not have them all."""
    if simulation.simulated is None:
        return None
    place = {excerpt: i for i, excerpt in enumerate(simulation.simulated.excerpts.tolist())}
    if not all(excerpt in place for excerpt in records.excerpts.tolist()):
        return None
    rows = np.array([place[excerpt] for excerpt in records.excerpts.tolist()], np.intp)
    return simulation.simulated.expected[rows]


def _part(found: OwnSample) -> OwnPart:
    if found.reason:
        return OwnPart(wording.SAMPLES[found.sample], found.reason, ())
    words = f"{plural(found.predicted, 'token')} of these records predicted active"
    if found.share:
        words += f", and {percent(found.share)} of ordinary text as far as they tell"
    else:
        words += ", but none of the random ones: one twice as broad would look the same here"
    by = {(check.metric, check.test): check for check in found.checks}
    metrics = dict.fromkeys(check.metric for check in found.checks)
    lines = tuple(
        FallLine(
            wording.METRICS[metric],
            by[metric, Test.MISSING].score,
            _fall(by[metric, Test.MISSING]),
            _fall(by[metric, Test.EXTRA]),
        )
        for metric in metrics
    )
    return OwnPart(wording.SAMPLES[found.sample], words, lines)


def _fall(check: OwnCheck) -> Fall:
    return Fall(check.fall, check.spread, check.noticed, check.noticed >= PASS)
