"""`costs`: the ledger of calls added up."""

from pathlib import Path
from typing import Annotated

import typer

from app.cli import app
from app.cli.common import open_jobs, settings
from app.domain.costs import CostsBy
from app.web.formats import plural, usd


@app.command()
def costs(
    by: Annotated[CostsBy, typer.Option(help="What calls are added up by.")] = CostsBy.DAY,
    limit: Annotated[int, typer.Option(min=1, max=100_000, help="So many lines.")] = 30,
    as_csv: Annotated[bool, typer.Option("--csv", help="As CSV, with every field.")] = False,
    data_dir: Annotated[Path | None, typer.Option(help="Folder of the store.")] = None,
) -> None:
    """Show what calls to language models cost, by day, job, experiment, endpoint or purpose."""
    from app.store import costs as sums

    with open_jobs(settings(data_dir=data_dir)) as jobs, jobs.store.session() as session:
        found = sums.lines(session, by, limit)
    if as_csv:
        from app.web.pages.costs import as_csv as written

        typer.echo(written(found), nl=False)
        return
    for line in found:
        cached = f" ({line.tokens_cached:,} from cache)" if line.tokens_cached else ""
        served = f", {plural(line.served, 'answer')} served again" if line.served else ""
        typer.echo(
            f"{line.title or 'no job'}  {plural(line.calls, 'call')}, {line.failed:,} failed, {line.tokens_in:,}{cached} "
            f"+ {line.tokens_out:,} tokens{served}  {usd(line.cost_usd)}"
        )
    if not found:
        typer.echo("No language model has been asked yet.")
