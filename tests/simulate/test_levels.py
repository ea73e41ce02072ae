"""Expectation over the numbers among the rivals."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.simulate.levels import expected_level, likeliest_level


def test_the_expectation_is_taken_over_numbers_alone() -> None:
    rivals = [("unknown", math.log(0.5)), ("2", math.log(0.3)), ("7", math.log(0.1)), ("ten", math.log(0.05))]
    assert expected_level(rivals, 10) == pytest.approx((2 * 0.3 + 7 * 0.1) / 0.4)


def test_white_space_around_a_number_is_allowed_and_twins_add_up() -> None:
    rivals = [("10", math.log(0.2)), (" 10", math.log(0.2)), ("0", math.log(0.4))]
    assert expected_level(rivals, 10) == pytest.approx(5.0)


@pytest.mark.parametrize("token", ["11", "-1", "07", "1.5", "１", "②", "", " ", "unknown", "1\u0000", "true"])
def test_what_is_no_level_does_not_count(token: str) -> None:
    assert expected_level([(token, -0.1)], 10) is None
    assert likeliest_level([(token, -0.1)], 10) is None


def test_no_number_is_none_and_not_zero() -> None:
    assert expected_level([], 10) is None
    assert expected_level([("3", -math.inf)], 10) is None
    assert expected_level([("10", -1.0)], 9) is None


def test_a_scale_to_nine_is_stretched_to_ten() -> None:
    assert expected_level([("9", -1.0)], 9) == pytest.approx(10.0)
    assert expected_level([("3", -1.0), ("6", -1.0)], 9) == pytest.approx(5.0)


def test_the_likeliest_level_and_its_ties() -> None:
    assert likeliest_level([("unknown", -0.1), ("4", -2.0), ("9", -1.0)], 9) == 9
    assert likeliest_level([("7", -1.0), ("2", -1.0)], 9) == 2


@given(st.lists(st.tuples(st.integers(0, 10), st.floats(-700, 0)), min_size=1, max_size=11))
def test_an_expectation_lies_between_the_levels_it_is_made_of(rivals: list[tuple[int, float]]) -> None:
    value = expected_level([(str(level), p) for level, p in rivals], 10)
    levels = [level for level, _ in rivals]
    assert value is not None
    assert min(levels) - 1e-9 <= value <= max(levels) + 1e-9
