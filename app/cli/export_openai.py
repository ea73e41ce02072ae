"""`export openai`: an imported model in the form in which it was published."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from app.cli.common import layer_numbers, settings
from app.cli.exports import exports
from app.cli.import_openai import parse_what
from app.errors import BadInput
from app.published.layout import What

_EVERYTHING = ",".join(What)


@exports.command()
def openai(
    model: Annotated[str, typer.Argument(help="Slug of an imported model, such as gpt2-xl.")],
    folder: Annotated[Path, typer.Argument(help="Folder to write below; made where it is not there.")],
    what: Annotated[str, typer.Option(help=f"Of {_EVERYTHING}.")] = _EVERYTHING,
    layers: Annotated[str, typer.Option(help="all, 3, 0-5 or 0,4,8-11.")] = "all",
    neurons: Annotated[str, typer.Option(help="all, 7, 0-99 or 0,4,8-11; of every layer.")] = "all",
    data_dir: Annotated[Path | None, typer.Option(help="Folder of the store.")] = None,
) -> None:
    """Write an imported model as published: a file a neuron, with the very decimals that came in."""
    from app.jobs.export_published import run
    from app.store import Store

    kinds = parse_what(what)
    store = Store.open(settings(data_dir=data_dir).store_url, create=False)

    def show(count: int) -> None:
        if sys.stderr.isatty():
            sys.stderr.write(f"\r{count:,} files")
            sys.stderr.flush()

    try:
        count = run(store, model, folder, kinds, layer_numbers(layers), layer_numbers(neurons), show)
    except OSError as error:
        raise BadInput(f"{error.filename or folder} cannot be written: {error.strerror}") from error
    finally:
        store.close()
        if sys.stderr.isatty():
            sys.stderr.write("\n")
    typer.echo(f"Wrote {count:,} files below {folder}.")
