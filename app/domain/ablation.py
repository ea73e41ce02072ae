"""The ablation score: whether what an explanation predicts can stand in for the neuron inside the model (BILLS).

BILLS, "Scoring explanations by ablating the neuron": `1 - E[JSD(ablate to s, original)] / E[JSD(ablate to mean, original)]`,
where s is the simulation linearly calibrated on other records, the divergences of next-token distributions are averaged over a
record's tokens, and both expectations are over the records of the sample: a ratio of sums, not a mean of ratios. 1 where the
prediction is as good as the neuron itself, 0 where it is no better than the neuron's mean, below that where it is worse.
"""

import json
from collections.abc import Mapping

import numpy as np

from app.domain import binary_metrics
from app.domain.bootstrap import DRAWS, MIN_UNITS, interval, poisson_weights, resample, units
from app.domain.calibration import Calibration, fit
from app.domain.explanations import Metric, Protocol, Sample, ScoreValue, State
from app.domain.neurons import Bool, Float32, Float64, Int32, Polarity, Records, Statistics
from app.domain.protocols import STRATA, STRATUM_RANDOM, STRATUM_STRONG, population_sizes
from app.domain.scoring import INDICATIVE_BELOW, REASONS

NO_EFFECT = "Setting the neuron to its mean moves none of the model's predictions on these records: there is nothing to recover."


def jsd(p: Float64, q: Float64) -> Float64:
    """Jensen-Shannon divergence in nats of distributions [..., V] -> [...]: 0 for equal ones, ln 2 for disjoint ones.

    The plain formula, in float64; the model's side computes the same in float32 (`app.subject.ablation`).
    """
    p, q = np.asarray(p, np.float64), np.asarray(q, np.float64)
    middle = (p + q) / 2
    total = np.zeros(p.shape[:-1])
    for each in (p, q):
        with np.errstate(divide="ignore", invalid="ignore"):
            terms = each * np.log(each / middle)
        total = total + np.where((each > 0) & (middle > 0), terms, 0.0).sum(-1)
    return total / 2


def calibration_of(
    dev: Records, expected: Float32, polarity: Polarity, stats: Statistics
) -> Calibration | str:
    """The line from `expected` [R, T] on the dev records to `polarity.sign * a` there, or why there is none."""
    first = int(stats.position0)
    if not np.isfinite(dev.activations).all():
        return REASONS[State.FAILED]
    actual = polarity.sign * dev.activations[:, first:].astype(np.float64)
    return fit(expected[:, first:].astype(np.float64), actual, binary_metrics.activity(stats, polarity)).line


def replacements(
    expected: Float32, calibration: Calibration, polarity: Polarity, stats: Statistics
) -> tuple[Float32, Float32]:
    """What the neuron is set to, float32 [R, T] twice: the calibrated prediction in the neuron's own sign, and its mean.

    Where `stats.position0`, the first token is NaN, which leaves the neuron as it is there: its value at that place is no
    answer to the text, and neither the statistics nor any score counts it.
    """
    simulated = (polarity.sign * calibration.apply(expected)).astype(np.float32)
    mean = np.full_like(simulated, stats.mean)
    if stats.position0:
        simulated[:, 0] = mean[:, 0] = np.nan
    return simulated, mean


def score(
    records: Records,
    strata: Int32,
    simulated: Float32,
    mean: Float32,
    protocol: Protocol,
    polarity: Polarity,
    stats: Statistics,
    seed: int,
    parameters: Mapping[str, object],
) -> tuple[ScoreValue, ...]:
    """The ablation score on every sample of the protocol.

    `records` and `strata` [R] are those of `protocols.score_records`; `simulated` and `mean` [R, T] are the divergences of the
    model with the neuron set to either. Samples, weights, states and interval are as in `scoring.score`; CONSTANT_ACTUAL
    where setting it to its mean moves nothing. `parameters` go into each value's own.
    """
    if not simulated.shape == mean.shape == records.tokens.shape:
        raise ValueError(f"divergences {simulated.shape} do not fit the records {records.tokens.shape}")
    first = int(stats.position0)
    per_record = np.stack([d[:, first:].astype(np.float64).mean(-1) for d in (simulated, mean)])  # [2, R]
    active = _active(records, polarity, stats)
    values = []
    for sample, rows, needed, weights in _samples(records, strata, protocol, stats):
        value = ScoreValue(
            Metric.ABLATION,
            protocol,
            sample,
            State.OK,
            n_records=int(rows.sum()),
            n_documents=len(np.unique(records.documents[rows & (records.documents >= 0)])),
            n_tokens=int(rows.sum()) * (records.tokens.shape[1] - first),
        )
        state = _blocked(sample, strata[rows], needed, bool(active[rows].any()))
        if state is not None:
            said = json.dumps({**parameters, "draws": DRAWS, "seed": seed}, sort_keys=True)
            values.append(value._replace(state=state, reason=REASONS[state], parameters_json=said))
            continue
        values.append(_valued(value, records, strata, rows, needed, weights, per_record, seed, parameters))
    return tuple(values)


