"""Explanations by the token that follows (BILLS): what is shown, predicted and scored at a token is what comes after it.

Some neurons fire before something rather than at something. Records are shifted so that the activation at position t stands
beside token t + 1, the explainer sees those pairs, and a simulator judges position t by token t + 1. What follows an excerpt's
last token is not known: that position is neither shown nor predicted nor scored.
"""

from dataclasses import replace

from app.domain.augmented import Predicted
from app.domain.candidates import single
from app.domain.explanations import Method
from app.domain.neurons import Float32, Records

LEAD = "what comes just before "  # begins every statement of this kind, so that it is true as it stands


def by_next_token(method: str) -> bool:
    """Whether statements stored under this name are about the token that follows."""
    return single(method) == Method.NEXT_TOKEN


def phrase(statement: str) -> str:
    """What comes next: the statement without its beginning."""
    return statement.removeprefix(LEAD)


def shifted(records: Records) -> Records:
    """Records [R, T - 1] whose token at each place is the one after that of its activation."""
    return replace(
        records,
        tokens=records.tokens[:, 1:],
        activations=records.activations[:, :-1],
        gates=None if records.gates is None else records.gates[:, :-1],
    )


def judged(records: Records) -> Records:
    """Records [R, T - 1] without the last position, which nothing is predicted for."""
    return replace(
        records,
        tokens=records.tokens[:, :-1],
        activations=records.activations[:, :-1],
        gates=None if records.gates is None else records.gates[:, :-1],
    )


def compared(method: str, records: Records, expected: Float32) -> tuple[Records, Float32]:
    """What of records [R, T] and of their simulation counts for a statement of this method."""
    return (judged(records), expected[:, :-1]) if by_next_token(method) else (records, expected)


def counted(method: str, sentence: Predicted) -> Predicted:
    """The same for a sentence beside them."""
    return Predicted(sentence.actual[:-1], sentence.expected[:-1]) if by_next_token(method) else sentence
