"""`similarity`: explanations beside reference explanations of the same neurons, with the chance floor."""

import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from app import logs
from app.cli import app
from app.cli.ask import finish
from app.cli.common import open_jobs, settings
from app.domain.text_similarity import SimilarityOptions
from app.errors import BadInput
from app.web import similarity_files

if TYPE_CHECKING:
    from app.jobs.service import Jobs
    from app.jobs.similarity_table import Table
    from app.store.statements import Made

MOST_NAMED = 20_000


class Form(StrEnum):
    """How the table is written."""

    TEXT = "text"
    CSV = "csv"
    JSON = "json"


@app.command()
def similarity(
    target: Annotated[str, typer.Argument(help="Slug of a model, or the number of one explanation.")],
    reference: Annotated[
        str,
        typer.Option(
            help="What to compare with: METHOD or METHOD:EXPLAINER; the number of an explanation where TARGET is one."
        ),
    ],
    methods: Annotated[
        str, typer.Option(help="Only these, joined by commas, written as the reference; all when not given.")
    ] = "",
    embed: Annotated[
        bool, typer.Option(help="Embed first what the table needs and has no vector yet.")
    ] = True,
    form: Annotated[Form, typer.Option("--format", help="How the table is written.")] = Form.TEXT,
    seed: Annotated[int, typer.Option(min=0, max=2**31 - 1, help="Seed of intervals and floors.")] = 0,
    data_dir: Annotated[Path | None, typer.Option(help="Folder of the store.")] = None,
) -> None:
    """Compare explanations with a reference's by sentence embeddings, beside what chance gives."""
    logs.configure()
    with open_jobs(settings(data_dir=data_dir)) as jobs:
        if target.isdecimal():
            if not (reference.isdecimal() and len(reference) < 19 and len(target) < 19):
                raise BadInput("One explanation is compared with another one: give --reference its number.")
            options = SimilarityOptions(int(reference), seed)
            finish(jobs, jobs.enqueue_similarity(int(target), options, author="cli"))
            return
        found = _table(jobs, target, reference, methods, embed, seed)
    lines = {
        Form.TEXT: similarity_files.text,
        Form.CSV: similarity_files.csv_text,
        Form.JSON: similarity_files.json_text,
    }[form](found)
    typer.echo(lines, nl=False)


def _table(jobs: "Jobs", slug: str, reference: str, methods: str, embed: bool, seed: int) -> "Table":
    from app.cli.follow import follow
    from app.jobs import similarity_table
    from app.store import statements

    with jobs.store.session() as s:
        made: list[Made] = statements.makers(s, slug)
        against = similarity_table.one(made, reference)
        names = [name.strip() for name in methods.split(",") if name.strip()]
        makers = [maker for name in names for maker in similarity_table.find(made, name)]
        makers = makers or [each.maker for each in made if each.maker.method != "token_lookup"]
    lists = any(maker.method == "token_lookup" for maker in (*makers, against))
    waiting = similarity_table.missing(jobs.store, jobs.settings, slug, against, makers) if embed else []
    if waiting:
        sys.stderr.write(f"{len(waiting):,} explanations have no vector yet: embedding them.\n")
        # What a job is asked is kept in its row: of very many, all are embedded instead.
        only = waiting if len(waiting) <= MOST_NAMED else ()
        job = jobs.enqueue_embed(slug, token_lookup=lists, only=only, author="cli")
        follow(jobs, job)
    return similarity_table.table(jobs.store, jobs.settings, slug, against, list(dict.fromkeys(makers)), seed)
