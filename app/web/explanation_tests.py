"""What an explanation can be put to on its own page: ablation, a search for false positives, another neuron."""

from dataclasses import dataclass
from typing import NamedTuple

from app.domain.explanations import SimulatorName, State
from app.domain.neurons import Polarity
from app.errors import NotFound
from app.jobs.live_requests import MOST_EXCERPTS, USUAL_EXCERPTS, protocol_of_simulation
from app.jobs.service import Jobs
from app.store import Store, false_positives
from app.store.explanation_rows import ExplanationRow, SimulationRow
from app.web import false_positive_lines, wording
from app.web.explanation_items import endpoint_choices, protocol_choices, simulator_choices
from app.web.false_positive_lines import SearchView
from app.web.formats import moment
from app.web.model_cache import ModelCache
from app.web.neuron_contexts import Choice
from app.web.neuron_view import View


class Tests(NamedTuple):
    """`_explanation_tests.html`: forms, and what the searches found."""

    here: str  # address of the explanation
    simulations: tuple[Choice, ...]  # that can be put in the neuron's place; none: score it first
    excerpts: int  # suggested for a search
    most: int
    held_out: bool  # the model has held-out documents to search
    usual_neuron: str  # what another neuron's name looks like
    simulators: tuple[Choice, ...]
    protocols: tuple[Choice, ...]
    endpoints: tuple[Choice, ...]
    polarities: tuple[Choice, ...]
    searches: tuple[SearchView, ...]


@dataclass(frozen=True)
class TestsPart:
    """The same as a template's context."""

    tests: Tests


def of_page(
    store: Store, jobs: Jobs, facts_of: ModelCache, row: ExplanationRow, simulated: list[SimulationRow]
) -> Tests | None:
    """What the page offers; None where there is no statement or its model has nothing collected."""
    if row.state is not State.OK:
        return None
    try:
        facts = facts_of.get(row.ref.model)
    except NotFound:
        return None
    with store.session() as session:
        found = false_positives.of_explanation(session, row.id)
    current = facts.excerpts.collection_id
    usable = [
        (each, protocol)
        for each in simulated
        if each.collection_id == current and (protocol := protocol_of_simulation(each)) is not None
    ]
    asked = tuple((e.name, e.model) for e in jobs.endpoints())
    others = [c for c in simulator_choices(asked) if c.value != SimulatorName.TOKEN_LOOKUP]
    return Tests(
        f"/explanations/{row.id}",
        tuple(
            Choice(
                f"{wording.simulated_by(each.simulator, each.simulator_model)}, {protocol.value}, "
                f"{moment(each.created_at)}",
                str(each.id),
                i == 0,
            )
            for i, (each, protocol) in enumerate(usable)
        ),
        USUAL_EXCERPTS,
        MOST_EXCERPTS,
        not facts.imported,
        f"{row.ref.model}/{row.ref.layer}/{row.ref.index}",
        tuple(others),
        protocol_choices(View().protocol, facts.imported, asks=bool(asked)),
        endpoint_choices(asked),
        (
            Choice(f"as here ({row.polarity})", "", True),
            *(Choice(each.value, each.value, False) for each in Polarity),
        ),
        tuple(false_positive_lines.view(search, row, facts) for search in found),
    )
