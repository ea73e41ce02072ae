"""Experiments: their definitions, samples and jobs, and how each stands."""

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

from sqlalchemy import Row, Select, func, insert, select, update

from app.domain import experiment_files
from app.domain.definition_files import FileKind
from app.domain.experiment_sampling import sample_digest
from app.domain.experiment_units import units_of_neuron
from app.domain.experiments import Definition, definition_hash
from app.domain.neurons import NeuronRef
from app.errors import BadInput, Conflict, NotFound
from app.store import bulk, cursors, kept_names
from app.store import tables as t
from app.store.experiment_rows import ExperimentRow, ExperimentState
from app.store.rows import JobState, Page
from app.store.session import Session, writing

_ID_LIMIT = 1 << 62


class Chosen(NamedTuple):
    """A neuron of a sample, and which of the definition's samples it was drawn by (bit i: sample i)."""

    ref: NeuronRef
    groups: int


class Group(NamedTuple):
    """The neurons that one of the definition's samples drew."""

    name: str
    refs: tuple[NeuronRef, ...]


def create(
    s: Session,
    definition: Definition,
    sample: Sequence[Chosen],
    job_id: str,
    *,
    titles: Mapping[str, str],
    notes: Sequence[str] = (),
    author: str = "neuronarium",
) -> int:
    """Keep an experiment with its sample, frozen; its id. Its first job is expected to be added beside it.

    BadInput for an empty sample; NotFound for a layer that is not there.
    """
    if not sample:
        raise BadInput("The sample is empty: no neuron meets its rules.")
    writing(s)
    layers = {
        place: kept_names.layer_id(s, NeuronRef(*place, 0))
        for place in {(chosen.ref.model, chosen.ref.layer) for chosen in sample}
    }
    values = {
        "name": definition.name,
        "definition": experiment_files.write(definition, FileKind.JSON),
        "definition_hash": definition_hash(definition),
        "titles": json.dumps(dict(titles), ensure_ascii=False),
        "sample_digest": sample_digest([chosen.ref for chosen in sample]),
        "notes": json.dumps(list(notes), ensure_ascii=False),
        "neurons": len(sample),
        "units": len(sample) * len(units_of_neuron(definition)),
        "planned": 0,
        "budget_usd": definition.budget_usd,
        "state": ExperimentState.RUNNING,
        "reason": "",
        "pausing": 0,
        "job_id": job_id,
        "author": author,
        "created_at": datetime.now(UTC),
    }
    made: int = s.execute(insert(t.experiments).values(values).returning(t.experiments.c.id)).scalar_one()
    bulk.insert(
        s,
        t.experiment_neurons,
        ("experiment_id", "ordinal", "layer_id", "neuron", "groups"),
        [
            (made, i, layers[chosen.ref.model, chosen.ref.layer], chosen.ref.index, chosen.groups)
            for i, chosen in enumerate(sample)
        ],
    )
    s.execute(insert(t.experiment_jobs).values(job_id=job_id, experiment_id=made))
    return made


def get(s: Session, experiment_id: int) -> ExperimentRow:
    """One experiment. NotFound says what there is."""
    found = s.execute(_select().where(t.experiments.c.id == experiment_id)).first() if (
        0 < experiment_id < _ID_LIMIT
    ) else None  # fmt: skip
    if found is None:
        newest = s.execute(select(func.max(t.experiments.c.id))).scalar()
        there = f"the newest is {newest}" if newest is not None else "none has been made yet"
        raise NotFound(f"there is no experiment {experiment_id}; {there}")
    return _row(found)


def of_job(s: Session, job_id: str) -> ExperimentRow:
    """The experiment that a job is a run of. NotFound."""
    c = t.experiment_jobs.c
    found = s.execute(select(c.experiment_id).where(c.job_id == job_id)).scalar()
    if found is None:
        raise NotFound(f"job {job_id} belongs to no experiment")
    return get(s, found)


def page(s: Session, cursor: str | None = None, limit: int = 50) -> Page[ExperimentRow]:
    """Experiments, newest first. A cursor is the id that the page comes after, or with `-` before. BadInput for no id."""
    backward = bool(cursor and cursor.startswith("-"))
    query, id_ = _select(), t.experiments.c.id
    if cursor is not None:
        number = cursor.removeprefix("-")
        if not (number.isascii() and number.isdigit() and len(number) < 19):
            raise cursors.out_of_date()
        query = query.where(id_ > int(number) if backward else id_ < int(number))
    rows, has_next, has_previous = cursors.window(
        [
            _row(row)
            for row in s.execute(query.order_by(id_ if backward else id_.desc()).limit(limit + 1))
        ],
        limit,
        backward=backward,
        first=cursor is None,
    )  # fmt: skip
    return Page(
        tuple(rows),
        next=str(rows[-1].id) if has_next else None,
        previous=f"-{rows[0].id}" if has_previous else None,
        total=s.execute(select(func.count()).select_from(t.experiments)).scalar_one(),
    )


