"""The dry run: what an explanation would send, and for how much."""

from collections.abc import Sequence

from app.domain.explanations import PROMPTED_METHODS, ExplainOptions
from app.domain.neurons import Records, Statistics
from app.domain.protocols import explain_records
from app.domain.vocabulary import Vocabulary
from app.errors import AppError
from app.explain import build_prompt, preview
from app.settings import Endpoint
from app.web.neuron_contexts import PreviewFragment


def preview_of(
    records: Records,
    statistics: Statistics,
    vocabulary: Vocabulary,
    options: ExplainOptions,
    endpoints: Sequence[Endpoint],
) -> PreviewFragment:
    """The prompt of these options; a problem in plain words where there can be none."""
    if options.method not in PROMPTED_METHODS:
        return PreviewFragment("", True, 0, True, 0.0, "", ())
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
    return PreviewFragment("", False, seen.tokens, seen.exact, seen.price_usd, name, messages)


def _problem(words: str) -> PreviewFragment:
    return PreviewFragment(words, False, 0, True, 0.0, "", ())
