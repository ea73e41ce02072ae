"""The dry run in the page's words."""

from collections.abc import Sequence

from app.domain.explain_options import ASKING_METHODS, demand_sound, needs_weights
from app.domain.explanations import ASKING_SIMULATORS, ExplainOptions, ScoreOptions
from app.domain.judging import JudgeOptions
from app.domain.neurons import Polarity
from app.errors import AppError
from app.jobs import previews
from app.jobs.neuron import Neuron
from app.settings import Endpoint
from app.simulate.estimates import LIKELY
from app.web.neuron_contexts import PreviewFragment, ScoringPrice


def preview_of(
    neuron: Neuron,
    options: ExplainOptions,
    endpoints: Sequence[Endpoint],
    scoring: ScoringPrice | None,
    score: ScoreOptions | None = None,
) -> PreviewFragment:
    """The prompt of these options; a problem in plain words where there can be none. `score` chooses between candidates."""
    try:
        demand_sound(options)
    except AppError as error:
        return _problem(str(error))
    if options.method not in ASKING_METHODS:
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
    chosen_by = None
    if options.candidates > 1:
        chosen_by = _choosing(neuron, options, score or ScoreOptions(), endpoints)
    return PreviewFragment(
        "",
        False,
        seen.tokens,
        seen.exact,
        seen.price_usd,
        name,
        messages,
        scoring,
        options.candidates,
        chosen_by,
        needs_weights(options),
    )


def _choosing(
    neuron: Neuron, options: ExplainOptions, score: ScoreOptions, endpoints: Sequence[Endpoint]
) -> ScoringPrice:
    """What holding the candidates against the dev records takes; no endpoint where no language model is asked."""
    endpoint = next((e for e in endpoints if e.name == score.endpoint), None)
    if (
        score.simulator not in ASKING_SIMULATORS or endpoint is None
    ):  # an unknown one is the scoring's problem
        return ScoringPrice("", "", 0, 0, 0.0)
    took = previews.choosing(neuron, options, score, endpoint)
    name = f"{endpoint.name} ({endpoint.model})"
    return ScoringPrice("", name, took.calls, took.tokens_in + took.tokens_out, took.price_usd)


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


def judging_price(
    neuron: Neuron, options: JudgeOptions, endpoints: Sequence[Endpoint], explanation: str
) -> ScoringPrice:
    """The estimate of judging in the page's words; a problem in plain words where there can be none."""
    endpoint = next((e for e in endpoints if e.name == options.endpoint), None)
    if endpoint is None:
        there = ", ".join(e.name for e in endpoints) or "none is configured"
        return ScoringPrice(
            f"There is no language model called “{options.endpoint}”: {there}.", "", 0, 0, 0.0
        )
    try:
        seen, _ = previews.judging(neuron, options, endpoint, explanation)
    except AppError as error:
        return ScoringPrice(str(error), "", 0, 0, 0.0)
    name = f"{endpoint.name} ({endpoint.model})"
    return ScoringPrice("", name, seen.calls, seen.tokens_in + seen.tokens_out, seen.price_usd)


def _problem(words: str) -> PreviewFragment:
    return PreviewFragment(words, False, 0, True, 0.0, "", (), None)
