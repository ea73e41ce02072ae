"""One measure's scores as a column beside a model's explanations."""

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from app.domain.neurons import Bool, Float64
from app.store import arrays, types
from app.store.session import Session

if TYPE_CHECKING:
    from app.store.neuron_columns import Columns, Measure

_CHUNK = 500


def read(s: Session, c: "Columns", wanted: "Measure") -> Float64:
    """[E] every explanation's best score by this measure in the model's collection; NaN without one."""
    values = np.full(len(c.explained.ids), np.nan)
    pairs: list[arrays.Column] = [("id", "explanation_id", "i8"), ("value", "value", "f8")]
    for layer in c.layers:
        rows = arrays.read(
            s,
            pairs,
            f"FROM best_scores WHERE part_id = {layer.part} AND {_where(wanted)} AND value IS NOT NULL",
        )
        _better(c, values, rows)
    # That table has one explanation a neuron and method: where there are several, the others are asked for one by one.
    others = c.explained.ids[_repeated(c) & np.isnan(values)].tolist()
    for i in range(0, len(others), _CHUNK):
        some = ", ".join(map(str, others[i : i + _CHUNK]))
        _add(s, c, wanted, values, f"explanation_id IN ({some})")
    return values


def add(s: Session, c: "Columns", wanted: "Measure", values: Float64, above: int) -> None:
    """Put scores with a higher id than `above` where they are better than what is there."""
    _add(s, c, wanted, values, f"id > {int(above)}")


def _add(s: Session, c: "Columns", wanted: "Measure", values: Float64, where: str) -> None:
    pairs: list[arrays.Column] = [("id", "explanation_id", "i8"), ("value", "value", "f8")]
    rest = f"FROM scores WHERE {where} AND collection_id = {c.version.collection} AND {_where(wanted)} AND value IS NOT NULL"
    _better(c, values, arrays.read(s, pairs, rest))


def _better(c: "Columns", values: Float64, rows: NDArray[Any]) -> None:
    at = c.explained.places(rows["id"])
    there = at >= 0
    np.fmax.at(values, at[there], rows["value"][there])


def _repeated(c: "Columns") -> Bool:
    """[E] which explanations share neuron and method with another."""
    e = c.explained
    key = e.neurons.astype(np.int64) << 16 | e.methods
    _, place, counts = np.unique(key, return_inverse=True, return_counts=True)
    repeated: Bool = counts[place] > 1
    return repeated


def _where(wanted: "Measure") -> str:
    protocol, sample, metric = wanted
    return (
        f"protocol = {types.PROTOCOLS[protocol]} AND sample = {types.SAMPLES[sample]} "
        f"AND metric = {types.METRICS[metric]}"
    )
