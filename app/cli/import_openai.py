"""`import openai`: the data that Bills et al. published."""

import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from app.cli.common import layer_numbers, parse_shape, settings
from app.cli.imports import imports
from app.published.layout import What
from app.published.source import PUBLISHED, STALL_S

if TYPE_CHECKING:
    from app.jobs.import_published import Progress, Report

SHOWN = 20
PLAIN_SECONDS = 5.0  # between lines where there is no terminal
_EVERYTHING = ",".join(What)


@imports.command()
def openai(
    source: Annotated[
        str, typer.Argument(help="Folder, or http(s)/az/s3/gs address, laid out as the published one.")
    ] = PUBLISHED,
    model: Annotated[str, typer.Option(help="gpt2-xl, gpt2, or another that is laid out alike.")] = "gpt2-xl",
    what: Annotated[str, typer.Option(help=f"Of {_EVERYTHING}.")] = _EVERYTHING,
    layers: Annotated[str, typer.Option(help="all, 3, 0-5 or 0,4,8-11.")] = "all",
    neurons: Annotated[str, typer.Option(help="all, 7, 0-99 or 0,4,8-11; of every layer.")] = "all",
    shape: Annotated[
        str, typer.Option(help="LAYERSxNEURONS of a model that is not known, such as 12x3072.")
    ] = "",
    explainer: Annotated[str, typer.Option(help="Language model that explained.")] = "gpt-4",
    simulator: Annotated[str, typer.Option(help="Language model that simulated.")] = "text-davinci-003",
    author: Annotated[str, typer.Option(help="Whose work it is.")] = "Bills et al. 2023",
    stall: Annotated[
        float,
        typer.Option(
            min=0.1, max=3600, help="Seconds after which a file that does not come is asked for again."
        ),
    ] = STALL_S,
    report: Annotated[
        Path | None, typer.Option(help="Write every skipped file with its reason to this file.")
    ] = None,
    data_dir: Annotated[Path | None, typer.Option(help="Folder of the store.")] = None,
) -> None:
    """Import published activations, explanations with their simulations, and related tokens and neurons.

    It can be stopped and run again at any time: it goes on where it was, and nothing is there twice.
    """
    from app.jobs.import_published import ImportRequest, run
    from app.store import Store

    request = ImportRequest(
        source, model, parse_what(what), layer_numbers(layers), layer_numbers(neurons), parse_shape(shape),
        explainer, simulator, author, stall,
    )  # fmt: skip
    store = Store.open(settings(data_dir=data_dir).store_url)
    try:
        with _progress() as show:
            done = run(store, request, show)
    except KeyboardInterrupt:
        sys.stderr.write("neuronarium: stopped; run the same command again, and it goes on where it was\n")
        sys.exit(130)
    finally:
        store.close()
    if report is not None:
        report.write_text("".join(f"{path}\t{reason}\n" for path, reason in done.skipped), "utf-8")
    for line in told(done, report):
        typer.echo(line)
    if not done.read and not done.passed:
        sys.exit(1)


def told(done: "Report", file: Path | None) -> Iterator[str]:
    """What an import did, line by line."""
    rate = f", {done.read / done.seconds:,.0f} a second" if done.read and done.seconds else ""
    yield f"{done.read:,} files read in {done.seconds:,.1f} s{rate}."
    for label, n in sorted(done.new.items()):
        yield f"  {n:>9,}  {label} new"
    if done.same:
        yield f"  {done.same:>9,}  there already, and the same"
    if done.passed:
        yield f"  {done.passed:>9,}  files not read again: an earlier import has read them from there"
    if done.missing:
        yield f"  {done.missing:>9,}  files not there"
    if done.baselines:
        yield f"  {done.baselines:>9,}  baselines (token tables in place of a text) passed over"
    if not done.skipped:
        return
    yield f"  {len(done.skipped):>9,}  files skipped:"
    for reason, n in Counter(_kind(each.reason) for each in done.skipped).most_common(8):
        yield f"  {n:>9,}    … {reason}"
    for each in done.skipped[:SHOWN]:
        yield f"    {each.path} {each.reason}"
    if len(done.skipped) > SHOWN:
        where = f"see {file}" if file else "--report FILE writes them all"
        yield f"    and {len(done.skipped) - SHOWN:,} more: {where}"


def _kind(reason: str) -> str:
    """A reason without its particulars, to count by."""
    return "".join("N" if char.isdigit() else char for char in reason.partition("(")[0]).strip()[:70]


def parse_what(text: str) -> tuple[What, ...]:
    names = [part.strip() for part in text.split(",") if part.strip()]
    unknown = [name for name in names if name not in set(What)]
    if unknown or not names:
        raise typer.BadParameter(f"there is {_EVERYTHING}", param_hint="--what")
    return tuple(What(name) for name in names)


@contextmanager
def _progress() -> Iterator[Callable[["Progress"], None]]:
    """A bar with rate and time left; without a terminal a line now and then."""
    if not sys.stderr.isatty():
        yield _Plain()
        return
    from rich import progress as rich
    from rich.console import Console

    with rich.Progress(
        rich.TextColumn("{task.description}"),
        rich.BarColumn(bar_width=None),
        rich.MofNCompleteColumn(),
        rich.TextColumn("{task.fields[rate]}"),
        rich.TimeRemainingColumn(),
        console=Console(stderr=True),
        expand=True,
    ) as bar:
        task = bar.add_task("looking at the source", total=None, rate="")
        rate = _Rate()

        def show(at: "Progress") -> None:
            bar.update(
                task, description=at.label, completed=at.done, total=at.total, rate=rate.words(at.done)
            )

        yield show


class _Rate:
    """Files a second since the first were done here."""

    def __init__(self) -> None:
        self._began: tuple[float, int] | None = None

    def per_second(self, done: int) -> float | None:
        now = time.monotonic()
        if self._began is None:
            self._began = now, done
        seconds, files = now - self._began[0], done - self._began[1]
        return files / seconds if seconds > 0 and files > 0 else None

    def words(self, done: int) -> str:
        rate = self.per_second(done)
        return f"{rate:,.0f} files/s" if rate else ""


class _Plain:
    """For logs."""

    def __init__(self) -> None:
        self._at = float("-inf")
        self._label = ""
        self._rate = _Rate()

    def __call__(self, at: "Progress") -> None:
        rate = self._rate.per_second(at.done)
        now = time.monotonic()
        if now - self._at < PLAIN_SECONDS and at.label == self._label:
            return
        self._at, self._label = now, at.label
        left = f", {(at.total - at.done) / rate / 60:,.0f} min left" if rate else ""
        speed = f", {rate:,.0f} files/s" if rate else ""
        sys.stderr.write(f"{at.label}: {at.done:,}/{at.total:,} files{speed}{left}\n")
