"""The units of an experiment: what is to be done, what is under way, and what there is. How they end is in `experiment_ends`."""

from typing import Any

from sqlalchemy import ColumnElement, Row, Select, and_, func, select, update

from app.domain.experiment_needs import needs_of
from app.domain.experiment_units import EXPLANATION, units_of_neuron
from app.domain.neurons import NeuronRef
from app.store import bulk, cursors
from app.store import tables as t
from app.store.experiment_rows import ExperimentRow, Failures, Unit, UnitCount, UnitState
from app.store.experiment_tables import UNIT_STATES
from app.store.rows import Page
from app.store.session import Session, writing

PLAN_NEURONS = 500  # whose units are written in one transaction
_COLUMNS = (
    "experiment_id", "ordinal", "arm", "seed", "scorer", "lane", "state", "ready", "reason",
    "attempts", "tries_left", "salt", "kept_as", "tokens_in", "tokens_out", "cost_usd", "seconds", "calls",
)  # fmt: skip
_SHOWN = 200


def plan(s: Session, row: ExperimentRow) -> int:
    """Write down the units of the next neurons; how many neurons are still without. Idempotent by its own mark."""
    writing(s)
    mine = t.experiments.c.id == row.id
    planned: int = s.execute(select(t.experiments.c.planned).where(mine).with_for_update()).scalar_one()
    upto = min(planned + PLAN_NEURONS, row.neurons)
    each, needs = units_of_neuron(row.definition), needs_of(row.definition)
    pending, tries = UNIT_STATES[UnitState.PENDING], row.definition.attempts
    bulk.insert(
        s,
        t.experiment_units,
        _COLUMNS,
        (
            (row.id, ordinal, unit.arm, unit.seed, unit.scorer, unit.lane, pending,
             int(not needs.of(unit.arm, unit.scorer)), "", 0, tries, 0, 0, 0, 0, 0.0, 0.0, 0)
            for ordinal in range(planned, upto)
            for unit in each
        ),
    )  # fmt: skip
    s.execute(update(t.experiments).where(mine).values(planned=upto))
    return row.neurons - upto


def beside(s: Session, experiment_id: int, unit: Unit, scorer: int) -> Unit | None:
    """Another scorer's unit of the same statement; None where it has none."""
    c = t.experiment_units.c
    query = _select(experiment_id).where(_cell(unit), c.scorer == scorer)
    row = s.execute(query).first()
    return None if row is None else _unit(row)


def statement(s: Session, experiment_id: int, unit: Unit, arm: int) -> int | None:
    """The explanation that another arm made of the same neuron with the same seed; None where it is not there."""
    c = t.experiment_units.c
    query = select(c.explanation_id).where(
        c.experiment_id == experiment_id,
        same(unit), c.arm == arm, c.scorer == EXPLANATION, c.state == UnitState.OK,
    )  # fmt: skip
    found: int | None = s.execute(query).scalar()
    return found


def put_back(s: Session, experiment_id: int) -> None:
    """What was under way when a worker died, or was stopped, is to be done."""
    change(s, experiment_id, t.experiment_units.c.state == UnitState.RUNNING, state=UnitState.PENDING)


def take(s: Session, experiment_id: int, lane: int, n: int) -> list[Unit]:
    """The next units of a lane, which are under way from now on. Those that failed before come last."""
    c = t.experiment_units.c
    query = (
        _select(experiment_id)
        .where(c.state == UnitState.PENDING, c.ready == 1, c.lane == lane)
        .order_by(c.attempts, c.id)
        .limit(n)
    )
    found = [_unit(row) for row in s.execute(query)]
    if found:
        change(s, experiment_id, c.id.in_([unit.id for unit in found]), state=UnitState.RUNNING)
    return found


def ended_count(s: Session, experiment_id: int) -> int:
    """How many units have ended, one way or another."""
    return sum(each.units for each in counts(s, experiment_id) if each.state.ended)


def same(row: Any) -> ColumnElement[bool]:
    """The units of one neuron and seed."""
    c = t.experiment_units.c
    return and_(c.ordinal == row.ordinal, c.seed == row.seed)


def _cell(row: Any) -> ColumnElement[bool]:
    """The statement and the scores of one neuron, arm and seed."""
    return and_(same(row), t.experiment_units.c.arm == row.arm)


