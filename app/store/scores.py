"""Scores: only ever added, never without the proof that they are held out."""

from collections.abc import Sequence
from datetime import UTC, datetime
from math import isfinite

import numpy as np
from sqlalchemy import insert, select

from app.domain.explanations import Metric, Protocol, Sample, ScoreValue, State, measured
from app.domain.imported import NOT_TOLD, claims, is_imported
from app.domain.neurons import Bool, Float64
from app.domain.scored_by import Scorer, scorer_of
from app.errors import BadInput, NotFound
from app.store import best, heldout, names, origins, packing, sql
from app.store import tables as t
from app.store.explanation_rows import ScoreRow
from app.store.heldout import seen_documents
from app.store.rows import QUANTILES, SCORE_EDGES, LayerScores
from app.store.session import Session, writing
from app.store.simulations import collection_of
from app.store.types import METRICS, PROTOCOLS, SAMPLES, STATES

__all__ = ["add", "by_layer", "measures", "of_explanation", "of_explanations", "of_part", "seen_documents"]

_CONSTANT = STATES[State.CONSTANT_PREDICTION]
_MEASURES = [(protocol, sample, metric) for protocol in Protocol for sample, metric in measured(protocol)]


def add(
    s: Session,
    explanation_id: int,
    simulation_id: int | None,
    values: Sequence[ScoreValue],
    job_id: str | None,
    key: str,
    *,
    scored: Sequence[int] | None = None,
) -> None:
    """Store the scores of one simulation, or of none. With a key that is there, nothing is written.

    `scored` are the excerpts behind scores that no simulation is behind (ordinals in the model's collection), empty where
    no text is; without it they are taken to be the neuron's records of the score split.

    BadInput if a scored document, or a near-duplicate of it, was seen by the explanation's maker (see heldout.demand);
    if a value comes without the state OK, or the state OK without a finite value.
    """
    if not key:
        raise BadInput("scores need a key, so that a repeated step finds them")
    for value in values:
        _check(value)
    writing(s)
    if s.execute(select(t.scores.c.id).where(t.scores.c.key == key)).first() is not None:
        return
    collection = collection_of(s, explanation_id)
    simulated = None if scored is None else list(scored)
    if simulation_id is not None:
        collection, simulated = _simulated(s, explanation_id, simulation_id, values)
    heldout.demand(s, explanation_id, simulated, collection, {value.protocol for value in values})
    now = datetime.now(UTC)
    made: list[tuple[int, ScoreValue]] = []
    for value in values:
        query = insert(t.scores).values(
            explanation_id=explanation_id,
            simulation_id=simulation_id,
            collection_id=collection,
            protocol=value.protocol,
            sample=value.sample,
            metric=value.metric,
            state=value.state,
            value=value.value,
            low=value.low,
            high=value.high,
            n_records=value.n_records,
            n_documents=value.n_documents,
            n_tokens=value.n_tokens,
            indicative=int(value.indicative),
            reason=value.reason,
            parameters_id=origins.parameters_id(s, value.parameters_json),
            job_id=job_id,
            key=key,
            created_at=now,
        )
        made.append((s.execute(query.returning(t.scores.c.id)).scalar_one(), value))
    best.consider(s, explanation_id, collection, made)


def of_explanation(s: Session, explanation_id: int) -> list[ScoreRow]:
    """All scores of one explanation, newest first."""
    return of_explanations(s, [explanation_id]).get(explanation_id, [])


def of_explanations(s: Session, ids: Sequence[int]) -> dict[int, list[ScoreRow]]:
    """All scores of several explanations, newest first within each."""
    sc, sim = t.scores.c, t.simulations.c
    query = (
        select(
            t.scores,
            sim.simulator,
            sim.simulator_model,
            sim.seed,
            t.parameters.c.json.label("parameters_json"),
        )
        .outerjoin(t.simulations, sim.id == sc.simulation_id)
        .join(t.parameters, t.parameters.c.id == sc.parameters_id)
        .where(sc.explanation_id.in_(list(ids)))
        .order_by(sc.id.desc())
    )
    found: dict[int, list[ScoreRow]] = {}
    for row in s.execute(query):
        value = ScoreValue(
            metric=row.metric,
            protocol=row.protocol,
            sample=row.sample,
            state=row.state,
            value=row.value,
            low=row.low,
            high=row.high,
            n_records=row.n_records,
            n_documents=row.n_documents,
            n_tokens=row.n_tokens,
            indicative=bool(row.indicative),
            reason=row.reason,
            parameters_json=row.parameters_json,
        )
        by = unsimulated(row.parameters_json) if row.simulation_id is None else None
        found.setdefault(row.explanation_id, []).append(
            ScoreRow(
                id=row.id,
                explanation_id=row.explanation_id,
                simulation_id=row.simulation_id,
                simulator=row.simulator if by is None else by.name,
                simulator_model=row.simulator_model if by is None else by.model,
                seed=row.seed if by is None else by.seed,
                value=value,
                job_id=row.job_id,
                created_at=row.created_at,
            )
        )
    return found


