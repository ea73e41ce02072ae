"""Reports that have been made, kept while nothing has changed: making one of many results takes a second."""

from collections import OrderedDict
from threading import Lock
from time import monotonic
from typing import NamedTuple

from app.report.build import Report
from app.store import Store, experiment_reports
from app.store.experiment_reports import Standing
from app.web import report_material

KEPT = 3
FRESH_S = 4.0  # one of an experiment under way is good for so long
SLOW = 5.0  # or so many times as long as it took to make


class Shelved(NamedTuple):
    """A report, and how far the experiment was when it was made."""

    report: Report
    standing: Standing


class _Kept(NamedTuple):
    shelved: Shelved
    until: float


class Shelf:
    """Safe to share between threads; a report is made once however many ask for it."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._lock = Lock()
        self._making: dict[int, Lock] = {}
        self._kept: OrderedDict[int, _Kept] = OrderedDict()

    def get(self, experiment: int) -> Shelved:
        """The report as it is, or a few seconds old while results are coming in. Raises NotFound."""
        standing = self._standing(experiment)
        with self._lock:
            making = self._making.setdefault(experiment, Lock())
        with making:
            kept = self._kept.get(experiment)
            if kept is not None and self._good(kept, standing):
                found = kept.shelved
            else:
                begun = monotonic()
                standing = self._standing(experiment)
                with self._store.reading() as session:
                    report = report_material.read(session, experiment)
                _ = report.tables  # made here, while nobody else makes them too
                found = Shelved(report, standing)
                kept = _Kept(found, monotonic() + max(FRESH_S, SLOW * (monotonic() - begun)))
            with self._lock:
                self._kept[experiment] = kept
                self._kept.move_to_end(experiment)
                while len(self._kept) > KEPT:
                    self._kept.popitem(last=False)
        return found

    @staticmethod
    def _good(kept: _Kept, standing: Standing) -> bool:
        if kept.shelved.standing == standing:
            return True
        return standing.running and kept.shelved.standing.running and monotonic() < kept.until

    def _standing(self, experiment: int) -> Standing:
        with self._store.reading() as session:
            return experiment_reports.standing(session, experiment)
