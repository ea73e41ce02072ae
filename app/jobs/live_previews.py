"""The dry run of a revision and of a probing: calls, tokens and price, at most. No language model is asked, no model loaded."""

from typing import NamedTuple

from app.domain.explanations import Method, Protocol, ScoreOptions
from app.domain.live_texts import MOST_TOKENS
from app.domain.neurons import Polarity, Records
from app.domain.protocols import dev_records, score_records
from app.domain.revising import ASKED_AT_MOST, KEPT, SENTENCES, ProbeOptions, ReviseOptions
from app.explain.probe import NAMES, rethink_prompt, texts_prompt, texts_schema
from app.explain.prompt import MAX_TOKENS
from app.explain.revise import revision_prompt, sentences_prompt, sentences_schema, shown_evidence
from app.explain.texts import longest_answer
from app.jobs.neuron import Neuron
from app.jobs.old_evidence import old_evidence, usual_evidence
from app.llm.pricing import estimate_chat, estimate_tokens, price
from app.settings import Endpoint
from app.simulate.estimates import LIKELY, Estimate, estimate
from app.store.explanation_rows import ExplanationRow

_SHOWN_TWICE = 2 * MOST_TOKENS  # a text in a prompt and its list of tokens, at their longest


class Begin(NamedTuple):
    """What is begun from."""

    statement: str
    polarity: Polarity
    old: Records  # evidence


def begin(neuron: Neuron, source: ExplanationRow) -> Begin:
    """From an explanation that is there. BadInput where the neuron has no evidence of this polarity."""
    return Begin(source.text, source.polarity, old_evidence(neuron, source))


def begin_anew(neuron: Neuron, polarity: Polarity) -> Begin:
    """From one that is yet to be made."""
    return Begin(LIKELY, polarity, usual_evidence(neuron, polarity))


class LivePreview(NamedTuple):
    """What it would take at most, every answer as long as it may be and every call repeated as often as allowed."""

    calls: int  # where every answer can be used
    most_calls: int
    tokens_in: int
    tokens_out: int
    price_usd: float
    texts: int  # that the subject model reads
    scoring: Estimate | None  # None: nothing is scored by a language model


def revising(
    neuron: Neuron,
    source: Begin,
    options: ReviseOptions,
    endpoint: Endpoint,
    score: ScoreOptions | None = None,
    scorer: Endpoint | None = None,
) -> LivePreview:
    """Of one explanation and its revision. Raises BadInput where there is no evidence."""
    shown = shown_evidence(source.old, neuron.statistics, neuron.vocabulary, source.polarity)
    prompt = revision_prompt(options.method, source.statement, shown, (), (), "{}")
    own = options.method is Method.REVISION
    new = 0 if options.method is Method.RE_EXPLANATION else (SENTENCES - KEPT) * _SHOWN_TWICE
    tokens_in = estimate_chat(prompt.messages) + new
    tokens_out = MAX_TOKENS + endpoint.thinking_tokens
    if own:
        tokens_in += estimate_chat(sentences_prompt(source.statement, SENTENCES))
        tokens_in += estimate_tokens(sentences_schema(SENTENCES))
        tokens_out += longest_answer(1, SENTENCES) + endpoint.thinking_tokens
    calls = 1 + own
    most = tuple(ASKED_AT_MOST * value for value in (calls, tokens_in, tokens_out))
    scoring = None
    if score is not None and scorer is not None:
        kept = KEPT if own or score.revision else 0
        scoring = _scoring(neuron, source, score, scorer, kept, 2)
    return LivePreview(
        calls, most[0], most[1], most[2], price(endpoint, most[1], most[2]), SENTENCES if own else 0, scoring
    )


def probing(
    neuron: Neuron,
    source: Begin,
    options: ProbeOptions,
    endpoint: Endpoint,
    score: ScoreOptions | None = None,
    scorer: Endpoint | None = None,
) -> LivePreview:
    """Of a probing that uses its whole budget. Raises BadInput for a budget of nothing, and where there is no evidence."""
    options.check()
    shown = shown_evidence(source.old, neuron.statistics, neuron.vocabulary, source.polarity)
    writing = estimate_chat(texts_prompt(source.statement, shown, (), options.texts))
    writing += estimate_tokens(texts_schema(options.texts))
    thinking = estimate_chat(rethink_prompt(source.statement, shown, (), (), {}).messages)
    a_round = 2 * options.texts * _SHOWN_TWICE
    asked: list[tuple[int, int]] = []  # tokens of each prompt and of its longest answer, in order
    for number in range(options.rounds):
        answer = longest_answer(len(NAMES), options.texts) + endpoint.thinking_tokens
        asked += [(writing + number * a_round, answer)] * ASKED_AT_MOST
        if number + 1 < options.rounds:
            short = MAX_TOKENS + endpoint.thinking_tokens
            asked += [(thinking + (number + 1) * a_round, short)] * ASKED_AT_MOST
    dearest = sorted(asked, key=lambda one: price(endpoint, *one), reverse=True)[: options.calls]
    tokens_in, tokens_out = sum(one[0] for one in dearest), sum(one[1] for one in dearest)
    usd = price(endpoint, tokens_in, tokens_out)
    scoring = None if score is None or scorer is None else _scoring(neuron, source, score, scorer, 0, 1)
    return LivePreview(
        min(options.calls, 2 * options.rounds - 1),
        len(dearest),
        tokens_in,
        tokens_out,
        usd if options.usd is None else min(usd, options.usd),
        2 * options.texts * options.rounds,
        scoring,
    )


def _scoring(
    neuron: Neuron, source: Begin, options: ScoreOptions, endpoint: Endpoint, sentences: int, statements: int
) -> Estimate:
    """Of so many statements like this one, each on the protocol's records and on so many sentences."""
    parts = [
        _records(neuron, source.polarity, options.protocol),
        dev_records(neuron.records, source.polarity),
    ]
    if sentences:
        parts.append(_records(neuron, source.polarity, Protocol.GENERATED))
    rows = {
        excerpt: tokens
        for part in parts
        for excerpt, tokens in zip(part.excerpts.tolist(), part.tokens.tolist(), strict=True)
    }
    pieces = [[neuron.vocabulary.pieces[token] for token in tokens] for tokens in rows.values()]
    pieces += pieces[:sentences]  # a sentence is no longer than an excerpt
    found = estimate(options.simulator, endpoint, source.statement, pieces)
    return Estimate(
        statements * found.calls,
        statements * found.tokens_in,
        statements * found.tokens_out,
        statements * found.price_usd,
    )


def _records(neuron: Neuron, polarity: Polarity, protocol: Protocol) -> Records:
    return score_records(neuron.records, protocol, polarity, bands=neuron.statistics.band_excerpts)[0]
