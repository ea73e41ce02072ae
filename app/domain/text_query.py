"""What a person writes to search explanations by their words, and where a text has them.

`store`            the word
`"the store"`      the words one after the other; a quotation that does not end goes to the end of what was written
`stor*`            words that begin so; `"the stor"*` is no prefix
`-store`           not this word; also -"the store" and -stor*

A word is a run of letters (of any script) and the digits 0 to 9; capitals do not matter, nor do accents of Latin letters. What
else is written parts words: `well-known` is a quotation of two. All that is asked for must be there. No other sign has a
meaning, so there is nothing that a database could refuse.
"""

import re
import unicodedata
from dataclasses import dataclass
from typing import NamedTuple

from app.errors import BadInput

LONGEST = 1000  # characters of a query
LONGEST_WORD = 100
MOST_TERMS = 40
FEWEST_OF_PREFIX = 2  # letters before the asterisk: one letter begins a large part of all words

_QUOTES = str.maketrans(dict.fromkeys("“”„«»＂", '"'))
_PIECE = re.compile(r"(?P<minus>[-−–]?)(?:\"(?P<quoted>[^\"]*)(?:\"|$)|(?P<bare>[^\s\"]+))")
_ASCII_WORD = re.compile(r"[0-9A-Za-z]+")
_RUN = re.compile(r"\S+")
_DIGITS = frozenset("0123456789")
_LATIN_ACCENTS = re.compile("([a-z])[\u0300-\u036f]+")


class Term(NamedTuple):
    """Words that follow each other, in their plain form; with `prefix` the last one goes on in any way."""

    words: tuple[str, ...]
    prefix: bool = False


@dataclass(frozen=True)
class TextQuery:
    """All of `wanted`, none of `unwanted`."""

    wanted: tuple[Term, ...]
    unwanted: tuple[Term, ...] = ()


class Word(NamedTuple):
    """A word of a text: where it stands, and its plain form."""

    start: int
    end: int
    plain: str


def parse(text: str) -> TextQuery:
    """What was asked for. Raises BadInput, in one sentence, for what cannot be searched."""
    if len(text) > LONGEST:
        raise BadInput(
            f"a search has at most {LONGEST:,} characters, this one {len(text):,}: take a few words of it"
        )
    wanted: dict[Term, None] = {}
    unwanted: dict[Term, None] = {}
    for piece in _PIECE.finditer(text.translate(_QUOTES)):
        bare = piece["bare"]
        found = tuple(word.plain for word in words(piece["quoted"] if bare is None else bare))
        if not found:
            continue
        term = Term(found, bare is not None and bare.rstrip(",.;:!?)").endswith("*"))
        _check(term)
        (unwanted if piece["minus"] else wanted)[term] = None
    if not wanted:
        if unwanted:
            raise BadInput("a search needs a word that is wanted beside those that are not: add one")
        raise BadInput(f"there is no word to search for in “{_shortened(text)}”: write letters or digits")
    if len(wanted) + len(unwanted) > MOST_TERMS:
        raise BadInput(f"a search has at most {MOST_TERMS} words: leave some out")
    return TextQuery(tuple(wanted), tuple(unwanted))


def words(text: str) -> list[Word]:
    """The words of a text in order."""
    if text.isascii():
        return [Word(m.start(), m.end(), m[0].lower()) for m in _ASCII_WORD.finditer(text)]
    spaced = "".join(c if _inside(c) else " " for c in text)
    found = (Word(m.start(), m.end(), plain(m[0])) for m in _RUN.finditer(spaced))
    return [word for word in found if any(map(str.isalnum, word.plain))]


def plain(word: str) -> str:
    """A word without capitals, and without the accents of Latin letters: `Café` as `cafe`, `Йод` as `йод`."""
    small = word.lower()
    if small.isascii():
        return small
    apart = unicodedata.normalize("NFD", small)
    return unicodedata.normalize("NFC", _LATIN_ACCENTS.sub(r"\1", apart))


def marks(query: TextQuery, text: str) -> list[tuple[int, int]]:
    """Where a text has what is wanted: spans of characters from left to right, none overlapping another."""
    there = words(text)
    hit = [False] * len(there)
    joined = [False] * len(there)  # with the next one, as parts of one quotation
    for term in query.wanted:
        n = len(term.words)
        for i in range(len(there) - n + 1):
            if all(_fits(term, k, there[i + k].plain) for k in range(n)):
                hit[i : i + n] = [True] * n
                joined[i : i + n - 1] = [True] * (n - 1)
    spans: list[tuple[int, int]] = []
    for i, word in enumerate(there):
        if not hit[i]:
            continue
        if i and joined[i - 1] and spans:
            spans[-1] = (spans[-1][0], word.end)
        else:
            spans.append((word.start, word.end))
    return spans


def _fits(term: Term, place: int, word: str) -> bool:
    wanted = term.words[place]
    if term.prefix and place == len(term.words) - 1:
        return word.startswith(wanted)
    return word == wanted


def _inside(c: str) -> bool:
    return c.isalpha() or c in _DIGITS or "\u0300" <= c <= "\u036f"


def _check(term: Term) -> None:
    for word in term.words:
        if len(word) > LONGEST_WORD:
            raise BadInput(f"“{word[:20]}…” is too long for a word: at most {LONGEST_WORD} letters")
    if term.prefix and len(term.words[-1]) < FEWEST_OF_PREFIX:
        raise BadInput(
            f"“{term.words[-1]}*” begins too many words: write at least {FEWEST_OF_PREFIX} letters before the *"
        )


def _shortened(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= 40 else f"{line[:39]}…"
