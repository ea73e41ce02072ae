"""Linear calibration."""

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from app.domain.calibration import Calibration, calibrate
from app.domain.explanations import State
from app.domain.metrics import r_squared

numbers = st.lists(st.tuples(st.floats(0, 10), st.floats(-50, 50)), min_size=2, max_size=40)


def test_by_hand() -> None:
    # means 2 and 5; products (-2)(-4) + 0(1) + 2(3) = 14 over 8
    fitted = calibrate(np.array([0.0, 2, 4]), np.array([1.0, 6, 8]))
    assert isinstance(fitted, Calibration)
    assert fitted == pytest.approx((1.75, 1.5))
    assert fitted.apply(np.array([[2.0, 4.0]], np.float32)).tolist() == [[5.0, 8.5]]


def test_states() -> None:
    assert calibrate(np.full(4, 3.0), np.arange(4.0)) is State.CONSTANT_PREDICTION
    assert calibrate(np.array([]), np.array([])) is State.NO_CALIBRATION
    flat = calibrate(np.arange(4.0), np.full(4, 7.0))
    assert flat == Calibration(0.0, 7.0)


def test_nonsense_is_refused() -> None:
    with pytest.raises(ValueError, match="length"):
        calibrate(np.arange(3.0), np.arange(4.0))
    with pytest.raises(ValueError, match="finite"):
        calibrate(np.array([0.0, np.nan]), np.arange(2.0))


@given(numbers)
def test_is_least_squares(rows: list[tuple[float, float]]) -> None:
    simulated, actual = np.array(rows).T
    assume(np.ptp(simulated) > 1e-2)
    fitted = calibrate(simulated, actual)
    assert isinstance(fitted, Calibration)
    slope, intercept = np.polyfit(simulated, actual, 1)
    assert fitted.apply(simulated) == pytest.approx(slope * simulated + intercept, abs=1e-6)


@given(numbers, st.floats(-3, 3), st.floats(-5, 5))
def test_no_other_line_does_better_on_dev(
    rows: list[tuple[float, float]], slope: float, intercept: float
) -> None:
    simulated, actual = np.array(rows).T
    assume(np.ptp(simulated) > 1e-2 and np.ptp(actual) > 1e-2)
    fitted = calibrate(simulated, actual)
    assert isinstance(fitted, Calibration)
    other = Calibration(slope, intercept)
    best, rival = r_squared(actual, fitted.apply(simulated)), r_squared(actual, other.apply(simulated))
    assert not isinstance(best, State) and not isinstance(rival, State)
    assert best >= rival - 1e-9
    assert best >= -1e-9  # the mean is a line as well
