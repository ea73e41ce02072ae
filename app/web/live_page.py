"""What an explanation's page shows of the live model: what was tried on it, and the forms that try more."""

from collections.abc import Sequence
from typing import NamedTuple

from app.domain.explanations import Step
from app.jobs.service import Jobs
from app.store import Session, neurons
from app.store.explanation_rows import ExplanationRow
from app.web.live_forms import LiveForms, live_forms
from app.web.live_text_views import Tested, tested
from app.web.model_cache import ModelFacts
from app.web.sentence_forms import SentenceForm, sentence_form


class LivePart(NamedTuple):
    """Each None where there is nothing."""

    tested: Tested | None
    forms: LiveForms | None
    sentences: SentenceForm | None


def of(
    session: Session,
    row: ExplanationRow,
    steps: Sequence[Step],
    neighbours: Sequence[ExplanationRow],
    facts: ModelFacts,
    jobs: Jobs,
) -> LivePart:
    """The part of one explanation's page; `neighbours` are all explanations of its neuron."""
    shown = None
    if row.source_id is not None:
        statistics = neurons.statistics(session, row.ref)
        shown = tested(row, steps, neighbours, statistics, facts.vocabulary)
    forms = live_forms(jobs, row, live=not facts.imported and bool(facts.card.source))
    return LivePart(shown, forms, sentence_form(session, jobs, row, neighbours))
