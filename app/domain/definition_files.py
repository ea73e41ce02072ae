"""Definitions as files, whatever they are of: TOML for people, JSON for programs."""

import json
import tomllib
from enum import StrEnum
from typing import Any

from app.errors import BadInput

LONGEST = 1_000_000  # characters of a file


class FileKind(StrEnum):
    """How a definition is written down."""

    TOML = "toml"
    JSON = "json"


def kind_of(text: str) -> FileKind:
    """What a text looks like: JSON begins with a brace."""
    return FileKind.JSON if text.lstrip("\ufeff \t\r\n").startswith("{") else FileKind.TOML


def values_of(text: str, kind: FileKind, what: str) -> dict[str, Any]:
    """The tables of a file that defines `what` ("An experiment"). BadInput where it is none, or too long."""
    if len(text) > LONGEST:
        raise BadInput(f"{what} is a file of at most {LONGEST:,} characters, this one has {len(text):,}.")
    text = text.removeprefix("\ufeff")
    try:
        found = tomllib.loads(text) if kind is FileKind.TOML else json.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise BadInput(f"This is no TOML: {error}.") from None
    except (ValueError, RecursionError) as error:
        raise BadInput(f"This is no JSON: {error}.") from None
    if not isinstance(found, dict):
        raise BadInput(f"{what} in JSON is an object, as in {{“name”: …, “samples”: …}}.")
    return found


def text_of(values: dict[str, Any], kind: FileKind) -> str:
    """Tables of plain values as a file that `values_of` gives back."""
    if kind is FileKind.JSON:
        return json.dumps(values, indent=1, ensure_ascii=False, allow_nan=False) + "\n"
    return _toml(values)


def _toml(values: dict[str, Any]) -> str:
    """Plain values first, then tables, then arrays of tables, as TOML wants them."""
    lines = [
        f"{k} = {_toml_value(v)}" for k, v in values.items() if not isinstance(v, dict) and not _is_tables(v)
    ]
    for key, value in values.items():
        if isinstance(value, dict):
            lines += ["", f"[{key}]", *(f"{k} = {_toml_value(v)}" for k, v in value.items())]
        elif _is_tables(value):
            for row in value:
                lines += ["", f"[[{key}]]", *(f"{k} = {_toml_value(v)}" for k, v in row.items())]
    return "\n".join(lines) + "\n"


def _is_tables(value: object) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(row, dict) for row in value)


def _toml_value(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        # JSON's string is TOML's, but for DEL, which JSON leaves as it is.
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007F")
    if isinstance(value, list):
        return f"[{', '.join(_toml_value(each) for each in value)}]"
    return repr(value)
