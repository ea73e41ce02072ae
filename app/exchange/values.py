"""Single values as files write them -> what the store holds. A value that cannot be read is a Problem of its row."""

import json
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from math import isfinite
from typing import Any

import orjson

from app.domain.explanations import BINARY_METRICS, COMPUTED_METRICS, Metric, Protocol, Sample, State
from app.domain.imported import LONGEST_TEXT, ImportedScore
from app.domain.neurons import Polarity
from app.errors import AppError
from app.exchange.files import shown

_WHOLE = re.compile(r"\s*([0-9]{1,9})(?:\.0*)?\s*")
_LAYER = re.compile(r"\s*([0-9]{1,4})(?:\.0*|-mlp)?\s*", re.IGNORECASE)


class Problem(AppError):
    """Why a row cannot be used; the rows beside it can."""


def layer(value: Any) -> int:
    """A layer as a number or such as `12-mlp`. Latents of other kinds are no neurons."""
    found = _LAYER.fullmatch(str(value)) if not isinstance(value, bool) else None
    if found is None:
        raise Problem(f"layer “{shown(value)}” is no number, nor one such as 12-mlp")
    return int(found[1])


def index(value: Any) -> int:
    """A neuron's place in its layer."""
    found = _WHOLE.fullmatch(str(value)) if not isinstance(value, bool) else None
    if found is None:
        raise Problem(f"neuron “{shown(value)}” is no whole number from 0")
    return int(found[1])


def text(value: Any) -> str:
    """An explanation, exactly as given, leading blanks included."""
    if not isinstance(value, str):
        raise Problem("no explanation" if value is None else f"explanation “{shown(value)}” is no text")
    if not value.strip():
        raise Problem("the explanation is empty")
    if len(value) > LONGEST_TEXT:
        raise Problem(f"the explanation has {len(value):,} characters; {LONGEST_TEXT:,} are the most")
    return value


def word(value: Any, default: str) -> str:
    """A name: what is not there is the default, what is empty stays empty."""
    return default if value is None else str(value)


def polarity(value: Any) -> Polarity:
    """`positive`, the default, or `negative`."""
    if value is None or not str(value).strip():
        return Polarity.POSITIVE
    try:
        return Polarity(str(value).strip().lower())
    except ValueError:
        raise Problem(f"polarity is positive or negative, not “{shown(value)}”") from None


def moment(value: Any) -> datetime | None:
    """An ISO 8601 time, in UTC where it does not say."""
    if value is None or value == "":
        return None
    try:
        found = value if isinstance(value, datetime) else datetime.fromisoformat(str(value))
        return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
    except (ValueError, OverflowError):
        raise Problem(f"“{shown(value)}” is no time: write it as 2024-05-31T12:00:00+00:00") from None


def number(value: Any) -> float | None:
    """A number; None for null, NaN and infinity. Problem for what is none at all."""
    if value is None:
        return None
    try:
        found = float(value)
    except (TypeError, ValueError, OverflowError):
        raise Problem(f"score “{shown(value)}” is no number") from None
    return found if isfinite(found) else None


def score(value: Any, metric: Metric, protocol: Protocol) -> ImportedScore:
    """A bare number, of the metric and protocol that it is said to be of."""
    sample = Sample.TOP_AND_RANDOM if protocol is Protocol.BILLS_5_5 else Sample.AS_IMPORTED
    return _checked(ImportedScore(metric, protocol, sample, number(value)))


def scores(value: Any) -> tuple[tuple[ImportedScore, ...], tuple[str, ...]]:
    """The scores of a row of our own export, a list or its JSON; and what is to be said of those left out."""
    if isinstance(value, str):
        try:
            value = orjson.loads(value) if value.strip() else []
        except orjson.JSONDecodeError:
            raise Problem("its scores are no JSON") from None
    if value is None:
        return (), ()
    if not isinstance(value, Sequence) or not all(isinstance(each, Mapping) for each in value):
        raise Problem("its scores are no list of objects")
    found, notes = [], []
    for each in value:
        try:
            metric = Metric(each.get("metric"))
        except ValueError:
            notes.append(
                f"a score by “{shown(each.get('metric'))}”, which the store does not know, was left out"
            )
            continue
        found.append(_score(each, metric))
    return tuple(found), tuple(notes)


def _score(given: Mapping[str, Any], metric: Metric) -> ImportedScore:
    """Published figures keep their protocol; of any other, what its maker says is a claim."""
    said = {
        "protocol": word(given.get("protocol"), ""),
        "sample": word(given.get("sample"), ""),
        "simulator": word(given.get("simulator"), ""),
        "simulator_model": word(given.get("simulator_model"), ""),
    }
    protocol = Protocol.AS_IMPORTED
    if said["protocol"] == Protocol.BILLS_5_5 and metric in COMPUTED_METRICS:
        protocol = Protocol.BILLS_5_5
    if said["protocol"] == protocol:
        del said["protocol"]
    sample = Sample(said["sample"]) if said["sample"] in set(Sample) else Sample.AS_IMPORTED
    if said["sample"] == sample:
        del said["sample"]
    try:
        state = State(given["state"]) if given.get("state") else None
    except ValueError:
        raise Problem(f"“{shown(given['state'])}” is no state of a score") from None
    return _checked(
        ImportedScore(
            metric,
            protocol,
            sample,
            number(given.get("value")),
            word(given.get("reason"), ""),
            state,
            number(given.get("low")),
            number(given.get("high")),
            _count(given.get("records")),
            _count(given.get("documents")),
            _count(given.get("tokens")),
            bool(given.get("indicative")),
            json.dumps({key: value for key, value in said.items() if value}, sort_keys=True),
        )
    )


def _checked(given: ImportedScore) -> ImportedScore:
    signed = given.metric in (Metric.CORRELATION, Metric.COSINE)
    bounded = signed or given.metric in BINARY_METRICS
    if bounded and given.value is not None and not -1.0 * signed <= given.value <= 1:
        raise Problem(f"{'a' if signed else 'an'} {given.metric} of {given.value:g} cannot be")
    return given


def _count(value: Any) -> int:
    found = number(value)
    if found is None:
        return 0
    if found < 0 or found != int(found) or found >= 1 << 31:
        raise Problem(f"“{shown(value)}” is no count of records")
    return int(found)
