"""Explaining a neuron puzzle: its sentences as evidence, and a second round that shows what the first statement got wrong."""

import json
from collections.abc import Mapping, Sequence

from app.domain.explanations import PROMPTED_METHODS, ExplainOptions, Method
from app.domain.neurons import Polarity
from app.domain.piece_text import inert
from app.domain.puzzles import CUT_OFF, Miss, Puzzle
from app.errors import BadInput
from app.explain.evidence import Evidence, Shown
from app.explain.examples import examples
from app.explain.formats import FORMATS
from app.explain.prompt import Prompt, chat, question
from app.explain.text import bracketed_text, token_list
from app.llm.messages import Message

VERSION = "puzzle-1"
REVISION_VERSION = "puzzle-revision-1"
MOST_MISSES = 5  # sentences shown in a second round
SILENT = "In some excerpts the neuron is silent: they show what it does not look for."


def puzzle_evidence(puzzle: Puzzle) -> Evidence:
    """All sentences in the order in which their author wrote them, of any length, the silent ones too."""
    rows = zip(puzzle.sentences, puzzle.levels, puzzle.active, strict=True)
    return Evidence(
        tuple(
            Shown(tuple(piece.encode("utf-8", "surrogatepass") for piece in sentence.pieces), levels, active)
            for sentence, levels, active in rows
        ),
        float(CUT_OFF),
    )


def puzzle_prompt(puzzle: Puzzle, options: ExplainOptions) -> Prompt:
    """The prompt of one of the five formats. BadInput for another method, and for the negative polarity."""
    if options.method not in PROMPTED_METHODS:
        raise BadInput(f"A puzzle is explained by {', '.join(PROMPTED_METHODS)}: not by {options.method}.")
    if options.polarity is not Polarity.POSITIVE:
        raise BadInput("A puzzle has no negative side: ask for the positive polarity.")
    chosen = FORMATS[options.method]
    return Prompt(
        options.method,
        chat(chosen, puzzle_evidence(puzzle), SILENT),
        f"{chosen.version}/{VERSION}",
        (),
        json.dumps(_parameters(puzzle)),
    )


def revision_prompt(
    first: Prompt, puzzle: Puzzle, statement: str, misses: Sequence[Miss], said: Mapping[str, object]
) -> Prompt:
    """The second round (after BILLS, “revision”, in our words): the first question and its answer, then the sentences that it
    gets wrong, each with where the neuron fires and where the statement makes one expect it. `said` is kept beside it.
    """
    number = len(examples()) + 1
    lines = [
        "Your answer was put to the test: somebody who knows it alone predicted where the neuron is active. In these"
        " excerpts the prediction was wrong."
    ]
    shown = puzzle_evidence(puzzle).excerpts
    for miss in misses:
        excerpt = shown[miss.sentence]
        lines.append(f"Excerpt {miss.sentence + 1}: {bracketed_text(excerpt.pieces, excerpt.active)}")
        lines.append(f"Active tokens:{token_list(excerpt.pieces, excerpt.active)}")
        lines.append(f"Tokens predicted to be active:{token_list(excerpt.pieces, miss.expected)}")
    lines.append("Say once more, in a phrase that fits these excerpts too, what the neuron looks for.\n")
    again = question(number, inert("\n".join(lines)))
    messages = (
        *first.messages,
        Message("assistant", inert(statement)),
        Message("user", again),
    )
    parameters = {
        **_parameters(puzzle),
        "first_method": first.method,
        "wrong_sentences": [miss.sentence + 1 for miss in misses],
        **said,
    }
    return Prompt(
        Method.REVISION,
        messages,
        f"{REVISION_VERSION}/{first.version}",
        (),
        json.dumps(parameters),
        earlier=statement,
    )


def _parameters(puzzle: Puzzle) -> dict[str, object]:
    return {"puzzle": puzzle.key, "sentences": len(puzzle.sentences), "cut_off": f"above {CUT_OFF} of 10"}
