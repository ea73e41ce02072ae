"""Other people's explanations, in bulk: who made them is known, what their makers saw is not."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from itertools import repeat
from typing import Any, NamedTuple

from sqlalchemy import SmallInteger, select, type_coerce

from app.domain.explanations import State
from app.domain.imported import Added, ImportedExplanation, ImportedScore, ImportSource
from app.errors import BadInput
from app.store import best, bulk, heldout, names, sql
from app.store import tables as t
from app.store import types as kinds
from app.store.session import Session, writing

LONGEST_NAME = 200  # of a method, explainer or author
_CHUNK = 10_000  # bound values of one query; SQLite takes 32,766

_EXPLANATION = (
    "id", "layer_id", "neuron", "collection_id", "origin_id", "polarity", "state", "reason", "text", "seed",
    "excerpts", "tokens_in", "tokens_out", "cost_usd", "seconds", "calls", "created_at",
)  # fmt: skip
_SCORE = (
    "id", "explanation_id", "collection_id", "protocol", "sample", "metric", "state", "value", "low", "high",
    "n_records", "n_documents", "n_tokens", "indicative", "reason", "parameters_id", "created_at", "simulation_id",
)  # fmt: skip

_Key = tuple[int, int, int, str]  # part, neuron, polarity, text
_Measured = tuple[
    int, int, int, int, int, float | None, int
]  # explanation, measure, state, value, parameters


class _Part(NamedTuple):
    """Where a row's neuron lives."""

    id: int
    layer_id: int
    collection_id: int
    neurons: int


def add_explanations(
    s: Session, model_slug: str, source: ImportSource, rows: Sequence[ImportedExplanation]
) -> Added:
    """Add statements that came from elsewhere, with their scores, to a model that is in the store.

    Nothing is added twice: a row with the neuron, polarity and text of one that is there from this source is that one,
    and only scores that it does not have yet are added. Texts are kept as given. What their makers saw is stored as
    unknown, so that nothing can be scored on documents from them (see `heldout.demand`).
    BadInput, before anything is written, for a blank text and a neuron or layer that the model does not have.
    """
    writing(s)
    for word in (source.method, source.explainer, source.author):
        if not word.strip() or len(word) > LONGEST_NAME:
            raise BadInput(
                f"method, explainer and author are names of 1 to {LONGEST_NAME} characters, not “{word[:40]}”"
            )
    parts = _parts(s, model_slug, rows)
    origin = _origin(s, source)
    now = datetime.now(UTC)
    placed: list[tuple[_Part, _Key]] = []
    for row in rows:
        part = parts[row.layer]
        if not 0 <= row.neuron < part.neurons:
            raise BadInput(
                f"layer {row.layer} of “{model_slug}” has no neuron {row.neuron}; it has 0 to {part.neurons - 1}"
            )
        text = kinds.clean(row.text)
        if not text.strip():
            raise BadInput(f"neuron {row.neuron} of layer {row.layer} comes with an empty explanation")
        placed.append((part, (part.id, row.neuron, kinds.POLARITIES[row.polarity], text)))
    known = _known(s, origin, parts.values(), placed)
    found = dict(known)
    fresh: list[tuple[ImportedExplanation, _Part, _Key]] = []
    for row, (part, key) in zip(rows, placed, strict=True):
        if key not in found:
            found[key] = 0  # a second one like it is the same
            fresh.append((row, part, key))
    new_ids = bulk.reserve(s, t.explanations, len(fresh))
    for id_, (_, _, key) in zip(new_ids, fresh, strict=True):
        found[key] = id_
    at = kinds.microseconds(now)
    values = (
        (
            id_, part.layer_id, key[1], part.collection_id, origin, key[2], kinds.STATES[State.OK], "", key[3], 0,
            heldout.UNKNOWN, 0, 0, 0.0, 0.0, 0, at if row.created_at is None else kinds.microseconds(row.created_at),
        )
        for id_, (row, part, key) in zip(new_ids, fresh, strict=True)
    )  # fmt: skip
    bulk.insert(s, t.explanations, _EXPLANATION, values)
    ids = tuple(found[key] for _, key in placed)
    _add_scores(s, source.method, rows, placed, ids, set(known.values()), at)
    return Added(ids, len(fresh), len(rows) - len(fresh))


