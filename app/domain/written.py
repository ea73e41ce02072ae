"""What people write: names of lists, notes, comments, statements. Checked here, whichever way it comes in."""

import re
import unicodedata

from app.errors import BadInput

NAME = 120  # characters, as all of these
AUTHOR = 60
DESCRIPTION = 2_000
NOTE = 2_000
COMMENT = 5_000
STATEMENT = 1_000
SLUG = 60

_JOINERS = "\u200c\u200d"  # invisible, but scripts and emoji are spelt with them
# Controls and line ends, what reorders or hides text, halves of surrogate pairs, characters without a meaning of their own.
_HIDDEN = frozenset(["Cc", "Cf", "Cs", "Co", "Zl", "Zp"])


def one_line(text: str, what: str, most: int) -> str:
    """A text that stands in one line: blanks at its ends are dropped and runs of them joined.

    BadInput where it is empty, too long, or holds what cannot be seen: control characters, marks of writing direction.
    """
    found = " ".join(part for part in text.split(" ") if part)
    if not found or all(_hidden(char) or char.isspace() or char in _JOINERS for char in found):
        raise BadInput(f"{what} needs a letter or two: it is empty")
    _within(found, what, most)
    for char in found:
        if _hidden(char):
            raise BadInput(
                f"{what} holds a character that cannot be seen (U+{ord(char):04X}): write it without"
            )
    return found


def prose(text: str, what: str, most: int, *, needed: bool = False) -> str:
    """A text of any number of lines, whose ends become newlines; blanks around it are dropped.

    BadInput where it is too long, holds a control character other than newline and tab, or is empty though `needed`.
    """
    found = text.replace("\r\n", "\n").replace("\r", "\n").strip()
    if needed and not found:
        raise BadInput(f"{what} needs some words: it is empty")
    _within(found, what, most)
    for char in found:
        if char not in "\n\t" and unicodedata.category(char) in ("Cc", "Cs"):
            raise BadInput(f"{what} holds a control character (U+{ord(char):04X}): write it without")
    return found


def statement(text: str) -> str:
    """An explanation that a person wrote, in one line whatever lines it came in. BadInput as `one_line`."""
    return one_line(" ".join(text.split()), "an explanation", STATEMENT)


def same(name: str) -> str:
    """Equal for names that people would take for each other: whatever their case, width and invisible joiners."""
    folded = unicodedata.normalize("NFKC", name).casefold()
    return "".join(char for char in unicodedata.normalize("NFKC", folded) if char not in _JOINERS)


def slug(name: str) -> str:
    """A name as part of an address: ASCII letters, digits and hyphens; `list` where nothing of it is left."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:SLUG].strip("-") or "list"


def _within(text: str, what: str, most: int) -> None:
    if len(text) > most:
        raise BadInput(f"{what} has at most {most:,} characters, this one {len(text):,}: shorten it")


def _hidden(char: str) -> bool:
    return char not in _JOINERS and unicodedata.category(char) in _HIDDEN
