"""Where the tokens of an echoed prompt lie in it, and whether the prompt was echoed at all."""

from collections.abc import Sequence

# A token may carry part of a character: 4 bytes at most, so a run of such tokens covers at most as many characters.
_PART = "\ufffd"


def token_offsets(prompt: str, tokens: Sequence[str]) -> list[int] | None:
    """The offset of each token's first character in prompt + answer, or None where `tokens` do not begin with `prompt`.

    Servers differ in what they put for a token that is part of a character (U+FFFD, "bytes:\\xe2", nothing), in
    showing the token that begins a text, and in the first space: all of that is allowed for. With no prompt, offsets
    count from 0 over the tokens as they are.
    """
    if not prompt:
        return _running(tokens, 0)
    for skipped in (0, 1):  # a token that begins the text, such as <s>, may come first
        offsets = _aligned(prompt, tokens[skipped:])
        if offsets is not None:
            return [0] * skipped + offsets
    return None


def _running(tokens: Sequence[str], at: int) -> list[int]:
    offsets = []
    for token in tokens:
        offsets.append(at)
        at += len(token)
    return offsets


def _aligned(prompt: str, tokens: Sequence[str]) -> list[int] | None:
    offsets: list[int] = []
    at = 0
    unsure = 0  # tokens since the last sure place that were parts of characters
    for i, token in enumerate(tokens):
        if at >= len(prompt):
            return offsets + _running(tokens[i:], at)
        if _is_part(token):
            offsets.append(at)
            unsure += 1
            continue
        if i == 0 and token.startswith(" ") and not prompt.startswith(" "):
            token = token[1:]  # sentencepiece puts a space before a text
        found = _find(prompt, token, at, unsure)
        if found is None:
            if unsure and _only_parts_left(prompt, at, unsure):
                return offsets + _running(tokens[i:], len(prompt))
            return None
        offsets.append(found)
        at, unsure = found + len(token), 0
    if at >= len(prompt) or (unsure and _only_parts_left(prompt, at, unsure)):
        return offsets
    return None


def _find(prompt: str, token: str, at: int, unsure: int) -> int | None:
    """The next place of a whole token: right here, or after the few characters that `unsure` parts can cover."""
    for place in range(at, min(len(prompt), at + unsure) + 1):
        rest = len(prompt) - place
        if prompt.startswith(token, place) or (
            rest and len(token) > rest and token.startswith(prompt[place:])
        ):
            if place > at and prompt[at:place].isascii():
                return None
            return place
    return None


def _is_part(token: str) -> bool:
    return _PART in token or token.startswith("bytes:\\x") or token == ""


def _only_parts_left(prompt: str, at: int, unsure: int) -> bool:
    rest = prompt[at:]
    return 0 < len(rest) <= unsure and not rest.isascii()
