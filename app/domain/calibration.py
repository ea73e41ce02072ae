"""What is fitted on dev records: the line that takes simulated activations (0-10) to the model's own, and the cut above
which they count as active.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from app.domain.binary_metrics import Activity, Cut, best_cut
from app.domain.explanations import State
from app.domain.neurons import Float64

_NO_DEV = "Calibration needs dev records, and there are none."
_FLAT_DEV = "Calibration needs a simulation that varies on the dev records."
_SILENT_DEV = "The cut on predictions needs an active token among the dev records, and there is none."


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


class DevFit(NamedTuple):
    """What the dev records gave; where they gave nothing, why."""

    records: int
    line: Calibration | str
    cut: Cut | str


def fit(simulated: Float64, actual: Float64, activity: Activity) -> DevFit:
    """Both, from [R, T] twice with the polarity's sign. Raises ValueError as `calibrate` does."""
    line = calibrate(simulated, actual)
    if isinstance(line, State):
        reason = _NO_DEV if line is State.NO_CALIBRATION else _FLAT_DEV
        return DevFit(len(actual), reason, reason)
    cut = best_cut(actual > activity.threshold, simulated)
    return DevFit(len(actual), line, _SILENT_DEV if isinstance(cut, State) else cut)
