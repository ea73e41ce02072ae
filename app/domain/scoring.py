"""An explanation's scores on named records, from what was simulated and what the model did."""

from app.domain.explanations import Protocol, ScoreValue
from app.domain.neurons import Float32, Int32, Polarity, Records, Statistics


def score(
    actual: Records,
    strata: Int32,
    expected: Float32,
    protocol: Protocol,
    polarity: Polarity,
    dev: tuple[Records, Float32] | None,
    stats: Statistics,
    seed: int,
) -> tuple[ScoreValue, ...]:
    """All metrics x samples of the protocol; see the finished module."""
    raise NotImplementedError