def sample(s: Session, experiment_id: int) -> list[Chosen]:
    """An experiment's neurons in order."""
    n = t.experiment_neurons.c
    query = (
        select(t.models.c.slug.label("model"), t.layers.c.slug.label("layer"), n.neuron, n.groups)
        .join(t.layers, t.layers.c.id == n.layer_id)
        .join(t.models, t.models.c.id == t.layers.c.model_id)
        .where(n.experiment_id == experiment_id)
        .order_by(n.ordinal)
    )
    return [Chosen(NeuronRef(row.model, row.layer, row.neuron), row.groups) for row in s.execute(query)]


def groups(s: Session, row: ExperimentRow) -> list[Group]:
    """The neurons of each of the definition's samples. One may be in several."""
    chosen = sample(s, row.id)
    return [
        Group(rule.label, tuple(each.ref for each in chosen if each.groups >> i & 1))
        for i, rule in enumerate(row.definition.samples)
    ]


def jobs_of(s: Session, experiment_id: int) -> list[str]:
    """The ids of all its jobs, oldest first."""
    c = t.experiment_jobs.c
    query = (
        select(c.job_id)
        .outerjoin(t.jobs, t.jobs.c.id == c.job_id)
        .where(c.experiment_id == experiment_id)
        .order_by(t.jobs.c.created_at, c.job_id)
    )
    return list(s.execute(query).scalars())


def spent(s: Session, experiment_id: int) -> float:
    """US dollars of all calls that its jobs made."""
    c = t.experiment_jobs.c
    mine = select(c.job_id).where(c.experiment_id == experiment_id)
    total = s.execute(select(func.sum(t.llm_calls.c.cost_usd)).where(t.llm_calls.c.job_id.in_(mine))).scalar()
    return float(total or 0.0)


def set_state(s: Session, experiment_id: int, state: ExperimentState, reason: str = "") -> None:
    """How it stands now; whoever wanted it to pause has been heard."""
    ended = None if state is ExperimentState.RUNNING else datetime.now(UTC)
    _update(s, experiment_id, state=state, reason=reason, pausing=0, ended_at=ended)


def pause(s: Session, experiment_id: int) -> None:
    """Ask a running one to end what is under way and no more. Conflict where nothing runs."""
    if get(s, experiment_id).state is not ExperimentState.RUNNING:
        raise Conflict("this experiment is not running: there is nothing to pause")
    _update(s, experiment_id, pausing=1)


def begin_again(s: Session, experiment_id: int, job_id: str, budget_usd: float | None) -> None:
    """It runs again, by another job, within this budget."""
    writing(s)
    s.execute(insert(t.experiment_jobs).values(job_id=job_id, experiment_id=experiment_id))
    _update(
        s,
        experiment_id,
        state=ExperimentState.RUNNING,
        reason="",
        pausing=0,
        job_id=job_id,
        budget_usd=budget_usd,
        ended_at=None,
    )


def _update(s: Session, experiment_id: int, **values: Any) -> None:
    writing(s)
    s.execute(update(t.experiments).where(t.experiments.c.id == experiment_id).values(**values))


def _select() -> Select[Any]:
    return select(
        t.experiments,
        t.jobs.c.state.label("job_state"),
        t.jobs.c.reason.label("job_reason"),
        t.jobs.c.ended_at.label("job_ended_at"),
    ).outerjoin(t.jobs, t.jobs.c.id == t.experiments.c.job_id)


def _row(row: Row[Any]) -> ExperimentRow:
    state, reason, ended_at = row.state, row.reason, row.ended_at
    if state is ExperimentState.RUNNING and row.job_state is not None and row.job_state.ended:
        # A job that is cancelled, or fails as a whole, has no say any more.
        cancelled = row.job_state is JobState.CANCELLED
        state = ExperimentState.CANCELLED if cancelled else ExperimentState.FAILED
        reason, ended_at = row.job_reason, row.job_ended_at
    return ExperimentRow(
        id=row.id,
        name=row.name,
        definition=experiment_files.read_kept(row.definition),
        definition_hash=row.definition_hash,
        titles=json.loads(row.titles),
        sample_digest=row.sample_digest,
        notes=tuple(json.loads(row.notes)),
        neurons=row.neurons,
        units=row.units,
        budget_usd=row.budget_usd,
        state=state,
        reason=reason,
        pausing=bool(row.pausing) and state is ExperimentState.RUNNING,
        job_id=row.job_id,
        author=row.author,
        created_at=row.created_at,
        ended_at=ended_at,
    )
