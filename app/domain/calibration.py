"""The straight line that takes simulated activations (0-10) to the model's own, fitted on dev records."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from app.domain.explanations import State
from app.domain.neurons import Float64


class Calibration(NamedTuple):
    """`slope * simulated + intercept`, in the neuron's own units (of -a for the negative polarity)."""

    slope: float
    intercept: float

    def apply(self, simulated: NDArray[np.floating]) -> Float64:
        """Calibrated values, same shape, float64."""
        return self.slope * np.asarray(simulated, np.float64) + self.intercept


def calibrate(simulated: NDArray[np.floating], actual: NDArray[np.floating]) -> Calibration | State:
    """Least squares of `actual` on `simulated`, any equal shapes, flattened.

    NO_CALIBRATION without values; CONSTANT_PREDICTION where all simulated values are equal, which fixes no slope.
    Raises ValueError for unequal shapes or a value that is not finite.
    """
    s, a = np.asarray(simulated, np.float64).ravel(), np.asarray(actual, np.float64).ravel()
    if len(s) != len(a):
        raise ValueError(f"calibration needs arrays of one length, not {len(s)} and {len(a)}")
    if not (np.isfinite(s).all() and np.isfinite(a).all()):
        raise ValueError("calibration on a value that is not finite")
    if not len(s):
        return State.NO_CALIBRATION
    if s.max() == s.min():
        return State.CONSTANT_PREDICTION
    deviations = s - s.mean()
    scale = np.abs(deviations).max()
    deviations /= scale
    slope = float((deviations * (a - a.mean())).sum() / (deviations * deviations).sum() / scale)
    return Calibration(slope, float(a.mean() - slope * s.mean()))
