"""How units of an experiment end, and what that means for those that wait for them."""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import and_, select, update

from app.domain.experiment_needs import needs_of
from app.domain.experiment_units import EXPLANATION
from app.store import tables as t
from app.store.experiment_rows import Ended, ExperimentRow, UnitState
from app.store.experiment_units import change, same
from app.store.session import Session, writing


def end(s: Session, row: ExperimentRow, ended: Iterable[Ended]) -> int:
    """Write down how units ended; how many are over for good, with those that are skipped for want of a statement.

    What waits for a statement becomes ready with it. A unit that failed is to be tried again while it has tries left. What is
    no longer under way, because another worker has taken it over and ended it, stays as it is.
    """
    writing(s)
    over = 0
    for each in ended:
        over += _end(s, row, each)
    return over


def _end(s: Session, experiment: ExperimentRow, each: Ended) -> int:
    c = t.experiment_units.c
    now = datetime.now(UTC)
    query = select(c.ordinal, c.arm, c.seed, c.scorer, c.attempts, c.tries_left)
    row = s.execute(query.where(c.id == each.unit, c.state == UnitState.RUNNING)).first()
    if row is None:
        return 0
    state, left = each.state, row.tries_left - int(each.tried)
    if state is UnitState.FAILED and left > 0 and not each.final:
        state = UnitState.PENDING
    values: dict[str, Any] = {
        "state": state,
        "reason": each.reason,
        "attempts": row.attempts + int(each.tried),
        "tries_left": left,
        "salt": c.salt + each.salt,
        "kept_as": row.attempts,
        "ended_at": now if state.ended else None,
        **{name: c[name] + value for name, value in each.usage._asdict().items()},
    }
    if each.explanation_id is not None:
        values["explanation_id"] = each.explanation_id
    if each.simulation_id is not None:
        values["simulation_id"] = each.simulation_id
    s.execute(update(t.experiment_units).where(c.id == each.unit).values(values))
    if row.scorer != EXPLANATION or not state.ended:
        return int(state.ended)
    if state is UnitState.OK:
        _made(s, experiment, row, each.explanation_id)
        return 1
    return 1 + _skip(s, experiment, row, row.arm, each.reason)


def _made(s: Session, experiment: ExperimentRow, row: Any, explanation_id: int | None) -> None:
    """Let what waited for a statement begin, unless it waits for another one as well."""
    c = t.experiment_units.c
    waiting = needs_of(experiment.definition).waiting_for(row.arm)
    mine = and_(same(row), c.arm == row.arm, c.scorer != EXPLANATION, c.state == UnitState.PENDING)
    several = {key: arms for key, arms in waiting.items() if arms != (row.arm,) or key[0] != row.arm}
    if not several:
        change(s, experiment.id, mine, ready=1, explanation_id=explanation_id)
        return
    change(s, experiment.id, mine, explanation_id=explanation_id)
    query = select(c.arm).where(
        c.experiment_id == experiment.id, same(row), c.scorer == EXPLANATION, c.state == UnitState.OK
    )
    there = set(s.execute(query).scalars())
    for (arm, scorer), arms in waiting.items():
        if there.issuperset(arms):
            unit = and_(same(row), c.arm == arm, c.scorer == scorer, c.state == UnitState.PENDING)
            change(s, experiment.id, unit, ready=1)


def _skip(s: Session, experiment: ExperimentRow, row: Any, arm: int, reason: str) -> int:
    """Skip what waits for a statement that is not to be had, and what waits for that in turn; how many units."""
    c = t.experiment_units.c
    over = 0
    for key in needs_of(experiment.definition).waiting_for(arm):
        if key[1] == EXPLANATION:
            words = f"there is no statement to begin from: {reason}"
        elif key[0] == arm:
            words = f"there is no explanation to score: {reason}"
        else:
            words = f"there is no revision whose sentences it could be scored on: {reason}"
        unit = and_(same(row), c.arm == key[0], c.scorer == key[1], c.state == UnitState.PENDING)
        skipped = {"state": UnitState.SKIPPED, "reason": words, "ended_at": datetime.now(UTC)}
        found = change(s, experiment.id, unit, **skipped)
        over += found
        if found and key[1] == EXPLANATION:
            over += _skip(s, experiment, row, key[0], words)
    return over


def _reopen(s: Session, experiment: ExperimentRow, row: Any, arm: int) -> int:
    """Undo `_skip` for a statement that is to be made after all; how many units are open again."""
    c = t.experiment_units.c
    opened = 0
    for key in needs_of(experiment.definition).waiting_for(arm):
        unit = and_(
            same(row), c.arm == key[0], c.scorer == key[1], c.state == UnitState.SKIPPED, c.ready == 0
        )
        found = change(s, experiment.id, unit, **_again(experiment))
        opened += found
        if found and key[1] == EXPLANATION:
            opened += _reopen(s, experiment, row, key[0])
    return opened


def retry_failed(s: Session, row: ExperimentRow) -> int:
    """Let what failed be tried again, and with a statement all that waited for it; how many units that is."""
    c = t.experiment_units.c
    query = select(c.ordinal, c.arm, c.seed).where(
        c.experiment_id == row.id, c.state == UnitState.FAILED, c.scorer == EXPLANATION
    )
    statements = s.execute(query).all()
    opened = change(s, row.id, c.state == UnitState.FAILED, **_again(row))
    for each in statements:
        opened += _reopen(s, row, each, each.arm)
    return opened


def forgive(s: Session, row: ExperimentRow, units: Iterable[int]) -> int:
    """What failed through no fault of its own is to be done as if it had not been tried; how many units are open again."""
    c = t.experiment_units.c
    opened = 0
    for unit in units:
        found = s.execute(select(c.ordinal, c.arm, c.seed, c.scorer, c.state).where(c.id == unit)).one()
        if found.state not in (UnitState.FAILED, UnitState.PENDING):
            continue
        change(s, row.id, c.id == unit, **_again(row))
        opened += int(found.state is UnitState.FAILED)
        if found.scorer == EXPLANATION and found.state is UnitState.FAILED:
            opened += _reopen(s, row, found, found.arm)
    return opened


def _again(row: ExperimentRow) -> dict[str, Any]:
    tries = row.definition.attempts
    return {"state": UnitState.PENDING, "reason": "", "tries_left": tries, "ended_at": None}
