"""Charts of a few bars as plain SVG; colours come from CSS classes, and each says in words what it shows."""

import math
from functools import lru_cache

from markupsafe import Markup

from app.domain.neurons import Histogram
from app.web.formats import MINUS, count, number, signed

WIDTH, HEIGHT = 256, 52


def histogram(values: Histogram, description: str = "Distribution of activations") -> Markup:
    """A neuron's histogram, bars below zero in the negative colour; heights are logarithms of counts."""
    counts = values.counts.tolist()
    total = sum(counts)
    if not total or values.high <= values.low:
        return Markup("")
    tallest = math.log1p(max(counts))
    width = WIDTH / len(counts)
    step = (values.high - values.low) / len(counts)
    across = f"h{width - 0.7:.1f}"
    bars: dict[str, list[str]] = {"hn": [], "hp": []}
    for i, (n, start) in enumerate(zip(counts, _starts(len(counts)), strict=True)):
        if n:
            high = f"{max(1.5, HEIGHT * math.log1p(n) / tallest):.1f}"
            sign = "hn" if values.low + (i + 0.5) * step < 0 else "hp"
            bars[sign].append(f"{start}{high}{across}v{high}z")
    label = (
        f"{description}: {count(total)} sampled tokens from {signed(values.low)} to {signed(values.high)}, "
        "heights on a logarithmic scale"
    )
    zero = (0 - values.low) / (values.high - values.low) * WIDTH
    tick = f'<path class="hz" d="M{zero:.1f} {HEIGHT}v5"/>' if 0 <= zero <= WIDTH else ""
    paths = "".join(f'<path class="{name}" d="{"".join(d)}"/>' for name, d in bars.items() if d)
    return Markup(  # noqa: S704
        f'<svg class="hist" viewBox="0 0 {WIDTH} {HEIGHT + 6}" preserveAspectRatio="none" role="img" aria-label="{label}">'
        f"<title>{label}</title>{paths}{tick}</svg>"
    )


@lru_cache(maxsize=8)
def _starts(bins: int) -> tuple[str, ...]:
    """Where each bar's path begins, up to its height."""
    return tuple(f"M{i * WIDTH / bins:.1f} {HEIGHT}v-" for i in range(bins))


INTERVAL_WIDTH, FROM = 84, -0.25


def interval(value: float, low: float | None, high: float | None) -> Markup:
    """A score on a line from -0.25 to 1 with its 95 % interval and a tick at zero, and the interval's numbers after it."""

    def x(v: float) -> float:
        return (min(1.0, max(FROM, v)) - FROM) / (1 - FROM) * (INTERVAL_WIDTH - 6) + 3

    bar, words, numbers = "", "", ""
    if low is not None and high is not None:
        bar = f'<rect x="{x(low):.1f}" y="3.5" width="{max(1.0, x(high) - x(low)):.1f}" height="4" rx="2"/>'
        words = f", 95 % interval {number(low)} to {number(high)}"
        between = (
            " to " if number(low).startswith(MINUS) else "–"
        )  # a dash beside a minus sign is hard to read
        # What the drawing says already is not said twice.
        numbers = f'<small aria-hidden="true">{number(low)}{between}{number(high)}</small>'
    return Markup(  # noqa: S704
        f'<svg class="ci" viewBox="0 0 {INTERVAL_WIDTH} 11" role="img" aria-label="score {number(value)}{words}">'
        f'<path d="M2 5.5H{INTERVAL_WIDTH - 2}M{x(0):.1f} 2.5v6"/>{bar}<circle cx="{x(value):.1f}" cy="5.5" r="3"/></svg>{numbers}'
    )
