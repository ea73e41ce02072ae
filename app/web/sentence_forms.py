"""The form that scores an explanation on the sentences that a revision kept."""

from collections.abc import Sequence
from dataclasses import dataclass

from app.domain.explanations import Method, SimulatorName, State
from app.errors import AppError
from app.jobs.service import Jobs
from app.store import Session, revisions
from app.store.explanation_rows import ExplanationRow
from app.web.explanation_items import endpoint_choices, path_of, simulator_choices
from app.web.formats import shown
from app.web.neuron_contexts import Choice

MOST_OFFERED = 20
_LETTERS = 60  # of a statement in a list


@dataclass(frozen=True)
class SentenceForm:
    """`_sentence_form.html`."""

    here: str
    neuron: str
    revisions: tuple[Choice, ...]
    simulators: tuple[Choice, ...]
    endpoints: tuple[Choice, ...]


def sentence_form(
    session: Session, jobs: Jobs, row: ExplanationRow, neighbours: Sequence[ExplanationRow]
) -> SentenceForm | None:
    """The form; None where there is no statement, or no revision of the neuron with sentences that it has not seen."""
    if not row.text or row.method in (Method.TOKEN_LOOKUP, Method.TOKEN_LINEAR):
        return None
    made = [n for n in neighbours if n.method == Method.REVISION and n.state is State.OK]
    fit = [each for each in made if each.polarity is row.polarity and _fits(session, each, row)][
        :MOST_OFFERED
    ]
    if not fit:
        return None
    there = [(each.name, each.model) for each in jobs.endpoints() if each.chat]
    return SentenceForm(
        f"/explanations/{row.id}",
        path_of(row.ref),
        tuple(
            Choice(f"{each.id}: {shown(each.text)[:_LETTERS]}", str(each.id), i == 0)
            for i, each in enumerate(fit)
        ),
        tuple(c for c in simulator_choices(there) if c.value != SimulatorName.TOKEN_LOOKUP),
        endpoint_choices(there),
    )


def _fits(session: Session, revision: ExplanationRow, row: ExplanationRow) -> bool:
    try:
        return bool(revisions.kept(session, revision.id, row))
    except AppError:
        return False
