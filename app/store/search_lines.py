"""What a page of found neurons shows of each: a few statements for the whole page."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import isnan, nan
from typing import Any, NamedTuple

import numpy as np

from app.domain.explanations import Metric, Protocol, Sample, State
from app.domain.neurons import NeuronRef, Polarity
from app.store import names, packing, sql, types
from app.store.neuron_columns import STATISTICS, Columns
from app.store.rows import TopToken
from app.store.session import Session
from app.store.tables import INDEX_BITS
from app.store.token_index import OnToken

_POLARITIES = {code: word for word, code in types.POLARITIES.items()}
_NEURONS = (
    f"SELECT n.id, k.data, {', '.join(f'n.{name}' for name in STATISTICS)} FROM neurons n "  # noqa: S608
    "LEFT JOIN neuron_tokens k ON k.id = n.id WHERE n.id @ids"
)
_SAID = (
    "SELECT e.id, e.text, e.polarity, o.method, o.explainer, sc.id, sc.state, sc.value, sc.low, sc.high "
    "FROM explanations e JOIN origins o ON o.id = e.origin_id LEFT JOIN scores sc ON sc.explanation_id = e.id "
    "AND sc.collection_id = ? AND sc.protocol = ? AND sc.sample = ? AND sc.metric = ? WHERE e.id @ids"
)
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
    places = c.places[[each.at for each in picked]].tolist()
    layers = [c.layers[place >> INDEX_BITS] for place in places]
    indices = [place & _INDEX for place in places]
    ids = [names.neuron_id(layer.part, index) for layer, index in zip(layers, indices, strict=True)]
    protocol, sample, metric = measure
    codes = types.PROTOCOLS[protocol], types.SAMPLES[sample], types.METRICS[metric]
    neurons, explanations = sql.together(
        s,
        _asked(s, _NEURONS, ids),
        _asked(s, _SAID, list(explained.values()), c.version.collection, *codes),
    )
    stored = {row[0]: row for row in neurons}
    said = _said(explanations)
    found = []
    for i, each in enumerate(picked):
        values = [nan if value is None else value for value in stored[ids[i]][2:]]
        shown = said.get(explained[rows[i]]) if rows[i] >= 0 else None
        lookup = None if isnan(each.lookup) else each.lookup
        score = shown.value if shown is not None and not by_lookup[rows[i]] else None
        packed = packing.unpack_tokens(stored[ids[i]][1] or b"")
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


def _said(rows: Sequence[Any]) -> dict[int, Said]:
    """Explanations with their best score by the measure in the model's collection, or the newest state without one."""
    best: dict[int, Any] = {}
    for row in rows:
        if row[0] not in best or _rank(row) > _rank(best[row[0]]):
            best[row[0]] = row
    return {
        row[0]: Said(
            row[0], row[1], row[3], row[4], _POLARITIES[row[2]],
            None if row[6] is None else _STATES[row[6]], row[7], row[8], row[9],
        )
        for row in best.values()
    }  # fmt: skip


def _rank(row: Any) -> tuple[bool, float, int]:
    """Values before states, larger before smaller; of equal ones the older value, but the newer state."""
    id_, value = row[5] or 0, row[7]
    return value is not None, value if value is not None else 0.0, -id_ if value is not None else id_


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


def _asked(s: Session, query: str, ids: list[int], *more: int) -> tuple[str, tuple[Any, ...]]:
    """A statement with `@ids` and then, after other marks, its values.

    PostgreSQL is given the ids as one value, so that it plans the statement once and not for every page.
    """
    if s.dialect.name == "sqlite":
        return query.replace("@ids", f"IN ({', '.join(map(str, ids))})"), more
    return query.replace("@ids", "= ANY(?::int8[])"), (*more, ids)
