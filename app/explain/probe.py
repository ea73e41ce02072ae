"""Probing: an explainer tests its hypothesis on texts that it writes itself, and learns what the neuron did on them."""

import json
from collections.abc import Sequence

from app.domain.explanations import Method
from app.domain.live_texts import signed, threshold_of
from app.domain.neurons import Float32, Polarity, Statistics
from app.domain.piece_text import inert
from app.domain.probing import Probe
from app.domain.scale import levels
from app.domain.vocabulary import Vocabulary
from app.explain.evidence import Evidence, Shown
from app.explain.prompt import BEGINNING, Prompt
from app.explain.revise import one_line
from app.explain.text import ESCAPES, bracketed_text, in_list
from app.explain.texts import lists_schema
from app.llm.messages import Message

VERSION = "probing-1"
NAMES = ("active", "silent")

_STUDY = (
    "You are studying one neuron of a language model, which looks for one particular thing in a text, and you have a"
    " hypothesis about what that is. You can have the model read texts and see what the neuron does."
)
_WRITE = (
    f"{_STUDY} Write texts that put the hypothesis to the test. Under “active”: texts in which the neuron must be active"
    " if the hypothesis is right. Under “silent”: texts in which it must stay silent if it is right, as near to the"
    " others as can be, so that a hypothesis which is too wide or too narrow fails. Let each be a natural sentence of 6"
    " to 25 words, new, and unlike the others. Answer with JSON alone,"
    ' {"active": ["…"], "silent": ["…"]}, with exactly %d entries each.'
)
_RETHINK = (
    f"{_STUDY} Some of what it foretold was wrong. Say anew in a short phrase what the neuron looks for: what its active"
    " tokens, or the words around them, have in common and all other tokens lack. The phrase must hold for every excerpt"
    " and every text below. Do not give a list of words, and answer with the phrase alone."
)
_MARKS = (
    "[Brackets] stand around each token at which the neuron was active. After a text come its tokens from level 1 on,"
    f" each with a tab and its level up to 10, the neuron's strongest. {ESCAPES}"
)


def texts_prompt(
    hypothesis: str, old: Evidence, probes: Sequence[tuple[Probe, Shown]], count: int
) -> tuple[Message, ...]:
    """What asks for texts and counter-texts: the old evidence, what was tried before, and the hypothesis."""
    asked = f"{_known(old, probes)}\nHypothesis: {BEGINNING} {one_line(hypothesis)}\n\nWrite {count} texts of each kind."
    return (Message("system", f"{_WRITE % count}\n\n{_MARKS}"), Message("user", asked))


def texts_schema(count: int) -> str:
    """The schema of the answer."""
    return lists_schema(NAMES, count)


def rethink_prompt(
    hypothesis: str,
    old: Evidence,
    probes: Sequence[tuple[Probe, Shown]],
    excerpts: tuple[int, ...],
    parameters: dict[str, object],
) -> Prompt:
    """What asks for another hypothesis."""
    asked = (
        f"{_known(old, probes)}\nHypothesis that failed: {BEGINNING} {one_line(hypothesis)}\n\n"
        f"Explanation of the neuron: {BEGINNING}"
    )
    messages = (Message("system", f"{_RETHINK}\n\n{_MARKS}"), Message("user", asked))
    return Prompt(Method.PROBING, messages, VERSION, excerpts, json.dumps(parameters, allow_nan=False))


def shown_probe(
    probe: Probe, statistics: Statistics, vocabulary: Vocabulary, polarity: Polarity, maximum: float
) -> Shown:
    """A text with levels on the neuron's own scale, where `maximum` is 10."""
    values: Float32 = signed(probe.live.activations, statistics, polarity)  # [T]
    pieces = tuple(vocabulary.pieces[token] for token in probe.live.tokens)
    above = (values > threshold_of(statistics, polarity)).tolist()
    return Shown(pieces, tuple(levels(values, maximum).tolist()), tuple(above))


def _known(old: Evidence, probes: Sequence[tuple[Probe, Shown]]) -> str:
    lines = ["Excerpts of the corpus in which the neuron was most active:\n"]
    lines += [_block(f"Excerpt {i}", shown) for i, shown in enumerate(old.excerpts, 1)]
    if probes:
        lines.append("\nTexts that were tried:\n")
        for i, (probe, shown) in enumerate(probes, len(old.excerpts) + 1):
            foretold = "active" if probe.expected else "silent"
            lines.append(f"(foretold {foretold}, was {'active' if probe.active else 'silent'})\n")
            lines.append(_block(f"Excerpt {i}", shown))
    return "".join(lines)


def _block(head: str, shown: Shown) -> str:
    pairs = [f"{in_list(p)}\t{n}" for p, n in zip(shown.pieces, shown.levels, strict=True) if n > 0]
    listed = ",".join(pairs) if pairs else " (none)"
    return inert(f"{head}: {bracketed_text(shown.pieces, shown.active)}\nLevels:{listed}\n")
