"""The dry run: what explaining and scoring a neuron would send, and for how much."""

from app.domain.explanations import ExplainOptions, ScoreOptions
from app.domain.neurons import Polarity
from app.domain.protocols import dev_records, explain_records, score_records
from app.errors import BadInput
from app.explain import build_prompt, preview
from app.explain.previews import Preview
from app.explain.puzzles import puzzle_prompt
from app.jobs.neuron import Neuron
from app.settings import Endpoint
from app.simulate.estimates import LIKELY, Estimate, estimate


def explaining(neuron: Neuron, options: ExplainOptions, endpoint: Endpoint) -> Preview:
    """The request of a prompted method before it is sent. Raises BadInput where there is nothing to show."""
    if neuron.puzzle is not None:
        return preview(puzzle_prompt(neuron.puzzle, options), endpoint)
    shown = explain_records(neuron.records, options.polarity)
    if not len(shown):
        raise BadInput("This neuron has no records to explain it from.")
    prompt = build_prompt(options.method, shown, neuron.statistics, neuron.vocabulary, options)
    return preview(prompt, endpoint)


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
    rows = {
        excerpt: tokens
        for some in (scored, dev)
        for excerpt, tokens in zip(some.excerpts.tolist(), some.tokens.tolist(), strict=True)
    }
    pieces = [[neuron.vocabulary.pieces[token] for token in tokens] for tokens in rows.values()]
    return estimate(options.simulator, endpoint, explanation, pieces)
