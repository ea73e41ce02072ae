"""What a page of found neurons shows of each: a few statements for the whole page."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import isnan, nan
from typing import Any, NamedTuple

import numpy as np

from app.domain.explanations import Metric, Protocol, Sample, State
from app.domain.neurons import NeuronRef, Polarity
from app.store import names, packing, types
from app.store.neuron_columns import STATISTICS, Columns
from app.store.rows import TopToken
from app.store.session import Session
from app.store.tables import INDEX_BITS
from app.store.token_index import OnToken

_POLARITIES = {code: word for word, code in types.POLARITIES.items()}
_COLUMNS = ", ".join(("id", *STATISTICS))
_INDEX = (1 << INDEX_BITS) - 1
_STATES = {code: word for word, code in types.STATES.items()}


class Picked(NamedTuple):
    """A neuron of the page: its place in the columns, the explanation to show (-1: any) and token lookup's score."""

    at: int
    row: int
    lookup: float
    words: bool = False  # the explanation has the words that were searched for


@dataclass(frozen=True)
class Said:
    """The explanation that a found neuron is shown with. Without a score by the measure, `state` says why."""

    explanation_id: int
    text: str
    method: str
    explainer: str
    polarity: Polarity
    state: State | None  # None: nobody scored it by this measure
    value: float | None
    low: float | None
    high: float | None


@dataclass(frozen=True)
class TokenHit:
    """The token that was searched for: the neuron's mean activation on it, and that over the neuron's maximum."""

    mean: float
    share: float | None  # None where the maximum is not above 0
    count: int


@dataclass(frozen=True)
class Found:
    """One found neuron."""

    ref: NeuronRef
    ordinal: int  # of its layer
    density: float
    maximum: float
    minimum: float
    mean: float
    variance: float
    skewness: float  # NaN where undefined, as all of these in imported data
    kurtosis: float
    top_tokens: tuple[TopToken, ...]
    said: Said | None
    lookup: float | None  # token lookup's score by the measure
    gain: (
        float | None
    )  # the score above, minus token lookup's; None where either is missing or it is token lookup
    on_token: TokenHit | None
    words: bool  # the explanation above has the words that were searched for


def lines(
    s: Session,
    c: Columns,
    picked: Sequence[Picked],
    measure: tuple[Protocol, Sample, Metric],
    on_token: OnToken | None,
) -> tuple[Found, ...]:
    """The page's neurons in the order given, with exact values as stored."""
    if not picked:
        return ()
    rows = [each.row if each.row >= 0 else _any_row(c, each.at) for each in picked]
    there = [row for row in rows if row >= 0]
    explained = dict(zip(there, c.explained.ids[there].tolist(), strict=True))
    by_lookup = dict(zip(there, c.explained.lookup[there].tolist(), strict=True))
    said = _said(s, c, list(explained.values()), measure)
    places = c.places[[each.at for each in picked]].tolist()
    layers = [c.layers[place >> INDEX_BITS] for place in places]
    indices = [place & _INDEX for place in places]
    ids = [names.neuron_id(layer.part, index) for layer, index in zip(layers, indices, strict=True)]
    here = f"WHERE id IN ({', '.join(map(str, ids))})"
    statistics = {row[0]: row[1:] for row in _all(s, f"SELECT {_COLUMNS} FROM neurons {here}")}  # noqa: S608
    tokens = dict(_all(s, f"SELECT id, data FROM neuron_tokens {here}"))  # noqa: S608
    found = []
    for i, each in enumerate(picked):
        values = [nan if value is None else value for value in statistics[ids[i]]]
        shown = said.get(explained[rows[i]]) if rows[i] >= 0 else None
        lookup = None if isnan(each.lookup) else each.lookup
        score = shown.value if shown is not None and not by_lookup[rows[i]] else None
        packed = packing.unpack_tokens(tokens.get(ids[i], b""))
        found.append(
            Found(
                NeuronRef(c.model, layers[i].slug, indices[i]),
                layers[i].ordinal,
                top_tokens=tuple(map(TopToken, *(array.tolist() for array in packed))),
                said=shown,
                lookup=lookup,
                gain=None if score is None or lookup is None else score - lookup,
                words=each.words,
                on_token=_hit(on_token, each.at, values[STATISTICS.index("maximum")]),
                **dict(zip(STATISTICS, values, strict=True)),
            )
        )
    return tuple(found)


def _said(
    s: Session, c: Columns, ids: list[int], measure: tuple[Protocol, Sample, Metric]
) -> dict[int, Said]:
    """Explanations with their best score by the measure in the model's collection, or the newest state without one."""
    if not ids:
        return {}
    listed = ", ".join(map(str, ids))
    protocol, sample, metric = measure
    scores: dict[int, Any] = {}
    for score in _all(
        s,
        f"SELECT explanation_id, id, state, value, low, high FROM scores WHERE explanation_id IN ({listed}) "  # noqa: S608
        f"AND collection_id = {c.version.collection} AND protocol = {types.PROTOCOLS[protocol]} "
        f"AND sample = {types.SAMPLES[sample]} AND metric = {types.METRICS[metric]}",
    ):
        best = scores.get(score[0])
        if best is None or _rank(score) > _rank(best):
            scores[score[0]] = score
    found = {}
    for id_, text, polarity, method, explainer in _all(
        s,
        "SELECT e.id, e.text, e.polarity, o.method, o.explainer FROM explanations e "  # noqa: S608
        f"JOIN origins o ON o.id = e.origin_id WHERE e.id IN ({listed})",
    ):
        _, _, state, value, low, high = scores.get(id_, (id_, 0, None, None, None, None))
        found[id_] = Said(
            id_, text, method, explainer, _POLARITIES[polarity],
            None if state is None else _STATES[state], value, low, high,
        )  # fmt: skip
    return found


def _rank(score: Any) -> tuple[bool, float, int]:
    """Values before states, larger before smaller; of equal ones the older value, but the newer state."""
    value = score[3]
    return (
        value is not None,
        value if value is not None else 0.0,
        -score[1] if value is not None else score[1],
    )


def _any_row(c: Columns, at: int) -> int:
    """An explanation to show of a neuron that none was picked of: the newest that is not token lookup, else that."""
    e = c.explained
    low, high = np.searchsorted(e.neurons, [at, at + 1])
    others = np.flatnonzero(~e.lookup[low:high])
    if len(others):
        return int(low + others[-1])
    return int(high) - 1 if high > low else -1


def _hit(on_token: OnToken | None, at: int, maximum: float) -> TokenHit | None:
    if on_token is None:
        return None
    i = int(np.flatnonzero(on_token.neurons == at)[0])
    mean = float(on_token.means[i])
    return TokenHit(mean, mean / maximum if maximum > 0 else None, int(on_token.counts[i]))


def _all(s: Session, query: str) -> Sequence[Any]:
    """The rows of a statement without parameters, by the driver alone: see `sheets`."""
    cursor = s.connection.cursor()
    try:
        cursor.execute(query)
        return cursor.fetchall()
    finally:
        cursor.close()
