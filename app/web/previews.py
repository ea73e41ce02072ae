"""The dry run: what explaining and scoring would send, and for how much."""

from collections.abc import Sequence

from app.domain.explanations import PROMPTED_METHODS, ExplainOptions, ScoreOptions
from app.domain.neurons import Polarity
from app.domain.protocols import dev_records, explain_records, score_records
from app.errors import AppError, BadInput
from app.explain import build_prompt, preview
from app.explain.previews import Preview
from app.jobs.neuron import Neuron
from app.jobs.service import ASKING_SIMULATORS
from app.settings import Endpoint
from app.simulate.estimates import LIKELY, Estimate, estimate
from app.web.neuron_contexts import PreviewFragment, ScoringPrice


def dry_run(neuron: Neuron, options: ExplainOptions, endpoint: Endpoint) -> Preview:
    """The request of a prompted method before it is sent. Raises BadInput where there is nothing to show."""
    shown = explain_records(neuron.records, options.polarity)
    if not len(shown):
        raise BadInput("This neuron has no records to explain it from.")
    prompt = build_prompt(options.method, shown, neuron.statistics, neuron.vocabulary, options)
    return preview(prompt, endpoint)


def scoring_estimate(
    neuron: Neuron,
    polarity: Polarity,
    options: ScoreOptions,
    endpoint: Endpoint,
    explanation: str = LIKELY,
) -> Estimate:
    """About what simulating the records of a protocol takes, those it is calibrated on included."""
    scored, _ = score_records(
        neuron.records, options.protocol, polarity, bands=neuron.statistics.band_excerpts
    )
    dev = dev_records(neuron.records, polarity)
    rows = {
        excerpt: tokens
        for some in (scored, dev)
        for excerpt, tokens in zip(some.excerpts.tolist(), some.tokens.tolist(), strict=True)
    }
    pieces = [[neuron.vocabulary.pieces[token] for token in tokens] for tokens in rows.values()]
    return estimate(options.simulator, endpoint, explanation, pieces)


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
        seen = dry_run(neuron, options, endpoint)
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
    seen = scoring_estimate(neuron, polarity, options, endpoint, explanation)
    name = f"{endpoint.name} ({endpoint.model})"
    return ScoringPrice("", name, seen.calls, seen.tokens_in + seen.tokens_out, seen.price_usd)


def _problem(words: str) -> PreviewFragment:
    return PreviewFragment(words, False, 0, True, 0.0, "", (), None)
