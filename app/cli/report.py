"""`report`: an experiment's tables and figures as files in a folder."""

from pathlib import Path
from typing import Annotated

import typer

from app.cli import app
from app.cli.common import settings
from app.errors import BadInput


@app.command()
def report(
    experiment: Annotated[int, typer.Argument(min=1, help="Number of the experiment.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder to write to, or a .zip file.")],
    format: Annotated[
        str, typer.Option(help="csv, parquet, latex, json, svg, png, pdf, joined by commas; all without it.")
    ] = "",
    every_measure: Annotated[
        bool, typer.Option("--every-measure", help="Figures of every measure, not of the primary one alone.")
    ] = False,
    data_dir: Annotated[Path | None, typer.Option(help="Folder of the store.")] = None,
) -> None:
    """Write the report of an experiment, as it is now."""
    from app.store import Store, experiment_reports
    from app.web import report_files, report_material
    from app.web.drawing import DRAUGHTSMAN

    wanted = report_files.formats(format)
    store = Store.open(settings(data_dir=data_dir).store_url, create=False)
    try:
        with store.reading() as session:
            made = report_material.read(session, experiment)
            standing = experiment_reports.standing(session, experiment)
        evaluations = made.evaluations if every_measure else made.evaluations[:1]
        if out.suffix == ".zip":
            _write(out, report_files.packed(made, evaluations, wanted))
            written = 1
        else:
            written = 0
            for name, body in report_files.written(made, evaluations, wanted):
                _write(out / name, body)
                written += 1
    finally:
        DRAUGHTSMAN.end()
        store.close()
    heading = made.heading
    typer.echo(
        f"Wrote {written:,} {'file' if written == 1 else 'files'} to {out}: experiment {experiment} is {standing.state}, "
        f"{heading.results:,} results, {heading.failed:,} without a value.",
        err=True,
    )


def _write(file: Path, body: bytes) -> None:
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(body)
    except OSError as error:
        raise BadInput(f"{file} cannot be written: {error.strerror}") from error
