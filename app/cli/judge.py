"""`judge`: detection and fuzzing."""

from pathlib import Path
from typing import Annotated

import typer

from app import logs
from app.cli import app
from app.cli.ask import NOTHING_SENT, Fresh, finish, only_endpoint, settings_for
from app.cli.common import open_jobs
from app.domain.explanations import Metric
from app.domain.judging import JUDGED, MOST_A_PROMPT, MOST_SAMPLED, JudgeOptions
from app.domain.windows import Decoys, WindowSource
from app.web.formats import plural, usd


@app.command()
def judge(
    explanation: Annotated[int, typer.Argument(min=1, max=2**31 - 1, help="Number of a stored explanation.")],
    metric: Annotated[
        Metric,
        typer.Option(
            help="detection: which windows fire the neuron; fuzzing: whether the marked tokens are those that do."
        ),
    ] = Metric.DETECTION,
    endpoint: Annotated[
        str, typer.Option(help="Language model that judges; the only one when not given.")
    ] = "",
    per_prompt: Annotated[
        int,
        typer.Option(min=1, max=MOST_A_PROMPT, help="Windows in one prompt; several leak how many fire."),
    ] = 1,
    source: Annotated[
        WindowSource,
        typer.Option(
            help="live: a sample of held-out text run through the model; stored: the neuron's records."
        ),
    ] = WindowSource.LIVE,
    sampled: Annotated[
        int, typer.Option(min=1, max=MOST_SAMPLED, help="Excerpts in that sample, 64 tokens each.")
    ] = 128,
    decoys: Annotated[
        Decoys,
        typer.Option(
            help="What is wrongly marked in fuzzing: windows that do not fire, or windows that do at other tokens."
        ),
    ] = Decoys.INACTIVE,
    probabilities: Annotated[
        bool, typer.Option(help="Ask for log probabilities too, for the area under the ROC curve.")
    ] = True,
    seed: Annotated[
        int, typer.Option(min=0, max=2**31 - 1, help="Seed of the windows and of the questions.")
    ] = 0,
    dry_run: Annotated[
        bool,
        typer.Option("--dry-run", help="Show a prompt, the calls, tokens and price; send and run nothing."),
    ] = False,
    fresh: Fresh = False,
    data_dir: Annotated[Path | None, typer.Option(help="Folder of the store.")] = None,
) -> None:
    """Have a language model tell from an explanation alone which windows of text fire the neuron."""
    if metric not in JUDGED:
        raise typer.BadParameter("--metric is detection or fuzzing")
    logs.configure()
    with open_jobs(settings_for(data_dir, endpoint)) as jobs:
        options = JudgeOptions(
            metric,
            endpoint or only_endpoint(jobs, "--endpoint"),
            per_prompt,
            source,
            sampled,
            decoys,
            probabilities,
            seed,
        )
        if dry_run:
            from app.jobs import previews, wanted
            from app.jobs.neuron import load_neuron

            with jobs.store.session() as session:
                row = wanted.explained(session, explanation)
                asked = wanted.to_judge(jobs.settings, session, row, options)
            seen, messages = previews.judging(load_neuron(jobs.store, row.ref), options, asked, row.text)
            for message in messages:
                typer.echo(f"--- {message.role}\n{message.content}")
            text = f", {plural(sampled * 64, 'token')} of text through the model" if source == "live" else ""
            typer.echo(
                f"--- Judging 50 + 50 windows by {metric}: {plural(seen.calls, 'call')}, about"
                f" {plural(seen.tokens_in + seen.tokens_out, 'token')} to {asked.name} ({asked.model}),"
                f" {'about ' if seen.price_usd else ''}{usd(seen.price_usd)} at most{text}."
            )
            typer.echo(NOTHING_SENT)
            return
        finish(jobs, jobs.enqueue_judge(explanation, options, author="cli", fresh=fresh))
