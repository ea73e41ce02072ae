"""Windows that fire and windows that do not, against brute force on random activations."""

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings

from app.domain.explanations import Metric, State
from app.domain.neurons import Polarity, Statistics
from app.domain.windows import A_SIDE, FEWEST, Decoys, Levels, Windows, cut, draw, levels, sample, together


def statistics(**changes: object) -> Statistics:
    values = dict(
        mean=0.0, variance=1.0, skewness=0.0, kurtosis=3.0, maximum=9.0, minimum=-7.0, density=0.1, explain_maximum=8.0,
        explain_minimum=-6.0, token_q99=2.0, token_q01=-1.5, excerpt_max_q99=7.0, n_tokens=1, n_sampled=1, sign_shares=None,
    )  # fmt: skip
    return Statistics(**{**values, **changes})  # type: ignore[arg-type]


def windows(n: int, seed: int = 0, *, live: bool = False, share: float = 0.3, first: int = 0) -> Windows:
    """n excerpts of two windows each; about a share of the windows holds something above 2."""
    rng = np.random.default_rng(seed)
    values = rng.uniform(-1, 1.9, (n, 64)).astype(np.float32)
    for row in range(n):
        for half in (0, 32):
            if rng.random() < share:
                at = rng.choice(32, rng.integers(1, 5), replace=False) + half
                values[row, at] = rng.uniform(2.1, 8, len(at))
    excerpts = np.arange(first, first + n, dtype=np.int32)
    return cut(excerpts, values, Polarity.POSITIVE, position0=False, live=live)


AT = Levels(2.0, 2.4)


def test_levels_are_those_of_the_explain_split() -> None:
    assert levels(statistics(), Polarity.POSITIVE) == (2.0, pytest.approx(2.4))
    assert levels(statistics(), Polarity.NEGATIVE) == (1.5, pytest.approx(1.8))
    assert levels(statistics(explain_maximum=0.0), Polarity.POSITIVE) is None
    assert levels(statistics(token_q99=float("nan")), Polarity.POSITIVE) is None


def test_an_excerpt_is_cut_once_in_two_and_position_0_left_out_where_it_is_an_outlier() -> None:
    values = np.arange(128, dtype=np.float32).reshape(2, 64)
    found = cut(np.array([7, 7], np.int32), values, Polarity.NEGATIVE, position0=True, live=False)
    assert found.excerpts.tolist() == [7, 7] and found.starts.tolist() == [0, 32]
    assert np.array_equal(found.values.ravel(), -values[0])
    assert (~found.counted).sum() == 1 and not found.counted[0, 0]
    both = together(windows(3, live=True), windows(5))
    assert np.array_equal(np.unique(both.excerpts[both.live]), [0, 1, 2]) and len(both.excerpts) == 10
    with pytest.raises(ValueError, match="do not fit"):
        cut(np.array([1], np.int32), values, Polarity.POSITIVE, position0=False, live=False)


@settings(max_examples=40)
@given(
    st.integers(0, 2**31), st.sampled_from([Metric.DETECTION, Metric.FUZZING]), st.sampled_from(list(Decoys))
)
def test_truth_is_what_the_neuron_did(seed: int, metric: Metric, decoys: Decoys) -> None:
    found = windows(120, seed)
    drawn = draw(found, AT, metric, decoys, seed)
    again = draw(found, AT, metric, decoys, seed)
    assert drawn == again and drawn.state is State.OK
    where = {(int(e), int(s)): i for i, (e, s) in enumerate(zip(found.excerpts, found.starts, strict=True))}
    assert len({(e.excerpt, e.start) for e in drawn.examples}) == len(drawn.examples) <= 2 * A_SIDE
    for example in drawn.examples:
        values = found.values[where[example.excerpt, example.start]]
        fires = bool((values > AT.active).any())
        if metric is Metric.DETECTION:
            assert example.truth == fires and example.marked == ()
            continue
        marked = set(example.marked)
        if example.truth:
            assert fires and marked == set(np.flatnonzero(values >= AT.mark).tolist()) != set()
        else:
            assert fires == (decoys is Decoys.ACTIVE)
            assert marked and all(values[i] < AT.mark and values[i] <= AT.active for i in marked)
    right = sorted(len(e.marked) for e in drawn.examples if e.truth)
    wrong = sorted(len(e.marked) for e in drawn.examples if not e.truth)
    if metric is Metric.FUZZING and len(right) == len(wrong):
        assert right == wrong  # how many are marked tells nothing
    # Nor does the order: both kinds are spread over it.
    places = np.array([e.truth for e in drawn.examples])
    assert 0.2 < np.flatnonzero(places).mean() / len(places) < 0.8


def test_silent_windows_are_of_the_sample_alone_and_active_ones_of_records_where_it_has_too_few() -> None:
    sampled, stored = windows(60, 1, live=True, share=0.05), windows(40, 2, share=0.9, first=1000)
    drawn = draw(together(sampled, stored), AT, Metric.DETECTION, Decoys.INACTIVE, 0)
    assert all(e.excerpt < 1000 for e in drawn.examples if not e.truth)
    of_sample = [e for e in drawn.examples if e.truth and e.excerpt < 1000]
    fires = (sampled.values > AT.active).any(1)
    assert len(of_sample) == fires.sum() == drawn.live_active
    assert drawn.live_active + drawn.stored_active == A_SIDE
    assert drawn.found_inactive == (~fires).sum()


def test_too_few_of_either_kind_is_a_state_that_says_how_many() -> None:
    quiet = draw(windows(60, share=0.0), AT, Metric.DETECTION, Decoys.INACTIVE, 0)
    assert (
        quiet.state is State.TOO_FEW_ACTIVE
        and quiet.reason.startswith("Only 0 windows")
        and not quiet.examples
    )
    loud = draw(windows(60, share=1.0), AT, Metric.DETECTION, Decoys.INACTIVE, 0)
    assert loud.state is State.TOO_FEW_RECORDS and "without an active token" in loud.reason
    few = windows(FEWEST + 1, share=1.0)
    assert draw(few, AT, Metric.FUZZING, Decoys.ACTIVE, 0).state is State.OK
    weak = Levels(2.0, 100.0)  # it fires, but nowhere at 0.3 of its maximum
    assert draw(windows(60), weak, Metric.FUZZING, Decoys.INACTIVE, 0).state is State.TOO_FEW_ACTIVE


def test_a_sample_is_the_same_for_a_seed_and_grows_with_n() -> None:
    excerpts = np.arange(0, 2000, 3, dtype=np.int32)
    small, large = sample(excerpts, 20, 5), sample(excerpts, 60, 5)
    assert len(small) == 20 and set(small) < set(large) <= set(excerpts) and sorted(small) == small.tolist()
    assert not np.array_equal(small, sample(excerpts, 20, 6))
    assert np.array_equal(sample(excerpts, 10_000, 5), excerpts)
