"""JSON as it was published: strict where it matters, and lenient about what was seen in the wild."""

import json
import struct
from typing import Any

import numpy as np
import orjson

from app.domain.neurons import Float64

_LEAST_HTML = (b"<!doctype", b"<html", b"<?xml", b"<head", b"<body")


class Unreadable(Exception):
    """Why a file is passed over, in words that go behind its path. Never leaves `published`."""


def load(data: bytes) -> Any:
    """A JSON value. NaN and Infinity are read, as Python writes them. Unreadable for anything that is none."""
    try:
        return orjson.loads(data)
    except orjson.JSONDecodeError as error:
        return _again(data, error)


def _again(data: bytes, error: Exception) -> Any:
    start = data.lstrip()[:64].lower()
    if not start:
        raise Unreadable("is empty")
    if start.startswith(_LEAST_HTML):
        raise Unreadable("is a web page or XML, not JSON")
    try:
        return json.loads(data)  # knows NaN and lone surrogates, which orjson does not
    except UnicodeDecodeError:
        raise Unreadable("is not UTF-8 text") from error
    except (ValueError, RecursionError):
        where = getattr(error, "pos", None)
        if isinstance(where, int) and where >= len(data.rstrip()) - 1:
            raise Unreadable(f"is cut short after {len(data)} bytes") from error
        raise Unreadable(f"is no JSON ({str(error)[:80]})") from error


def as_dict(value: object, what: str, *names: str) -> dict[str, Any]:
    """A JSON object that says, where it says, that it is one of these dataclasses."""
    if not isinstance(value, dict):
        raise Unreadable(f"holds {_kind(value)} where {what} should be")
    said = value.get("dataclass_name")
    if said is not None and said not in names:
        raise Unreadable(f"is of another kind: {str(said)[:60]}, not {names[0]}")
    return value


def first(value: dict[str, Any], *names: str) -> Any:
    """What the first of these names stands for that is there and not null; None without any."""
    for name in names:
        if value.get(name) is not None:
            return value[name]
    return None


def whole(value: object, what: str) -> int:
    """A number that counts; written as text in some files."""
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 12:
        return int(value)
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return value
    raise Unreadable(f"does not say which {what} it is of")


def check_place(holder: dict[str, Any], layer: int, neuron: int) -> None:
    """That a file is of the neuron that its path says, by its NeuronId under the names of all versions."""
    place = first(holder, "neuron_id", "idx") or holder
    if not isinstance(place, dict):
        place = holder
    said = (
        whole(first(place, "layer_index", "layer"), "layer"),
        whole(first(place, "neuron_index", "unit", "neuron", "idx"), "neuron"),
    )
    if said != (layer, neuron):
        raise Unreadable(f"is of layer {said[0]}, neuron {said[1]}")


def number(value: object, what: str) -> float:
    """A number; NaN for null, as JSON writes what is not defined."""
    if value is None:
        return float("nan")
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        if value in (float("inf"), float("-inf")):
            raise Unreadable(f"has an infinite {what}")
        return float(value)
    raise Unreadable(f"has {_kind(value)} for its {what}")


def numbers(rows: list[Any], width: int, what: str) -> Float64:
    """Lists of numbers as [R, width]. Unreadable for other lengths, and for what is no finite number."""
    # Four times as quick as numpy's own way through a list of Python's numbers.
    pack = struct.Struct(f"={width}d").pack
    try:
        flat = np.frombuffer(b"".join([pack(*row) for row in rows]), np.float64)
    except (TypeError, struct.error, OverflowError):
        raise Unreadable(_wrong_numbers(rows, width, what)) from None
    if not np.isfinite(flat).all():
        raise Unreadable(f"has {what} that are NaN or infinite")
    return flat.reshape(len(rows), width)


def _wrong_numbers(rows: list[Any], width: int, what: str) -> str:
    for row in rows:
        if not isinstance(row, list):
            return f"has a record without {what}"
        if len(row) != width:
            return f"has {len(row)} {what} for {width} tokens"
    return f"has {what} that are no numbers"


def words(value: object) -> list[str]:
    """A list of tokens."""
    if not isinstance(value, list):
        raise Unreadable("has a record without tokens")
    try:
        "".join(value)
    except TypeError:
        raise Unreadable("has a token that is no text") from None
    return value


def _kind(value: object) -> str:
    return {type(None): "nothing", dict: "an object", list: "a list", str: "text"}.get(
        type(value), "a number"
    )
