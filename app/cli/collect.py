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
from app.jobs.service import Jobs
from app.jobs.slugs import slug_of, slug_of_name
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
        int, typer.Option(min=1, max=10_000_000, help="Excerpts of 64 tokens, sampled over all documents.")
    ] = 8192,
    name: Annotated[
        str, typer.Option(help="What to call the model, where the name of its file or folder is taken.")
    ] = "",
    layers: Annotated[str, typer.Option(help="all, 3, 0-5 or 0,4,8-11.")] = "all",
    profile: Annotated[str, typer.Option(help=f"Records kept: {', '.join(PROFILES)}.")] = "standard",
    seed: Annotated[int, typer.Option(min=0, max=2**31 - 1, help="Seed of all sampling.")] = 0,
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
        slug=_slug(source, name),
        name=name,
        replace=replace,
    )
    with open_jobs(settings(data_dir=data_dir)) as jobs:
        follow_collection(jobs, begin_or_join(jobs, request))


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
        follow_collection(jobs, job_id)


def _slug(source: str, name: str) -> str:
    """The model's address; wrong usage where its name gives none."""
    slug = slug_of(source) if not name else slug_of_name(name)
    if name and (not slug or len(name) > 100 or "/" in name):
        raise typer.BadParameter(
            "give up to 100 characters with a letter or a digit, and no slash", param_hint="--name"
        )
    return slug


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


def follow_collection(jobs: Jobs, job_id: str) -> None:
    """Follow a collection to its end, and say what was collected."""
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
