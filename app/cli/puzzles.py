"""`puzzles`: neuron puzzles into the store, explainers over them, and what came out; `import puzzles` for published ones."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from app import logs
from app.cli import app
from app.cli.ask import Fresh, only_endpoint
from app.cli.common import open_jobs, settings
from app.cli.imports import imports
from app.domain.explanations import AskedMethod, ExplainOptions, Method, SimulatorName
from app.domain.puzzles import OWN_SET, Judge
from app.errors import AppError
from app.jobs.endpoints import DEMO
from app.settings import Settings
from app.web.formats import plural, words
from app.web.puzzle_words import judged_by, of_puzzles, rank_words, run_words, tally_words

if TYPE_CHECKING:
    from app.jobs.service import Jobs
    from app.store.puzzle_results import RunResult

group = typer.Typer(help="Neuron puzzles: invented neurons whose truth is known.", no_args_is_help=True)
app.add_typer(group, name="puzzles")

DataDir = Annotated[Path | None, typer.Option(help="Folder of the store.")]
Set = Annotated[str, typer.Option("--set", help="Slug of the set of puzzles.")]


@group.command()
def add(data_dir: DataDir = None) -> None:
    """Put the built-in set into the store, or what the store lacks of it."""
    from app.exchange.puzzles import add_built_in
    from app.store import Store

    store = Store.open(settings(data_dir=data_dir).store_url)
    try:
        added = add_built_in(store)
    finally:
        store.close()
    typer.echo(f"{OWN_SET}: {plural(added.new, 'puzzle')} added, {added.same} there already.")


@imports.command("puzzles")
def import_puzzles(
    file: Annotated[
        Path, typer.Argument(help="JSON of {id: {name, explanation, sentences, false_explanations}}.")
    ],
    model: Annotated[str, typer.Option(help="What to call the set; after the file when not given.")] = "",
    data_dir: DataDir = None,
) -> None:
    """Import published neuron puzzles as a set of their own, to be tried and counted. All come in or, on an error, none."""
    from app.exchange.puzzles import import_file
    from app.store import Store

    store = Store.open(settings(data_dir=data_dir).store_url)
    try:
        made = import_file(store, file, model)
    finally:
        store.close()
    typer.echo(f"{made.slug}: {plural(made.added.new, 'puzzle')} added, {made.added.same} there already.")


@group.command("list")
def list_sets(data_dir: DataDir = None) -> None:
    """Show the sets that are in the store."""
    from app.store import Store, puzzles

    store = Store.open(settings(data_dir=data_dir).store_url)
    try:
        with store.session() as session:
            there = puzzles.sets(session)
    finally:
        store.close()
    for each in there:
        typer.echo(f"{each.slug}  {plural(each.puzzles, 'puzzle')}  {each.source}")
    if not there:
        typer.echo("There are no puzzles yet: `neuronarium puzzles add` brings the built-in ones.")


@group.command()
def run(
    slug: Set = OWN_SET,
    explainer: Annotated[
        str,
        typer.Option(help="Language model that explains; the only one when not given, `none` for nobody."),
    ] = "",
    method: Annotated[
        AskedMethod, typer.Option(help="How the sentences are shown to the explainer.")
    ] = AskedMethod.SUMMARY,
    seed: Annotated[int, typer.Option(min=0, max=2**31 - 1, help="Seed of explainer and simulators.")] = 0,
    revise_with: Annotated[
        SimulatorName | None,
        typer.Option(
            help="A second round: this simulator says which sentences the first statement gets wrong."
        ),
    ] = None,
    judge: Annotated[Judge | None, typer.Option(help="Who says whether statements are right.")] = None,
    judge_endpoint: Annotated[
        str, typer.Option(help="Language model that judges; the explainer when not given.")
    ] = "",
    rank_with: Annotated[
        SimulatorName | None,
        typer.Option(help="Also rank truth and false statements by what this simulator makes of them."),
    ] = None,
    simulator_endpoint: Annotated[
        str, typer.Option(help="Language model of the simulator chat_json; the explainer when not given.")
    ] = "",
    simulator_model: Annotated[
        str,
        typer.Option(help="Model in the store whose weights simulate locally; the only one when not given."),
    ] = "",
    only: Annotated[
        str, typer.Option(help="Neuron indices of some puzzles, such as 0,3,7; all when not given.")
    ] = "",
    going_on: Annotated[
        str, typer.Option("--run", help="Go on with this run: another judge, a ranking, what failed.")
    ] = "",
    fresh: Fresh = False,
    data_dir: DataDir = None,
) -> None:
    """Run an explainer over the puzzles of a set; judge what it says, and rank truth and falsehood."""
    from app.cli.follow import follow
    from app.jobs.requests import PuzzlesRequest
    from app.store import puzzle_results, puzzle_runs

    logs.configure()
    with open_jobs(_settings(data_dir, explainer, judge_endpoint, simulator_endpoint)) as jobs:
        begun = None
        if going_on:
            with jobs.store.session() as session:
                begun = puzzle_runs.get(session, going_on)
        explain = _options(jobs, explainer, method, seed, begun)
        asked = explain.explainer if explain is not None else ""
        request = PuzzlesRequest(
            slug,
            _indices(only),
            explain,
            revise_with,
            judge,
            (judge_endpoint or asked or only_endpoint(jobs, "--judge-endpoint"))
            if judge is Judge.MODEL
            else "",
            rank_with,
            (simulator_endpoint or asked or only_endpoint(jobs, "--simulator-endpoint"))
            if SimulatorName.CHAT_JSON in (revise_with, rank_with)
            else "",
            simulator_model,
            seed,
            going_on,
            author="cli",
            fresh=fresh,
        )
        job_id = jobs.enqueue_puzzles(request)
        problem: AppError | None = None
        try:
            follow(jobs, job_id)
        except AppError as error:  # what came about is shown all the same
            problem = error
        with jobs.store.session() as session:
            there = puzzle_runs.find(session, going_on or job_id)
            found = None if there is None else puzzle_results.result(session, slug, there.id)
        if found is not None:
            say(found)
        if judge is Judge.PERSON:
            typer.echo("People judge on the page /puzzles/rate.")
        if problem is not None:
            raise problem


@group.command()
def results(slug: Set = OWN_SET, data_dir: DataDir = None) -> None:
    """Show what came out of every run over a set."""
    from app.store import Store, puzzle_results

    store = Store.open(settings(data_dir=data_dir).store_url)
    try:
        with store.session() as session:
            found = puzzle_results.results(session, slug)
    finally:
        store.close()
    for each in found:
        say(each)
    if not found:
        typer.echo(f"Nobody has tried {slug} yet: `neuronarium puzzles run --set {slug}`.")


def say(found: "RunResult") -> None:
    """One run in a few lines."""
    typer.echo(f"{found.run.id}: {run_words(found.run)}, {of_puzzles(found)}")
    for tally in found.judges:
        typer.echo(f"  {tally_words(tally)}; judged by {judged_by(tally)}")
        for reason, n in tally.reasons:
            typer.echo(f"    {n} × {words(reason)}")
    for ranking in found.rankings:
        typer.echo(f"  {rank_words(ranking)}")
        for reason, n in ranking.undefined:
            typer.echo(f"    {n} × {reason}")
    for reason, n in found.failures:
        typer.echo(f"  failed, {n} × {reason}")


def _settings(data_dir: Path | None, *asked: str) -> Settings:
    """The settings in force; whoever names the demo's model wants the demo's."""
    return settings(data_dir=data_dir, demo=True if DEMO in asked else None)


def _options(
    jobs: "Jobs", explainer: str, method: AskedMethod, seed: int, begun: "object | None"
) -> ExplainOptions | None:
    """How to explain; None where nothing is to be. A run that is gone on with explains as it began."""
    from app.store.puzzle_runs import Run

    if isinstance(begun, Run):
        if not begun.explainer or explainer == "none":
            return None
        endpoint = explainer or begun.explainer.partition(" / ")[0]
        return ExplainOptions(Method(begun.method), explainer=endpoint, seed=begun.seed)
    if explainer == "none":
        return None
    return ExplainOptions(
        Method(method), explainer=explainer or only_endpoint(jobs, "--explainer"), seed=seed
    )


def _indices(text: str) -> tuple[int, ...]:
    parts = [part.strip() for part in text.split(",") if part.strip()]
    if not all(part.isdecimal() and len(part) <= 6 for part in parts):
        raise typer.BadParameter("write --only as 0,3,7")
    return tuple(sorted({int(part) for part in parts}))
