"""Excerpts as text in a prompt: one line each, and no two different token sequences look alike.

What `app.domain.piece_text` does for one token (`\\n`, `\\t`, `\\xE2`, doubled backslashes) is done here for running
text, where a character that several tokens make up together is shown as that character.
"""

from collections.abc import Sequence

from app.domain.piece_text import field_text

ESCAPES = "A backslash stands before what cannot be shown as it is: \\n is a line break, \\t a tab, \\xE2 a single byte."


def running_text(pieces: Sequence[bytes]) -> str:
    """The excerpt as one line."""
    out: list[str] = []
    held: list[bytes] = []  # tokens that do not yet end with a whole character
    for piece in pieces:
        held.append(piece)
        if _is_text(b"".join(held)):
            out.append(field_text(b"".join(held)))
            held = []
        elif not _may_become_text(b"".join(held)):
            out += [field_text(part) for part in held]
            held = []
    out += [field_text(part) for part in held]
    return "".join(out)


def bracketed_text(pieces: Sequence[bytes], marked: Sequence[bool]) -> str:
    """The excerpt as one line, each marked token in [brackets]; brackets of the text itself read \\[ and \\]."""
    out: list[str] = []
    run: list[bytes] = []
    for piece, mark in zip(pieces, marked, strict=True):
        if not mark:
            run.append(piece)
            continue
        out += [_no_brackets(running_text(run)), "[", _no_brackets(field_text(piece)), "]"]
        run = []
    out.append(_no_brackets(running_text(run)))
    return "".join(out)


def token_list(pieces: Sequence[bytes], marked: Sequence[bool]) -> str:
    """The marked tokens in text order, repeats kept, joined by commas; a comma of the text itself reads \\,."""
    chosen = [in_list(piece) for piece, mark in zip(pieces, marked, strict=True) if mark]
    return ",".join(chosen) if chosen else " (none)"


def in_list(piece: bytes) -> str:
    """One token in a list that is joined by commas. It keeps its space, so that a list reads as one would write it."""
    return field_text(piece).replace(",", "\\,")


def _no_brackets(text: str) -> str:
    return text.replace("[", "\\[").replace("]", "\\]")


def _is_text(data: bytes) -> bool:
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _may_become_text(data: bytes) -> bool:
    """Whether more bytes can make this whole text: everything but a beginning of a last character is sound."""
    try:
        data.decode("utf-8")
    except UnicodeDecodeError as error:
        return error.reason == "unexpected end of data"
    return True
