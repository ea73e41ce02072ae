"""What the forms of an explanation's page offer: revising it, and probing its neuron from it."""

from dataclasses import dataclass

from app.domain.explanations import Method, SimulatorName
from app.domain.revising import REVISIONS
from app.jobs.service import Jobs
from app.store.explanation_rows import ExplanationRow
from app.web import wording
from app.web.explanation_items import endpoint_choices, protocol_choices, simulator_choices
from app.web.neuron_contexts import Choice
from app.web.neuron_view import View


@dataclass(frozen=True)
class LiveForms:
    """`_live_forms.html`."""

    here: str
    explainers: tuple[Choice, ...]
    methods: tuple[Choice, ...]
    simulators: tuple[Choice, ...]
    protocols: tuple[Choice, ...]
    endpoints: tuple[Choice, ...]


def live_forms(jobs: Jobs, row: ExplanationRow, *, live: bool) -> LiveForms | None:
    """The forms for an explanation; None where there is no statement, no live model or nobody to ask."""
    there = [(each.name, each.model) for each in jobs.endpoints() if each.chat]
    if not (live and there and row.text):
        return None
    return LiveForms(
        f"/explanations/{row.id}",
        endpoint_choices(there),
        tuple(Choice(wording.METHODS[m], m.value, m is Method.REVISION) for m in REVISIONS),
        (
            *(c for c in simulator_choices(there) if c.value != SimulatorName.TOKEN_LOOKUP),
            Choice("do not score", "", False),
        ),
        protocol_choices(View().protocol, False, asks=True),
        endpoint_choices(there),
    )
