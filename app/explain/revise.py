"""Revising an explanation (BILLS, "Revising explanations"): sentences that fit it, then a statement that fits them too."""

from collections.abc import Sequence

from app.domain.explanations import ExplainOptions, Method
from app.domain.live_texts import Sentence, signed, threshold_of
from app.domain.neurons import Polarity, Records, Statistics
from app.domain.piece_text import inert
from app.domain.vocabulary import Vocabulary
from app.explain.evidence import Evidence, Shown, evidence
from app.explain.prompt import BEGINNING, Prompt
from app.explain.text import ESCAPES, bracketed_text, token_list
from app.explain.texts import lists_schema
from app.llm.messages import Message

SENTENCES_VERSION = "sentences-1"
VERSIONS = {
    Method.REVISION: "revision-1",
    Method.REVISION_RANDOM: "revision-random-1",
    Method.RE_EXPLANATION: "re-explanation-1",
}
SENTENCES_NAME = "sentences"

_SENTENCES = (
    "Each neuron of a language model looks for one particular thing in a text. You are told in a short phrase what one"
    " neuron is believed to find. Write sentences that put the belief to the test: each must contain what the phrase"
    " says, so that the neuron answers to it if the belief is right. Let them differ in subject, words and form, and"
    " let each be a natural sentence of 6 to 25 words that stands alone. Answer with JSON alone,"
    ' {"sentences": ["…"]}, with exactly %d entries.'
)
_TASK = (
    "You are studying single neurons of a language model. Each neuron looks for one particular thing in a text. Somebody"
    " has said in a short phrase what one neuron looks for, and you see %s. Say in a short phrase what it looks for: what"
    " its active tokens, or the words around them, have in common and all other tokens lack. Keep what was said where"
    " nothing speaks against it, and make it narrower, wider or another where something does. Do not give a list of"
    " words, and answer with the phrase alone."
)
_SEEN = {
    Method.REVISION: "excerpts in which it was most active, and sentences that were written to fit the phrase with what"
    " the neuron did on them; on some it may have stayed silent",
    Method.REVISION_RANDOM: "excerpts in which it was most active, and sentences drawn at random from those in which it"
    " was active at all",
    Method.RE_EXPLANATION: "excerpts in which it was most active",
}
_HEADINGS = {
    Method.REVISION: "Written to fit what was said:",
    Method.REVISION_RANDOM: "Drawn at random:",
}
_MARKS = f"[Brackets] stand around each token at which the neuron was active, and the list after a text repeats them. {ESCAPES}"


def one_line(statement: str) -> str:
    """A statement as a prompt holds it: one line in which nothing is a control token."""
    return inert(" ".join(statement.split()))


def sentences_prompt(statement: str, count: int) -> tuple[Message, ...]:
    """What asks for test sentences."""
    asked = f"{BEGINNING} {one_line(statement)}\n\nWrite {count} sentences."
    return (Message("system", _SENTENCES % count), Message("user", asked[0].upper() + asked[1:]))


def sentences_schema(count: int) -> str:
    """The schema of the answer."""
    return lists_schema((SENTENCES_NAME,), count)


def shown_evidence(
    records: Records, statistics: Statistics, vocabulary: Vocabulary, polarity: Polarity
) -> Evidence:
    """The old evidence [R, T], marked as the sentences are: above the token quantile. BadInput where there is none."""
    return evidence(records, statistics, vocabulary, ExplainOptions(polarity=polarity))


def shown_sentence(
    sentence: Sentence, statistics: Statistics, vocabulary: Vocabulary, polarity: Polarity
) -> Shown:
    """A sentence with its active tokens marked."""
    values = signed(sentence.live.activations, statistics, polarity)  # [T]
    above = (values > threshold_of(statistics, polarity)).tolist()
    pieces = tuple(vocabulary.pieces[token] for token in sentence.live.tokens)
    return Shown(pieces, tuple(int(mark) for mark in above), tuple(above))


def revision_prompt(
    method: Method,
    statement: str,
    old: Evidence,
    sentences: Sequence[Shown],
    excerpts: tuple[int, ...],
    parameters_json: str,
) -> Prompt:
    """What asks for a revised statement, of one of the three kinds; `excerpts` are all corpus excerpts behind it.

    The control without anything new is the same prompt without sentences, so that nothing else tells them apart.
    """
    lines = [f"Neuron\nWhat was said: {BEGINNING} {one_line(statement)}\n\nMost active:\n"]
    lines += [_block(i, shown) for i, shown in enumerate(old.excerpts, 1)]
    if sentences:
        lines.append(f"\n{_HEADINGS[method]}\n")
        lines += [_block(i, shown) for i, shown in enumerate(sentences, len(old.excerpts) + 1)]
    lines.append(f"\nExplanation of the neuron: {BEGINNING}")
    messages = (
        Message("system", f"{_TASK % _SEEN[method]}\n\n{_MARKS}"),
        Message("user", "".join(lines)),
    )
    return Prompt(method, messages, VERSIONS[method], excerpts, parameters_json)


def _block(number: int, shown: Shown) -> str:
    text = bracketed_text(shown.pieces, shown.active)
    return inert(f"Excerpt {number}: {text}\nActive tokens:{token_list(shown.pieces, shown.active)}\n")
