"""Which raters' answers are left out, by rules fixed beforehand."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Exclusions:
    """Rules of exclusion; None: no such rule."""

    min_gold: float | None = None
    max_straight: float | None = None
    min_seconds: float | None = None
    min_consistency: float | None = None
