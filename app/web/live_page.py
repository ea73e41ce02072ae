"""What an explanation's page shows of the live model: what was tried on it, and the forms that try more."""

from collections.abc import Sequence
from typing import NamedTuple

from app.domain.explanations import Step
from app.jobs.service import Jobs
from app.store import Session, explanations, neurons
from app.store.explanation_rows import ExplanationRow
from app.web.live_forms import LiveForms, live_forms
from app.web.live_text_views import Tested, tested
from app.web.model_cache import ModelFacts


class LivePart(NamedTuple):
    """Both; each None where there is nothing."""

    tested: Tested | None
    forms: LiveForms | None


def of(
    session: Session, row: ExplanationRow, steps: Sequence[Step], facts: ModelFacts, jobs: Jobs
) -> LivePart:
    """The part of one explanation's page."""
    shown = None
    if row.source_id is not None:
        neighbours = explanations.of_neuron(session, row.ref)
        statistics = neurons.statistics(session, row.ref)
        shown = tested(row, steps, neighbours, statistics, facts.vocabulary)
    return LivePart(shown, live_forms(jobs, row, live=not facts.imported and bool(facts.card.source)))
