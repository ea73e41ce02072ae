"""Documents that are nearly the same, so that copies never stand on both sides of a split.

Two documents belong together, and pass it on, when one of these holds:

* their words are the same (case and punctuation aside);
* they share a window of 64 tokens, which could be one and the same excerpt. Windows of hardly changing tokens
  (rules, blank lines, padding) say nothing and are left out;
* they share a passage of 50 words, about as long as an excerpt, which only a few documents hold;
* they share at least 10 % of the distinct 13-word sequences (13-grams) of the one that has fewer.

Why not a single 13-gram: speeches, laws and web pages share set phrases, and as belonging together is passed on,
one phrase in each would chain a corpus into one cluster and leave nothing to hold out. In the demo's 372 documents,
hardly any of them copies, one shared 13-gram makes a cluster of 97. With the rules above the largest has 9, all of
them presidents who quote a treaty, their predecessor or themselves at length. A passage in more than `FEW`
documents is taken for boilerplate (a licence, a footer): alone it joins nothing, while its share of 13-grams does.

The cost is that of sorting hashes; no pair of documents is compared. Beyond `KEEP` hashes of one sort only those that
fall into a fixed share are kept, the same in every document: shares of 13-grams stay unbiased estimates.
"""

import re
from collections.abc import Iterator, Sequence
from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray

from app.domain.hashing import UInt64, mix

Places = NDArray[np.int64]

WINDOW = 64  # tokens
PASSAGE = 50  # words
GRAM = 13  # words
SHARE = 0.1  # of the 13-grams of the document that has fewer
FEW = 8  # documents
MIN_CHANGES = 8  # changes of token within a window that says something
KEEP = 1 << 23  # hashes of one sort

_BASE = 0x9E3779B97F4A7C15  # odd: the base of the polynomial that hashes a run
_WORD = re.compile(r"\w+")
# Scripts written without spaces: Thai, Lao, Burmese, Khmer, kana, Han. There every character is a word.
_UNSPACED = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff"
_SIGN = re.compile(f"[{_UNSPACED}]")
_WORD_OR_SIGN = re.compile(rf"[{_UNSPACED}]|[^\W{_UNSPACED}]+")


def cluster(texts: Sequence[str], tokens: Sequence[NDArray[np.integer]]) -> list[int]:
    """Per document the label of its cluster: the smallest position among its members.

    `texts` are whole documents; `tokens` [n] the token ids of each, or of those parts that may become excerpts.
    As sets, clusters depend on the documents' order only through 13-grams that more than `FEW` of them share.
    """
    if len(texts) != len(tokens):
        raise ValueError(f"{len(texts)} texts do not fit {len(tokens)} token arrays")
    groups = _Groups(len(texts))
    windows, wholes, passages, grams = _Kept(), _Kept(), _Kept(), _Kept()
    for ids in tokens:
        windows.add(_windows(ids))
    for words in _words(texts):
        wholes.add(_whole(words))
        passages.add(_runs(words, PASSAGE))
        grams.add(_runs(words, GRAM))
    groups.join(*windows.pairs()[:2])
    groups.join(*wholes.pairs()[:2])
    groups.join(*passages.pairs(at_most=FEW)[:2])
    first, second, shared = grams.pairs(all_up_to=FEW)
    enough = shared >= SHARE * np.minimum(grams.sizes[first], grams.sizes[second])
    groups.join(first[enough], second[enough])
    return groups.labels()


