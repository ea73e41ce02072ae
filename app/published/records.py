"""`NeuronRecord`: what one published file says of a neuron's activations."""

import hashlib
from typing import Any

import numpy as np

from app.domain.exact_values import narrowest
from app.domain.neurons import PUBLISHED_BANDS, Kind
from app.domain.published import MARK_BYTES, STATISTICS, NeuronRecord
from app.published.excerpts import Seen
from app.published.reading import Unreadable, as_dict, check_place, load, number, numbers

MOST_RECORDS = 4096
LARGEST = float(np.finfo(np.float32).max)


def parse(data: bytes, layer: int, neuron: int, seen: Seen) -> NeuronRecord:
    """A file's content. Raises Unreadable with the reason why it cannot be used."""
    holder = as_dict(load(data), "a NeuronRecord", "NeuronRecord")
    check_place(holder, layer, neuron)
    kinds, records = _records(holder)
    if not records:
        raise Unreadable("has no activation record")
    if len(records) > MOST_RECORDS:
        raise Unreadable(f"has {len(records)} activation records")
    tokens: list[Any] = [record.get("tokens") for record in records]
    digests = b"".join([seen.digest(row) for row in tokens])
    width = len(tokens[0])
    if not width or any(len(row) != width for row in tokens):
        raise Unreadable(f"has records of {len(tokens[0])} and of other numbers of tokens")
    values = numbers([record.get("activations") for record in records], width, "activations")
    mean, variance, skewness, kurtosis = (number(holder.get(name), name) for name in STATISTICS)
    boundaries = _boundaries(holder.get("quantile_boundaries"))
    if np.abs(values).max() > LARGEST:
        raise Unreadable("has activations beyond what a float32 holds")
    form, block = narrowest(values)
    mark = hashlib.blake2b(digest_size=MARK_BYTES)
    for piece in (
        kinds,
        digests,
        values.tobytes(),
        np.array([mean, variance, skewness, kurtosis, *boundaries]).tobytes(),
    ):
        mark.update(piece)
    return NeuronRecord(
        neuron, (mean, variance, skewness, kurtosis), boundaries, kinds, digests, form, block.tobytes(),
        float(values.max()), float(values.min()), width, mark.digest(),
    )  # fmt: skip


def _records(holder: dict[str, Any]) -> tuple[bytes, list[dict[str, Any]]]:
    """(kinds [R], records), ordered by kind."""
    by_kind: dict[Kind, list[Any]] = {
        Kind.TOP: _list(holder.get("most_positive_activation_records")),
        Kind.RANDOM: _list(holder.get("random_sample")),
    }
    buckets = _list(holder.get("random_sample_by_quantile"))
    if len(buckets) > len(PUBLISHED_BANDS):
        raise Unreadable(f"has {len(buckets)} quantile buckets; {len(PUBLISHED_BANDS)} are known")
    by_kind.update({kind: _list(bucket) for kind, bucket in zip(PUBLISHED_BANDS, buckets, strict=False)})
    kinds, records = bytearray(), []
    for kind in sorted(by_kind):
        for record in by_kind[kind]:
            records.append(as_dict(record, "an ActivationRecord", "ActivationRecord"))
            kinds.append(kind)
    return bytes(kinds), records


def _list(value: object) -> list[Any]:
    if value is None:
        return []
    if not isinstance(value, list):
        raise Unreadable("has something else where records should be")
    return value


def _boundaries(value: object) -> tuple[float, float, float, float]:
    given = _list(value)
    if len(given) not in (0, 4):
        raise Unreadable(f"has {len(given)} quantile boundaries instead of 4")
    a, b, c, d = (number(x, "quantile boundary") for x in given) if given else (float("nan"),) * 4
    return a, b, c, d
