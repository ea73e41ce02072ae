"""`import explanations`: other people's statements of neurons, from a file."""

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from app.cli import app
from app.cli.common import parse_shape, settings
from app.domain.explanations import Metric, Protocol
from app.errors import BadInput
from app.exchange.columns import Skipped, Wishes
from app.exchange.forms import Form
from app.exchange.importing import Asked, run
from app.exchange.importing import Progress as ShowProgress
from app.exchange.report import SHOWN, Report, Tell

imports = typer.Typer(help="Bring in what others have made.", no_args_is_help=True)
app.add_typer(imports, name="import")


@imports.command()
def explanations(
    file: Annotated[
        Path, typer.Argument(help="JSONL, CSV or Parquet, gzipped or not; for delphi the folder of a run.")
    ],
    model: Annotated[
        str,
        typer.Option(help="Model that the neurons are of, such as gpt2-xl; the file's own when not given."),
    ] = "",
    form: Annotated[
        Form, typer.Option("--format", help="Form of the file; found out by itself.")
    ] = Form.AUTO,
    method: Annotated[str, typer.Option(help="How the explanations came about; overrules the file.")] = "",
    explainer: Annotated[str, typer.Option(help="Who or what explained; overrules the file.")] = "",
    author: Annotated[str, typer.Option(help="Whose work it is; overrules the file.")] = "",
    columns: Annotated[
        str, typer.Option(help="Names of columns where they are others: layer=L,neuron=N,explanation=text.")
    ] = "",
    metric: Annotated[Metric, typer.Option(help="What the column `score` is.")] = Metric.CORRELATION,
    protocol: Annotated[
        Protocol, typer.Option(help="On which records: bills-5+5 for published figures, else as-imported.")
    ] = Protocol.AS_IMPORTED,
    shape: Annotated[
        str, typer.Option(help="LAYERSxNEURONS of a model that the store does not have, such as 12x3072.")
    ] = "",
    report: Annotated[
        Path | None, typer.Option(help="Write every row that was skipped, or not used whole, to this file.")
    ] = None,
    data_dir: Annotated[Path | None, typer.Option(help="Folder of the store.")] = None,
) -> None:
    """Import explanations that others made, with their scores. All of the file comes in or, on an error, nothing."""
    from app.store import Store

    wishes = Wishes(method, explainer, author, metric, protocol, _columns(columns))
    asked = Asked(file, model, form, parse_shape(shape), wishes)
    store = Store.open(settings(data_dir=data_dir).store_url)
    try:
        with _told(report) as tell, _progress() as show:
            done = run(store, asked, tell, show)
    finally:
        store.close()
    _say(done, report)


def _columns(text: str) -> dict[str, str]:
    """`layer=Layer,score=Score` taken apart."""
    found: dict[str, str] = {}
    for part in filter(None, (each.strip() for each in text.split(","))):
        ours, sign, theirs = part.partition("=")
        if not sign or not ours.strip() or not theirs.strip():
            raise typer.BadParameter("write --columns as layer=Layer,neuron=Neuron,explanation=text")
        found[ours.strip().lower()] = theirs.strip()
    return found


@contextmanager
def _told(report: Path | None) -> Iterator[Tell]:
    """What hears of skipped rows: a file of tab-separated lines and reasons, or nobody."""
    if report is None:
        yield lambda _: None
        return
    try:
        with report.open("w", encoding="utf-8") as file:
            file.write("line\treason\n")

            def tell(row: Skipped) -> None:
                reason = " ".join(row.reason.split())
                file.write(f"{row.line}\t{reason}\n")

            yield tell
    except OSError as error:
        raise BadInput(f"{report} cannot be written: {error.strerror}") from error


@contextmanager
def _progress() -> Iterator[ShowProgress]:
    """A line with how many were read and how fast, where there is a terminal."""
    from rich.console import Console
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    console = Console(stderr=True)
    if not sys.stderr.isatty():
        yield lambda _: None
        return
    words = TextColumn("{task.completed:,} explanations, {task.fields[rate]:,.0f} a second")
    with Progress(SpinnerColumn(), words, TimeElapsedColumn(), console=console, transient=True) as bar:
        task = bar.add_task("", total=None, rate=0.0)

        def show(read: int) -> None:
            elapsed = bar.tasks[0].elapsed or 0.0
            bar.update(task, completed=read, rate=read / elapsed if elapsed else 0.0)

        yield show


def _say(done: Report, report: Path | None) -> None:
    typer.echo(
        f"Read {done.read:,} explanations of {done.model} with {done.scores:,} scores ({done.form}): {done.added:,} added, "
        f"{done.same:,} there already, {done.skipped:,} rows skipped."
    )
    beside = [
        (done.records, "activation records"),
        (done.simulations, "simulations"),
    ]
    if any(n for n, _ in beside):
        typer.echo(f"Added beside them: {', '.join(f'{n:,} {what}' for n, what in beside if n)}.")
    _list(done.first, done.skipped, report)
    if done.noted:
        typer.echo(f"Of {done.noted:,} rows that came in, something was left out:")
        _list(done.notes, done.noted, report)


def _list(rows: Sequence[Skipped], total: int, report: Path | None) -> None:
    for row in rows:
        typer.echo(f"  row {row.line}: {row.reason}")
    if total > SHOWN:
        typer.echo(f"  … and {total - SHOWN:,} more{'' if report else '; --report FILE lists all'}")
