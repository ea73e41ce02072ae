"""`experiment`: run one from a file, list them, see how one stands, pause, resume, try again what failed."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from app import logs
from app.cli import app
from app.cli.common import open_jobs, settings
from app.domain import experiment_files
from app.domain.definition_files import kind_of
from app.errors import BadInput

if TYPE_CHECKING:
    from app.jobs.experiment_service import Experiments, Standing

group = typer.Typer(help="Experiments: neurons x explainers x scores, from a file.", no_args_is_help=True)
app.add_typer(group, name="experiment")

DataDir = Annotated[Path | None, typer.Option(help="Folder of the store.")]
Number = Annotated[int, typer.Argument(min=1, help="Number of the experiment.")]
Budget = Annotated[float | None, typer.Option(min=0, help="Another budget in US dollars, in all.")]
Detach = Annotated[bool, typer.Option("--detach", help="Do not wait for its end.")]


@group.command()
def run(
    file: Annotated[Path, typer.Argument(help="The definition, TOML or JSON: see docs/experiments.md.")],
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what it would take, and send nothing.")
    ] = False,
    detach: Detach = False,
    data_dir: DataDir = None,
) -> None:
    """Begin an experiment and follow it to its end."""
    from app.jobs.experiment_dry_run import dry_run as count
    from app.jobs.experiment_service import Experiments
    from app.web.experiment_words import dry_run_lines

    logs.configure()
    try:
        text = file.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(f"{file} cannot be read: {error}.") from None
    definition = experiment_files.read(text, kind_of(text))
    with open_jobs(settings(data_dir=data_dir)) as jobs:
        experiments = Experiments(jobs)
        if dry_run:
            made = count(jobs.settings, jobs.store, experiments.plan(definition))
            for line in dry_run_lines(made):
                typer.echo(line)
            return
        _follow(experiments, experiments.begin(definition, "command line").id, detach)


@group.command("list")
def list_experiments(
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="So many of the newest.")] = 20,
    data_dir: DataDir = None,
) -> None:
    """List experiments, the newest first."""
    from app.store import experiments
    from app.web.experiment_words import STATE_WORDS

    with open_jobs(settings(data_dir=data_dir)) as jobs, jobs.store.session() as session:
        rows = experiments.page(session, limit=limit).items
    for row in rows:
        typer.echo(
            f"{row.id}  {row.created_at:%Y-%m-%d %H:%M}Z  {STATE_WORDS[row.state]:<10}  {row.neurons:,} neurons  {row.name}"
        )
    if not rows:
        typer.echo("There are no experiments yet: `neuronarium experiment run FILE` begins one.")


@group.command()
def status(experiment: Number, data_dir: DataDir = None) -> None:
    """Say how an experiment stands: its units by arm and state, and what failed by reason."""
    from app.jobs.experiment_service import Experiments

    with open_jobs(settings(data_dir=data_dir)) as jobs:
        _say(Experiments(jobs).standing(experiment))


@group.command()
def pause(experiment: Number, data_dir: DataDir = None) -> None:
    """Let it end what is under way, and no more."""
    from app.jobs.experiment_service import Experiments

    with open_jobs(settings(data_dir=data_dir)) as jobs:
        row = Experiments(jobs).pause(experiment)
    typer.echo(f"Pausing: {row.name}." if row.pausing else f"Paused: {row.name}.")


@group.command()
def resume(
    experiment: Number, budget: Budget = None, detach: Detach = False, data_dir: DataDir = None
) -> None:
    """Go on with what is open, and follow it to its end."""
    from app.jobs.experiment_service import Experiments

    logs.configure()
    with open_jobs(settings(data_dir=data_dir)) as jobs:
        experiments = Experiments(jobs)
        _follow(experiments, experiments.resume(experiment, "command line", budget_usd=budget).id, detach)


@group.command()
def retry(
    experiment: Number, budget: Budget = None, detach: Detach = False, data_dir: DataDir = None
) -> None:
    """Try again what failed, and nothing else; follow it to its end."""
    from app.jobs.experiment_service import Experiments

    logs.configure()
    with open_jobs(settings(data_dir=data_dir)) as jobs:
        experiments = Experiments(jobs)
        row = experiments.retry_failed(experiment, "command line", budget_usd=budget)
        _follow(experiments, row.id, detach)


def _follow(experiments: "Experiments", id: int, detach: bool) -> None:
    from app.cli.follow import follow

    standing = experiments.standing(id)
    typer.echo(f"Experiment {id}: {standing.row.neurons:,} neurons, {standing.row.units:,} units.", err=True)
    for note in standing.row.notes:
        typer.echo(f"Note: {note}.", err=True)
    if not detach:
        follow(experiments.jobs, standing.row.job_id)
        _say(experiments.standing(id))


def _say(standing: "Standing") -> None:
    from app.store.experiment_rows import UnitState
    from app.web.experiment_words import progress, state_words
    from app.web.formats import usd

    row = standing.row
    budget = f" of ${row.budget_usd:.2f}" if row.budget_usd is not None else ""
    typer.echo(
        f"Experiment {row.id} “{row.name}”: {state_words(standing)}, {standing.ended:,} of {row.units:,} units, "
        f"{usd(standing.spent_usd)}{budget}."
    )
    if row.reason:
        typer.echo(f"  {row.reason}")
    made = progress(standing)
    for line in made.lines:
        counts = ", ".join(
            f"{each.units:,} {state}"
            for each, state in zip(line.counts, UnitState, strict=True)
            if each.units
        )
        typer.echo(f"  {line.arm}, {line.what}: {counts}")
    for failure in made.failures:
        typer.echo(f"  {failure.units:,} {failure.state}: {failure.arm}, {failure.what}: {failure.reason}")
