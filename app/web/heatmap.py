"""Excerpts as heatmaps, made here and not in a template: a token costs one gather and its share of one join.

Every token is one `<bdi>`, so that the n-th `<bdi>` of an excerpt has the n-th value, and no right-to-left or
unbalanced token disturbs its neighbours. The vocabulary is made visible and escaped once per model; nothing a
token holds reaches the page in another way. Colours are classes `a-8 … a8`; all values travel exactly, as hex.
Painted text is bytes, as it is sent: one wide character would make a string, and every copy of it, twice as large.
"""

from functools import lru_cache
from html import escape
from threading import Lock
from typing import Any, NamedTuple

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray

from app.domain.neurons import Bool, Float32, Int32
from app.domain.vocabulary import Vocabulary, visible

LEVELS = 8
STEPS = 2 * LEVELS + 1
MAX_PIECES = 200_000  # painted tokens kept per palette, about 30 MB
REACH = 10  # tokens that a window may grow by on either side to end at a word's boundary
BEFORE_PEAK, AFTER_PEAK = 8, 3  # tokens around the peak that make two excerpts duplicates when equal
BDI_END = b"</bdi>"
NEWLINE, TAB = '<i class="nl">↵</i>', '<i class="nl">⇥</i>'

Painting = NDArray[np.object_]  # of bytes
Indices = NDArray[np.intp]
_OPEN = {level: b'<bdi class="a%d">' % level for level in range(-LEVELS, LEVELS + 1) if level}
_OPEN[0] = b"<bdi>"
_OPEN_PEAK = {level: b'<bdi class="a%d pk">' % level for level in range(-LEVELS, LEVELS + 1)}


class _Made:
    """Painted tokens by slot; slot 0 is empty. Only ever added to, so that readers need no lock."""

    def __init__(self, keys: int) -> None:
        self.slots = np.zeros(
            keys, np.int32
        )  # 0: not made yet. Pages of it that are never touched cost nothing
        self.html = np.empty(1024, object)
        self.count = 1

    def add(self, keys: list[int], html: list[bytes]) -> None:
        end = self.count + len(keys)
        if end > len(self.html):
            larger = np.empty(max(end, 2 * len(self.html)), object)
            larger[: self.count] = self.html[: self.count]
            self.html = larger
        self.html[self.count : end] = html
        self.slots[keys] = np.arange(self.count, end)  # last: who sees a slot finds its text
        self.count = end


class Pieces:
    """Tokens as painted HTML, by token id * STEPS + step + LEVELS; made when first asked for, then gathered."""

    def __init__(self, leads: Painting, bodies: Painting) -> None:
        self._leads, self._bodies = leads, bodies
        self._lock = Lock()
        self._made = _Made(len(leads) * STEPS)

    def take(self, keys: Indices) -> Painting:
        """The painted tokens of keys [R, T] -> [R, T]."""
        made = self._made
        slots = made.slots[keys]
        if not slots.all():
            with self._lock:
                made = self._make(keys)
            slots = made.slots[keys]
        painted: Painting = made.html[slots]
        return painted

    def _make(self, keys: Indices) -> _Made:
        if self._made.count > MAX_PIECES:
            self._made = _Made(len(self._leads) * STEPS)
        made = self._made
        wanted = np.unique(keys[made.slots[keys] == 0]).tolist()
        html = []
        for key in wanted:
            token, step = divmod(key, STEPS)
            html.append(self._leads[token] + _OPEN[step - LEVELS] + self._bodies[token])
        made.add(wanted, html)
        return made


class Palette(NamedTuple):
    """A vocabulary as HTML, by token id. V tokens."""

    pieces: Pieces
    leads: Painting  # [V] leading spaces, which are never painted
    bodies: Painting  # [V] the rest with its closing tag
    starts_word: Bool  # [V] the token begins with a blank, or is one

    def __len__(self) -> int:
        return len(self.leads)


@lru_cache(maxsize=16)
def palette(vocabulary: Vocabulary, breaks: bool = False) -> Palette:
    """The vocabulary as HTML, once per model; `breaks` says whether a newline also breaks the line."""
    return palette_of(vocabulary, breaks)


def palette_of(vocabulary: Vocabulary, breaks: bool = False) -> Palette:
    """As `palette`, of a vocabulary that is of no use a second time."""
    size = len(vocabulary)
    leads, bodies = np.empty(size, object), np.empty(size, object)
    starts_word = np.zeros(size, np.bool_)
    newline = NEWLINE + "\n" if breaks else NEWLINE
    for i, shown in enumerate(vocabulary.shown):
        body = shown.lstrip(" ") or shown
        lead = shown[: len(shown) - len(body)]
        html = escape(body)
        if "\n" in html or "\t" in html:
            html = html.replace("\n", newline).replace("\t", TAB)
        starts_word[i] = shown[:1] in (" ", "\n", "\t")
        leads[i] = lead.encode()
        bodies[i] = html.encode() + BDI_END
    return Palette(Pieces(leads, bodies), leads, bodies, starts_word)


class Painted(NamedTuple):
    """One excerpt, painted. No class of its own with fields set one by one: a page makes dozens."""

    html: bytes
    values: str  # all T values as hex of big-endian floats, also those outside the window
    wide: bool  # those floats have 32 bits, not 16
    first: int  # index of the first token shown
    cut_before: bool
    cut_after: bool
    indented: bool  # begins with a blank, with nothing before it


