"""Sets of puzzles from files: our own, which comes with the program, and published ones."""

import re
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import orjson

from app.domain.puzzles import OWN_NAME, OWN_SET, Puzzle, Sentence, read_own
from app.errors import BadInput
from app.exchange import files, forms, sentences, values
from app.store import Store, puzzles
from app.store.puzzles import AddedPuzzles

BUILT_IN = Path(__file__).resolve().parents[1] / "puzzles" / "neuron-puzzles.toml"
SOURCE = "built in"
_SLUG = re.compile(r"[a-z0-9][a-z0-9._-]{0,99}")


class Imported(NamedTuple):
    """A set that came from a file."""

    slug: str
    added: AddedPuzzles


@cache
def built_in() -> tuple[Puzzle, ...]:
    """The set that comes with the program."""
    return read_own(BUILT_IN.read_text("utf-8"))


def add_built_in(store: Store) -> AddedPuzzles:
    """The built-in set into the store, or what it lacks of it."""
    with store.session() as s:
        return puzzles.add(s, OWN_SET, OWN_NAME, SOURCE, built_in())


def import_file(store: Store, path: Path, slug: str = "") -> Imported:
    """Published puzzles, `{id: {name, explanation, sentences, false_explanations}}`, as a set of their own; all or nothing.

    BadInput for a file of another form or a puzzle that cannot be used, which it names; Conflict as `store.puzzles.add`.
    """
    opened = files.look(path)
    if not forms.is_puzzle(opened.value):
        raise BadInput(
            f"{path.name} holds no puzzles: they are {{id: {{name, explanation, sentences, false_explanations}}}}"
        )
    slug = slug or path.name.partition(".")[0].lower()
    if not _SLUG.fullmatch(slug):
        raise BadInput(
            f"“{files.shown(slug)}” cannot be the name of a set: small letters, digits, dots and dashes can"
        )
    if slug == OWN_SET:
        raise BadInput(f"“{OWN_SET}” is the set that comes with the program: name another one with --model")
    found = [_puzzle(str(key), each) for key, each in opened.value.items()]
    with store.session() as s:
        return Imported(slug, puzzles.add(s, slug, slug, path.name, found))


def _puzzle(key: str, given: dict[str, Any]) -> Puzzle:
    try:
        truth = values.text(given["explanation"]).strip()
        false = [values.text(each).strip() for each in given.get("false_explanations") or ()]
        table = sentences.table(given["sentences"])
        if table is None:
            raise values.Problem("it has no sentences")
        if not false:
            raise values.Problem("it has no false explanations")
        if truth in false:
            raise values.Problem("one of its false explanations is the true one")
        made = tuple(Sentence(tuple(x["tokens"]), tuple(x["activations"])) for x in orjson.loads(table))
        puzzle = Puzzle(key, values.word(given.get("name"), key), truth, tuple(false), made)
        if not any(any(row) for row in puzzle.active):
            raise values.Problem("no token of its sentences is active")
    except values.Problem as problem:
        raise BadInput(f"puzzle “{files.shown(key)}”: {problem}") from None
    return puzzle
