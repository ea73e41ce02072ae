"""Which neurons fire on a token: every neuron's top tokens the other way round, made when first asked for and kept in memory.

A neuron is found by the 8 tokens with the highest mean activation over its explain-split records (token lookup's own);
of other tokens nothing is stored. 10 bytes for each of them.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from app.domain.neurons import Float32, Int32
from app.domain.vocabulary import Vocabulary
from app.store import memory, names, packing
from app.store.neuron_columns import Columns
from app.store.session import Session

_ENTRY = np.dtype([("id", "<i4"), ("mean", "<f4"), ("count", "<i4")])  # as packing.pack_tokens
_KEY = "tokens"


class OnToken(NamedTuple):
    """The neurons that have a token among their top tokens, in the order of the columns."""

    neurons: Int32  # [K] place in the columns
    means: Float32  # [K] mean activation on it
    counts: NDArray[np.int64]  # [K] occurrences behind the mean


class OfNeuron(NamedTuple):
    """The tokens that one neuron fires on."""

    tokens: Int32  # [K]
    means: Float32  # [K]


class TokenIndex(NamedTuple):
    """All pairs of a neuron and one of its top tokens, by token. P of them, V token ids."""

    starts: NDArray[np.int64]  # [V + 1] where the pairs of each token begin
    neurons: Int32  # [P] ascending for each token
    means: Float32  # [P]
    counts: NDArray[np.uint16]  # [P] 65,535 stands for more

    def of(self, token: int) -> OnToken:
        """Neurons whose mean on the token is above 0: on the others it does not make them fire."""
        known = 0 <= token < len(self.starts) - 1
        low, high = self.starts[token : token + 2] if known else (0, 0)
        fires = self.means[low:high] > 0
        return OnToken(
            self.neurons[low:high][fires],
            self.means[low:high][fires],
            self.counts[low:high][fires].astype(np.int64),
        )

    def tokens_of(self, neuron: int) -> "OfNeuron":
        """The top tokens of the neuron at a place in the columns, those with a mean above 0, by id."""
        (at,) = np.nonzero((self.neurons == neuron) & (self.means > 0))
        tokens = np.searchsorted(self.starts, at, side="right") - 1
        return OfNeuron(tokens.astype(np.int32), self.means[at])

    def neurons_of(self, token: int) -> int:
        """How many there are."""
        return len(self.of(token).neurons)


class TokenChoice(NamedTuple):
    """A token that may be meant."""

    id: int
    neurons: int  # that fire on it


def index(s: Session, c: Columns) -> TokenIndex:
    """The model's; read once for a collection."""
    found = c.derived.get(_KEY)
    if not isinstance(found, TokenIndex):
        found = c.derived[_KEY] = _read(s, c)
        memory.give_back()
    return found


def choices(index_: TokenIndex, vocabulary: Vocabulary, text: str) -> list[TokenChoice]:
    """The tokens that may be meant by what was typed: exactly it, then with and without a leading space, small and capital.

    `#123` is the token with that id. Only those that the vocabulary has; of token pieces that are written alike, each.
    """
    if text.startswith("#") and text[1:].isdecimal() and text.isascii():
        id_ = int(text[1:10])
        return [TokenChoice(id_, index_.neurons_of(id_))] if id_ < len(vocabulary) else []
    if not text:
        return []
    bare = text.removeprefix(" ")
    forms = dict.fromkeys(
        lead + form
        for form in (bare, bare.lower(), bare.capitalize(), bare.upper())
        for lead in ((" ", "") if text.startswith(" ") else ("", " "))
    )
    ordered = [text, *(form for form in forms if form != text)]
    wanted = {form.encode("utf-8", "surrogatepass"): place for place, form in enumerate(ordered) if form}
    wanted_shown = {form: place for place, form in enumerate(ordered) if form}
    found = [
        (wanted.get(piece, wanted_shown.get(shown, -1)), id_)
        for id_, (piece, shown) in enumerate(zip(vocabulary.pieces, vocabulary.shown, strict=True))
        if piece in wanted or shown in wanted_shown
    ]
    return [TokenChoice(id_, index_.neurons_of(id_)) for _, id_ in sorted(found)]


def _read(s: Session, c: Columns) -> TokenIndex:
    raw = s.connection.driver_connection
    held: list[tuple[Int32, Int32, Float32, NDArray[np.uint16]]] = []
    for rank, layer in enumerate(c.layers):
        first = names.neuron_id(layer.part, 0)
        last = names.neuron_id(layer.part + 1, 0) - 1
        rows = raw.execute(  # type: ignore[union-attr]
            f"SELECT id, data FROM neuron_tokens WHERE id BETWEEN {first} AND {last} ORDER BY id"  # noqa: S608
        ).fetchall()
        ids = np.fromiter((row[0] for row in rows), np.int64, len(rows)) - first + (rank << 24)
        entries = packing.unpack_token_rows([row[1] for row in rows])
        at = c.neurons_at(ids)[entries.owners]
        there = at >= 0
        counts = np.minimum(entries.counts[there], 0xFFFF).astype(np.uint16)
        held.append((entries.ids[there], at[there], entries.means[there], counts))
    return _by_token(held)


def _by_token(held: list[tuple[Int32, Int32, Float32, NDArray[np.uint16]]]) -> TokenIndex:
    """From (token, neuron, mean, count) of blocks of neurons that ascend from block to block.

    Block by block into place: sorting all at once takes four times the memory.
    """
    sizes = np.zeros(0, np.int64)
    for tokens, *_ in held:
        here = np.bincount(tokens)
        sizes = np.pad(sizes, (0, max(0, len(here) - len(sizes))))
        sizes[: len(here)] += here
    starts = np.concatenate([np.zeros(1, np.int64), sizes.cumsum()])
    p = int(starts[-1])
    neurons, means, counts = np.empty(p, np.int32), np.empty(p, np.float32), np.empty(p, np.uint16)
    free = starts[:-1].copy()
    for tokens, owners, mean, count in held:
        order = np.lexsort((owners, tokens))
        by_token, here = tokens[order], np.bincount(tokens, minlength=len(free))
        within = np.arange(len(order)) - (here.cumsum() - here)[by_token]
        to = free[by_token] + within
        neurons[to], means[to], counts[to] = owners[order], mean[order], count[order]
        free += here
    return TokenIndex(starts, neurons, means, counts)