def _valued(
    value: ScoreValue,
    records: Records,
    strata: Int32,
    rows: Bool,
    needed: tuple[int, ...],
    weights: Float64,
    per_record: Float64,
    seed: int,
    parameters: Mapping[str, object],
) -> ScoreValue:
    sums = (
        np.concatenate([np.ones((1, len(strata))), per_record]) * weights
    )  # [3, R]: weight, to s, to the mean
    total = sums[:, rows].sum(-1)  # [3]
    means = {"jsd_simulated": total[1] / total[0], "jsd_mean": total[2] / total[0]}
    said = json.dumps({**parameters, **means, "draws": DRAWS, "seed": seed}, sort_keys=True)
    drawn = units(records.documents, records.excerpts)  # [R]
    fewest = min(len(np.unique(drawn[rows & (strata == stratum)])) for stratum in needed)
    value = value._replace(parameters_json=said, indicative=fewest < INDICATIVE_BELOW)
    if total[2] <= 0:
        return value._replace(state=State.CONSTANT_ACTUAL, reason=NO_EFFECT)
    low = high = None
    if fewest >= MIN_UNITS:
        known, place = np.unique(drawn[rows], return_inverse=True)
        poisson = poisson_weights(seed, known)[place]  # [R', B]
        totals = np.zeros((3, poisson.shape[1]))
        for stratum in needed:
            here = strata[rows] == stratum
            totals += resample(sums[:, rows][:, here], poisson[here])
        with np.errstate(divide="ignore", invalid="ignore"):
            scores = np.where(totals[2] > 0, 1 - totals[1] / totals[2], np.nan)  # [B]
        low, high = (None if np.isnan(bound) else float(bound) for bound in interval(scores))
    return value._replace(value=float(1 - total[1] / total[2]), low=low, high=high)


def _samples(
    records: Records, strata: Int32, protocol: Protocol, stats: Statistics
) -> list[tuple[Sample, Bool, tuple[int, ...], Float64]]:
    """(sample, its records [R], strata that must hold one, weight of a record [R]) of each sample of a protocol."""
    everything, even = np.ones(len(records), bool), np.ones(len(records))
    if protocol is Protocol.POPULATION:
        sizes = np.array(population_sizes(stats.band_excerpts, strata))  # [STRATA]
        weights = sizes[strata] / np.bincount(strata, minlength=STRATA)[strata]
        return [(Sample.POPULATION, everything, tuple(np.flatnonzero(sizes).tolist()), weights)]
    return [
        (Sample.TOP_AND_RANDOM, everything, (STRATUM_STRONG, STRATUM_RANDOM), even),
        (Sample.RANDOM_ONLY, strata == STRATUM_RANDOM, (STRATUM_RANDOM,), even),
    ]


def _active(records: Records, polarity: Polarity, stats: Statistics) -> Bool:
    """Whether a record has an active token, [R], as `scoring` has it."""
    threshold = binary_metrics.activity(stats, polarity).threshold
    first = int(stats.position0)
    peaks: Float32 = (polarity.sign * records.activations[:, first:]).max(axis=-1)  # [R]
    return peaks > threshold


def _blocked(sample: Sample, strata: Int32, needed: tuple[int, ...], active: bool) -> State | None:
    if not needed or not all((strata == stratum).any() for stratum in needed):
        return State.TOO_FEW_RECORDS
    if sample is Sample.RANDOM_ONLY and not active:
        return State.TOO_FEW_ACTIVE
    return None
