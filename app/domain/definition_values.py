"""Reading tables of plain values, as TOML and JSON give them, with words for everything that is not as it should be."""

from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum
from typing import Any, TypeVar, overload

E = TypeVar("E", bound=StrEnum)

_NAMES = {str: "text", int: "a whole number", float: "a number", bool: "true or false", list: "a list", dict: "a table"}  # fmt: skip
_SHOWN = 60


class Table:
    """One table of a file. What is wrong is added to `wrong`, and the usual value taken, so that all of it can be said."""

    def __init__(self, path: str, values: Mapping[str, Any], wrong: list[str]) -> None:
        self._path = path
        self._values = values
        self._wrong = wrong
        self._known: list[str] = []

    def has(self, key: str) -> bool:
        """Whether the file says anything of this key."""
        if key not in self._known:
            self._known.append(key)
        return key in self._values

    def done(self, *, of: str = "", only: Sequence[str] | None = None) -> None:
        """To be called when all keys have been asked for: names those that the file has beside them."""
        known = self._known if only is None else only
        for key in self._values:
            if key not in known:
                where = f"of {of} " if of else ""
                self._say(key, f"unknown key; the keys {where}here are {', '.join(known)}")

    def text(self, key: str, usual: str = "", *, needed: bool = False) -> str:
        found = self._get(key, str, needed)
        return usual if found is None else found.strip()

    def whole(self, key: str, usual: int, *, needed: bool = False) -> int:
        found = self._get(key, int, needed)
        return usual if found is None else found

    def yes(self, key: str) -> bool:
        """True or false; false where nothing is said."""
        return bool(self._get(key, bool, needed=False))

    def number(self, key: str, *, needed: bool = False) -> float | None:
        found = self._get(key, float, needed)
        return None if found is None else float(found)

    @overload
    def word(self, key: str, kind: type[E], usual: E, *, needed: bool = False) -> E: ...

    @overload
    def word(self, key: str, kind: type[E], usual: None) -> E | None: ...

    def word(self, key: str, kind: type[E], usual: E | None, *, needed: bool = False) -> E | None:
        """A word of an enumeration. Without a usual one it is needed."""
        found = self._get(key, str, needed or usual is None)
        return usual if found is None else self._of(key, kind, found) or usual

    def words(self, key: str, kind: type[E], usual: tuple[E, ...] | None = None) -> tuple[E, ...]:
        """Several. Without usual ones at least one is needed."""
        rows = self._rows(key, str, "a list of words", needed=usual is None)
        if rows is None:
            return usual or ()
        found = [self._of(key, kind, row) for row in rows]
        return tuple(each for each in found if each is not None)

    def texts(self, key: str) -> tuple[str, ...]:
        return tuple(row.strip() for row in self._rows(key, str, "a list of texts") or ())

    def whole_numbers(self, key: str, usual: tuple[int, ...]) -> tuple[int, ...]:
        rows = self._rows(key, int, "a list of whole numbers")
        return usual if rows is None else tuple(rows)

    def pairs(self, key: str) -> list[tuple[str, str]]:
        """Lists of two texts each."""
        found = []
        for i, row in enumerate(self._rows(key, list, "a list of pairs") or (), 1):
            if len(row) != 2 or not all(isinstance(each, str) for each in row):
                self._say(f"{key} {i}", 'it is no pair of texts, as in ["summary", "original"]')
            else:
                found.append((row[0].strip(), row[1].strip()))
        return found

    def table(self, key: str) -> "Table":
        found = self._get(key, dict, needed=False)
        return Table(self._name(key), found or {}, self._wrong)

    def tables(self, key: str, *, needed: bool = False, short: str = "") -> Iterable["Table"]:
        """A list of tables; a text in it stands for a table that has it under the key `short`."""
        self.has(key)
        rows = self._values.get(key)
        if rows is None:
            if needed:
                self._say(key, "it is missing; write [[" + key + "]] in TOML, a list of objects in JSON")
            return
        if not isinstance(rows, list):
            self._say(key, f"it is {_what(rows)}; a list of tables is wanted, as [[{key}]] makes in TOML")
            return
        if not rows:
            self._say(key, "it is empty: give at least one, or leave it out")
        for i, row in enumerate(rows, 1):
            if short and isinstance(row, str):
                row = {short: row}
            if isinstance(row, dict):
                yield Table(f"{self._name(key)} {i}", row, self._wrong)
            else:
                self._say(f"{key} {i}", f"it is {_what(row)}; a table is wanted")

    def _get(self, key: str, kind: type, needed: bool) -> Any:
        self.has(key)
        value = self._values.get(key)
        if value is None:
            if needed:
                self._say(key, "it is missing")
            return None
        if not _is(value, kind):
            self._say(key, f"it is {_what(value)}; {_NAMES[kind]} is wanted")
            return None
        return value

    def _rows(self, key: str, kind: type, wanted: str, *, needed: bool = False) -> list[Any] | None:
        self.has(key)
        value = self._values.get(key)
        if value is None:
            if needed:
                self._say(key, "it is missing: give at least one")
            return None
        if not isinstance(value, list) or not all(_is(row, kind) for row in value):
            odd = value if not isinstance(value, list) else next(row for row in value if not _is(row, kind))
            self._say(key, f"{'it is' if odd is value else 'it holds'} {_what(odd)}; {wanted} is wanted")
            return []
        if not value:
            self._say(key, "it is empty: give at least one, or leave it out")
        return value

    def _of(self, key: str, kind: type[E], word: str) -> E | None:
        try:
            return kind(word)
        except ValueError:
            self._say(key, f"there is no “{word[:_SHOWN]}”; there is {', '.join(kind)}")
            return None

    def _name(self, key: str) -> str:
        return f"{self._path}, {key}" if self._path else key

    def _say(self, key: str, what: str) -> None:
        self._wrong.append(f"{self._name(key)}: {what}.")


def _is(value: object, kind: type) -> bool:
    """JSON and TOML tell true from 1, and so do we; a whole number is a number."""
    if isinstance(value, bool):
        return kind is bool
    return isinstance(value, int | float) if kind is float else isinstance(value, kind)


def _what(value: object) -> str:
    for kind, name in _NAMES.items():
        if _is(value, kind):
            shown = "" if isinstance(value, list | dict) else f" ({str(value)[:_SHOWN]})"
            return name + shown
    return f"{type(value).__name__} ({str(value)[:_SHOWN]})"
