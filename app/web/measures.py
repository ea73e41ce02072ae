"""Which score a page shows: protocol, sample and metric together, from the query string, never mixed."""

from typing import NamedTuple
from urllib.parse import urlencode

from app.domain.explanations import Metric, Protocol, Sample
from app.errors import BadInput
from app.web import trust_marks

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
    """The measure named by the address, whether it has scores or not; without one the default, else the first that has.

    Raises BadInput that says what there is.
    """
    there = [Measure(*each) for each in stored]
    if not key:
        return DEFAULT if DEFAULT in there or not there else there[0]
    try:
        # An address typed by hand has a bare plus (heldout-5+5), which is read as a blank.
        protocol, sample, metric = key.replace(" ", "+").split(".")
        return Measure(Protocol(protocol), Sample(sample), Metric(metric))
    except ValueError:
        known = ", ".join(sorted({each.key for each in there} | {DEFAULT.key}))
        raise BadInput(
            f"“{key[:80]}” is no measure: write protocol.sample.metric. There is: {known}."
        ) from None


def choices(stored: Stored, chosen: Measure) -> tuple[MeasureChoice, ...]:
    """The menu: everything that has scores, and what is chosen."""
    there = sorted({Measure(*each) for each in stored} | {chosen}, key=lambda m: m.key)
    return tuple(MeasureChoice(each.key, _marked(each), each == chosen) for each in there)


def _marked(measure: Measure) -> str:
    found = trust_marks.mark(*measure)
    return measure.label if found is None else f"{measure.label} · {found.label}"


def address(path: str, **query: str | None) -> str:
    """A path with the parts of the query that are set."""
    kept = {name: value for name, value in query.items() if value}
    return f"{path}?{urlencode(kept)}" if kept else path
