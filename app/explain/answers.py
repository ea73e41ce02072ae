"""Whether what a language model answered is an explanation, and its bare text."""

import re
import unicodedata
from collections.abc import Sequence

from app.errors import AnswerError
from app.explain.examples import examples
from app.llm.messages import REFUSED
from app.llm.pricing import estimate_tokens

LONGEST = 60  # tokens
REPEATS = 4  # the same words so often in a row are a loop

_LEAD = re.compile(
    r"""^(?:explanation(?:\s+of\s+neuron\s+\d+)?(?:'s\s+behaviou?r)?\s*:\s*)?
        (?:(?:the\s+)?main\s+thing\s+(?:that\s+)?(?:this|the)\s+neuron(?:\s+\d+)?\s+(?:does|looks\s+for)\s+is
           (?:\s+to)?(?:\s+find(?:ing)?)?\b\s*:?\s*)?""",
    re.IGNORECASE | re.VERBOSE,
)
_THOUGHT_MARKS = re.compile(
    r"</?\s*(?:think|thinking|thought|reasoning|reflection|analysis|scratchpad)\b|◁/?think▷|<\|channel\|>",
    re.IGNORECASE,
)
# How reasoning and refusals begin. An explanation that begins with the same words in quotation marks is about them.
_OPENING = r"^[^\w\"“'‘«]*"
_REASONING = re.compile(
    _OPENING
    + r"""(?:(?:okay|ok|alright|hmm|wait)\s*[,.!…:]+\s+(?:so|the|let|let's|i|we|this|that|now|first|looking)\b|
        the\s+user\s+(?:wants|is\s+asking|asks|asked|gave|has\s+given|provided)|
        we\s+(?:need\s+to|are\s+given|have\s+to|must)\b(?!\s+(?:and|or)\b)|
        let\s+me\s+(?:think|look|see|analy[sz]e|examine|start)|let's\s+(?:think|look|see|analy[sz]e|examine)|
        (?:first|so),?\s+(?:i|we)\s+(?:need|should|will|have))""",
    re.IGNORECASE | re.VERBOSE,
)
_REFUSAL = re.compile(
    _OPENING
    + r"""(?:(?:i'?m|i\s+am)\s+(?:very\s+|really\s+)?(?:sorry|unable|not\s+able|afraid)\b|
        sorry,\s+(?:but|i|that|this|the|we|you|no|it|there)\b|
        (?:i\s+)?apologi[sz]e\b|my\s+apologies|
        i\s+(?:can(?:no|')?t|can\s+not|won't|will\s+not|do\s+not|don't)\s+
          (?:help|assist|answer|provide|determine|explain|comply|fulfil+|do|see|have|identify|discuss|know)\b|
        as\s+an?\s+(?:ai|artificial|large\s+language|language\s+model)|unfortunately,?\s+i\b)""",
    re.IGNORECASE | re.VERBOSE,
)
_ITEM = re.compile(r"^\s*(?:[-*•‣·–—]\s+|\(?\d{1,2}[.):]\s+|\(?[a-hivx]{1,3}\)\s+)", re.IGNORECASE)
_INLINE_ITEMS = re.compile(r"(?:^|\s)\(?1[.)]\s.*\s\(?2[.)]\s", re.DOTALL)
_PROMPT_MARKS = re.compile(
    r"</?start>|<end>|^\s*activations?:|(?:active|promoted|next)\s+tokens:|^\s*excerpt\s+\d+\s*:|^\s*neuron\s+\d+\s*$|"
    r"\b(?:this|the)\s+neuron\s+(?:does|looks\s+for)\s+is\b|the\s+same\s+without\s+the\s+zeros|explanation\s+of\s+neuron\s+\d+\s*:|\t\d",
    re.IGNORECASE | re.MULTILINE,
)
_QUOTES = {'"': '"', "“": "”", "'": "'", "‘": "’", "«": "»", "`": "`"}