def counts(s: Session, experiment_id: int) -> list[UnitCount]:
    """How many units of each arm and scorer are in each state."""
    c = t.experiment_units.c
    query = (
        select(c.arm, c.scorer, c.state, func.count())
        .where(c.experiment_id == experiment_id)
        .group_by(c.arm, c.scorer, c.state)
        .order_by(c.arm, c.scorer, c.state)
    )
    return [UnitCount(*row) for row in s.execute(query)]


def failures(s: Session, experiment_id: int, limit: int = _SHOWN) -> list[Failures]:
    """Why units came to nothing, the most frequent reasons first."""
    c = t.experiment_units.c
    query = (
        select(c.arm, c.scorer, c.state, c.reason, func.count().label("n"))
        .where(c.experiment_id == experiment_id, c.state.in_((UnitState.FAILED, UnitState.SKIPPED)))
        .group_by(c.arm, c.scorer, c.state, c.reason)
        .order_by(func.count().desc(), c.arm, c.scorer, c.reason)
        .limit(limit)
    )
    return [Failures(*row) for row in s.execute(query)]


def page(
    s: Session,
    experiment_id: int,
    *,
    arm: int | None = None,
    scorer: int | None = None,
    state: UnitState | None = None,
    cursor: str | None = None,
    limit: int = 50,
) -> Page[Unit]:
    """Units in the order in which they are taken first. A cursor is a unit's id, with `-` to go back. BadInput."""
    c = t.experiment_units.c
    where = [
        column == value
        for column, value in ((c.arm, arm), (c.scorer, scorer), (c.state, state))
        if value is not None
    ]
    total = s.execute(
        select(func.count()).select_from(t.experiment_units).where(c.experiment_id == experiment_id, *where)
    ).scalar_one()
    backward = bool(cursor and cursor.startswith("-"))
    query = _select(experiment_id).where(*where)
    if cursor is not None:
        number = cursor.removeprefix("-")
        if not (number.isascii() and number.isdigit() and len(number) < 19):
            raise cursors.out_of_date()
        query = query.where(c.id < int(number) if backward else c.id > int(number))
    found = s.execute(query.order_by(c.id.desc() if backward else c.id).limit(limit + 1))
    rows, has_next, has_previous = cursors.window(
        [_unit(row) for row in found], limit, backward=backward, first=cursor is None
    )
    return Page(
        tuple(rows),
        next=str(rows[-1].id) if has_next else None,
        previous=f"-{rows[0].id}" if has_previous else None,
        total=total,
    )


def change(s: Session, experiment_id: int, where: Any, **values: Any) -> int:
    """Set values of the units for which `where` holds; how many."""
    writing(s)
    mine = t.experiment_units.c.experiment_id == experiment_id
    return int(s.execute(update(t.experiment_units).where(mine, where).values(**values)).rowcount)


def _select(experiment_id: int) -> Select[Any]:
    u, n = t.experiment_units.c, t.experiment_neurons.c
    return (
        select(
            u.id, u.ordinal, u.arm, u.seed, u.scorer, u.lane, u.state, u.reason, u.attempts, u.tries_left,
            u.salt, u.explanation_id, u.simulation_id,
            t.models.c.slug.label("model"), t.layers.c.slug.label("layer"), n.neuron,
        )
        .join(t.experiment_neurons, and_(n.experiment_id == u.experiment_id, n.ordinal == u.ordinal))
        .join(t.layers, t.layers.c.id == n.layer_id)
        .join(t.models, t.models.c.id == t.layers.c.model_id)
        .where(u.experiment_id == experiment_id)
    )  # fmt: skip


def _unit(row: Row[Any]) -> Unit:
    return Unit(
        id=row.id,
        ordinal=row.ordinal,
        ref=NeuronRef(row.model, row.layer, row.neuron),
        arm=row.arm,
        seed=row.seed,
        scorer=row.scorer,
        lane=row.lane,
        state=row.state,
        reason=row.reason,
        attempts=row.attempts,
        tries_left=row.tries_left,
        salt=row.salt,
        explanation_id=row.explanation_id,
        simulation_id=row.simulation_id,
    )
