"""Other people's explanations, in bulk: who made them is known, what their makers saw is not."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

from sqlalchemy import BigInteger, SmallInteger, select, type_coerce

from app.domain.explanations import State
from app.domain.imported import Added, ImportedExplanation, ImportedScore, ImportSource
from app.errors import BadInput
from app.store import best, bulk, heldout, imported_neurons, names, origins, sql
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

ANY_TIME = -1  # of an explanation that does not say when it was made


class _Part(NamedTuple):
    """Where a row's neuron lives."""

    id: int
    layer_id: int
    collection_id: int


class _Key(NamedTuple):
    """What makes two explanations of one source the same."""

    part: int
    neuron: int
    polarity: int
    text: str
    created: int  # microseconds, or ANY_TIME


class _Measured(NamedTuple):
    """What makes two scores the same."""

    explanation: int
    protocol: int
    sample: int
    metric: int
    state: int
    value: float | None
    parameters: int


class Stated(NamedTuple):
    """Statements that are in the store now, in the order in which they were given."""

    method: str
    ids: tuple[int, ...]  # new or there already
    new: int
    known: frozenset[int]  # of those, there already
    placed: tuple[tuple[_Part, _Key], ...]


def add_explanations(
    s: Session, model_slug: str, source: ImportSource, rows: Sequence[ImportedExplanation]
) -> Added:
    """Add statements that came from elsewhere, with their scores: `add_statements` and `add_scores`."""
    stated = add_statements(s, model_slug, source, rows)
    add_scores(s, stated, [row.scores for row in rows])
    return Added(stated.ids, stated.new, len(rows) - stated.new)


def add_statements(
    s: Session, model_slug: str, source: ImportSource, rows: Sequence[ImportedExplanation]
) -> Stated:
    """Add statements that came from elsewhere to a model that is in the store; their scores are let be.

    In an imported model their neurons are there from then on. Nothing is added twice: a row with the neuron, polarity, text
    and, where it says so, time of one that is there from this source is that one. Texts are kept as given. What their
    makers saw is stored as unknown, so that nothing can be scored on documents from them (see `heldout.demand`).
    BadInput for a blank text, a nameless method, and a neuron or layer that the model does not have: the transaction is
    to be given up then. What others hold of an imported model in memory is told by `imported_neurons.changed`.
    """
    writing(s)
    _check(source, rows)
    by_layer: dict[int, set[int]] = {}
    for row in rows:
        by_layer.setdefault(row.layer, set()).add(row.neuron)
    into = imported_neurons.ensure_model(s, model_slug)
    imported_neurons.ensure(s, into, {layer: sorted(indices) for layer, indices in by_layer.items()})
    parts = {layer: _part(s, model_slug, layer) for layer in by_layer}
    placed = tuple((parts[row.layer], _key(parts[row.layer], row)) for row in rows)
    origin = origins.origin_id(
        s,
        method=source.method,
        explainer=source.explainer,
        author=source.author,
        prompt_version=source.prompt_version,
        parameters_json=source.parameters_json,
        code_version=source.code_version,
    )
    known = _known(s, origin, parts.values(), placed)
    found = dict(known)
    fresh: list[tuple[_Part, _Key]] = []
    for part, key in placed:
        if key not in found:
            found[key] = -len(fresh)  # a second one like it is the same
            found.setdefault(key._replace(created=ANY_TIME), found[key])
            fresh.append((part, key))
    new_ids = bulk.reserve(s, t.explanations, len(fresh))
    now = kinds.microseconds(datetime.now(UTC))
    values = (
        (
            id_, part.layer_id, key.neuron, part.collection_id, origin, key.polarity, kinds.STATES[State.OK], "", key.text,
            0, heldout.UNKNOWN, 0, 0, 0.0, 0.0, 0, now if key.created == ANY_TIME else key.created,
        )
        for id_, (part, key) in zip(new_ids, fresh, strict=True)
    )  # fmt: skip
    bulk.insert(s, t.explanations, _EXPLANATION, values)
    ids = tuple(i if i > 0 else new_ids[-i] for i in (found[key] for _, key in placed))
    return Stated(source.method, ids, len(fresh), frozenset(known.values()), placed)


