"""Which score a page shows: protocol, sample and metric together, from the query string, never mixed."""

from typing import NamedTuple
from urllib.parse import urlencode

from app.domain.explanations import Metric, Protocol, Sample

Stored = list[tuple[Protocol, Sample, Metric]]


class Measure(NamedTuple):
    """One way of scoring. Its key is what the address holds."""

    protocol: Protocol = Protocol.HELDOUT_FULL
    sample: Sample = Sample.TOP_AND_RANDOM
    metric: Metric = Metric.CORRELATION

    @property
    def key(self) -> str:
        return f"{self.protocol}.{self.sample}.{self.metric}"

    @property
    def label(self) -> str:
        return f"{self.metric.replace('_', ' ')}, {self.sample} ({self.protocol})"


DEFAULT = Measure()


class MeasureChoice(NamedTuple):
    """One entry of the measure menu."""

    key: str
    label: str
    chosen: bool


def parse(key: str | None, stored: Stored) -> Measure:
    """The measure named by the address, else the default, else the first one that has scores."""
    there = [Measure(*each) for each in stored]
    for measure in [*there, DEFAULT]:
        if measure.key == key:
            return measure
    return DEFAULT if DEFAULT in there or not there else there[0]


def choices(stored: Stored, chosen: Measure) -> tuple[MeasureChoice, ...]:
    """The menu: everything that has scores, and what is chosen."""
    there = sorted({Measure(*each) for each in stored} | {chosen}, key=lambda m: m.key)
    return tuple(MeasureChoice(each.key, each.label, each == chosen) for each in there)


def address(path: str, **query: str | None) -> str:
    """A path with the parts of the query that are set."""
    kept = {name: value for name, value in query.items() if value}
    return f"{path}?{urlencode(kept)}" if kept else path
