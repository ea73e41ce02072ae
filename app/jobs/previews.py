"""The dry run: what explaining and scoring a neuron would send, and for how much."""

from collections.abc import Sequence

import numpy as np

from app.domain.explain_options import demand_sound, needs_weights
from app.domain.explanations import ExplainOptions, Metric, Protocol, ScoreOptions
from app.domain.judging import JudgeOptions
from app.domain.neurons import Polarity, Records, Split
from app.domain.protocols import dev_records, score_records
from app.domain.revising import KEPT
from app.domain.token_choice import SHOWN
from app.domain.token_weights import TokenWeights
from app.domain.windows import WINDOW_TOKENS
from app.explain import preview
from app.explain.previews import Preview
from app.explain.puzzles import puzzle_prompt
from app.jobs.asking import prompt_from
from app.jobs.neuron import Neuron
from app.judge import estimates as judge_estimates
from app.judge import prompts as judge_prompts
from app.llm.messages import Message
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
    """About what simulating the records of a protocol takes, those it is calibrated on and a revision's sentences included."""
    scored, _ = score_records(
        neuron.records, options.protocol, polarity, bands=neuron.statistics.band_excerpts
    )
    dev = dev_records(neuron.records, polarity)
    pieces = _by_excerpt(neuron, [scored, dev])
    if options.revision or options.protocol is Protocol.GENERATED:
        pieces += pieces[:KEPT]  # a sentence is no longer than an excerpt
    return estimate(options.simulator, endpoint, explanation, pieces)


def _by_excerpt(neuron: Neuron, parts: Sequence[Records]) -> list[list[bytes]]:
    """The tokens of every excerpt of these records, each excerpt once."""
    rows = {
        excerpt: tokens
        for some in parts
        for excerpt, tokens in zip(some.excerpts.tolist(), some.tokens.tolist(), strict=True)
    }
    return [[neuron.vocabulary.pieces[token] for token in tokens] for tokens in rows.values()]


MARKED = (0, 8, 16)  # in a preview of fuzzing: about as many brackets as a window has


def judging(
    neuron: Neuron, options: JudgeOptions, endpoint: Endpoint, explanation: str
) -> tuple[Estimate, tuple[Message, ...]]:
    """About what judging 50 + 50 windows takes, and a prompt as it will look, both with windows of the neuron's stored records.

    Which windows are asked about is drawn when the job runs.
    """
    records = neuron.records.where(splits=(Split.SCORE,))
    tokens = records.tokens[:, : records.tokens.shape[1] // WINDOW_TOKENS * WINDOW_TOKENS]
    marked = MARKED if options.metric is Metric.FUZZING else ()
    passages = [
        judge_prompts.passage([neuron.vocabulary.pieces[t] for t in window], marked, options.metric)
        for window in np.reshape(tokens, (-1, WINDOW_TOKENS)).tolist()
    ]
    messages = judge_prompts.messages(options.metric, explanation, passages[: options.per_prompt])
    return judge_estimates.estimate(options, endpoint, explanation, passages), messages
