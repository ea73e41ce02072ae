"""`db upgrade`, `db check` and `doctor`."""

import importlib.util
import os
import shutil
import sys
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, NamedTuple

import typer
from pydantic import SecretStr

from app.cli import app
from app.cli.common import settings
from app.errors import AppError
from app.settings import Endpoint, Settings

db = typer.Typer(help="The store's own matters.", no_args_is_help=True)
app.add_typer(db, name="db")

DataDir = Annotated[Path | None, typer.Option(help="Folder of the store.")]
FREE_BYTES = 2 << 30
ENDPOINT_SECONDS = 3.0


@db.command()
def upgrade(data_dir: DataDir = None) -> None:
    """Bring the store to this version's form; makes an empty one where there is none."""
    from app.store import Store

    config = settings(data_dir=data_dir)
    Store.open(config.store_url).close()
    typer.echo("The store is up to date.")


@db.command()
def check(data_dir: DataDir = None) -> None:
    """Say whether there is a store that this version can use."""
    from app.store import Store, models

    store = Store.open(settings(data_dir=data_dir).store_url, create=False)
    try:
        with store.session() as session:
            count = len(models.models(session))
    finally:
        store.close()
    typer.echo(f"The store is sound and up to date: {count} model{'' if count == 1 else 's'}.")


class Finding(NamedTuple):
    """One thing looked at."""

    well: bool
    what: str


@app.command()
def doctor(data_dir: DataDir = None) -> None:
    """Show the settings in force, look for what would keep things from working, and say what to do about it."""
    config = settings(data_dir=data_dir)
    for name, value in in_force(config):
        typer.echo(f"     {name} = {value}")
    bad = False
    for finding in findings(config):
        bad |= not finding.well
        typer.echo(f"{'ok  ' if finding.well else 'BAD '} {finding.what}")
    if bad:
        sys.exit(1)


def in_force(config: Settings) -> Iterator[tuple[str, str]]:
    """Every setting with its value as people may see it: of passwords and keys, whether they are set."""
    for name in Settings.model_fields:
        value = getattr(config, name)
        if name == "database_url":
            yield name, _address(config)
        elif name == "endpoints":
            for endpoint in config.endpoints:
                key = endpoint.api_key_env
                told = f"key in {key}: {'set' if endpoint.api_key() else 'not set'}" if key else "no key"
                yield name, f"{endpoint.name}: {endpoint.model} at {_plain(endpoint.base_url)}, {told}"
        elif isinstance(value, SecretStr):
            yield name, "set"
        elif name == "data_dir":
            yield name, str(config.data_dir.resolve())
        elif isinstance(value, list):
            yield name, ", ".join(map(str, value)) or "none"
        else:
            yield name, "not set" if value is None else str(value)


def _address(config: Settings) -> str:
    from app.store.session import without_secrets

    if config.database_url is None:
        return "not set"
    try:
        return without_secrets(config.database_url)
    except AppError:
        return "set, and cannot be read"


def _plain(url: str) -> str:
    """An endpoint's address without the name, password and query that it may have."""
    try:
        parts = urllib.parse.urlsplit(url)
    except ValueError:
        return "an address that cannot be read"
    return parts._replace(netloc=parts.netloc.rpartition("@")[2], query="", fragment="").geturl()


def findings(config: Settings) -> Iterator[Finding]:
    """Everything that can be looked at without loading a model or spending anything."""
    yield Finding(sys.version_info >= (3, 11), f"Python {sys.version.split()[0]} (3.11 or later is needed)")
    missing = [
        name for name in ("torch", "transformers", "safetensors") if importlib.util.find_spec(name) is None
    ]
    if missing:
        yield Finding(
            False,
            f"{', '.join(missing)} not installed: `pip install -c constraints.txt -e '.[subject]'` in the clone, to collect models",
        )
    else:
        yield Finding(True, "torch and transformers are installed")
        if config.device != "auto":  # asking takes the seconds that torch needs to load
            yield _device(config.device)
    place = next(
        folder
        for folder in (config.data_dir.resolve(), *config.data_dir.resolve().parents)
        if folder.exists()
    )
    if not place.is_dir() or not os.access(place, os.W_OK):
        what = "may not be written to" if place.is_dir() else "is a file"
        yield Finding(False, f"data_dir: {place} {what}: name a folder of your own")
    else:
        free = shutil.disk_usage(place).free
        yield Finding(
            free >= FREE_BYTES, f"{free / 1e9:.1f} GB free in {place} (2 GB is little for one model)"
        )
        yield _store(config)
    from app.jobs.endpoints import endpoints

    there = endpoints(config)
    if not there:
        yield Finding(True, "no language model configured: neurons can be browsed, token_lookup explains")
    for endpoint in there:
        yield _endpoint(endpoint)


def _device(device: str) -> Finding:
    from app.subject.load import find_device

    try:
        find_device(device)
    except AppError as error:
        return Finding(False, f"device: {error}")
    return Finding(True, f"device {device} is there")


def _store(config: Settings) -> Finding:
    from app.jobs.alive import anyone_alive
    from app.store import Store

    try:
        store = Store.open(config.store_url, create=False)
    except AppError as error:
        fresh = config.database_url is None and not (config.data_dir / "neuronarium.sqlite").exists()
        return Finding(fresh, "no store yet: `neuronarium serve` makes one" if fresh else str(error))
    try:
        working = anyone_alive(store)
    except AppError as error:
        return Finding(False, str(error))
    finally:
        store.close()
    return Finding(True, f"the store opens; {'a worker is alive' if working else 'no worker is running'}")


def _endpoint(endpoint: Endpoint) -> Finding:
    if endpoint.base_url.startswith("http://127.0.0.1:0/"):
        return Finding(True, f"endpoint {endpoint.name}: served by the worker when it is first asked")
    if endpoint.api_key_env and not endpoint.api_key():
        return Finding(False, f"endpoint {endpoint.name}: set {endpoint.api_key_env} to its key")
    if not endpoint.base_url.startswith(("http://", "https://")):
        return Finding(False, f"endpoint {endpoint.name}: its address must begin with http:// or https://")
    request = urllib.request.Request(endpoint.base_url.rstrip("/") + "/models")  # noqa: S310 - checked above
    request.add_header("Authorization", f"Bearer {endpoint.api_key()}")
    try:
        with urllib.request.urlopen(request, timeout=ENDPOINT_SECONDS):  # noqa: S310
            return Finding(True, f"endpoint {endpoint.name} answers")
    except urllib.error.HTTPError as error:
        well = error.code not in (401, 403)
        return Finding(
            well,
            f"endpoint {endpoint.name} answers with status {error.code}{'' if well else ': check its key'}",
        )
    except (OSError, ValueError) as error:
        return Finding(
            False, f"endpoint {endpoint.name} does not answer at {_plain(endpoint.base_url)} ({error})"
        )
