"""`export explanations` and `export neurons`: a model's as files."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from app.cli import app
from app.cli.common import layer_numbers, settings
from app.errors import BadInput
from app.exchange import exporting
from app.exchange.exporting import Chosen, Format

exports = typer.Typer(help="Take out what the store holds.", no_args_is_help=True)
app.add_typer(exports, name="export")

Model = Annotated[str, typer.Argument(help="Slug of a model in the store, such as gpt2-xl.")]
FormatOption = Annotated[Format, typer.Option("--format", help="Form of the file.")]
Layers = Annotated[str, typer.Option(help="all, 3, 0-5 or 0,4,8-11.")]
Out = Annotated[
    Path | None, typer.Option("--out", "-o", help="File to write; - or nothing: standard output.")
]
DataDir = Annotated[Path | None, typer.Option(help="Folder of the store.")]


@exports.command()
def explanations(
    model: Model,
    format: FormatOption = Format.JSONL,
    layers: Layers = "all",
    method: Annotated[str, typer.Option(help="Only of these methods, joined by commas.")] = "",
    out: Out = None,
    data_dir: DataDir = None,
) -> None:
    """Write a model's explanations with where they come from and all their scores."""
    from app.store import Store

    chosen = Chosen(_slugs(layers), tuple(filter(None, (each.strip() for each in method.split(",")))))
    store = Store.open(settings(data_dir=data_dir).store_url, create=False)
    try:
        _write(exporting.explanations(store, model, format, chosen), out, format)
    finally:
        store.close()


@exports.command()
def neurons(
    model: Model,
    format: FormatOption = Format.JSONL,
    layers: Layers = "all",
    out: Out = None,
    data_dir: DataDir = None,
) -> None:
    """Write a model's neurons: statistics and the tokens that they fire on most."""
    from app.store import Store

    store = Store.open(settings(data_dir=data_dir).store_url, create=False)
    try:
        _write(exporting.neurons(store, model, format, _slugs(layers)), out, format)
    finally:
        store.close()


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
