"""Records and a view -> the sections of exemplars on the neuron page."""

from dataclasses import dataclass, replace
from itertools import islice
from typing import NamedTuple

import numpy as np

from app.domain.neurons import BANDS, PUBLISHED_BANDS, Bool, Float32, Int32, Kind, NeuronRef, Records, Split
from app.web import excerpt_rows, heatmap
from app.web.formats import percent
from app.web.model_cache import ModelFacts
from app.web.neuron_contexts import Excerpt, Section, Share, Value
from app.web.neuron_view import Scale, Show, View
from app.web.signs import COMBINATIONS

FEW, GLIMPSE, PER_SIGN = 10, 3, 5
USES = {Split.EXPLAIN: "explain", Split.DEV: "dev", Split.SCORE: "held out", Split.UNSPLIT: ""}
_USE_OF = {int(split): words for split, words in USES.items()}
BAND_NAMES = {
    Kind.Q5: "above 99.9 %",
    Kind.Q4: "above 99 %",
    Kind.Q3: "90 % – 99 %",
    Kind.Q2: "50 % – 90 %",
    Kind.Q1: "below 50 %",
}


class Plan(NamedTuple):
    """A section before it is painted: which rows, in which order, with their peaks. K records."""

    title: str
    note: str
    rows: heatmap.Indices  # [K] into the neuron's records
    at: heatmap.Indices  # [K] peaks
    folded: list[int]  # [K] duplicates folded into each
    more: str
    available: int


