"""Column types: words as small stable numbers, moments as microseconds, and names of the plain ones."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import BigInteger, Dialect, Float, Integer, LargeBinary, SmallInteger, Text
from sqlalchemy.types import TypeDecorator, TypeEngine

from app.domain.explanations import Metric, Protocol, Sample, State
from app.domain.ledger import Outcome
from app.domain.neurons import Polarity
from app.store.rows import CollectionState, JobState

E = TypeVar("E", bound=StrEnum)

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

# An id that counts up: SQLite only does so for its own INTEGER.
Id = BigInteger().with_variant(Integer(), "sqlite")
Bytes = LargeBinary
Number = Float(53)  # eight bytes on both databases, so that a float32 comes back bit for bit


class Words(TypeDecorator[str]):
    """Text that every database takes: PostgreSQL refuses NUL, and no encoder takes half a surrogate pair."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        return None if value is None else clean(value)


def clean(text: str) -> str:
    """NUL as its visible symbol U+2400, unpaired surrogates as U+FFFD; anything else as it is."""
    if "\0" in text:
        text = text.replace("\0", "\u2400")
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text


class Code(TypeDecorator[E], Generic[E]):
    """A word of an enumeration, stored as a small number that must never change its meaning."""

    impl = SmallInteger
    cache_ok = True

    def __init__(self, kind: type[E], codes: Mapping[E, int]) -> None:
        super().__init__()
        if set(codes) != set(kind) or len(set(codes.values())) != len(codes):
            raise ValueError(f"every {kind.__name__} needs a number of its own")
        self.kind = kind
        # Not named as the argument is: SQLAlchemy would take it into its cache key, where `kind` is enough.
        self._numbers = dict(codes)
        self._words = {number: word for word, number in codes.items()}

    def process_bind_param(self, value: E | None, dialect: Dialect) -> Any:
        return None if value is None else self._numbers[value]

    def process_result_value(self, value: Any, dialect: Dialect) -> E | None:
        return None if value is None else self._words[value]

    def __repr__(self) -> str:
        return f"Code({self.kind.__name__})"


class Moment(TypeDecorator[datetime]):
    """A moment in UTC, stored as whole microseconds since 1970."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> Any:
        return None if value is None else microseconds(value)

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:
        return None if value is None else _EPOCH + timedelta(microseconds=value)


def microseconds(moment: datetime) -> int:
    """Whole microseconds since 1970; `moment` must know its time zone."""
    return (moment - _EPOCH) // timedelta(microseconds=1)


POLARITIES: Mapping[Polarity, int] = {Polarity.POSITIVE: 0, Polarity.NEGATIVE: 1}
STATES: Mapping[State, int] = {
    State.OK: 0,
    State.FAILED: 1,
    State.CONSTANT_PREDICTION: 2,
    State.CONSTANT_ACTUAL: 3,
    State.TOO_FEW_ACTIVE: 4,
    State.TOO_FEW_RECORDS: 5,
    State.NO_CALIBRATION: 6,
}
PROTOCOLS: Mapping[Protocol, int] = {
    Protocol.HELDOUT_5_5: 0,
    Protocol.HELDOUT_FULL: 1,
    Protocol.POPULATION: 2,
    Protocol.BILLS_5_5: 3,
    Protocol.AS_IMPORTED: 4,
    Protocol.GENERATED: 5,
    Protocol.WINDOWS: 6,
    Protocol.REFERENCE: 7,
}
SAMPLES: Mapping[Sample, int] = {
    Sample.TOP_AND_RANDOM: 0,
    Sample.RANDOM_ONLY: 1,
    Sample.POPULATION: 2,
    Sample.AS_IMPORTED: 3,
    Sample.GENERATED: 4,
    Sample.WINDOWS: 5,
    Sample.REFERENCE: 6,
}
METRICS: Mapping[Metric, int] = {
    Metric.CORRELATION: 0,
    Metric.R_SQUARED: 1,
    Metric.R_SQUARED_UNCENTRED: 2,
    Metric.ABS_DEV_EXPLAINED: 3,
    Metric.DETECTION: 4,
    Metric.FUZZING: 5,
    Metric.EMBEDDING: 6,
    Metric.COSINE: 7,
    Metric.AUPRC: 8,
    Metric.F1: 9,
    Metric.IOU: 10,
    Metric.ABLATION: 11,
}
OUTCOMES: Mapping[Outcome, int] = {
    Outcome.OK: 0,
    Outcome.HTTP_ERROR: 1,
    Outcome.TIMEOUT: 2,
    Outcome.CONNECTION: 3,
    Outcome.REJECTED: 4,
}
COLLECTION_STATES: Mapping[CollectionState, int] = {
    CollectionState.RUNNING: 0,
    CollectionState.COMPLETE: 1,
    CollectionState.SUPERSEDED: 2,
}
JOB_STATES: Mapping[JobState, int] = {
    JobState.QUEUED: 0,
    JobState.RUNNING: 1,
    JobState.DONE: 2,
    JobState.FAILED: 3,
    JobState.CANCELLED: 4,
}


def plain(kind: TypeEngine[Any]) -> TypeEngine[Any]:
    """The type that a driver sees for a column type, for bulk loading past SQLAlchemy."""
    return kind.impl_instance if isinstance(kind, TypeDecorator) else kind


def nullable(values: NDArray[np.floating]) -> list[float | None]:
    """Driver values of an array [N]: what is not a finite number is NULL on either database."""
    plain_: list[float | None] = values.astype(np.float64).tolist()
    for i in np.flatnonzero(~np.isfinite(values)):
        plain_[i] = None
    return plain_
