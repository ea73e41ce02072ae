"""An experiment in words and in tables, for pages, the API and the command line."""

from dataclasses import dataclass
from typing import NamedTuple

from app.domain.experiment_units import EXPLANATION
from app.domain.experiments import Definition
from app.jobs.experiment_dry_run import DryRun
from app.jobs.experiment_service import Standing
from app.store.experiment_rows import ExperimentState, UnitState
from app.store.rows import JobState
from app.web.formats import count, plural, seconds, usd

STATE_WORDS = {
    ExperimentState.RUNNING: "running",
    ExperimentState.PAUSED: "paused",
    ExperimentState.OVER_BUDGET: "paused: over budget",
    ExperimentState.DONE: "done",
    ExperimentState.FAILED: "failed",
    ExperimentState.CANCELLED: "cancelled",
}


class Count(NamedTuple):
    """How many units of one kind are in one state, and where they are listed."""

    units: int
    href: str


class CountLine(NamedTuple):
    """The units of one arm and what they are: statements, or scores by somebody."""

    arm: str
    what: str
    counts: tuple[Count, ...]  # in the order of UnitState


class FailureLine(NamedTuple):
    """Units that came to nothing for one reason."""

    units: int
    arm: str
    what: str
    state: str
    reason: str
    href: str


@dataclass(frozen=True)
class Progress:
    """An experiment's units in tables."""

    lines: tuple[CountLine, ...]
    failures: tuple[FailureLine, ...]
    failed: int  # units that can be tried again


def what(definition: Definition, scorer: int) -> str:
    """What a unit makes."""
    return "statement" if scorer == EXPLANATION else f"score: {definition.scorers()[scorer].label}"


def progress(standing: Standing) -> Progress:
    """The units of every arm by state, and what failed by reason."""
    row = standing.row
    definition = row.definition
    arms = definition.arms()
    by: dict[tuple[int, int], dict[UnitState, int]] = {}
    for each in standing.counts:
        by.setdefault((each.arm, each.scorer), {})[each.state] = each.units
    here = f"/experiments/{row.id}/units"
    lines = tuple(
        CountLine(
            arms[arm].name,
            what(definition, scorer),
            tuple(
                Count(found.get(state, 0), f"{here}?arm={arm}&scorer={scorer}&state={state}")
                for state in UnitState
            ),
        )
        for (arm, scorer), found in sorted(by.items())
    )
    failures = tuple(
        FailureLine(
            each.units,
            arms[each.arm].name,
            what(definition, each.scorer),
            each.state.value,
            each.reason,
            f"{here}?arm={each.arm}&scorer={each.scorer}&state={each.state}",
        )
        for each in standing.failures
    )
    failed = sum(each.units for each in standing.counts if each.state is UnitState.FAILED)
    return Progress(lines, failures, failed)


def state_words(standing: Standing) -> str:
    """How it stands."""
    if standing.row.pausing:
        return "pausing"
    if standing.row.state is ExperimentState.RUNNING and standing.job.state is JobState.QUEUED:
        return "waiting for a worker"
    return STATE_WORDS[standing.row.state]


def dry_run_lines(dry: DryRun) -> list[str]:
    """A dry run as lines of text."""
    total = dry.total
    lines = [
        f"{plural(len(dry.plan.sample), 'neuron')}, {plural(dry.plan.units, 'unit')}. Nothing has been sent."
    ]
    for arm in dry.arms:
        of = arm.total
        lines.append(
            f"  {arm.arm}: {plural(arm.explanations, 'statement')}, about {count(round(of.calls))} calls, "
            f"{count(round(of.tokens_in))} tokens in, at most {count(round(of.tokens_out))} out, {_at_most(of.most_usd)}"
        )
    lines.append(
        f"In all about {count(round(total.calls))} calls, {count(round(total.tokens_in))} tokens in, at most "
        f"{count(round(total.tokens_out))} out: {_at_most(total.most_usd)}{f', likely {usd(total.likely_usd)}' if total.most_usd else ''}."
    )
    for lane in dry.lanes:
        kind = "simulations" if lane.name == "local model" else "calls"
        took = "time unknown: not asked yet" if lane.seconds is None else f"about {seconds(lane.seconds)}"
        lines.append(f"  {lane.name}: {count(lane.calls)} {kind}, {lane.at_once} at once, {took}")
    if dry.seconds is not None:
        lines.append(f"About {seconds(dry.seconds)} in all.")
    if dry.over_budget:
        lines.append(
            f"The budget of ${dry.plan.definition.budget_usd:.2f} may not be enough: it pauses before it would be passed."
        )
    return [*lines, *(f"Note: {note}." for note in (*dry.plan.notes, *dry.problems))]


def _at_most(price: float) -> str:
    return f"at most {usd(price)}" if price else usd(price)
