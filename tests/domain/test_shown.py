import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.candidates import OnDev, best, method_name, on_dev, single
from app.domain.explain_options import demand_sound
from app.domain.explanations import Band, ExplainOptions, Method, ShownOptions, State
from app.domain.neurons import Polarity
from app.domain.shown import windows
from app.errors import BadInput
from tests.explain.neuron import neuron, statistics


def test_windows_lie_around_the_strongest_token_and_within_the_excerpt():
    records = neuron()  # 12 tokens; the strongest are at 3, 5, 6, 6, 3
    cut = windows(records, Polarity.POSITIVE, 5)
    starts = [1, 3, 4, 4, 1]
    for row, start in enumerate(starts):
        assert cut.tokens[row].tolist() == records.tokens[row, start : start + 5].tolist()
        assert cut.activations[row].tolist() == records.activations[row, start : start + 5].tolist()
    assert cut.excerpts.tolist() == records.excerpts.tolist()
    records.activations[0, 0], records.activations[1, 11] = 99, 99
    edges = windows(records, Polarity.POSITIVE, 5)
    assert edges.tokens[0].tolist() == records.tokens[0, :5].tolist()
    assert edges.tokens[1].tolist() == records.tokens[1, 7:].tolist()


def test_the_negative_side_has_its_own_strongest_token():
    assert (
        windows(neuron(-1), Polarity.NEGATIVE, 5).tokens.tolist()
        == windows(neuron(), Polarity.POSITIVE, 5).tokens.tolist()
    )


@given(st.integers(1, 64))
def test_a_window_always_holds_the_strongest_token(width: int):
    records = neuron()
    cut = windows(records, Polarity.POSITIVE, width)
    assert cut.tokens.shape == (5, min(width, 12))
    assert cut.activations.max(1).tolist() == records.activations.max(1).tolist()
    if width >= 12:
        assert cut is records


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (ExplainOptions(shown=ShownOptions(excerpts=0)), "1 to 20 excerpts"),
        (ExplainOptions(shown=ShownOptions(excerpts=21)), "1 to 20 excerpts"),
        (ExplainOptions(shown=ShownOptions(tokens=0)), "1 to 64 tokens"),
        (ExplainOptions(shown=ShownOptions(tokens=65)), "1 to 64 tokens"),
        (
            ExplainOptions(polarity=Polarity.NEGATIVE, shown=ShownOptions(Band.Q1)),
            "choose top, random or mixed",
        ),
        (ExplainOptions(Method.TOKEN_LOOKUP, shown=ShownOptions(Band.RANDOM)), "shows no excerpts"),
        (ExplainOptions(Method.TOKEN_LOOKUP, candidates=2), "one statement only"),
        (ExplainOptions(candidates=0), "1 to 20 candidates"),
        (ExplainOptions(candidates=21), "1 to 20 candidates"),
    ],
)
def test_what_does_not_go_together_is_refused(options: ExplainOptions, words: str):
    with pytest.raises(BadInput, match=words):
        demand_sound(options)


@pytest.mark.parametrize("polarity", list(Polarity))
def test_a_statement_that_predicts_the_side_explained_correlates_with_it(polarity: Polarity):
    dev = neuron(polarity.sign)
    expected = np.maximum(polarity.sign * dev.activations, 0)
    assert on_dev(dev, expected, polarity, statistics()) == (State.OK, pytest.approx(1.0, abs=1e-3), "", 5)
    worst = on_dev(dev, 10 - expected, polarity, statistics())
    assert worst.value == pytest.approx(-1.0, abs=1e-3)


def test_a_first_token_that_is_an_outlier_decides_nothing():
    dev = neuron()
    dev.activations[:, 0] = 500
    expected = np.maximum(neuron().activations, 0)
    assert on_dev(dev, expected, Polarity.POSITIVE, statistics(position0=True)).value == pytest.approx(
        1.0, abs=1e-3
    )


def test_where_nothing_varies_there_is_a_state_and_no_number():
    dev = neuron()
    flat = np.zeros_like(dev.activations)
    assert on_dev(dev, flat, Polarity.POSITIVE, statistics())[:2] == (State.CONSTANT_PREDICTION, None)
    dev.activations[:] = 1
    assert on_dev(dev, flat, Polarity.POSITIVE, statistics())[:2] == (State.CONSTANT_ACTUAL, None)
    none = dev.take(np.array([], np.intp))
    assert on_dev(none, none.activations, Polarity.POSITIVE, statistics())[:2] == (
        State.TOO_FEW_RECORDS,
        None,
    )
    dev.activations[0, 1] = np.nan
    assert on_dev(dev, flat, Polarity.POSITIVE, statistics())[:2] == (State.FAILED, None)


def scored(value: float | None) -> OnDev:
    return OnDev(State.OK if value is not None else State.CONSTANT_PREDICTION, value, "", 10)


@pytest.mark.parametrize(
    ("values", "chosen"),
    [([0.1, 0.4, 0.2], 1), ([0.4, 0.4], 0), ([None, -0.9], 1), ([None, None], None), ([], None)],
)
def test_the_best_defined_score_wins_and_ties_go_to_the_first(values: list[float | None], chosen: int | None):
    assert best([scored(value) for value in values]) == chosen
    assert best([None, *(scored(value) for value in values)]) == (None if chosen is None else chosen + 1)


def test_names_of_best_of_n():
    assert method_name("summary", 1) == "summary"
    assert method_name("summary", 5) == "summary_best_of_5"
    assert single("summary_best_of_5") == "summary" == single("summary")
