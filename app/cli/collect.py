"""`collect` and `demo`."""

import json
from pathlib import Path
from typing import Annotated

import typer

from app import logs
from app.cli import app
from app.cli.common import absolute, layer_numbers, open_jobs, settings
from app.domain.neurons import Profile, Quota
from app.errors import Conflict
from app.jobs.requests import CollectRequest, loads
from app.jobs.service import Jobs, slug_of
from app.store import jobs as job_rows
from app.store import models

# By name: how many records of each kind are kept (DESIGN section 5). `small` is for trying things out.
PROFILES = {
    "standard": Profile(),
    "small": Profile(Quota(10, 5, 0, 5), Quota(5, 0, 0, 5), Quota(5, 2, 0, 5)),
    "large": Profile(Quota(20, 10, 5, 20), Quota(10, 5, 0, 10), Quota(20, 10, 5, 20)),
}


@app.command()
def collect(
    model: Annotated[str, typer.Option(help="Hugging Face name, folder or GGUF file.")],
    corpus: Annotated[list[str], typer.Option(help="Folder, file or hf:NAME; may be given several times.")],
    excerpts: Annotated[
        int, typer.Option(min=1, help="Excerpts of 64 tokens, sampled over all documents.")
    ] = 8192,
    layers: Annotated[str, typer.Option(help="all, 3, 0-5 or 0,4,8-11.")] = "all",
    profile: Annotated[str, typer.Option(help=f"Records kept: {', '.join(PROFILES)}.")] = "standard",
    seed: Annotated[int, typer.Option(help="Seed of all sampling.")] = 0,
    replace: Annotated[
        bool, typer.Option("--replace", help="Take the place of a collection with more layers or excerpts.")
    ] = False,
    data_dir: Annotated[Path | None, typer.Option(help="Folder for the store and models.")] = None,
) -> None:
    """Collect a model's neurons over a corpus. Run it again after a crash: it goes on where it was."""
    if profile not in PROFILES:
        raise typer.BadParameter(f"there is {', '.join(PROFILES)}", param_hint="--profile")
    logs.configure()
    source = absolute(model)
    request = CollectRequest(
        model=source,
        corpus=tuple(absolute(c) for c in corpus),
        excerpts=excerpts,
        layers=layer_numbers(layers),
        profile=PROFILES[profile],
        seed=seed,
        slug=slug_of(source),
        replace=replace,
    )
    with open_jobs(settings(data_dir=data_dir)) as jobs:
        _follow(jobs, begin_or_join(jobs, request))


@app.command()
def demo(
    data_dir: Annotated[Path | None, typer.Option(help="Folder for the store and models.")] = None,
) -> None:
    """Collect the demo model over the demo corpus, without serving it."""
    logs.configure()
    from app.jobs import prepare_demo

    with open_jobs(settings(data_dir=data_dir, demo=True)) as jobs:
        wanted = prepare_demo.request(jobs.settings)
        job_id = prepare_demo.ensure(jobs) or running(jobs, wanted)
        if job_id is None:
            typer.echo(f"{wanted.slug} is there: run `neuronarium serve --demo` and look at it.")
            return
        _follow(jobs, job_id)


def begin_or_join(jobs: Jobs, request: CollectRequest) -> str:
    """Begin a collection or, where the very same one is under way or was interrupted, go on with that."""
    try:
        return jobs.enqueue_collect(request)
    except Conflict:
        job_id = running(jobs, request)
        if job_id is None:
            raise
        typer.echo(f"Going on with job {job_id}.", err=True)
        return job_id


def running(jobs: Jobs, request: CollectRequest) -> str | None:
    """The unfinished job that does this very work."""
    with jobs.store.session() as session:
        row = job_rows.running_collection_of(session, request.slug)
    if row is None or not loads(CollectRequest, row.parameters_json).same_work(request):
        return None
    return row.id


def _follow(jobs: Jobs, job_id: str) -> None:
    from app.cli.follow import follow

    row = follow(jobs, job_id)
    slug = json.loads(row.result_json)["model"]
    with jobs.store.session() as session:
        collection = models.model(session, slug).collection
    if collection is not None:
        explain, dev, score, _ = collection.documents_per_split
        typer.echo(
            f"{slug}: {collection.excerpts:,} excerpts of {collection.documents:,} documents "
            f"({explain} to explain, {dev} to calibrate, {score} to score)."
        )
        if collection.too_few_documents:
            typer.echo(collection.too_few_documents, err=True)
    typer.echo(f"Done: run `neuronarium serve` and look at /m/{slug}.")
