"""What calls to language models took, added up."""

from dataclasses import dataclass
from enum import StrEnum


class CostsBy(StrEnum):
    """What calls are added up by."""

    DAY = "day"  # UTC, when they were sent
    JOB = "job"
    EXPERIMENT = "experiment"
    ENDPOINT = "endpoint"  # with the model asked for there
    PURPOSE = "purpose"  # explain, simulate, judge, …


@dataclass(frozen=True)
class CostLine:
    """One line of the ledger's sums. Tries that failed are calls too, and may have cost something."""

    key: str  # the day, the job's id, the experiment's id, "endpoint / model", the purpose; empty: no job asked
    title: str  # what people call it
    calls: int
    failed: int  # of them, tries without an answer that was used
    tokens_in: int
    tokens_cached: int  # of tokens_in, from the provider's cache
    tokens_out: int
    seconds: float  # of all calls, which may have run side by side
    cost_usd: float
    served: int = 0  # answers taken from other jobs' calls instead of asking again
    saved_usd: float = 0.0  # what those had cost when they were made