@dataclass(frozen=True, eq=False)
class Exemplars:
    """Makes sections of one neuron's records."""

    facts: ModelFacts
    ref: NeuronRef
    records: Records
    view: View

    @property
    def here(self) -> str:
        return f"/m/{self.ref.model}/{self.ref.layer}/{self.ref.index}"

    @property
    def values_address(self) -> str:
        """Where an excerpt's values are listed, but for its number: looked at as the page is."""
        view = self.view.query(
            show=Show.VALUES, more=False, explanation=None, simulation=None, excerpt=None, job=""
        )
        return f"{self.here}{view}&excerpt="

    def sections(self, shares: tuple[Share, ...]) -> tuple[Section, ...]:
        """What the view asks for, painted in one go."""
        plans = self.plans(shares)
        if not plans:
            return ()
        rows = np.concatenate([plan.rows for plan in plans])
        at = np.concatenate([plan.at for plan in plans])
        values = self.values_address
        shown = iter(self._paint(rows, at, [n for plan in plans for n in plan.folded]))
        return tuple(
            Section(
                plan.title,
                plan.note,
                excerpt_rows.rows(list(islice(shown, len(plan.rows))), values),
                plan.more,
                plan.available,
            )
            for plan in plans
        )

    def plans(self, shares: tuple[Share, ...]) -> list[Plan]:
        """The sections of the view."""
        limit = None if self.view.more else FEW
        match self.view.show:
            case Show.ALL:
                return [
                    self.top(limit),
                    self.bottom(limit),
                    *self.bands(),
                    self.random(limit),
                    *self.given(limit),
                ]
            case Show.TOP:
                glimpse = self.plan("Most negative", "", Kind.BOTTOM, -1, GLIMPSE, Show.BOTTOM)
                top, given = self.top(limit), self.given(limit)
                shown = [top] if len(top.rows) or not given else []
                return [*shown, *([glimpse] if len(glimpse.rows) else []), *given]
            case Show.BOTTOM:
                return [self.bottom(limit)]
            case Show.RANDOM:
                return [self.random(limit)]
            case Show.QUANTILES:
                return self.bands()
            case Show.SIGNS:
                return self.by_signs(shares)
        return []

    def top(self, limit: int | None) -> Plan:
        """The strongest."""
        return self.plan("Strongest", self._kept(Kind.TOP, "top"), Kind.TOP, 1, limit)

    def bottom(self, limit: int | None) -> Plan:
        """The most negative."""
        return self.plan("Most negative", self._kept(Kind.BOTTOM, "bottom"), Kind.BOTTOM, -1, limit)

    def _kept(self, kind: Kind, end: str) -> str:
        """What was kept: so many of each split. Together they are not the strongest of all text."""
        counts = np.bincount(self.records.splits[self.records.kinds == int(kind)]).tolist()
        parts = [
            f"{n} {words}" if (words := _USE_OF[split]) else f"{n} as published"
            for split, n in enumerate(counts)
            if n
        ]
        return f"{end} {', '.join(parts)}" if parts else ""

    def random(self, limit: int | None) -> Plan:
        """Drawn from everything, in the order they were drawn."""
        return self.plan("Random", "drawn from all excerpts alike", Kind.RANDOM, 1, limit, ordered=False)

    def given(self, limit: int | None) -> list[Plan]:
        """Examples that came beside a statement, where there are any."""
        if not self.facts.imported:
            return []
        note = "beside an explanation; how they were chosen is not told"
        plan = self.plan("Given as examples", note, Kind.GIVEN, 1, limit)
        return [plan] if len(plan.rows) else []

    def bands(self) -> list[Plan]:
        """The four quantile bands, strongest first."""
        note = "of excerpts, by their maximum"
        if not self.facts.imported:
            return [self.plan(BAND_NAMES[band], note, band, 1, None) for band in reversed(BANDS)]
        published = BAND_NAMES | {Kind.Q4: "99 % – 99.9 %"}
        return [self.plan(published[band], note, band, 1, None) for band in reversed(PUBLISHED_BANDS)]

    def plan(
        self,
        title: str,
        note: str,
        kind: Kind,
        sign: int,
        limit: int | None,
        more: Show | None = None,
        ordered: bool = True,
    ) -> Plan:
        """Records of one kind over all splits, strongest first, each excerpt once."""
        (rows,) = (self.records.kinds == int(kind)).nonzero()
        activations = self.records.activations[rows]
        at = heatmap.peaks(activations, sign)
        if ordered:
            order = (activations[np.arange(len(rows)), at] * -sign).argsort(kind="stable")
            rows, at = rows[order], at[order]
        groups = self._groups(rows, at)
        kept = groups[:limit]
        link = ""
        if len(groups) > len(kept):
            changes = {"show": more} if more else {"more": True}
            link = self.here + self.view.query(**changes)
        first = [g[0] for g in kept]
        folded = [len(g) - 1 for g in kept]
        return Plan(title, note, rows[first], at[first], folded, link, len(groups))

    def lines(self, plan: Plan) -> bytes:
        """One section's records as list items."""
        return excerpt_rows.rows(self._paint(plan.rows, plan.at, plan.folded), self.values_address)

    def by_signs(self, shares: tuple[Share, ...]) -> list[Plan]:
        """Records by the signs of gate and input at their strongest point, whatever kind they were kept as."""
        gates = self.records.gates
        if gates is None:
            return []
        rows = _once(self.records.excerpts, np.arange(len(self.records)))
        size = np.abs(self.records.activations[rows])
        at = np.argmax(size, axis=1) if len(rows) else np.zeros(0, np.intp)
        gate = gates[rows, at]
        inputs = (self.records.activations[rows, at] >= 0) == gate  # the value's sign is the product of both
        order = np.argsort(-size[np.arange(len(rows)), at], kind="stable")
        out = []
        for combination, share in zip(COMBINATIONS, shares, strict=True):
            mine = order[(gate[order] == combination.gate) & (inputs[order] == combination.input)]
            groups = self._groups(rows[mine], at[mine])
            kept = groups if self.view.more else groups[:PER_SIGN]
            first = mine[np.array([g[0] for g in kept], np.intp)]
            link = self.here + self.view.query(more=True) if len(groups) > len(kept) else ""
            folded = [len(g) - 1 for g in kept]
            note = f"{percent(share.share)} of tokens"
            out.append(Plan(combination.name, note, rows[first], at[first], folded, link, len(groups)))
        return out

    def published(self, excerpts: Int32, actual: Float32) -> "Exemplars":
        """The same neuron on the excerpts [R] of a published simulation, which has its own activations [R, T]."""
        none, few = np.full(len(excerpts), -1, np.int32), np.zeros(len(excerpts), np.uint8)
        tokens = self.facts.excerpts.tokens[excerpts]
        splits = np.full(len(excerpts), int(Split.UNSPLIT), np.uint8)
        return replace(self, records=Records(excerpts, none, few, splits, tokens, actual, None))

    def compared(
        self, excerpts: Int32, expected: Float32, sign: int, *, own_scale: bool = False
    ) -> tuple[Section, ...]:
        """Actual against simulated. excerpts [R] ordinals, expected [R, T] on the 0-10 scale of sign * a.

        With `own_scale`, `expected` is in the units of the activations.
        """
        position = {int(e): r for r, e in reversed(list(enumerate(self.records.excerpts.tolist())))}
        pairs = [(row, position[int(e)]) for row, e in enumerate(excerpts) if int(e) in position]
        if not pairs:
            return ()
        of = np.array([p[0] for p in pairs], np.intp)
        rows = np.array([p[1] for p in pairs], np.intp)
        at = heatmap.peaks(self.records.activations[rows], sign)
        order = np.argsort(-self.records.activations[rows, at] * sign, kind="stable")
        rows, at, of = rows[order], at[order], of[order]
        none = [0] * len(rows)
        actual = self._paint(rows, at, none, label="actual")
        scale = np.full(len(rows), self.shared_maximum if own_scale else 10, np.float32)
        simulated = self._paint(rows, at, none, "simulated", expected[of] * sign, scale)
        both = tuple(e for pair in zip(actual, simulated, strict=True) for e in pair)
        title = "Actual against simulated"
        html = excerpt_rows.rows(both, self.values_address)
        units = "calibrated to the neuron's own scale" if own_scale else "on the 0–10 scale"
        return (Section(title, f"simulated values are {units}", html, "", len(rows)),)

    def values(self, ordinal: int) -> tuple[tuple[Section, ...], tuple[Value, ...]]:
        """One excerpt whole, and its values as a list."""
        found = np.flatnonzero(self.records.excerpts == ordinal)[:1]
        if not len(found):
            return (), ()
        r = int(found[0])
        at = np.argmax(np.abs(self.records.activations[found]), axis=1)
        colours = heatmap.palette(self.facts.vocabulary)
        gates = self.records.gates
        listed = tuple(
            Value(i, heatmap.token_chip(colours, token), value, _gate(gates, r, i))
            for i, (token, value) in enumerate(
                zip(self.records.tokens[r].tolist(), self.records.activations[r].tolist(), strict=True)
            )
        )
        html = excerpt_rows.rows(self._paint(found, at, [0]), self.values_address)
        return (Section("Every value", "", html, "", 1),), listed

    def _groups(self, rows: heatmap.Indices, at: heatmap.Indices) -> list[list[int]]:
        if self.view.duplicates:
            return [[i] for i in range(len(rows))]
        return heatmap.fold(self.records.tokens[rows], at)

    def _paint(
        self,
        rows: heatmap.Indices,
        at: heatmap.Indices,
        folded: list[int],
        label: str = "",
        activations: Float32 | None = None,
        maxima: Float32 | None = None,
    ) -> list[Excerpt]:
        if not len(rows):
            return []
        values = self.records.activations[rows] if activations is None else activations
        if maxima is None:
            own = np.abs(values).max(axis=1)
            maxima = own if self.view.scale is Scale.OWN else np.full(len(rows), self.shared_maximum)
        colours = heatmap.palette(self.facts.vocabulary, self.view.breaks)
        painted = heatmap.paint(
            colours, self.records.tokens[rows], values, maxima, at, self.view.context.tokens
        )
        ordinals = self.records.excerpts[rows]
        gates = self.records.gates
        gates_hex = [""] * len(rows) if gates is None else heatmap.hex_rows(np.packbits(gates[rows], axis=1))
        peaks = values[np.arange(len(rows)), at].tolist()
        starts = self.facts.excerpts.starts[ordinals].tolist() if ordinals.min() >= 0 else [0] * len(rows)
        documents, names = self.records.documents[rows].tolist(), self.facts.documents
        used = [_USE_OF[split] for split in self.records.splits[rows].tolist()]
        return [
            Excerpt(
                ordinal,
                paint,
                gates_hex[i],
                peaks[i],
                names[documents[i]].name if documents[i] >= 0 else "as published",
                starts[i] if documents[i] >= 0 else -1,
                used[i],
                folded[i],
                label,
            )
            for i, (ordinal, paint) in enumerate(zip(ordinals.tolist(), painted, strict=True))
        ]

    @property
    def shared_maximum(self) -> np.float32:
        """The largest absolute value among all the neuron's records: full colour on the shared scale."""
        return np.float32(np.abs(self.records.activations).max(initial=0))


def _once(excerpts: Int32, rows: heatmap.Indices) -> heatmap.Indices:
    """The first of several rows of the same excerpt, in order."""
    _, first = np.unique(excerpts[rows], return_index=True)
    return rows[np.sort(first)]


def _gate(gates: Bool | None, row: int, column: int) -> str:
    return "" if gates is None else ("+" if gates[row, column] else "−")
