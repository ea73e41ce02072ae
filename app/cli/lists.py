"""`lists`: the named lists of neurons, out to files and in from them."""

import getpass
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from app.cli import app
from app.cli.common import settings
from app.domain import written
from app.domain.list_files import Format, Read, Skipped, read, write
from app.errors import BadInput
from app.web.formats import plural

if TYPE_CHECKING:
    from app.store import Store

group = typer.Typer(help="Named lists of neurons: show them, write them to files, read them from files.")
app.add_typer(group, name="lists")

DataDir = Annotated[Path | None, typer.Option(help="Folder of the store.")]
SHOWN = 20  # lines that could not be used
MOST_BYTES = 64 << 20
SUFFIXES = {
    ".csv": Format.CSV,
    ".tsv": Format.CSV,
    ".jsonl": Format.JSONL,
    ".ndjson": Format.JSONL,
    ".json": Format.JSON,
}


@group.callback(invoke_without_command=True)
def show(context: typer.Context, data_dir: DataDir = None) -> None:
    """Show all lists, the one changed last first."""
    if context.invoked_subcommand is not None:
        return
    from app.store import lists

    with opened(data_dir) as store, store.session() as session:
        rows = lists.every(session)
    for row in rows:
        changed = f"{row.updated_at:%Y-%m-%d %H:%M}Z"
        typer.echo("  ".join((row.slug, changed, plural(row.neurons, "neuron"), row.author, row.name)))
    if not rows:
        typer.echo("There are no lists yet: make one on the page /lists, or with `neuronarium lists import`.")


@group.command()
def export(
    name: Annotated[str, typer.Argument(help="The list's name, or its word in addresses.")],
    format: Annotated[Format, typer.Option(help="How it is written.")] = Format.CSV,
    out: Annotated[Path | None, typer.Option("--out", "-o", help="A file; standard output without.")] = None,
    data_dir: DataDir = None,
) -> None:
    """Write a list with its notes, explanations and scores."""
    from app.store import list_lines, lists

    with opened(data_dir) as store, store.session() as session:
        row = lists.get(session, slug_of(store, name))
        about = {
            "name": row.name,
            "description": row.description,
            "author": row.author,
            "revision": row.revision,
        }
        text = write(list_lines.written(session, row.id), format, about)
    if out is None:
        sys.stdout.buffer.write(text.encode())
        return
    try:
        out.write_bytes(text.encode())
    except OSError as error:
        raise BadInput(f"{out} cannot be written: {error.strerror}") from error
    typer.echo(f"{out}: {plural(row.neurons, 'neuron')}.")


@group.command("import")
def import_(
    file: Annotated[
        Path,
        typer.Argument(help="CSV, JSON lines or JSON with layer, neuron and, if it likes, model and note."),
    ],
    name: Annotated[str, typer.Option(help="The list's name.")],
    format: Annotated[
        Format | None, typer.Option(help="How it is written; by the file's name when not given.")
    ] = None,
    model: Annotated[str, typer.Option(help="The model that is meant where a line names none.")] = "",
    description: Annotated[str, typer.Option(help="What the list is for.")] = "",
    author: Annotated[str, typer.Option(help="Whose list it is; you when not given.")] = "",
    add: Annotated[bool, typer.Option("--add", help="Add to the list of this name that is there.")] = False,
    data_dir: DataDir = None,
) -> None:
    """Make a list of a file's neurons. Lines that cannot be used are said and left out; all else comes in at once."""
    from app.store import list_items, lists

    found = read_file(file, format)
    with opened(data_dir) as store:
        slug = slug_of(store, name) if add else None
        with store.session() as session:
            slug = slug or lists.create(session, name, description, author or user()).slug
            filled = list_items.fill(session, slug, found.entries, author or user(), model)
            skipped = sorted([*found.skipped, *filled.skipped])
            if not filled.added:
                raise BadInput(f"{file} holds no neuron to add: {said(skipped[:3])}")
    typer.echo(f"“{filled.row.name}” (/lists/{slug}): {plural(filled.added, 'neuron')} added.")
    if skipped:
        typer.echo(f"Left out {plural(len(skipped), 'line')}:", err=True)
        for each in skipped[:SHOWN]:
            typer.echo(f"  line {each.line}: {each.reason}", err=True)
        if len(skipped) > SHOWN:
            typer.echo(f"  and {len(skipped) - SHOWN:,} more", err=True)


def read_file(file: Path, format: Format | None) -> Read:
    """Raises BadInput where the file as a whole cannot be read."""
    chosen = format or SUFFIXES.get(file.suffix.lower())
    if chosen is None:
        raise BadInput(f"{file.name} does not say how it is written: give --format csv, jsonl or json")
    try:
        if file.stat().st_size > MOST_BYTES:
            raise BadInput(f"{file.name} is larger than {MOST_BYTES >> 20} MB: no list of neurons is")
        return read(file.read_bytes().decode("utf-8"), chosen)
    except OSError as error:
        raise BadInput(f"{file} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise BadInput(f"{file.name} is no UTF-8 text (byte {error.start:,}): nothing was read") from error


def said(skipped: list[Skipped]) -> str:
    return "; ".join(f"line {each.line}: {each.reason}" for each in skipped) or "it is empty"


def slug_of(store: "Store", name: str) -> str:
    """The list that is meant, by its name or its word in addresses; the same where there is none, so that it is refused."""
    from app.store import lists

    with store.session() as session:
        rows = lists.every(session)
    named = [row.slug for row in rows if written.same(row.name) == written.same(" ".join(name.split()))]
    return (named or [name])[0]


def user() -> str:
    """What the system calls whoever sits here."""
    try:
        return getpass.getuser() or "local"
    except (OSError, KeyError):
        return "local"


@contextmanager
def opened(data_dir: Path | None) -> Iterator["Store"]:
    """The store for the time of a command. Raises StoreError where there is none."""
    from app.store import Store

    store = Store.open(settings(data_dir=data_dir).store_url, create=False)
    try:
        yield store
    finally:
        store.close()
