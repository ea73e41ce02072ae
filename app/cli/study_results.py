"""`study-results`: what came of a rating study as files in a folder."""

from pathlib import Path
from typing import Annotated

import typer

from app.cli import app
from app.cli.common import settings
from app.errors import BadInput


@app.command("study-results")
def study_results(
    study: Annotated[int, typer.Argument(min=1, help="Number of the study.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="The .zip file to write.")],
    everybody: Annotated[
        bool, typer.Option("--everybody", help="Count the raters too whom the registered rules leave out.")
    ] = False,
    data_dir: Annotated[Path | None, typer.Option(help="Folder of the store.")] = None,
) -> None:
    """Write all tables, single answers with their dictionary, and figures of a study that is closed or unblinded."""
    from app.store import Store
    from app.study.results import results
    from app.web import study_results
    from app.web.drawing import DRAUGHTSMAN

    if out.suffix != ".zip":
        raise BadInput(f"The results are one zip file: give a name that ends in .zip, not “{out.name}”.")
    store = Store.open(settings(data_dir=data_dir).store_url, create=False)
    try:
        found = results(store, study, exclude=not everybody)
        body = study_results.packed(found)
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_bytes(body)
    except OSError as error:
        raise BadInput(f"{out} cannot be written: {error.strerror}") from error
    finally:
        DRAUGHTSMAN.end()
        store.close()
    for line in found.heading.lines():
        typer.echo(line, err=True)
