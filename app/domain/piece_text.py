"""One token as one field of a prompt's line: no tab, newline or broken byte survives, and no two tokens look
alike."""

import re
from functools import lru_cache

LONGEST = 48  # characters of one token that a prompt shows; vocabularies hold a few of hundreds of characters
_NAMED = {"\\": "\\\\", "\n": "\\n", "\t": "\\t", "\r": "\\r"}
# Text that servers read as control tokens when it stands in a prompt, such as <|im_end|>, </s> or [INST].
_CONTROL = re.compile(
    r"<(?=[|\uff5c])"
    r"|<(?=/?(?:s|bos|eos|pad|unk|mask|cls|sep|think|tool_call|unused\d*|(?:start|end)_of_\w*)>)"
    r"|\[(?=/?INST\])"
)


@lru_cache(maxsize=1 << 16)  # a prompt holds a token many times, and prompts the same tokens
def field_text(piece: bytes) -> str:
    """A token's bytes as text for a line of `token<TAB>value`.

    UTF-8 text stands for itself, spaces included. A backslash is doubled; newline, tab and return are `\\n`,
    `\\t`, `\\r`; other line separators and controls are `\\u{2028}`, bytes that are no UTF-8 `\\xE2`. What
    passes `LONGEST` characters is cut and ends in `\\…`. Apart from cut tokens the text can be read back to
    the same bytes.
    """
    text = piece.decode("utf-8", "surrogateescape")
    out = "".join(_char(char) for char in text[: LONGEST + 1])
    return out if len(text) <= LONGEST else "".join(_char(char) for char in text[:LONGEST]) + "\\…"


def inert(text: str) -> str:
    """Text in which nothing is a control token of a chat template: a backslash breaks what looks like one."""
    return _CONTROL.sub(r"\g<0>\\", text)


def _char(char: str) -> str:
    if char in _NAMED:
        return _NAMED[char]
    if "\udc80" <= char <= "\udcff":
        return f"\\x{ord(char) - 0xDC00:02X}"
    if char < " " or char in "\x7f\u0085\u2028\u2029":
        return f"\\u{{{ord(char):X}}}"
    return char
