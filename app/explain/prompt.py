"""From a neuron's records to the exact messages that an explainer gets."""

import json
from collections.abc import Sequence
from dataclasses import dataclass

from app.domain.explanations import PROMPTED_METHODS, ExplainOptions, Method, ShownOptions
from app.domain.neurons import Records, Statistics
from app.domain.piece_text import inert
from app.domain.vocabulary import Vocabulary
from app.errors import BadInput
from app.explain.evidence import Evidence, evidence
from app.explain.examples import examples
from app.explain.formats import FORMATS, Format
from app.llm.messages import Message

MAX_TOKENS = 60
BEGINNING = "the main thing this neuron does is find"


@dataclass(frozen=True)
class Prompt:
    """Messages with all that decided them."""

    method: Method
    messages: tuple[Message, ...]
    version: str  # of the format, such as "summary-2"
    excerpts: tuple[int, ...]  # ordinals of the excerpts shown, strongest first
    parameters_json: str  # cut-off and maximum with their kinds and values, and the polarity
    lead: str = ""  # what stands before the answer in the statement: the question ends with it
    earlier: str = ""  # what was said of this neuron in an earlier turn, by which an answer may stand


def build_prompt(
    method: Method, records: Records, statistics: Statistics, vocabulary: Vocabulary, options: ExplainOptions
) -> Prompt:
    """The prompt of one of the five formats for the records of `explain_records` (R records of T tokens).

    Few-shot examples come as earlier turns of the chat; every question ends with the beginning of its answer. Text of
    the corpus that reads as a chat template's control token is broken up by a backslash: it must end no turn.
    Raises BadInput for a method without a prompt, without records, or for a cut-off without this polarity.
    """
    if method not in PROMPTED_METHODS:
        raise BadInput(f"The method {method} has no prompt. Those with one: {', '.join(PROMPTED_METHODS)}.")
    chosen = FORMATS[method]
    shown = evidence(records, statistics, vocabulary, options, uses_cut_off=chosen.uses_cut_off)
    messages = chat(chosen, shown)
    return Prompt(
        method,
        messages,
        chosen.version,
        tuple(records.excerpts.tolist()),
        _parameters(shown, options, statistics, chosen.uses_cut_off, chosen.uses_levels),
    )


def chat(chosen: Format, shown: Evidence, note: str = "") -> tuple[Message, ...]:
    """The few-shot examples and the question about this evidence; `note` is added to the system's message."""
    shots = [(chosen.block(example.evidence), example.explanation) for example in examples()]
    return conversation(f"{chosen.system} {note}".strip(), shots, chosen.block(shown))


def shown_parameters(shown: ShownOptions, excerpts: int) -> dict[str, object]:
    """What a provenance says of the evidence where it was not the usual: what was asked for, and how many there were."""
    if shown == ShownOptions():
        return {}
    asked = {"band": shown.band, "excerpts": shown.excerpts, "tokens": shown.tokens}
    return {"shown": {**asked, "excerpts_there": excerpts}}


def conversation(
    system: str, shots: Sequence[tuple[str, str]], block: str, lead: str = ""
) -> tuple[Message, ...]:
    """The chat: (block, explanation) of invented neurons as earlier turns, then the neuron's own block.

    Every question ends with the beginning of its answer, and with `lead` where each answer begins alike.
    """
    messages = [Message("system", system)]
    for i, (shown, explanation) in enumerate(shots, 1):
        messages.append(Message("user", question(i, shown, lead)))
        messages.append(Message("assistant", explanation))
    messages.append(Message("user", question(len(shots) + 1, inert(block), lead)))
    return tuple(messages)


def question(number: int, block: str, lead: str = "") -> str:
    """What is asked of one neuron: its block, and the beginning of the answer."""
    return f"Neuron {number}\n{block}\nExplanation of neuron {number}: {BEGINNING} {lead}".rstrip()


def _parameters(
    shown: Evidence, options: ExplainOptions, statistics: Statistics, uses_cut_off: bool, uses_levels: bool
) -> str:
    """What decided the prompt; a cut-off or a scale that the format does not use is left out."""
    values: dict[str, object] = {"polarity": options.polarity}
    if uses_cut_off:
        values |= {"cut_off": options.cut_off, "cut_off_value": shown.cut_off}
    if uses_levels:
        values |= {"scale_maximum": options.scale_maximum, "scale_maximum_value": shown.maximum}
    if statistics.position0:
        values["position0_left_out"] = True
    values |= shown_parameters(options.shown, len(shown.excerpts))
    return json.dumps(values, allow_nan=False)
