"""A neuron's card as one drawn page, which becomes its PDF.

Text is set on a grid of equal cells, so that nothing needs to be measured and every token's colour lies behind it. Fonts differ
from machine to machine: characters beyond Latin, Greek and Cyrillic are written as their numbers (`\\u{4E2D}`), and the page says so.
"""

import re
import textwrap
from collections.abc import Sequence
from html import escape
from typing import NamedTuple

from app.domain.neuron_card import Card, CardExcerpt, CardScore
from app.web.formats import count, number, percent, signed, statement

WIDTH, HEIGHT = 595, 842  # A4 in points
MARGIN = 36
CELL = 0.602  # of the font's size: the advance of the monospaced fonts that are asked for
MONO = "DejaVu Sans Mono, Liberation Mono, Menlo, Consolas, monospace"
SANS = "Inter, Helvetica Neue, Helvetica, Arial, Liberation Sans, DejaVu Sans, sans-serif"
HOT, COLD = (214, 106, 16), (38, 98, 196)
_SURE = re.compile(
    r"[^ -~\u00a1-\u024f\u0370-\u03ff\u0400-\u045f\u2010-\u2027\u2030\u2032\u2033\u2190-\u2193\u2212\u21b5\u2423]"
)


class _Piece(NamedTuple):
    text: str
    level: float  # share of full colour, signed
    peak: bool


def drawn(card: Card) -> str:
    """The page as SVG. What does not fit any more is left out, and the page says how much."""
    page = _Page()
    page.text(card.name, 17, weight=650)
    page.gap(4)
    page.text(
        f"{card.layer} · {card.family} · revision {card.revision[:12]} · {card.corpus} · {count(card.excerpts)} excerpts"
        f"{' · collected ' + card.collected_at[:10] if card.collected_at else ''}",
        8,
        soft=True,
    )
    page.text(_statistics(card), 8, soft=True)
    page.rule()
    _explanation(page, card)
    page.rule()
    _records(page, card)
    page.foot(card)
    return page.svg()


def safe(text: str) -> str:
    """The text with every character that a font may lack as its number."""
    return _SURE.sub(lambda found: f"\\u{{{ord(found.group()):X}}}", text)


def _statistics(card: Card) -> str:
    parts = []
    if card.maximum is not None and card.minimum is not None:
        parts.append(f"maximum {signed(card.maximum)}, minimum {signed(card.minimum)}")
    if card.density is not None:
        parts.append(f"active on {percent(card.density)} of sampled tokens")
    return " · ".join(parts)


def _explanation(page: "_Page", card: Card) -> None:
    said = card.explanation
    if said is None:
        page.text("No explanation yet.", 10, soft=True)
        return
    page.paragraph(
        statement(said.text) if said.text else "No explanation: the attempt failed.", 12, weight=600
    )
    by = f" by {said.explainer}" if said.explainer not in ("", "none") else ", no language model"
    negative = ", of the negative side" if said.polarity == "negative" else ""
    page.text(
        f"explanation {said.id}{negative}: {said.method}{by}, {said.prompt_version or 'no prompt'}, seed {said.seed}, {said.created_at[:10]}",
        8,
        soft=True,
    )
    page.gap(4)
    page.text(f"Scores on {card.protocol}", 9, weight=600)
    if not card.scores:
        page.text("none by this protocol", 8, soft=True)
    for score in card.scores[:16]:
        page.text(_score(score), 8, mono=True)
    if len(card.scores) > 16:
        page.text(f"and {len(card.scores) - 16} more in the JSON", 8, soft=True)


def _score(score: CardScore) -> str:
    name = f"{score.metric}, {score.sample}"
    if score.value is None:
        return f"{name:<40} {score.state.replace('_', ' ')}"
    interval = (
        "" if score.low is None or score.high is None else f" [{number(score.low)}, {number(score.high)}]"
    )
    return (
        f"{name:<40} {number(score.value, 3):>7}{interval:<16}  {score.records} records, {score.simulator}"[
            :100
        ]
    )


def _records(page: "_Page", card: Card) -> None:
    left_out = 0
    for record in card.records:
        at = record.peak(card.sign)
        pieces = _pieces(record, card.largest, at)
        if not page.fits(pieces):
            left_out += 1
            continue
        where = f", token {count(record.first_token)}" if record.first_token >= 0 else ""
        page.text(
            f"{record.use} · peak {signed(record.activations[at])} · {record.document}{where}", 7.5, soft=True
        )
        page.heat(pieces)
    if left_out:
        page.text(f"{left_out} more in the JSON", 7.5, soft=True)
    if not card.records:
        page.text("No activation records are in this store.", 8, soft=True)


