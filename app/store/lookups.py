"""`token_lookup` for whole layers: tens of thousands of explanations with their scores in one go."""

from datetime import UTC, datetime
from itertools import repeat
from typing import Any

import numpy as np
from sqlalchemy import select

from app import __version__
from app.domain.explanations import Method, State
from app.domain.neurons import Polarity
from app.domain.scoring import REASONS
from app.domain.statements import token_lookup_text
from app.domain.token_lookup import STATES, LayerLookup, LayerScores
from app.domain.vocabulary import visible
from app.errors import BadInput
from app.store import bulk, names, origins, packing, sql
from app.store import tables as t
from app.store import types as kinds
from app.store.rows import CollectionState
from app.store.session import Session, writing
from app.store.types import nullable

_STATE_CODES = np.array([kinds.STATES[state] for state in STATES], np.int64)  # by the domain's code
_REASONS = [REASONS.get(state, "") for state in STATES]

_EXPLANATION = [
    "id",
    "layer_id",
    "neuron",
    "collection_id",
    "origin_id",
    "polarity",
    "state",
    "reason",
    "text",
    "seed",
    "tokens_in",
    "tokens_out",
    "cost_usd",
    "seconds",
    "calls",
    "job_id",
    "created_at",
]
_SCORE = [
    "id",
    "explanation_id",
    "collection_id",
    "protocol",
    "sample",
    "metric",
    "state",
    "value",
    "low",
    "high",
    "n_records",
    "n_documents",
    "n_tokens",
    "indicative",
    "reason",
    "parameters_id",
    "job_id",
    "created_at",
]
_BEST = [
    "part_id",
    "protocol",
    "sample",
    "metric",
    "neuron",
    "method_id",
    "state",
    "value",
    "explanation_id",
    "score_id",
]


def write_lookup(s: Session, collection_id: int, layer_slug: str, lookup: LayerLookup) -> None:
    """Store a layer's token lookup, after `write_layer`: top tokens, one explanation a neuron, and all scores.

    They are explanations like any other, but share one origin, and their makers' excerpts are not listed: the means come
    from all explain-split records of the neuron. Bulk rows have no key; `recent` leaves them out.
    """
    writing(s)
    query = (
        select(t.parts, t.collections.c.model_id, t.collections.c.job_id)
        .join(t.layers, t.layers.c.id == t.parts.c.layer_id)
        .join(t.collections, t.collections.c.id == t.parts.c.collection_id)
        .where(
            t.parts.c.collection_id == collection_id,
            t.layers.c.slug == layer_slug,
            t.collections.c.state == CollectionState.RUNNING,
        )
    )
    part = s.execute(query).first()
    if part is None:
        raise BadInput(
            f"collection {collection_id} is not writing a layer “{layer_slug}”: write the layer first"
        )
    n = len(lookup.token_ids)
    if n != part.neurons:
        raise BadInput(f"layer “{layer_slug}” has {part.neurons} neurons, its token lookup {n}")
    first = names.neuron_id(part.id, 0)
    if s.execute(select(t.neuron_tokens.c.id).where(t.neuron_tokens.c.id == first)).first() is not None:
        return  # a repeated step
    now = kinds.microseconds(datetime.now(UTC))
    packed = (
        (first + i, packing.pack_tokens(lookup.token_ids[i], lookup.token_means[i], lookup.token_counts[i]))
        for i in range(n)
    )
    bulk.insert(s, t.neuron_tokens, ("id", "data"), packed)
    ids = bulk.reserve(s, t.explanations, n)
    origin = origins.origin_id(
        s,
        method=Method.TOKEN_LOOKUP.value,
        explainer="none",
        author="neuronarium",
        code_version=__version__,
    )
    # `zip` over `repeat` makes the rows without running Python code for each.
    rows = zip(
        ids,
        repeat(part.layer_id),
        range(n),
        repeat(collection_id),
        repeat(origin),
        repeat(kinds.POLARITIES[Polarity.POSITIVE]),
        repeat(kinds.STATES[State.OK]),
        repeat(""),
        _texts(s, part.model_id, lookup),
        *(repeat(nothing) for nothing in (0, 0, 0, 0.0, 0.0, 0)),  # seed and usage
        repeat(part.job_id),
        repeat(now),
        strict=False,
    )
    bulk.insert(s, t.explanations, _EXPLANATION, rows)
    method = sql.interned(s, t.methods, "name", Method.TOKEN_LOOKUP.value)
    for scores in lookup.scores:
        _write_scores(s, scores, part, ids, method, now)


def _write_scores(s: Session, scores: LayerScores, part: Any, ids: list[int], method: int, now: int) -> None:
    n = len(ids)
    score_ids = bulk.reserve(s, t.scores, n)
    parameters = origins.parameters_id(s, scores.parameters_json)
    measure = (
        repeat(kinds.PROTOCOLS[scores.protocol]),
        repeat(kinds.SAMPLES[scores.sample]),
        repeat(kinds.METRICS[scores.metric]),
    )
    states = _STATE_CODES[scores.states].tolist()
    values = nullable(scores.values)
    rows = zip(
        score_ids,
        ids,
        repeat(part.collection_id),
        *measure,
        states,
        values,
        nullable(scores.low),
        nullable(scores.high),
        scores.n_records.tolist(),
        scores.n_documents.tolist(),
        scores.n_tokens.tolist(),
        scores.indicative.astype(int).tolist(),
        [_REASONS[code] for code in scores.states.tolist()],
        repeat(parameters),
        repeat(part.job_id),
        repeat(now),
        strict=False,
    )
    bulk.insert(s, t.scores, _SCORE, rows)
    best = zip(
        repeat(part.id), *measure, range(n), repeat(method), states, values, ids, score_ids, strict=False
    )
    bulk.insert(s, t.best_scores, _BEST, best)


def _texts(s: Session, model: int, lookup: LayerLookup) -> list[str]:
    data = s.execute(select(t.vocabularies.c.data).where(t.vocabularies.c.model_id == model)).scalar_one()
    pieces, _ = packing.unpack_vocabulary(data)
    shown = {
        token: visible(pieces[token]) if token < len(pieces) else f"‹token {token}›"
        for token in np.unique(lookup.token_ids[lookup.token_ids >= 0]).tolist()
    }
    texts = []
    for ids, means in zip(lookup.token_ids.tolist(), lookup.token_means.tolist(), strict=True):
        known = [(shown[token], mean) for token, mean in zip(ids, means, strict=True) if token >= 0]
        text = token_lookup_text([piece for piece, _ in known], [mean for _, mean in known])
        texts.append(kinds.clean(text))
    return texts
