"""The dry run: what explaining and scoring would send, and for how much."""

from collections.abc import Sequence

from app.domain.explanations import PROMPTED_METHODS, ExplainOptions, ScoreOptions
from app.domain.neurons import Polarity, Records, Statistics
from app.domain.protocols import dev_records, explain_records, score_records
from app.domain.vocabulary import Vocabulary
from app.errors import AppError
from app.explain import build_prompt, preview
from app.jobs.service import ASKING_SIMULATORS
from app.settings import Endpoint
from app.simulate.estimates import LIKELY, estimate
from app.web.neuron_contexts import PreviewFragment, ScoringPrice


def preview_of(
    records: Records,
    statistics: Statistics,
    vocabulary: Vocabulary,
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
    shown = explain_records(records, options.polarity)
    if not len(shown):
        return _problem("This neuron has no records to explain it from.")
    try:
        prompt = build_prompt(options.method, shown, statistics, vocabulary, options)
        seen = preview(prompt, endpoint)
    except AppError as error:
        return _problem(str(error))
    messages = tuple((message.role, message.content) for message in seen.messages)
    name = f"{endpoint.name} ({endpoint.model})"
    return PreviewFragment("", False, seen.tokens, seen.exact, seen.price_usd, name, messages, scoring)


def scoring_price(
    records: Records,
    vocabulary: Vocabulary,
    score_excerpts: int,
    polarity: Polarity,
    options: ScoreOptions,
    endpoints: Sequence[Endpoint],
    explanation: str = LIKELY,
) -> ScoringPrice:
    """About what simulating the records of a protocol takes, those it is calibrated on included."""
    if options.simulator not in ASKING_SIMULATORS:
        return ScoringPrice("", "", 0, 0, 0.0)
    endpoint = next((e for e in endpoints if e.name == options.endpoint), None)
    if endpoint is None:
        there = ", ".join(e.name for e in endpoints) or "none is configured"
        return ScoringPrice(
            f"There is no language model called “{options.endpoint}”: {there}.", "", 0, 0, 0.0
        )
    scored, _ = score_records(records, options.protocol, polarity, split_excerpts=score_excerpts)
    dev = dev_records(records, polarity)
    rows = {
        excerpt: tokens
        for some in (scored, dev)
        for excerpt, tokens in zip(some.excerpts.tolist(), some.tokens.tolist(), strict=True)
    }
    pieces = [[vocabulary.pieces[token] for token in tokens] for tokens in rows.values()]
    seen = estimate(options.simulator, endpoint, explanation, pieces)
    name = f"{endpoint.name} ({endpoint.model})"
    return ScoringPrice("", name, seen.calls, seen.tokens_in + seen.tokens_out, seen.price_usd)


def _problem(words: str) -> PreviewFragment:
    return PreviewFragment(words, False, 0, True, 0.0, "", (), None)
