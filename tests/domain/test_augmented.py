"""Scores on held-out records and a revision's sentences together: against all tokens in a row, and a slow bootstrap."""

import json
from dataclasses import replace

import numpy as np
import pytest

from app.domain.augmented import Predicted, score_augmented
from app.domain.bootstrap import poisson_weights
from app.domain.calibration import calibrate
from app.domain.explanations import Metric, Protocol, Sample, ScoreValue, State, measured
from app.domain.metrics import abs_dev_explained, correlation, r_squared
from app.domain.neurons import Polarity, Records
from app.domain.protocols import dev_records, score_records
from app.domain.scoring import score
from tests.domain.layers import layer, records_of, statistics_of, table

POSITIVE, NEGATIVE = Polarity.POSITIVE, Polarity.NEGATIVE
rng = np.random.default_rng(5)
EXCERPTS = table(rng)
RESULT = layer(rng, EXCERPTS, 2)
RECORDS = records_of(RESULT, EXCERPTS, 0)
STATS = statistics_of(RESULT, 0)
SENTENCES = [
    Predicted(rng.normal(size=n).astype(np.float32), rng.normal(5, 2, n).astype(np.float32))
    for n in (3, 17, 9, 30, 5)
]


def simulated(records: Records) -> np.ndarray:
    noise = np.random.default_rng(3).normal(size=EXCERPTS.tokens.shape).astype(np.float32)[records.excerpts]
    return (2 * (records.activations + noise) + 4).astype(np.float32)


def scored(
    sentences: list[Predicted] = SENTENCES,
    polarity: Polarity = POSITIVE,
    position0: bool = False,
    dev: bool = True,
) -> dict[Metric, ScoreValue]:
    chosen, strata = score_records(RECORDS, Protocol.GENERATED, polarity)
    fitted = dev_records(RECORDS, polarity)
    values = score_augmented(
        chosen,
        strata,
        simulated(chosen),
        sentences,
        77,
        polarity,
        (fitted, simulated(fitted)) if dev else None,
        replace(STATS, position0=position0),
        1,
    )
    return {value.metric: value for value in values}


def flat(
    position0: bool = False, sign: int = 1, polarity: Polarity = POSITIVE
) -> tuple[np.ndarray, np.ndarray]:
    chosen, _ = score_records(RECORDS, Protocol.HELDOUT_5_5, polarity)
    skip = int(position0)
    actual = [*chosen.activations, *(one.actual for one in SENTENCES)]
    expected = [*simulated(chosen), *(one.expected for one in SENTENCES)]
    return sign * np.concatenate([a[skip:] for a in actual]), np.concatenate([s[skip:] for s in expected])


@pytest.mark.parametrize("position0", [False, True])
def test_every_token_of_records_and_sentences_counts_once(position0: bool) -> None:
    found = scored(position0=position0)
    actual, expected = flat(position0)
    assert found[Metric.CORRELATION].value == pytest.approx(correlation(actual, expected))
    fitted = dev_records(RECORDS, POSITIVE)
    line = calibrate(simulated(fitted)[:, int(position0) :], fitted.activations[:, int(position0) :])
    assert not isinstance(line, State)
    assert found[Metric.R_SQUARED].value == pytest.approx(r_squared(actual, line.apply(expected)))
    assert found[Metric.ABS_DEV_EXPLAINED].value == pytest.approx(
        abs_dev_explained(actual, line.apply(expected))
    )
    one = found[Metric.CORRELATION]
    assert (one.protocol, one.sample, one.n_records, one.n_tokens) == (
        Protocol.GENERATED,
        Sample.GENERATED,
        15,
        len(actual),
    )
    assert one.indicative and json.loads(one.parameters_json)["revision"] == 77


def test_the_negative_side_is_scored_as_minus_a() -> None:
    actual, expected = flat(sign=-1, polarity=NEGATIVE)
    found = scored(polarity=NEGATIVE)[Metric.CORRELATION]
    assert found.value == pytest.approx(correlation(actual, expected))


def test_the_interval_is_that_of_whole_documents_and_sentences() -> None:
    """The definition, slowly: every unit weighs as it was drawn, each stratum renormalised to its own tokens."""
    chosen, strata = score_records(RECORDS, Protocol.GENERATED, POSITIVE)
    actual, expected = flat()
    lengths = [64] * len(chosen) + [len(one.actual) for one in SENTENCES]
    unit = [*chosen.documents.tolist(), *(-(1 << 40) - i for i in range(len(SENTENCES)))]
    stratum = [*strata.tolist(), *[2] * len(SENTENCES)]
    weights = poisson_weights(1, np.array(unit))  # [R, B]
    by_token = np.repeat(weights, lengths, axis=0)  # [n, B]
    of_token = np.repeat(stratum, lengths)
    values = []
    for draw in range(weights.shape[1]):
        drawn = by_token[:, draw].copy()
        for h in (0, 1, 2):
            rows = of_token == h
            drawn[rows] *= rows.sum() / drawn[rows].sum() if drawn[rows].sum() else np.nan
        if np.isfinite(drawn).all():
            values.append(correlation(actual, expected, drawn))
    low, high = np.quantile(values, [0.025, 0.975])
    found = scored()[Metric.CORRELATION]
    assert (found.low, found.high) == (pytest.approx(low), pytest.approx(high))


def test_without_a_sentence_there_is_no_augmented_score_and_with_one_no_interval() -> None:
    nothing = scored([])
    assert {value.state for value in nothing.values()} == {State.TOO_FEW_RECORDS}
    assert set(nothing) == {metric for _, metric in measured(Protocol.GENERATED)} - {Metric.ABLATION}
    one = scored(SENTENCES[:1])[Metric.CORRELATION]
    assert one.state is State.OK and one.low is None


def test_without_dev_records_what_needs_calibration_is_a_state() -> None:
    found = scored(dev=False)
    assert found[Metric.CORRELATION].state is State.OK
    assert found[Metric.R_SQUARED].state is State.NO_CALIBRATION and found[Metric.R_SQUARED].value is None


def test_a_sentence_on_which_the_neuron_is_silent_costs_a_statement_that_predicts_there() -> None:
    """What the set is for: the same statement, right on the records, is worse with false positives among the sentences."""
    chosen, strata = score_records(RECORDS, Protocol.HELDOUT_5_5, POSITIVE)
    alone = score(chosen, strata, simulated(chosen), Protocol.HELDOUT_5_5, POSITIVE, None, STATS, 1)
    before = next(v for v in alone if (v.metric, v.sample) == (Metric.CORRELATION, Sample.TOP_AND_RANDOM))
    peak = float(simulated(chosen).max())
    wrong = [Predicted(np.zeros(20, np.float32), np.full(20, peak, np.float32)) for _ in range(5)]
    after = scored(wrong)[Metric.CORRELATION]
    assert before.value is not None and after.value is not None and after.value < before.value - 0.05


def test_shapes_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ValueError, match="another number of tokens"):
        scored([Predicted(np.zeros(3, np.float32), np.zeros(4, np.float32))])