def peaks(activations: Float32, sign: int = 1) -> Indices:
    """Where each excerpt is strongest (sign 1) or most negative (sign -1). activations [R, T] -> [R]."""
    if not len(activations):
        return np.zeros(0, np.intp)
    found: Indices = activations.argmax(axis=1) if sign > 0 else activations.argmin(axis=1)
    return found


def levels(activations: Float32, maxima: Float32) -> NDArray[np.int8]:
    """Steps of colour, -8 to 8. activations [R, T], maxima [R] > 0 where anything is painted -> [R, T]."""
    safe = np.where(maxima > 0, maxima, 1).astype(np.float64)[:, None]  # [R, 1]
    return np.clip(np.rint(activations * (LEVELS / safe)), -LEVELS, LEVELS).astype(np.int8)


def windows(starts: Bool, at: Indices, around: int) -> Indices:
    """First and one past the last token to show. starts [R, T]: a word begins here; at [R] -> [R, 2].

    A window grows by at most REACH tokens to where a word begins and ends.
    """
    rows, width = starts.shape
    out = np.empty((rows, 2), np.intp)
    for r in range(rows):
        low, high = max(0, int(at[r]) - around), min(width, int(at[r]) + around + 1)
        edges = np.flatnonzero(starts[r])
        before = edges[(edges <= low) & (edges >= low - REACH)]
        after = edges[(edges >= high) & (edges <= high + REACH)]
        if low > 0:
            low = int(before[-1]) if len(before) else (0 if low <= REACH else low)
        if high < width:
            high = int(after[0]) if len(after) else (width if width - high <= REACH else high)
        out[r] = low, high
    return out


def paint(
    colours: Palette,
    tokens: Int32,
    activations: Float32,
    maxima: Float32,
    at: Indices,
    around: int | None = None,
) -> list[Painted]:
    """Excerpts as HTML. tokens, activations [R, T]; maxima [R]: the value of full colour; at [R]: the peaks,
    -1 where none is to be marked, as in a text that leaves a neuron silent (whole ones alone).

    `around` limits what is shown to that many tokens either side of the peak; all values are kept either way.
    """
    steps = levels(activations, maxima)  # [R, T]
    rows: list[list[bytes]] = colours.pieces.take(
        tokens.astype(np.intp) * STEPS + (steps + LEVELS)
    ).tolist()  # [R][T]
    if around is None:
        edges = [[0, tokens.shape[1]]] * len(tokens)
    else:
        edges = windows(colours.starts_word[tokens], at, around).tolist()
    values, wide = _hex(activations)
    out: list[Painted] = []
    r_ = np.arange(len(at))
    strongest = zip(at.tolist(), tokens[r_, at].tolist(), steps[r_, at].tolist(), strict=True)
    for r, (row, (peak, token, step)) in enumerate(zip(rows, strongest, strict=True)):
        low, high = edges[r]
        if peak >= 0:
            row[peak] = colours.leads[token] + _OPEN_PEAK[step] + colours.bodies[token]
        out.append(
            Painted(
                b"".join(row[low:high]),
                values[r],
                wide,
                low,
                low > 0,
                high < len(row),
                low == 0 and row[0][:1] == b" ",
            )
        )
    return out


def _hex(activations: Float32) -> tuple[list[str], bool]:
    """Values exactly, in 16 bits each where all of them fit (the store keeps float16), else in 32."""
    with np.errstate(over="ignore"):
        half = activations.astype(">f2")
    wide = not np.array_equal(half.astype(np.float32), activations)
    exact = activations.astype(">f4") if wide else half
    return hex_rows(exact), wide


def hex_rows(values: NDArray[Any]) -> list[str]:
    """The bytes of each row as hex. values [R, ...]."""
    whole, n = values.tobytes().hex(), 2 * (values.nbytes // max(1, len(values)))
    return [whole[at : at + n] for at in range(0, n * len(values), n)] if n else [""] * len(values)


def fold(tokens: Int32, at: Indices) -> list[list[int]]:
    """Rows grouped by equal tokens around their peaks, in order of first appearance. tokens [R, T], at [R]."""
    groups: dict[bytes, list[int]] = {}
    for r, peak in enumerate(at.tolist()):
        near = tokens[r, max(0, peak - BEFORE_PEAK) : peak + AFTER_PEAK + 1]
        groups.setdefault(near.tobytes(), []).append(r)
    return list(groups.values())


def token_chip(colours: Palette, token: int) -> Markup:
    """One token alone, for lists: its leading blank shown as an open box."""
    lead = "␣" * len(colours.leads[token])
    mark = f'<i class="nl">{lead}</i>' if lead else ""
    body = colours.bodies[token].decode().replace("\n", "")
    return Markup(f"{mark}<bdi>{body}")  # noqa: S704


def text_chip(token: str) -> Markup:
    """As `token_chip`, for a token that is known by its text alone."""
    body = token.lstrip(" ")
    mark = f'<i class="nl">{"␣" * (len(token) - len(body))}</i>' if len(body) < len(token) else ""
    shown = visible(body.encode("utf-8", "surrogatepass")).replace("\n", "↵").replace("\t", "⇥")
    return Markup(f"{mark}<bdi>{escape(shown)}</bdi>")  # noqa: S704
