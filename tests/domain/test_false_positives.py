"""What counts as a false positive, which are the worst, and which excerpts are looked through."""

import numpy as np

from app.domain import false_positives as fp
from app.domain.false_positives import Found
from app.domain.neurons import Float32, Int32


def excerpts(n: int) -> Int32:
    return np.arange(n, dtype=np.int32)


def values(*rows: list[float]) -> Float32:
    return np.array(rows, np.float32)


def test_the_highest_prediction_on_a_silent_token() -> None:
    predicted = values([9, 1, 4], [2, 3, 1], [5, 5, 5])
    actual = values([3, 0, 0], [0, 0, 0], [9, 9, 9])
    found = fp.examine(excerpts(3), predicted, actual, 2.0, position0=False)
    assert found == [
        Found(0, 4.0, 2, 9.0, True),  # 9 is where the neuron fires
        Found(1, 3.0, 1, 3.0, False),
        Found(2, None, 0, 5.0, True),  # silent nowhere
    ]
    assert [each.excerpt for each in fp.worst(found)] == [0, 1]
    assert fp.tally(found) == fp.Tally(examined=3, silent=1, strongest=1, strongest_silent=0)


def test_a_token_at_the_threshold_is_silent_and_position_0_counts_for_nothing_where_it_is_an_outlier() -> (
    None
):
    predicted, actual = values([9, 1, 4]), values([0, 2, 5])
    assert fp.examine(excerpts(1), predicted, actual, 2.0, position0=True) == [Found(0, 1.0, 1, 4.0, True)]
    outlier = values([99, 0, 0])
    assert not fp.examine(excerpts(1), predicted, outlier, 2.0, position0=True)[0].active


def test_the_worst_come_first_and_equal_ones_in_order_of_excerpts() -> None:
    found = [Found(i, p, 0, 9.0 - i, False) for i, p in enumerate((1.0, 7.0, 7.0, None, 3.0))]
    assert [each.excerpt for each in fp.worst(found, 3)] == [1, 2, 4]
    forty = [Found(i, 1.0, 0, float(i), active=i >= 38) for i in range(40)]
    assert fp.tally(forty) == fp.Tally(40, 38, 2, 0)  # the two predicted highest are those where it fires
    assert fp.worst([]) == []


def test_the_sample_is_seeded_and_a_larger_one_begins_with_the_smaller() -> None:
    held = np.array([5, 900, 7, 31, 2, 77, 12, 64], np.int32)
    small, large = fp.sample(held, 3, 4), fp.sample(held, 6, 4)
    assert large[:3].tolist() == small.tolist() and set(large.tolist()) <= set(held.tolist())
    assert fp.sample(held[::-1], 6, 4).tolist() == large.tolist()
    assert sorted(fp.sample(held, 99, 4).tolist()) == sorted(held.tolist())
    assert fp.sample(held, 6, 5).tolist() != large.tolist()
