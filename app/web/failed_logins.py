"""How often an address may guess a password."""

import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable
from math import ceil

from app.errors import AppError

MOST = 10  # failures in a window
WINDOW_S = 60.0
ADDRESSES = 10_000  # remembered at once; the one that failed longest ago is forgotten first


class TooManyFailures(AppError):
    """An address has failed to log in too often."""

    status = 429

    def __init__(self, wait_s: int) -> None:
        super().__init__(f"Too many failed logins from this address. Try again in {wait_s} s.")
        self.wait_s = wait_s


class FailedLogins:
    """The failures of the last minute, by address. For threads."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._failed: OrderedDict[str, deque[float]] = OrderedDict()
        self._lock = threading.Lock()

    def check(self, address: str) -> None:
        """Raises TooManyFailures while this address may not try."""
        with self._lock:
            times = self._failed.get(address)
            if times and len(times) == MOST and (left := times[0] + WINDOW_S - self._clock()) > 0:
                raise TooManyFailures(ceil(left))

    def add(self, address: str) -> None:
        """One more failure."""
        with self._lock:
            self._failed.setdefault(address, deque(maxlen=MOST)).append(self._clock())
            self._failed.move_to_end(address)
            if len(self._failed) > ADDRESSES:
                self._failed.popitem(last=False)