class _Kept:
    """Hashes of one sort: the distinct ones of every document, thinned alike in all when they grow too many."""

    def __init__(self) -> None:
        self._own: list[UInt64] = []
        self._total = 0
        self._mask = np.uint64(0)  # kept: hashes with none of these bits

    def add(self, hashes: UInt64) -> None:
        own = np.sort(hashes[(hashes & self._mask) == 0])
        own = (
            own[np.append(True, own[1:] != own[:-1])] if len(own) else own
        )  # np.unique takes five times as long
        self._own.append(own)
        self._total += len(own)
        while self._total > KEEP:
            self._mask = (self._mask << np.uint64(1)) | np.uint64(1)
            self._own = [one[(one & self._mask) == 0] for one in self._own]
            self._total = sum(map(len, self._own))

    @property
    def sizes(self) -> Places:
        """Hashes kept of each document, [documents]."""
        return np.array([len(own) for own in self._own], np.int64)

    def pairs(self, *, all_up_to: int = 2, at_most: int | None = None) -> tuple[Places, Places, Places]:
        """Documents (first < second) that share hashes, and how many, three arrays [pairs].

        Where more than `all_up_to` documents hold a hash, only neighbours among them are paired: documents that share
        most of their hashes are neighbours in most, and the cost stays linear. Hashes that more than `at_most`
        documents hold are left out.
        """
        hashes = np.concatenate(self._own) if self._own else np.zeros(0, np.uint64)
        owners = np.repeat(np.arange(len(self._own)), self.sizes)
        order = np.argsort(hashes)
        hashes, owners = hashes[order], owners[order]
        again = np.zeros(len(hashes), np.bool_)
        again[1:] = hashes[1:] == hashes[:-1]
        shared = again.copy()
        shared[:-1] |= again[1:]
        hashes, owners = hashes[shared], owners[shared]
        order = np.lexsort((owners, hashes))
        hashes, owners = hashes[order], owners[order]
        _, place, held = np.unique(hashes, return_inverse=True, return_counts=True)
        held = held[place]  # documents that hold the hash, per entry
        codes = []
        for lag in range(1, all_up_to):
            same = hashes[lag:] == hashes[:-lag]
            if lag > 1:
                same &= held[lag:] <= all_up_to
            if at_most is not None:
                same &= held[lag:] <= at_most
            codes.append(owners[:-lag][same] * len(self._own) + owners[lag:][same])
        code, counts = np.unique(np.concatenate(codes), return_counts=True)
        return code // max(1, len(self._own)), code % max(1, len(self._own)), counts.astype(np.int64)


class _Groups:
    """Union-find over positions; a group's label is its smallest member."""

    def __init__(self, n: int) -> None:
        self._above = list(range(n))

    def _top(self, member: int) -> int:
        while self._above[member] != member:
            self._above[member] = self._above[self._above[member]]
            member = self._above[member]
        return member

    def join(self, first: Places, second: Places) -> None:
        for one, other in zip(first.tolist(), second.tolist(), strict=True):
            low, high = sorted((self._top(one), self._top(other)))
            self._above[high] = low

    def labels(self) -> list[int]:
        return [self._top(member) for member in range(len(self._above))]


class _WordHashes(dict[str, int]):
    """A 64-bit hash per word that is the same in every process, computed once per word."""

    def __missing__(self, word: str) -> int:
        value = self[word] = int.from_bytes(
            blake2b(word.encode("utf-8", "replace"), digest_size=8).digest(), "big"
        )
        return value


def _words(texts: Sequence[str]) -> Iterator[UInt64]:
    """The words of each text as hashes, [words]."""
    known = _WordHashes()
    for text in texts:
        folded = text.casefold()
        pattern = _WORD if folded.isascii() or not _SIGN.search(folded) else _WORD_OR_SIGN
        words = pattern.findall(folded)
        yield np.fromiter(map(known.__getitem__, words), np.uint64, len(words))


def _whole(words: UInt64) -> UInt64:
    """One hash of all words, [1]; [0] for a text without any."""
    if not len(words):
        return words
    digest = blake2b(words.astype("<u8").tobytes(), digest_size=8).digest()
    return np.array([int.from_bytes(digest, "big")], np.uint64)


def _windows(ids: NDArray[np.integer]) -> UInt64:
    """Hashes of all windows of 64 tokens that say something."""
    if len(ids) < WINDOW:
        return np.zeros(0, np.uint64)
    changes = np.concatenate([[0], np.cumsum(ids[1:] != ids[:-1])])  # [n] before each token
    says = changes[WINDOW - 1 :] - changes[: len(ids) - WINDOW + 1] >= MIN_CHANGES
    return np.compress(says, _runs(mix(ids), WINDOW))


def _runs(values: UInt64, length: int) -> UInt64:
    """A hash for every run of `length` values, [n] -> [n - length + 1], [0] where there is none.

    A polynomial modulo 2**64, put together from runs of 1, 2, 4... values, then mixed.
    """
    if len(values) < length:
        return np.zeros(0, np.uint64)
    power, size = values, 1  # runs of `size`, a power of two
    run, done = np.zeros(len(values) + 1, np.uint64), 0  # runs of `done`
    while True:
        if length & size:
            run = _joined(run, done, power, size)
            done += size
        if done == length:
            return mix(run)
        power, size = _joined(power, size, power, size), 2 * size


def _joined(left: UInt64, left_size: int, right: UInt64, right_size: int) -> UInt64:
    """Polynomials of runs of `left_size` followed at once by runs of `right_size`."""
    factor = np.uint64(pow(_BASE, right_size, 1 << 64))
    n = len(right) - left_size
    run: UInt64 = left[:n] * factor + right[left_size:]
    return run
