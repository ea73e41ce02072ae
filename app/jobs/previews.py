"""The dry run: what explaining and scoring a neuron would send, and for how much."""

from collections.abc import Sequence

from app.domain.explain_options import demand_sound, needs_weights
from app.domain.explanations import ExplainOptions, ScoreOptions
from app.domain.neurons import Polarity, Records
from app.domain.protocols import dev_records, score_records
from app.domain.token_choice import SHOWN
from app.domain.token_weights import TokenWeights
from app.explain import preview
from app.explain.previews import Preview
from app.explain.puzzles import puzzle_prompt
from app.jobs.asking import prompt_from
from app.jobs.neuron import Neuron
from app.settings import Endpoint
from app.simulate.estimates import LIKELY, Estimate, estimate

TOKENS_EACH = 3  # about what one token of a list takes in a prompt, its comma included


def explaining(
    neuron: Neuron, options: ExplainOptions, endpoint: Endpoint, weights: TokenWeights | None = None
) -> Preview:
    """The request of a method that asks, before it is sent, with the price of all candidates.

    Without weights that the method needs, its tokens are named and not shown, and their number is an estimate.
    Raises BadInput where options do not go together, or where there is nothing to show.
    """
    demand_sound(options)
    if neuron.puzzle is not None:
        return preview(puzzle_prompt(neuron.puzzle, options), endpoint)
    unread = SHOWN * TOKENS_EACH if needs_weights(options) and weights is None else 0
    return preview(prompt_from(neuron, options, weights), endpoint, options.candidates, unread)


def choosing(neuron: Neuron, options: ExplainOptions, score: ScoreOptions, endpoint: Endpoint) -> Estimate:
    """About what it takes to hold every candidate against the dev records."""
    rows = _by_excerpt(neuron, [dev_records(neuron.records, options.polarity)])
    one = estimate(score.simulator, endpoint, LIKELY, rows)
    n = options.candidates
    return Estimate(n * one.calls, n * one.tokens_in, n * one.tokens_out, n * one.price_usd)


def scoring(
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
    return estimate(options.simulator, endpoint, explanation, _by_excerpt(neuron, [scored, dev]))


def _by_excerpt(neuron: Neuron, parts: Sequence[Records]) -> list[list[bytes]]:
    """The tokens of every excerpt of these records, each excerpt once."""
    rows = {
        excerpt: tokens
        for some in parts
        for excerpt, tokens in zip(some.excerpts.tolist(), some.tokens.tolist(), strict=True)
    }
    return [[neuron.vocabulary.pieces[token] for token in tokens] for tokens in rows.values()]
