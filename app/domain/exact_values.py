"""The narrowest form of published numbers that gives back exactly the decimals that were read.

Published activations are float16 values written with four decimals: 0.1526 stands for the float16 0.152587890625. So a
float16 and the word "four decimals" hold all of it; what is written otherwise is kept wider.
"""

from enum import IntEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.domain.neurons import Float64

DECIMALS = 4


class ValueForm(IntEnum):
    """How a block of values is kept; the numbers are stored and must never change their meaning."""

    HALF = 0  # float16 as it is
    HALF_DECIMAL = 1  # float16, read as rounded to four decimals
    SINGLE = 2
    SINGLE_DECIMAL = 3
    DOUBLE = 4


TYPES: dict[ValueForm, np.dtype[Any]] = {
    ValueForm.HALF: np.dtype("<f2"),
    ValueForm.HALF_DECIMAL: np.dtype("<f2"),
    ValueForm.SINGLE: np.dtype("<f4"),
    ValueForm.SINGLE_DECIMAL: np.dtype("<f4"),
    ValueForm.DOUBLE: np.dtype("<f8"),
}
_DECIMAL = (ValueForm.HALF_DECIMAL, ValueForm.SINGLE_DECIMAL)


def narrowest(values: Float64) -> tuple[ValueForm, NDArray[Any]]:
    """The first form that `exact` turns into the same values again, and the values in it. Finite values of any shape."""
    for narrow, plain, decimal in (
        ("<f2", ValueForm.HALF, ValueForm.HALF_DECIMAL),
        ("<f4", ValueForm.SINGLE, ValueForm.SINGLE_DECIMAL),
    ):
        with np.errstate(over="ignore"):  # what overflows is infinite, and so not the same
            block = values.astype(narrow)
        wide = block.astype(np.float64)
        if np.array_equal(_rounded(wide), values):
            return decimal, block
        if np.array_equal(wide, values):
            return plain, block
    return ValueForm.DOUBLE, values.astype("<f8")


def exact(form: ValueForm, block: NDArray[Any]) -> Float64:
    """The values as they were read, float64, from a block of one form."""
    wide = block.astype(np.float64)
    return _rounded(wide) if form in _DECIMAL else wide


def _rounded(values: Float64) -> Float64:
    return np.round(values, DECIMALS)
