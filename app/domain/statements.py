"""Explanations that are put together from data and not asked of a language model."""

from collections.abc import Sequence

LONGEST_PIECE = 40
_ON_ONE_LINE = str.maketrans({"\n": "⏎", "\t": "⇥"})


def token_lookup_text(pieces: Sequence[str], means: Sequence[float] | None = None) -> str:
    """The statement of `token_lookup`: `the tokens “ substit”, “ impose”`, strongest first, on one line.

    `pieces` are `Vocabulary.shown` of the tokens with the highest mean activation. With `means` given, tokens whose
    mean is not above 0 are left out: they do not make the neuron fire. Text is not HTML-escaped.
    """
    if means is not None:
        pieces = [piece for piece, mean in zip(pieces, means, strict=True) if mean > 0]
    quoted = [f"“{_short(piece)}”" for piece in pieces]
    if not quoted:
        return "no token in particular"
    return ("the token " if len(quoted) == 1 else "the tokens ") + ", ".join(quoted)


def _short(piece: str) -> str:
    line = piece.translate(_ON_ONE_LINE)
    return line if len(line) <= LONGEST_PIECE else line[: LONGEST_PIECE - 1] + "…"
