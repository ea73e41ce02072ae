"""Student's t and chi-square are scipy's."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from scipy import stats

from app.domain.study_distributions import chi_square_tail, t_quantile, t_tail


@example(4.5e-7, 2.0)
@example(7.0, 56.0)
@example(-1e-9, 1.0)
@given(st.floats(-30, 30), st.floats(0.5, 5_000))
def test_t(value: float, df: float) -> None:
    assert t_tail(value, df) == pytest.approx(stats.t.sf(value, df), rel=1e-8, abs=1e-300)


@given(st.floats(1e-4, 1 - 1e-4), st.floats(1, 5_000))
def test_t_quantile(probability: float, df: float) -> None:
    assert t_quantile(probability, df) == pytest.approx(stats.t.ppf(probability, df), rel=1e-8, abs=1e-9)


@example(5e-324, 1.0)
@given(st.floats(0, 500), st.floats(0.5, 300))
def test_chi_square(value: float, df: float) -> None:
    assert chi_square_tail(value, df) == pytest.approx(stats.chi2.sf(value, df), rel=1e-8, abs=1e-13)


@pytest.mark.parametrize("probability", [0.0, 1.0, -0.1, float("nan")])
def test_no_quantile_of_what_is_no_probability(probability: float) -> None:
    with pytest.raises(ValueError, match="between 0 and 1"):
        t_quantile(probability, 5)
