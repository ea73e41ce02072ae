"""Token ids as bytes, as text for prompts, and as text that people can see."""

import unicodedata
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Vocabulary:
    """A model's tokens as the bytes that they stand for; index = token id."""

    pieces: tuple[bytes, ...]
    special: frozenset[int] = field(default_factory=frozenset)

    def __len__(self) -> int:
        return len(self.pieces)

    def bytes_of(self, ids: NDArray[np.int32]) -> bytes:
        """The bytes that a run of tokens stands for."""
        return b"".join(self.pieces[i] for i in ids.tolist())

    def text(self, ids: NDArray[np.int32]) -> str:
        """Running text; bytes that are no UTF-8 become U+FFFD."""
        return self.bytes_of(ids).decode("utf-8", "replace")

    @cached_property
    def shown(self) -> tuple[str, ...]:
        """Every token made visible and inert: part of a character as ‹E2 82›, controls as symbols. Not HTML-escaped.

        Newline and tab stay themselves: their makers of HTML and prompts decide how to show them.
        """
        return tuple(visible(piece) for piece in self.pieces)


def visible(piece: bytes) -> str:
    """One token's bytes as text in which nothing is hidden: no control, bidi, zero-width or unpaired byte survives."""
    out: list[str] = []
    text = piece.decode("utf-8", "surrogateescape")
    if text.isprintable():
        return text
    i = 0
    while i < len(text):
        char = text[i]
        if "\udc80" <= char <= "\udcff":
            j = i
            while j < len(text) and "\udc80" <= text[j] <= "\udcff":
                j += 1
            out.append("‹" + " ".join(f"{ord(c) - 0xDC00:02X}" for c in text[i:j]) + "›")
            i = j
            continue
        out.append(_visible_char(char))
        i += 1
    return "".join(out)


def _visible_char(char: str) -> str:
    if char in "\n\t":
        return char
    code = ord(char)
    if code < 0x20:
        return chr(0x2400 + code)
    if code == 0x7F:
        return "\u2421"
    if code == 0xA0 or unicodedata.category(char) in ("Cc", "Cf", "Cn", "Co", "Zl", "Zp"):
        return f"‹U+{code:04X}›"
    return char
