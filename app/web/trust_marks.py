"""The mark of a metric that fails the trust checks under the sampling of a protocol: one helper for every page and the API."""

from functools import cache
from typing import NamedTuple

from markupsafe import Markup, escape

from app.domain import trust
from app.domain.explanations import Metric, Protocol, Sample
from app.domain.ideal import Scheme
from app.web import wording

NOT_CHECKED = "not checked"
PASSES = "passes"


class Mark(NamedTuple):
    """What is to be said of a metric wherever its values are shown."""

    label: str  # short, beside a value
    words: str  # whole sentences
    href: str  # where it comes from


@cache
def mark(protocol: Protocol, sample: Sample, metric: Metric) -> Mark | None:
    """None where the metric passes, or was not checked: nobody knows the records, or there is no text behind it."""
    scheme = trust.scheme_of(protocol, sample)
    if scheme is None or not (missed := misses(metric, scheme)):
        return None
    sides = [
        f"{what}, of a neuron that fires on fewer than {rate} tokens" if rate else what
        for what, rate in _missed(metric, scheme)
    ]
    name = f"{wording.METRICS[metric]} on {wording.SCHEMES[scheme]}"
    words = f"{name} would mostly not notice that an explanation is {', or '.join(sides)}."
    return Mark(f"misses {missed}", words, f"/trust#{anchor(metric, scheme)}")


def misses(metric: Metric, scheme: Scheme) -> str:
    """What it would not notice, short; empty where it passes or is not checked."""
    return ", ".join(f"{what} below {rate}" if rate else what for what, rate in _missed(metric, scheme))


@cache
def _missed(metric: Metric, scheme: Scheme) -> tuple[tuple[str, str], ...]:
    """(too broad or too narrow, the frequency below which; empty: at any)."""
    found = trust.verdict(metric, scheme)
    if found is None or found.passes:
        return ()
    checks = [check for check in trust.of_scheme(scheme) if check.metric is metric]
    sides = ((trust.Test.EXTRA, "too broad", found.broad), (trust.Test.MISSING, "too narrow", found.narrow))
    return tuple(
        (what, "" if reached is None else rate(reached))
        for test, what, reached in sides
        if any(check.passes is False for check in checks if check.test is test)
    )


@cache
def html(protocol: Protocol, sample: Sample, metric: Metric) -> Markup:
    """The mark as a link, empty where there is none. Not for the inside of another link."""
    found = mark(protocol, sample, metric)
    if found is None:
        return Markup("")
    return Markup(  # noqa: S704
        f'<a class="trust" href="{escape(found.href)}" title="{escape(found.words)}">'
        f'<span class="hidden">trust check: </span>{escape(found.label)}</a>'
    )


@cache
def of_key(key: str) -> Markup:
    """The mark of a measure as addresses name it, `protocol.sample.metric`; empty for an empty one."""
    if not key:
        return Markup("")
    protocol, sample, metric = key.split(".")
    return html(Protocol(protocol), Sample(sample), Metric(metric))


@cache
def said(protocol: Protocol, sample: Sample, metric: Metric) -> str:
    """For the API: `passes`, `not checked`, or what it misses."""
    scheme = trust.scheme_of(protocol, sample)
    if scheme is None or trust.verdict(metric, scheme) is None:
        return NOT_CHECKED
    found = mark(protocol, sample, metric)
    return PASSES if found is None else found.label


def rate(frequency: float) -> str:
    """`1 in 1,000`."""
    return f"1 in {round(1 / frequency):,}"


def anchor(metric: Metric, scheme: Scheme) -> str:
    """The place of a metric's checks on the page."""
    return f"{metric}.{scheme}".replace("+", "-")
