"""A puzzle on its neuron page: what it looks for, and the form that has it explained."""

from collections.abc import Sequence

from app.domain.explanations import PROMPTED_METHODS, Method
from app.settings import Endpoint
from app.store.puzzles import StoredPuzzle
from app.web import wording
from app.web.neuron_contexts import Choice, PuzzleBeside
from app.web.puzzle_contexts import PuzzleForm
from app.web.rendering import render

JUDGED = "Answers to a puzzle are judged, not scored: there is no text that their maker has not seen."


def beside(stored: StoredPuzzle) -> PuzzleBeside:
    """What is hidden on the page until somebody asks."""
    puzzle = stored.puzzle
    return PuzzleBeside(
        puzzle.name, puzzle.truth, puzzle.false, stored.source, f"/puzzles/{stored.ref.model}"
    )


def form(here: str, endpoints: Sequence[Endpoint]) -> str:
    """The form that has one puzzle explained."""
    return render("_puzzle_form.html", PuzzleForm(here, methods(), explainers(endpoints)))


def methods() -> tuple[Choice, ...]:
    """The methods that puzzles can be explained by."""
    return tuple(
        Choice(wording.METHODS[method], method.value, method is Method.SUMMARY) for method in PROMPTED_METHODS
    )


def explainers(endpoints: Sequence[Endpoint]) -> tuple[Choice, ...]:
    """The language models that can be asked."""
    return tuple(Choice(f"{e.name} ({e.model})", e.name, i == 0) for i, e in enumerate(endpoints))
