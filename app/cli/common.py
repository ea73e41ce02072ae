"""What several commands share: settings, the open store, arguments as people write them."""

import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer
from pydantic import ValidationError
from pydantic_settings import SettingsError

from app.domain.neurons import NeuronRef
from app.errors import BadInput
from app.settings import Settings

if TYPE_CHECKING:
    from app.jobs.service import Jobs
    from app.store.imported_neurons import Shape

MAX_DIGITS = 8  # a layer has 16.7 million neurons at most
MAX_LAYER_DIGITS = 4


def settings(**changes: Any) -> Settings:
    """The settings in force, with what the command line says on top. Raises BadInput in one line."""
    try:
        return Settings(**{name: value for name, value in changes.items() if value is not None})
    except ValidationError as error:
        raise BadInput(_wrong_setting(error)) from error
    except SettingsError as error:
        raise BadInput(f"A setting in the environment cannot be read as JSON: {error}.") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError) as error:
        raise BadInput(f"neuronarium.toml cannot be read: {error}.") from error


def _wrong_setting(error: ValidationError) -> str:
    first = error.errors()[0]
    where = ".".join(str(part) for part in first["loc"])
    if first["type"] == "extra_forbidden":
        return f"There is no setting “{where}”: see docs/configuration.md for those there are."
    what = first["msg"].removeprefix("Value error, ")
    return f"The setting “{where}” is wrong: {what}."


@contextmanager
def open_jobs(config: Settings) -> Iterator["Jobs"]:
    """The jobs of the store, opened for the time of a command."""
    from app.jobs.service import Jobs
    from app.store import Store

    store = Store.open(config.store_url)
    try:
        yield Jobs(config, store)
    finally:
        store.close()


def neuron_ref(text: str) -> NeuronRef:
    """`MODEL/LAYER/INDEX` as a reference; wrong usage otherwise."""
    parts = text.strip("/").split("/")
    if len(parts) != 3 or not parts[2].isdecimal() or len(parts[2]) > MAX_DIGITS:
        raise typer.BadParameter("write it as MODEL/LAYER/INDEX, such as smollm2-135m-instruct/8-mlp/101")
    return NeuronRef(parts[0], parts[1], int(parts[2]))


def layer_numbers(text: str) -> tuple[int, ...]:
    """`all`, `3`, `0-5` or `0,4,8-11` as layer numbers; empty for all."""
    if text.strip().lower() in ("", "all"):
        return ()
    numbers: list[int] = []
    for part in text.split(","):
        first, dash, last = part.strip().partition("-")
        last = last if dash else first
        readable = all(n.isdecimal() and len(n) <= MAX_LAYER_DIGITS for n in (first, last))
        if not readable or int(last) < int(first):
            raise typer.BadParameter("write it as all, 3, 0-5 or 0,4,8-11")
        numbers += range(int(first), int(last) + 1)
    return tuple(sorted(set(numbers)))


def absolute(source: str) -> str:
    """A source that is a file or folder here, named so that a worker started elsewhere finds it too."""
    path = Path(source).expanduser()
    return str(path.resolve()) if path.exists() else source


def parse_shape(text: str) -> "Shape | None":
    """`48x6400` as a model's shape; None where nothing is said, wrong usage otherwise."""
    from app.store.imported_neurons import Shape

    if not text:
        return None
    layers, sign, neurons = text.lower().partition("x")
    readable = all(part.isdecimal() and part.isascii() and len(part) <= 9 for part in (layers, neurons))
    if not sign or not readable:
        raise typer.BadParameter("write --shape as LAYERSxNEURONS, such as 12x3072")
    return Shape(int(layers), int(neurons))