def check_answer(
    text: str, finish_reason: str = "stop", shots: Sequence[str] | None = None, lead: str = ""
) -> str:
    """The bare explanation: it continues "the main thing this neuron does is find", without quotes or final period.

    `shots` are the answers that the prompt shows (those of the five formats where not given), `lead` is what the question
    ended with, which an answer may repeat.

    Raises AnswerError with a plain reason for what is none: empty, blocked, leaked reasoning, a refusal, a list,
    several paragraphs, a repetition of the prompt, a beginning without its end, no words, a loop, or far too long.
    """
    if finish_reason == "content_filter":
        raise AnswerError("the endpoint's content filter blocked the answer")
    if finish_reason == REFUSED:
        raise AnswerError("the model refused to answer")
    if not text.strip():
        raise AnswerError(
            "the answer is empty though it used all its tokens, as when a model thinks first: give its endpoint more"
            " thinking_tokens"
            if finish_reason == "length"
            else "the answer is empty"
        )
    bare = _bare(text, lead)
    if _THOUGHT_MARKS.search(text) or _REASONING.search(bare.replace("’", "'")):
        raise AnswerError("the answer holds the model's reasoning instead of an explanation")
    if not bare:
        raise AnswerError("the answer is empty")
    if _REFUSAL.search(bare.replace("’", "'")):
        raise AnswerError("the model refused to answer")
    if _PROMPT_MARKS.search(bare):
        raise AnswerError("the answer repeats parts of the prompt")
    lines = [line for line in bare.splitlines() if line.strip()]
    if _INLINE_ITEMS.search(bare) or any(_ITEM.match(line) for line in lines):
        raise AnswerError("the answer is a list")
    if len(lines) > 1:
        raise AnswerError("the answer has several paragraphs or lines")
    if bare.endswith((",", ";", ":")):
        raise AnswerError("the answer breaks off or announces a list")
    known = [example.explanation for example in examples()] if shots is None else shots
    if any(shot.lower() in bare.lower() for shot in known):
        raise AnswerError("the answer repeats an example of the prompt")
    if _unreadable(bare):
        raise AnswerError("the answer is no readable text")
    if _loops(bare):
        raise AnswerError("the answer repeats itself")
    if finish_reason == "length" or estimate_tokens(bare) > LONGEST:
        raise AnswerError(f"the answer is longer than {LONGEST} tokens")
    return bare


def _bare(text: str, lead: str) -> str:
    """Without what people and models put around a phrase: spaces, the beginning again, marks, a final period."""
    repeated = lead.strip().lower()
    before = None
    while before != text:  # each may uncover another
        before = text
        text = _unquoted(_LEAD.sub("", text.strip(), count=1).strip())
        if repeated and text.lower().startswith(repeated):
            text = text[len(repeated) :].strip()
        if (
            text.endswith(".")
            and not text.endswith("..")
            and not re.search(r"\b[a-z]\.[a-z]\.$", text, re.IGNORECASE)
        ):
            text = text[:-1]
    return text


def _unquoted(text: str) -> str:
    """Without one pair of quotes or marks of emphasis that enclose the whole."""
    for mark in ("**", "__"):
        if len(text) > 4 and text.startswith(mark) and text.endswith(mark) and mark not in text[2:-2]:
            return text[2:-2]
    if len(text) > 2 and text[0] in _QUOTES:
        close = _QUOTES[text[0]]
        inner = text[1:-1]
        if text.endswith(close) and text[0] not in inner and close not in inner:
            return inner
    return text


def _unreadable(text: str) -> bool:
    """No letter in it, or characters that text does not have."""
    if not any(char.isalpha() for char in text):
        return True
    return any(char == "\ufffd" or unicodedata.category(char) in ("Cc", "Cn", "Co", "Cs") for char in text)


def _loops(text: str) -> bool:
    """Whether one to six words come `REPEATS` times in a row."""
    words = text.lower().split()
    for size in range(1, 7):
        for start in range(len(words) - size * REPEATS + 1):
            unit = words[start : start + size]
            if all(words[start + k * size : start + (k + 1) * size] == unit for k in range(1, REPEATS)):
                return True
    return False
