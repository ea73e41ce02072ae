"""`export explanations` and `export neurons`: a model's as files; all of it, a list's neurons, or what a search finds."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from app.cli import app
from app.cli.common import layer_numbers, settings
from app.cli.lists import slug_of
from app.errors import BadInput
from app.exchange import exporting
from app.exchange.exporting import Chosen, Format
from app.web.formats import plural

if TYPE_CHECKING:
    from app.store import Store
    from app.web.search_asked import Asked

exports = typer.Typer(help="Take out what the store holds.", no_args_is_help=True)
app.add_typer(exports, name="export")

Model = Annotated[str, typer.Argument(help="Slug of a model in the store, such as gpt2-xl.")]
FormatOption = Annotated[Format, typer.Option("--format", help="Form of the file.")]
Layers = Annotated[str, typer.Option(help="all, 3, 0-5 or 0,4,8-11.")]
Out = Annotated[
    Path | None, typer.Option("--out", "-o", help="File to write; - or nothing: standard output.")
]
InList = Annotated[
    str, typer.Option("--list", help="Only neurons of this list: its name, or its word in addresses.")
]
Search = Annotated[
    str,
    typer.Option(
        help="Only neurons that this search finds: the query string of /search, such as 'q=medic*&min=0.5'."
    ),
]
DataDir = Annotated[Path | None, typer.Option(help="Folder of the store.")]


@exports.command()
def explanations(
    model: Model,
    format: FormatOption = Format.JSONL,
    layers: Layers = "all",
    method: Annotated[str, typer.Option(help="Only of these methods, joined by commas.")] = "",
    in_list: InList = "",
    search: Search = "",
    out: Out = None,
    data_dir: DataDir = None,
) -> None:
    """Write a model's explanations with where they come from and all their scores."""
    chosen = Chosen(_slugs(layers), tuple(filter(None, (each.strip() for each in method.split(",")))))
    _export("explanations", model, format, chosen, in_list, search, out, data_dir)


@exports.command()
def neurons(
    model: Model,
    format: FormatOption = Format.JSONL,
    layers: Layers = "all",
    in_list: InList = "",
    search: Search = "",
    out: Out = None,
    data_dir: DataDir = None,
) -> None:
    """Write a model's neurons: statistics and the tokens that they fire on most."""
    _export("neurons", model, format, Chosen(_slugs(layers)), in_list, search, out, data_dir)


def _export(
    what: Literal["explanations", "neurons"],
    model: str,
    format: Format,
    chosen: Chosen,
    in_list: str,
    search: str,
    out: Path | None,
    data_dir: Path | None,
) -> None:
    from app.store import Store

    set_ = settings(data_dir=data_dir)
    store = Store.open(set_.store_url, create=False)
    try:
        if in_list or search:
            from app.web import search_kept

            asked = _asked(store, model, in_list, search)
            _, chunks = search_kept.chunks(set_, store, asked, what, format, chosen)
        else:
            write = exporting.explanations if what == "explanations" else exporting.neurons
            chunks = write(store, model, format, chosen)
        _write(chunks, out, format)
    finally:
        store.close()


def _asked(store: "Store", model: str, in_list: str, search: str) -> "Asked":
    """The search that is meant; a list is a search within it. BadInput where the search is of another model, or list."""
    from app.store import lists
    from app.web import search_asked

    asked = search_asked.parse(search)
    if asked.model not in ("", model):
        raise BadInput(f"the search is of “{asked.model}”, not of “{model}”: leave model= out of it")
    if not in_list:
        return asked.model_copy(update={"model": model})
    with store.session() as session:
        row = lists.named(session, slug_of(store, in_list))
        outside = lists.outside(session, row.id, model)
    if asked.list and asked.list not in (row.slug, str(row.id)):
        raise BadInput("the search is within a list of its own: leave list= out of it, or --list")
    if outside:
        typer.echo(
            f"Left out of the list, being nothing that is shown of {model} now: {plural(outside, 'neuron')}.",
            err=True,
        )
    return asked.model_copy(update={"model": model, "list": row.slug})


def _slugs(layers: str) -> tuple[str, ...]:
    return tuple(f"{number}-mlp" for number in layer_numbers(layers))


def _write(chunks: Iterator[bytes], out: Path | None, format: Format) -> None:
    """To the file by way of one beside it, so that what is there is whole; or to standard output."""
    if out is None or str(out) == "-":
        if format is Format.PARQUET and sys.stdout.isatty():
            raise BadInput("Parquet is not for a terminal: name a file with --out")
        for chunk in chunks:
            sys.stdout.buffer.write(chunk)
        sys.stdout.buffer.flush()
        return
    beside = out.with_name(f".{out.name}.part")
    try:
        with beside.open("wb") as file:
            for chunk in chunks:
                file.write(chunk)
        beside.replace(out)
    except OSError as error:
        raise BadInput(f"{out} cannot be written: {error.strerror}") from error
    finally:
        beside.unlink(missing_ok=True)
    typer.echo(f"Wrote {out} ({out.stat().st_size:,} bytes).", err=True)
