"""Where the tokens of an echoed prompt lie in it, and whether the prompt was echoed at all.

Servers differ in what they put for a token that ends or begins within a character (U+FFFD for one to three of its
bytes, "bytes:\\xe2", nothing), in showing the token that begins a text, and in the first space. So a token is read as
a pattern over the prompt's UTF-8 bytes, and all places that the tokens so far can have led to are followed at once.
"""

import re
from collections.abc import Sequence
from typing import NamedTuple

_REPLACED = "\ufffd"
_AS_BYTES = re.compile(r"bytes:((?:\\x[0-9a-fA-F]{2})+)")


def token_offsets(prompt: str, tokens: Sequence[str]) -> list[int] | None:
    """The offset of each token's first character in prompt + answer; None where `tokens` do not begin with `prompt`.

    A token that begins within a character has that character's offset. With no prompt, offsets count from 0 over the
    tokens as they are.
    """
    if not prompt:
        return _running(tokens, 0)
    for skipped in (0, 1):  # a token that begins the text, such as <s>, may come first
        offsets = _aligned(prompt, tokens[skipped:])
        if offsets is not None:
            return [0] * skipped + offsets
    return None


class _Part(NamedTuple):
    """Either these very bytes, or (None) from `least` to `most` bytes of characters beyond ASCII."""

    literal: bytes | None
    least: int = 0
    most: int = 0


def _pattern(token: str) -> list[_Part]:
    as_bytes = _AS_BYTES.fullmatch(token)
    if as_bytes:
        return [_Part(bytes.fromhex(as_bytes[1].replace("\\x", "")))]
    parts: list[_Part] = []
    for i, literal in enumerate(token.split(_REPLACED)):
        if i:
            parts.append(_Part(None, 1, 3))
        if literal:
            parts.append(_Part(literal.encode("utf-8", "surrogatepass")))
    return parts


def _after(data: bytes, start: int, parts: Sequence[_Part]) -> set[int]:
    """All places where a token that begins at `start` can end."""
    places = {start}
    end = start
    while end < len(data) and _within(data, end):  # the rest of a begun character, which was not shown
        end += 1
        places.add(end)
    for part in parts:
        following: set[int] = set()
        for place in places:
            if part.literal is not None:
                if data.startswith(part.literal, place):
                    following.add(place + len(part.literal))
                continue
            for length in range(part.most + 1):
                if length and (place + length > len(data) or data[place + length - 1] < 0x80):
                    break
                if length >= part.least:
                    following.add(place + length)
        places = following
    for place in list(places):  # the beginning of a character, which was not shown
        end = place + 1
        while end < len(data) and _within(data, end):
            places.add(end)
            end += 1
    return places


def _within(data: bytes, place: int) -> bool:
    """Whether this byte continues a character."""
    return data[place] & 0xC0 == 0x80


def _aligned(prompt: str, tokens: Sequence[str]) -> list[int] | None:
    data = prompt.encode("utf-8", "surrogatepass")
    came_from: list[dict[int, int]] = []  # for each token: the place where it ends -> a place where it began
    places = {0}
    whole = None  # how many tokens make up the prompt
    for i, token in enumerate(tokens):
        if places == {len(data)}:
            break
        if i == 0 and token.startswith(" ") and not prompt.startswith(" "):
            token = token[1:]  # sentencepiece puts a space before a text
        parts = _pattern(token)
        step = {end: start for start in sorted(places) for end in _after(data, start, parts)}
        if not step:
            break
        came_from.append(step)
        places = set(step)
        if len(data) in places:
            whole = i + 1
    if whole is None:
        return None
    begun = []
    place = len(data)
    for step in reversed(came_from[:whole]):
        place = step[place]
        begun.append(place)
    return _characters(prompt, begun[::-1]) + _running(tokens[whole:], len(prompt))


def _characters(prompt: str, places: Sequence[int]) -> list[int]:
    """Places among the bytes as indices of characters. `places` ascend."""
    offsets, index, passed = [], 0, 0
    for place in places:
        while index < len(prompt):
            width = len(prompt[index].encode("utf-8", "surrogatepass"))
            if passed + width > place:
                break
            passed += width
            index += 1
        offsets.append(index)
    return offsets


def _running(tokens: Sequence[str], at: int) -> list[int]:
    offsets = []
    for token in tokens:
        offsets.append(at)
        at += len(token)
    return offsets
