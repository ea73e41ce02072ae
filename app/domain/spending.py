"""How much calls may cost: in all, in a day, and for one job."""

from dataclasses import dataclass
from datetime import UTC, datetime


@dataclass(frozen=True)
class Caps:
    """US dollars that may be spent at each level; None where there is no bound."""

    total_usd: float | None = None  # all calls there ever were
    day_usd: float | None = None  # calls sent since midnight, UTC
    job_usd: float | None = None  # calls of one job


def day_begins(moment: datetime) -> datetime:
    """The midnight before a moment, UTC. Raises ValueError for a moment that knows no time zone."""
    if moment.tzinfo is None:
        raise ValueError("a moment without a time zone lies in no day")
    return moment.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