def _pieces(record: CardExcerpt, full: float, peak: int) -> list[_Piece]:
    return [
        _Piece(safe(token.replace("\n", "↵").replace("\t", "→")), value / full if full else 0.0, i == peak)
        for i, (token, value) in enumerate(zip(record.tokens, record.activations, strict=True))
    ]


class _Page:
    """Lines from top to bottom."""

    heat_size = 8.0
    heat_line = 12.5
    foot_height = 62

    def __init__(self) -> None:
        self._out: list[str] = []
        self._y = float(MARGIN)
        self.columns = int((WIDTH - 2 * MARGIN) / (self.heat_size * CELL))

    def gap(self, height: float) -> None:
        self._y += height

    def rule(self) -> None:
        self._y += 5
        self._out.append(
            f'<line x1="{MARGIN}" x2="{WIDTH - MARGIN}" y1="{self._y:.1f}" y2="{self._y:.1f}" stroke="#cfc9bd"/>'
        )
        self._y += 7

    def text(
        self, text: str, size: float, *, weight: int = 400, soft: bool = False, mono: bool = False
    ) -> None:
        """One line, cut where the page ends."""
        cells = int((WIDTH - 2 * MARGIN) / (size * (CELL if mono else 0.5)))
        words = safe(text)
        words = words if len(words) <= cells else words[: cells - 1] + "…"
        self._y += size * 1.3
        self._out.append(
            f'<text x="{MARGIN}" y="{self._y - size * 0.3:.1f}" font-size="{size}" font-weight="{weight}" '
            f'fill="{"#66625a" if soft else "#1d1c1a"}" xml:space="preserve" font-family="{MONO if mono else SANS}">{escape(words)}</text>'
        )

    def paragraph(self, text: str, size: float, *, weight: int = 400) -> None:
        """Wrapped by a cautious count of characters; six lines at most."""
        width = int((WIDTH - 2 * MARGIN) / (size * 0.56))
        lines = textwrap.wrap(safe(text), width) or [""]
        for line in lines[:6]:
            self.text(line, size, weight=weight)
        if len(lines) > 6:
            self.text("… the whole statement is in the JSON", 8, soft=True)

    def fits(self, pieces: Sequence[_Piece]) -> bool:
        lines = len(self._wrapped(pieces))
        return self._y + 11 + lines * self.heat_line + 5 <= HEIGHT - MARGIN - self.foot_height

    def heat(self, pieces: Sequence[_Piece]) -> None:
        """Tokens in running text, each over its colour."""
        cell = self.heat_size * CELL
        for row in self._wrapped(pieces):
            self._y += self.heat_line
            base = self._y - 3.4
            for column, piece in row:
                x, width = MARGIN + column * cell, len(piece.text) * cell
                if abs(piece.level) >= 1 / 16:
                    red, green, blue = HOT if piece.level > 0 else COLD
                    opacity = 0.08 + 0.8 * min(1.0, abs(piece.level))
                    self._out.append(
                        f'<rect x="{x:.2f}" y="{base - 7.6:.2f}" width="{width:.2f}" height="10.2" rx="1.5" '
                        f'fill="rgb({red},{green},{blue})" fill-opacity="{opacity:.2f}"/>'
                    )
                mark = ' font-weight="700" text-decoration="underline"' if piece.peak else ""
                self._out.append(
                    f'<text x="{x:.2f}" y="{base:.2f}" font-size="{self.heat_size}" font-family="{MONO}" xml:space="preserve"{mark}>'
                    f"{escape(piece.text)}</text>"
                )
        self._y += 5

    def _wrapped(self, pieces: Sequence[_Piece]) -> list[list[tuple[int, _Piece]]]:
        """Rows of (column, piece). A piece longer than a row is cut into rows."""
        rows: list[list[tuple[int, _Piece]]] = [[]]
        column = 0
        for piece in pieces:
            for start in range(0, len(piece.text), self.columns):
                part = piece._replace(text=piece.text[start : start + self.columns])
                if column + len(part.text) > self.columns:
                    rows.append([])
                    column = 0
                rows[-1].append((column, part))
                column += len(part.text)
        return rows

    def foot(self, card: Card) -> None:
        """Citation and hash, at the end of the page."""
        self._y = HEIGHT - MARGIN - self.foot_height
        self.rule()
        width = int((WIDTH - 2 * MARGIN) / (7 * 0.5))
        for line in textwrap.wrap(safe(card.citation()), width)[:3]:
            self.text(line, 7)
        self.text(f"sha256 of the card's JSON: {card.hash()} · {card.path}", 6.5, soft=True)
        self.text(
            "Orange is above zero, blue below; the peak is underlined. Characters that fonts may lack are written as \\u{…}.",
            6.5,
            soft=True,
        )

    def svg(self) -> str:
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}pt" height="{HEIGHT}pt" viewBox="0 0 {WIDTH} {HEIGHT}">'
            f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#fff"/>{"".join(self._out)}</svg>'
        )
