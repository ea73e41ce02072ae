"""`study`: a rating study from a file, its missing explanations, its start, its raters' links, its end."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from app import logs
from app.cli import app
from app.cli.common import open_jobs, settings
from app.domain import study_files
from app.domain.definition_files import FileKind, kind_of
from app.domain.experiments import Measure
from app.domain.explanations import Metric, Protocol, Sample
from app.domain.studies import StudyArm, StudyDefinition
from app.errors import BadInput
from app.study.presets import LEE_METHODS, LEE_RATERS, LEE_SCORE, Design

if TYPE_CHECKING:
    from app.jobs.service import Jobs
    from app.study.service import Actor, Studies

WHO = "command line"

group = typer.Typer(help="Rating studies: people rate explanations, blind.", no_args_is_help=True)
app.add_typer(group, name="study")

DataDir = Annotated[Path | None, typer.Option(help="Folder of the store.")]
Number = Annotated[int, typer.Argument(min=1, help="Number of the study.")]
File = Annotated[Path, typer.Argument(help="The definition, TOML or JSON: see docs/studies.md.")]
FileOrNumber = Annotated[str, typer.Argument(help="A definition's file, or a study's number.")]
BaseUrl = Annotated[str, typer.Option(help="Where raters reach the server, such as https://example.org.")]


@group.command()
def make(
    file: File,
    version_of: Annotated[
        int | None, typer.Option(min=1, help="The study that this is a new version of.")
    ] = None,
    data_dir: DataDir = None,
) -> None:
    """Keep a study as a draft. Nobody can rate before it is started."""
    definition = _read(file)
    with open_jobs(settings(data_dir=data_dir)) as jobs:
        row = _studies(jobs).make(definition, _me(), version_of)
        _say_material(jobs, definition)
    typer.echo(
        f"Study {row.id} “{row.name}” is kept as a draft: `neuronarium study start {row.id}` begins it."
    )


@group.command()
def check(study: FileOrNumber, data_dir: DataDir = None) -> None:
    """Say what a study comes to, and what stands in its way (then the exit status is 1)."""
    with open_jobs(settings(data_dir=data_dir)) as jobs:
        if not _say_material(jobs, _definition(jobs, study)):
            raise typer.Exit(1)


@group.command()
def explain(
    study: FileOrNumber,
    explainer: Annotated[
        str, typer.Option(help="Endpoint for arms that name nobody; the first there is without it.")
    ] = "",
    detach: Annotated[bool, typer.Option("--detach", help="Do not wait for its end.")] = False,
    data_dir: DataDir = None,
) -> None:
    """Make the explanations that a study lacks, by experiments over exactly those neurons and methods."""
    from app.cli.follow import follow
    from app.jobs.experiment_service import Experiments
    from app.jobs.study_explaining import begin

    logs.configure()
    with open_jobs(settings(data_dir=data_dir)) as jobs:
        definition = _definition(jobs, study)
        found = _studies(jobs).material(definition)
        rows = begin(Experiments(jobs), definition, found, WHO, explainer)
        for row in rows:
            typer.echo(f"Experiment {row.id}: {row.units:,} explanations.", err=True)
        if detach:
            return
        for row in rows:
            follow(jobs, row.job_id)
        if not _say_material(jobs, definition):
            raise typer.Exit(1)


@group.command("list")
def list_studies(
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="So many of the newest.")] = 20,
    data_dir: DataDir = None,
) -> None:
    """List studies, the newest first."""
    from app.store import studies
    from app.web.study_words import STATE_WORDS

    with open_jobs(settings(data_dir=data_dir)) as jobs, jobs.store.session() as session:
        rows = studies.page(session, limit=limit).items
    for row in rows:
        typer.echo(f"{row.id}  {row.created_at:%Y-%m-%d %H:%M}Z  {STATE_WORDS[row.state]:<6}  {row.name}")
    if not rows:
        typer.echo("There are no studies yet: `neuronarium study make FILE` keeps one.")


@group.command()
def show(
    study: Number,
    definition: Annotated[bool, typer.Option("--definition", help="Its definition alone, as TOML.")] = False,
    data_dir: DataDir = None,
) -> None:
    """Say how a study stands: its raters by state and what is answered, nothing of the answers."""
    from app.store.study_rows import StudyState
    from app.study.overview import overview
    from app.web import study_words as words

    with open_jobs(settings(data_dir=data_dir)) as jobs:
        studies = _studies(jobs)
        row = studies.get(study)
        if definition:
            typer.echo(study_files.write(row.definition, FileKind.TOML), nl=False)
            return
        typer.echo(
            f"Study {row.id} “{row.name}”, version {row.version}: {words.STATE_WORDS[row.state]}, by {row.author}."
        )
        if row.state is StudyState.DRAFT:
            _say_material(jobs, row.definition)
            return
        typer.echo(f"  registered as {row.registered_hash}")
        for note in row.notes:
            typer.echo(f"  Note: {note}")
        progress, seen = studies.progress(study), overview(jobs.store, study)
    typer.echo(f"  {words.progress_line(progress)}; {words.quality_line(seen)}")
    typer.echo(f"  raters: {words.rater_counts(progress)}")
    for line in seen.raters:
        gold = f", {line.gold_right} of {line.gold} known answers right" if line.gold else ""
        typer.echo(
            f"    {line.rater.number}  {words.RATER_WORDS[line.rater.state]}, {line.done} of {line.of} items{gold}"
        )
    if row.unblinded_at is not None:
        typer.echo(f"  unblinded before the close, on {row.unblinded_at:%Y-%m-%d}, by {row.unblinded_by}")


@group.command()
def start(study: Number, base_url: BaseUrl = "", data_dir: DataDir = None) -> None:
    """Freeze a study and let raters in."""
    from app.web.rating_links import open_link

    with open_jobs(settings(data_dir=data_dir)) as jobs:
        base = _base(jobs, base_url)
        row = _studies(jobs).start(study, _me())
        link = base + open_link(jobs.settings, row)
    typer.echo(f"Study {row.id} “{row.name}” is open, registered as {row.registered_hash}.")
    typer.echo(f"Anybody may rate at {link}")


@group.command()
def invite(
    study: Number,
    names: Annotated[list[str], typer.Argument(help="Whom each invitation is for; raters never see it.")],
    days: Annotated[float | None, typer.Option(help="After which it is no longer good.")] = None,
    base_url: BaseUrl = "",
    data_dir: DataDir = None,
) -> None:
    """Make an invitation for each name, and print its link."""
    from app.web.rating_links import invitation

    with open_jobs(settings(data_dir=data_dir)) as jobs:
        base = _base(jobs, base_url)
        studies = _studies(jobs)
        row = studies.get(study)
        made = studies.invite(study, _me(), names, days)
        for name, rater in zip(names, made, strict=True):
            typer.echo(f"{name}  {base}{invitation(jobs.settings, row, rater)}")


@group.command()
def close(
    study: Number,
    anyway: Annotated[bool, typer.Option("--anyway", help="With items unfinished.")] = False,
    data_dir: DataDir = None,
) -> None:
    """End a study for good; its results are shown from then on."""
    with open_jobs(settings(data_dir=data_dir)) as jobs:
        row = _studies(jobs).close(study, _me(), anyway=anyway)
    typer.echo(f"Study {row.id} “{row.name}” is closed.")


@group.command()
def unblind(
    study: Number,
    why: Annotated[str, typer.Option(help="The reason, which is printed with the results.")],
    data_dir: DataDir = None,
) -> None:
    """Open the results before the close. It is logged, and every export says so."""
    with open_jobs(settings(data_dir=data_dir)) as jobs:
        row = _studies(jobs).unblind(study, _me(), why)
    typer.echo(f"The results of study {row.id} “{row.name}” are open before its close.")


@group.command()
def erase(
    study: Number,
    rater: Annotated[int, typer.Argument(min=1, help="Number of the rater's pseudonym.")],
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    data_dir: DataDir = None,
) -> None:
    """Delete all that a rater answered, and who it was, for good."""
    with open_jobs(settings(data_dir=data_dir)) as jobs:
        if not yes:
            typer.confirm(f"Delete all answers of rater {rater} of study {study} for good?", abort=True)
        deleted = _studies(jobs).erase(study, rater, _me())
    typer.echo(f"Rater {rater} is erased: {deleted:,} answers deleted.")


@group.command()
def log(study: Number, data_dir: DataDir = None) -> None:
    """Print who did what to a study, oldest first."""
    with open_jobs(settings(data_dir=data_dir)) as jobs:
        for entry in _studies(jobs).log(study):
            typer.echo(f"{entry.at:%Y-%m-%d %H:%M:%S}Z  {entry.who}: {entry.what}  {entry.detail}".rstrip())


@group.command()
def power(
    neurons: Annotated[int, typer.Option(min=2)] = 48,
    raters: Annotated[int, typer.Option(min=1)] = 5,
    per_neuron: Annotated[int, typer.Option(min=0, help="Raters that each neuron gets; 0: all.")] = 0,
    contrasts: Annotated[int, typer.Option(min=1, help="That are registered.")] = 4,
    alpha: Annotated[float, typer.Option(help="Family-wise error.")] = 0.05,
    other_raters: Annotated[
        bool, typer.Option("--other-raters", help="It is to hold for raters who did not take part as well.")
    ] = False,
    sd_rater: Annotated[float, typer.Option(help="How kind a rater is, in points of the scale.")] = 0.5,
    sd_neuron: Annotated[float, typer.Option(help="How easy a neuron is.")] = 0.5,
    sd_method_rater: Annotated[float, typer.Option(help="A rater's taste for a method.")] = 0.2,
    sd_method_neuron: Annotated[
        float, typer.Option(help="How good a method's text happens to be for a neuron.")
    ] = 0.5,
    sd_residual: Annotated[float, typer.Option(help="All else.")] = 0.8,
) -> None:
    """Say how small a difference a planned study would find, by simulation."""
    from app.domain.study_power import Components
    from app.study.planning import plan

    components = Components(sd_rater, sd_neuron, sd_method_rater, sd_method_neuron, sd_residual)
    found = plan(neurons, raters, per_neuron, contrasts, components, alpha=alpha, other_raters=other_raters)
    typer.echo(found.headline)
    typer.echo(found.details)
    for effect, share in found.rows:
        typer.echo(f"  {effect:.2f}  {share:.0%}")


presets = typer.Typer(help="Studies as published, as files.", no_args_is_help=True)
group.add_typer(presets, name="preset")


@presets.callback()
def _presets() -> None:
    """So that `lee` is a command of its own."""


@presets.command()
def lee(
    model: Annotated[list[str], typer.Option(help="Slug of the model; may be given several times.")],
    method: Annotated[
        list[str] | None, typer.Option(help="To be compared; LEE's five prompt formats without it.")
    ] = None,
    explainer: Annotated[str, typer.Option(help="Whose explanations; anybody's without it.")] = "",
    design: Annotated[Design, typer.Option(help="Whether raters share neurons.")] = Design.CROSSED,
    raters: Annotated[int, typer.Option(min=1)] = LEE_RATERS,
    above: Annotated[float, typer.Option(help="Neurons with a score above this.")] = LEE_SCORE,
    protocol: Annotated[Protocol, typer.Option(help="Of that score.")] = Measure.protocol,
    sample: Annotated[Sample, typer.Option(help="Of that score.")] = Measure.sample,
    metric: Annotated[Metric, typer.Option(help="Of that score.")] = Measure.metric,
    chosen_by: Annotated[
        str, typer.Option(help="Method whose scores they are; empty: the best of any.")
    ] = "token_lookup",
    against: Annotated[str, typer.Option(help="Method that the others are compared with.")] = "original",
    seed: Annotated[int, typer.Option(min=0)] = 0,
) -> None:
    """Print the human study of Lee, Oikarinen et al. (2023) as TOML."""
    from app.study import presets as made

    definition = made.lee(
        model,
        tuple(StudyArm(each, explainer, each if explainer else "") for each in method or LEE_METHODS),
        design=design,
        raters=raters,
        above=above,
        measure=Measure(protocol, sample, metric),
        chosen_by=chosen_by,
        against=against,
        seed=seed,
    )
    text = study_files.write(definition, FileKind.TOML)
    study_files.read(text, FileKind.TOML)  # says what is wrong with what was asked for
    typer.echo(text, nl=False)


def _me() -> "Actor":
    from app.study.service import Actor

    return Actor(WHO)


def _studies(jobs: "Jobs") -> "Studies":
    from app.study.service import Studies

    return Studies(jobs.store)


def _read(file: Path) -> StudyDefinition:
    try:
        text = file.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(f"{file} cannot be read: {error}.") from None
    return study_files.read(text, kind_of(text))


def _definition(jobs: "Jobs", given: str) -> StudyDefinition:
    """Of a study by its number, or of a file."""
    if given.isascii() and given.isdigit() and not Path(given).exists():
        return _studies(jobs).get(int(given[:18])).definition
    return _read(Path(given))


def _say_material(jobs: "Jobs", definition: StudyDefinition) -> bool:
    """Print what a definition comes to; whether nothing stands in its way."""
    from app.web.study_words import material_lines

    found = _studies(jobs).material(definition)
    for line in material_lines(definition, found):
        typer.echo(line)
    for note in found.notes:
        typer.echo(f"Note: {note}")
    for problem in found.problems:
        typer.echo(f"It cannot start: {problem}")
    return not found.problems


def _base(jobs: "Jobs", given: str) -> str:
    """Where the server is; what links begin with."""
    if not given:
        host = f"[{jobs.settings.host}]" if ":" in jobs.settings.host else jobs.settings.host
        return f"http://{host}:{jobs.settings.port}"
    if not given.startswith(("http://", "https://")) or any(c.isspace() for c in given):
        raise BadInput(f"“{given[:60]}” is no address: give one such as https://example.org.")
    return given.rstrip("/")
