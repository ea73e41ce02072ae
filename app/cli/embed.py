"""`embed`: explanations to vectors, for search by meaning."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from app import logs
from app.cli import app
from app.cli.common import open_jobs, settings
from app.web.formats import plural

if TYPE_CHECKING:
    from app.jobs.service import Jobs

DataDir = Annotated[Path | None, typer.Option(help="Folder of the store.")]


@app.command()
def embed(
    model: Annotated[str, typer.Argument(help="Slug of the model whose explanations are embedded.")],
    token_lookup: Annotated[
        bool,
        typer.Option(
            "--token-lookup", help="Those of the method token_lookup too, which are lists of tokens."
        ),
    ] = False,
    data_dir: DataDir = None,
) -> None:
    """Embed a model's explanations that have no vector yet, for search by meaning."""
    logs.configure()
    with open_jobs(settings(data_dir=data_dir)) as jobs:
        follow_embedding(jobs, jobs.enqueue_embed(model, token_lookup=token_lookup, author="cli"))


def follow_embedding(jobs: "Jobs", job_id: str) -> None:
    """Follow a job that embeds to its end, and say what there is to search now."""
    from app.cli.follow import follow
    from app.jobs import embedders
    from app.jobs.requests import EmbedRequest, loads
    from app.store import embeddings

    row = follow(jobs, job_id)
    request = loads(EmbedRequest, row.parameters_json)
    by = embedders.embedder(jobs.settings)
    made = json.loads(row.result_json)
    with jobs.store.session() as session:
        counts = embeddings.counts(session, request.model, by, token_lookup=request.token_lookup)
    typer.echo(
        f"{request.model}: {plural(made['explanations'], 'explanation')} embedded by {by.name}"
        f" ({plural(made['vectors'], 'different text')} among them, ${row.cost_usd:.4f});"
        f" search by meaning knows {plural(counts.embedded, 'explanation')}."
    )
    if not counts.embedded:
        typer.echo(
            "There was none to embed. With --token-lookup, the token lists that a collection brings are embedded too.",
            err=True,
        )
