"""Memory that was needed for a moment goes back to the system: at full size a first search leaves 20 MB behind, an index of tokens 50."""

import ctypes
from functools import cache
from typing import Any


def give_back() -> None:
    """What the C library keeps of freed memory. It does so with glibc alone; others are let be."""
    trim = _trim()
    if trim is not None:
        trim(0)


@cache
def _trim() -> Any:
    try:
        return getattr(ctypes.CDLL(None), "malloc_trim", None)
    except (OSError, TypeError):  # TypeError: Windows has no library of the process itself
        return None