def _parts(s: Session, slug: str, rows: Sequence[ImportedExplanation]) -> dict[int, _Part]:
    """The visible layers that are named, by ordinal. Of several with one ordinal, the MLP's is meant."""
    by_ordinal: dict[int, str] = {}
    for part in names.parts_of(s, slug):
        if part.ordinal not in by_ordinal or part.slug == f"{part.ordinal}-mlp":
            by_ordinal[part.ordinal] = part.slug
    found: dict[int, _Part] = {}
    for ordinal in {row.layer for row in rows}:
        layer = names.part(s, slug, by_ordinal.get(ordinal, f"{ordinal}-mlp"))  # NotFound says what there is
        found[ordinal] = _Part(layer.id, layer.layer_id, layer.collection_id, layer.neurons)
    return found


def _origin(s: Session, source: ImportSource) -> int:
    words = {
        "method": source.method,
        "explainer": source.explainer,
        "prompt_version": source.prompt_version,
        "parameters_json": source.parameters_json,
        "code_version": source.code_version,
        "author": source.author,
    }
    return sql.interned(s, t.origins, "digest", sql.digest(*words.values()), **words)


def _known(s: Session, origin: int, parts: Any, placed: Sequence[tuple[_Part, _Key]]) -> dict[_Key, int]:
    """What the store has from this source of the neurons that are named."""
    if (
        s.execute(select(t.explanations.c.id).where(t.explanations.c.origin_id == origin).limit(1)).first()
        is None
    ):
        return {}
    e = t.explanations.c
    found: dict[_Key, int] = {}
    for part in set(parts):
        named = [key[1] for mine, key in placed if mine is part]
        if not named:
            continue
        query = select(e.neuron, type_coerce(e.polarity, SmallInteger), e.text, e.id).where(
            e.layer_id == part.layer_id, e.neuron.between(min(named), max(named)), e.origin_id == origin
        )
        for neuron, polarity, text, id_ in s.execute(query.order_by(e.id.desc())):
            found[part.id, neuron, polarity, text] = id_
    return found


def _add_scores(
    s: Session,
    method: str,
    rows: Sequence[ImportedExplanation],
    placed: Sequence[tuple[_Part, _Key]],
    ids: Sequence[int],
    known: set[int],
    at: int,
) -> None:
    there = _scored(s, sorted({i for i, row in zip(ids, rows, strict=True) if row.scores and i in known}))
    parameters: dict[str, int] = {}
    fresh: list[tuple[_Part, _Key, int, ImportedScore, _Measured]] = []
    for row, (part, key), id_ in zip(rows, placed, ids, strict=True):
        for score in row.scores:
            json = score.claims_json
            if json not in parameters:
                full = score.parameters_json()
                parameters[json] = sql.interned(s, t.parameters, "digest", sql.digest(full), json=full)
            measured = _measured(id_, score, parameters[json])
            if measured not in there:
                there.add(measured)
                fresh.append((part, key, id_, score, measured))
    if not fresh:
        return
    score_ids = bulk.reserve(s, t.scores, len(fresh))
    bulk.insert(s, t.scores, _SCORE, _score_rows(score_ids, fresh, at))
    method_id = sql.interned(s, t.methods, "name", method)
    best.consider_many(
        s,
        (
            (part.id, *measured[1:4], key[1], method_id, measured[4], measured[5], id_, score_id)
            for score_id, (part, key, id_, _, measured) in zip(score_ids, fresh, strict=True)
        ),
    )


def _measured(id_: int, score: ImportedScore, parameters: int) -> Any:
    state, value, _ = score.outcome()
    measure = (kinds.PROTOCOLS[score.protocol], kinds.SAMPLES[score.sample], kinds.METRICS[score.metric])
    return (id_, *measure, kinds.STATES[state], value, parameters)


def _scored(s: Session, ids: Sequence[int]) -> set[Any]:
    """The scores that these explanations have already."""
    c = t.scores.c
    codes = (type_coerce(column, SmallInteger) for column in (c.protocol, c.sample, c.metric, c.state))
    query = select(c.explanation_id, *codes, c.value, c.parameters_id)
    found: set[Any] = set()
    for first in range(0, len(ids), _CHUNK):
        found.update(
            tuple(row) for row in s.execute(query.where(c.explanation_id.in_(ids[first : first + _CHUNK])))
        )
    return found


def _score_rows(score_ids: Sequence[int], fresh: Sequence[Any], at: int) -> Iterator[tuple[Any, ...]]:
    for score_id, (part, _, id_, score, measured), now in zip(score_ids, fresh, repeat(at), strict=False):
        _, value, reason = score.outcome()
        yield (
            score_id, id_, part.collection_id, *measured[1:5], value, score.low if value is not None else None,
            score.high if value is not None else None, score.n_records, score.n_documents, score.n_tokens,
            int(score.indicative), kinds.clean(reason), measured[6], now, score.simulation_id,
        )  # fmt: skip