def add_scores(s: Session, stated: Stated, given: Sequence[Sequence[ImportedScore]]) -> None:
    """Add the scores of each statement that it does not have yet."""
    there = _scored(
        s, sorted({i for i, scores in zip(stated.ids, given, strict=True) if scores and i in stated.known})
    )
    parameters: dict[str, int] = {}
    fresh: list[tuple[_Part, _Key, ImportedScore, _Measured]] = []
    for scores, (part, key), id_ in zip(given, stated.placed, stated.ids, strict=True):
        for score in scores:
            said = score.claims_json
            if said not in parameters:
                parameters[said] = origins.parameters_id(s, score.parameters_json())
            measured = _measured(id_, score, parameters[said])
            if measured not in there:
                there.add(measured)
                fresh.append((part, key, score, measured))
    if not fresh:
        return
    at = kinds.microseconds(datetime.now(UTC))
    score_ids = bulk.reserve(s, t.scores, len(fresh))
    bulk.insert(
        s, t.scores, _SCORE, (_score_row(i, *each, at) for i, each in zip(score_ids, fresh, strict=True))
    )
    method_id = sql.interned(s, t.methods, "name", stated.method)
    offered = (
        (
            part.id,
            m.protocol,
            m.sample,
            m.metric,
            key.neuron,
            method_id,
            m.state,
            m.value,
            m.explanation,
            score_id,
        )
        for score_id, (part, key, _, m) in zip(score_ids, fresh, strict=True)
    )
    best.consider_many(s, offered)


def _check(source: ImportSource, rows: Sequence[ImportedExplanation]) -> None:
    if not source.method.strip():
        raise BadInput("explanations need a method: the name of how they came about")
    for word in (source.method, source.explainer, source.author, source.prompt_version):
        if len(word) > LONGEST_NAME:
            raise BadInput(
                f"method, explainer and author are names of at most {LONGEST_NAME} characters, not “{word[:40]}…”"
            )
    for row in rows:
        if not row.text.strip():
            raise BadInput(f"neuron {row.neuron} of layer {row.layer} comes with an empty explanation")


def _part(s: Session, slug: str, ordinal: int) -> _Part:
    """The visible MLP layer with this number; NotFound says what there is."""
    found = names.part(s, slug, f"{ordinal}-mlp")
    return _Part(found.id, found.layer_id, found.collection_id)


def _key(part: _Part, row: ImportedExplanation) -> _Key:
    created = ANY_TIME if row.created_at is None else kinds.microseconds(row.created_at)
    return _Key(part.id, row.neuron, kinds.POLARITIES[row.polarity], kinds.clean(row.text), created)


def _known(
    s: Session, origin: int, parts: Iterable[_Part], placed: Sequence[tuple[_Part, _Key]]
) -> dict[_Key, int]:
    """What the store has from this source of the neurons that are named."""
    if (
        s.execute(select(t.explanations.c.id).where(t.explanations.c.origin_id == origin).limit(1)).first()
        is None
    ):
        return {}
    e = t.explanations.c
    made = type_coerce(e.created_at, BigInteger)
    named: dict[int, list[int]] = {}
    for part, key in placed:
        named.setdefault(part.id, []).append(key.neuron)
    found: dict[_Key, int] = {}
    for part in set(parts):
        first, last = min(named[part.id]), max(named[part.id])
        query = select(e.neuron, type_coerce(e.polarity, SmallInteger), e.text, made, e.id).where(
            e.layer_id == part.layer_id, e.neuron.between(first, last), e.origin_id == origin
        )
        for neuron, polarity, text, created, id_ in s.execute(query.order_by(e.id.desc())):
            for when in (created, ANY_TIME):
                found[_Key(part.id, neuron, polarity, text, when)] = id_
    return found


def _measured(id_: int, score: ImportedScore, parameters: int) -> _Measured:
    state, value, _ = score.outcome()
    measure = (kinds.PROTOCOLS[score.protocol], kinds.SAMPLES[score.sample], kinds.METRICS[score.metric])
    return _Measured(id_, *measure, kinds.STATES[state], value, parameters)


def _scored(s: Session, ids: Sequence[int]) -> set[_Measured]:
    """The scores that these explanations have already."""
    c = t.scores.c
    codes = (type_coerce(column, SmallInteger) for column in (c.protocol, c.sample, c.metric, c.state))
    query = select(c.explanation_id, *codes, c.value, c.parameters_id)
    found: set[_Measured] = set()
    for first in range(0, len(ids), _CHUNK):
        rows = s.execute(query.where(c.explanation_id.in_(ids[first : first + _CHUNK])))
        found.update(_Measured(*row) for row in rows)
    return found


def _score_row(
    score_id: int, part: _Part, key: _Key, score: ImportedScore, m: _Measured, at: int
) -> tuple[Any, ...]:
    low, high = (score.low, score.high) if m.value is not None else (None, None)
    return (
        score_id, m.explanation, part.collection_id, m.protocol, m.sample, m.metric, m.state, m.value, low, high,
        score.n_records, score.n_documents, score.n_tokens, int(score.indicative), kinds.clean(score.outcome()[2]),
        m.parameters, at, score.simulation_id,
    )  # fmt: skip
