"""The dry run in the page's words."""

from collections.abc import Sequence

from app.domain.explanations import PROMPTED_METHODS, ExplainOptions, ScoreOptions
from app.domain.neurons import Polarity
from app.errors import AppError
from app.jobs import previews
from app.jobs.neuron import Neuron
from app.jobs.service import ASKING_SIMULATORS
from app.settings import Endpoint
from app.simulate.estimates import LIKELY
from app.web.neuron_contexts import PreviewFragment, ScoringPrice


def preview_of(
    neuron: Neuron,
    options: ExplainOptions,
    endpoints: Sequence[Endpoint],
    scoring: ScoringPrice | None,
) -> PreviewFragment:
    """The prompt of these options; a problem in plain words where there can be none."""
    if options.method not in PROMPTED_METHODS:
        return PreviewFragment("", True, 0, True, 0.0, "", (), scoring)
    endpoint = next((e for e in endpoints if e.name == options.explainer), None)
    if endpoint is None:
        there = ", ".join(e.name for e in endpoints) or "none is configured"
        return _problem(f"There is no language model called “{options.explainer}”: {there}.")
    try:
        seen = previews.explaining(neuron, options, endpoint)
    except AppError as error:
        return _problem(str(error))
    messages = tuple((message.role, message.content) for message in seen.messages)
    name = f"{endpoint.name} ({endpoint.model})"
    return PreviewFragment("", False, seen.tokens, seen.exact, seen.price_usd, name, messages, scoring)


def scoring_price(
    neuron: Neuron,
    polarity: Polarity,
    options: ScoreOptions,
    endpoints: Sequence[Endpoint],
    explanation: str = LIKELY,
) -> ScoringPrice:
    """The estimate in the page's words; a problem in plain words where there can be none."""
    if options.simulator not in ASKING_SIMULATORS:
        return ScoringPrice("", "", 0, 0, 0.0)
    endpoint = next((e for e in endpoints if e.name == options.endpoint), None)
    if endpoint is None:
        there = ", ".join(e.name for e in endpoints) or "none is configured"
        return ScoringPrice(
            f"There is no language model called “{options.endpoint}”: {there}.", "", 0, 0, 0.0
        )
    seen = previews.scoring(neuron, polarity, options, endpoint, explanation)
    name = f"{endpoint.name} ({endpoint.model})"
    return ScoringPrice("", name, seen.calls, seen.tokens_in + seen.tokens_out, seen.price_usd)


def _problem(words: str) -> PreviewFragment:
    return PreviewFragment(words, False, 0, True, 0.0, "", (), None)