def unsimulated(parameters_json: str) -> Scorer:
    """Who predicted or judged where no simulation is stored."""
    if is_imported(parameters_json):
        said = claims(parameters_json)
        return Scorer(said.get("simulator", NOT_TOLD), said.get("simulator_model", ""), 0)
    return scorer_of(parameters_json) or Scorer("token_lookup", "", 0)


def by_layer(
    s: Session,
    slug: str,
    protocol: Protocol,
    sample: Sample,
    metric: Metric = Metric.CORRELATION,
    method: str | None = None,
) -> list[LayerScores]:
    """How the neurons' best scores by one measure are spread in every layer; of one method, or of all."""
    return [of_part(s, part, protocol, sample, metric, method) for part in names.parts_of(s, slug)]


_NO_VALUE = -1e300
# Past SQLAlchemy and in one array: a model has hundreds of thousands of them.
_OF_PART = (
    f"SELECT neuron, state, coalesce(value, {_NO_VALUE}) FROM best_scores "  # noqa: S608
    "WHERE part_id = ? AND protocol = ? AND sample = ? AND metric = ?"
)


def of_part(
    s: Session,
    part: names.PartName,
    protocol: Protocol,
    sample: Sample,
    metric: Metric,
    method: str | None = None,
) -> LayerScores:
    """The same of one layer."""
    query, asked = _OF_PART, [part.id, PROTOCOLS[protocol], SAMPLES[sample], METRICS[metric]]
    if method is not None:
        query += " AND method_id = ?"
        known = s.execute(select(t.methods.c.id).where(t.methods.c.name == method)).scalar()
        asked.append(-1 if known is None else known)
    rows = np.array(sql.rows(s, query, asked), np.float64).reshape(-1, 3)
    index = rows[:, 0].astype(np.intp)
    values = np.full(part.neurons, _NO_VALUE)
    np.maximum.at(values, index, rows[:, 2])
    values[values == _NO_VALUE] = np.nan
    constant = np.zeros(part.neurons, np.bool_)
    constant[index[rows[:, 1] == _CONSTANT]] = True
    return _layer(part, values, constant & np.isnan(values))


def measures(s: Session, slug: str) -> list[tuple[Protocol, Sample, Metric]]:
    """The measures by which any neuron of the model has a score or a reason for having none."""
    parts = ", ".join(str(part.id) for part in names.parts_of(s, slug))
    # In one row with all numbers written out: of bound ones PostgreSQL soon makes a plan that reads the whole table, and for
    # a union of rows it starts processes.
    asked = (
        f"EXISTS (SELECT 1 FROM best_scores WHERE part_id IN ({parts}) "  # noqa: S608
        f"AND protocol = {PROTOCOLS[protocol]} AND sample = {SAMPLES[sample]} AND metric = {METRICS[metric]})"
        for protocol, sample, metric in _MEASURES
    )
    [row] = sql.rows(s, f"SELECT {', '.join(asked)}", ())
    return [measure for measure, there in zip(_MEASURES, row, strict=True) if there]


def _layer(part: names.PartName, values: Float64, constant: Bool) -> LayerScores:
    defined = values[~np.isnan(values)]
    n, n_constant = len(defined), int(constant.sum())
    total = float(defined.sum())
    counts, _ = np.histogram(np.clip(defined, SCORE_EDGES[0], SCORE_EDGES[-1]), SCORE_EDGES)
    return LayerScores(
        layer=part.slug,
        ordinal=part.ordinal,
        neurons=part.present,
        defined=n,
        constant=n_constant,
        mean=total / n if n else None,
        mean_constant_0=total / (n + n_constant) if n + n_constant else None,
        quantiles=tuple(np.quantile(defined, QUANTILES).tolist()) if n else (),
        counts=tuple(counts.tolist()),
    )


def _check(value: ScoreValue) -> None:
    if (value.state is State.OK) != (value.value is not None):
        raise BadInput(
            f"a score of state “{value.state}” {'needs a' if value.state is State.OK else 'has no'} value"
        )
    for x in (value.value, value.low, value.high):
        if x is not None and not isfinite(x):
            raise BadInput(f"a score that is {x} is no score: give the state that says why")


def _simulated(
    s: Session, explanation_id: int, simulation_id: int, values: Sequence[ScoreValue]
) -> tuple[int, list[int]]:
    """(collection, excerpts) of the simulation behind scores."""
    sim = t.simulations.c
    query = select(sim.explanation_id, sim.collection_id, sim.data).where(sim.id == simulation_id)
    row = s.execute(query).first()
    if row is None or row.explanation_id != explanation_id:
        raise NotFound(f"explanation {explanation_id} has no simulation {simulation_id}")
    if row.data is None:
        if any(value.state is State.OK for value in values):
            raise BadInput(f"simulation {simulation_id} failed: it cannot have a score")
        return row.collection_id, []
    return row.collection_id, packing.unpack_simulation(row.data)[0].tolist()
