"""Descriptions as raters see them: set alike, so that nothing but what they say tells them apart, and each shown once."""

import unicodedata
from collections.abc import Sequence
from typing import NamedTuple

_ENDS = (".", "!", "?", "…", "。", "！", "？")
_CLOSING = "\"'”’»)]"


def alike(raw: str) -> str:
    """One line, a capital first, a stop last; every other character as it is (NFC). Empty stays empty.

    >>> alike("  words about\\tthe sea")
    'Words about the sea.'
    """
    text = " ".join(unicodedata.normalize("NFC", raw).split())
    if not text:
        return ""
    first = text[0].upper()
    if len(first) == 1:  # no "ß" that would become two letters
        text = first + text[1:]
    return text if text.rstrip(_CLOSING).endswith(_ENDS) else f"{text}."


class Source(NamedTuple):
    """Where a description comes from."""

    arm: int  # index into the definition's arms; -1: none of them, as in gold items
    explanation_id: int | None
    raw: str  # as its maker wrote it


class Shown(NamedTuple):
    """One description as it is shown, whoever said it."""

    text: str
    sources: tuple[Source, ...]
    right: bool | None = None  # of a gold item: whether it is the right answer

    @property
    def credit(self) -> float:
        """What each source gets when this text is chosen: 1/m of m that say the same."""
        return 1 / len(self.sources)


def once(sources: Sequence[Source]) -> tuple[Shown, ...]:
    """Sources by what raters would read, in order of first appearance. A study in which two arms say the same shows it once."""
    found: dict[str, list[Source]] = {}
    for source in sources:
        found.setdefault(alike(source.raw), []).append(source)
    return tuple(Shown(text, tuple(by)) for text, by in found.items())
