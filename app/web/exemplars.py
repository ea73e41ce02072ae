"""Records and a view -> the sections of exemplars on the neuron page."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from app.domain.neurons import BANDS, Bool, Float32, Int32, Kind, NeuronRef, Records, Split
from app.web import heatmap
from app.web.formats import count, percent
from app.web.model_cache import ModelFacts
from app.web.neuron_contexts import Excerpt, Section, Share, Value
from app.web.neuron_view import Scale, Show, View

RANDOM_NOTE = "drawn from all excerpts alike"
BAND_NOTE = "of excerpts, by their maximum"
FEW, GLIMPSE, PER_SIGN = 10, 3, 5
USES = {Split.EXPLAIN: "explain", Split.DEV: "dev", Split.SCORE: "held out", Split.UNSPLIT: ""}
BAND_NAMES = {
    Kind.Q4: "99 % – 99.9 %",
    Kind.Q3: "90 % – 99 %",
    Kind.Q2: "50 % – 90 %",
    Kind.Q1: "below 50 %",
}


class Combination(NamedTuple):
    """One of the four ways in which a gated neuron gets its value."""

    key: str
    name: str
    gate: bool
    input: bool


COMBINATIONS = (
    Combination("++", "gate +, input +", True, True),
    Combination("+-", "gate +, input −", True, False),
    Combination("-+", "gate −, input +", False, True),
    Combination("--", "gate −, input −", False, False),
)


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

    def sections(self, shares: tuple[Share, ...]) -> tuple[Section, ...]:
        """What the view asks for."""
        excerpts = count(len(self.facts.excerpts.tokens))
        limit = None if self.view.more else FEW
        strongest, negative = "Strongest", "Most negative"
        match self.view.show:
            case Show.ALL:
                return self.everything(excerpts)
            case Show.TOP:
                top = self.section(strongest, f"top {{}} of {excerpts} excerpts", (Kind.TOP,), 1, limit)
                glimpse = self.section(negative, "", (Kind.BOTTOM,), -1, GLIMPSE, Show.BOTTOM)
                return (top, glimpse) if glimpse.excerpts else (top,)
            case Show.BOTTOM:
                note = f"bottom {{}} of {excerpts} excerpts"
                return (self.section(negative, note, (Kind.BOTTOM,), -1, limit),)
            case Show.RANDOM:
                return (self.section("Random", RANDOM_NOTE, (Kind.RANDOM,), 1, limit, ordered=False),)
            case Show.QUANTILES:
                return self.bands()
            case Show.SIGNS:
                return self.by_signs(shares)
        return ()

    def section(
        self,
        title: str,
        note: str,
        kinds: tuple[Kind, ...],
        sign: int,
        limit: int | None,
        more: Show | None = None,
        ordered: bool = True,
    ) -> Section:
        """Records of some kinds over all splits, strongest first, each excerpt once."""
        rows = np.flatnonzero(np.isin(self.records.kinds, np.array(kinds, np.uint8)))
        rows = _once(self.records.excerpts, rows)
        at = heatmap.peaks(self.records.activations[rows], sign)
        if ordered:
            values = self.records.activations[rows, at] * sign
            order = np.argsort(-values, kind="stable")
            rows, at = rows[order], at[order]
        groups = self._groups(rows, at)
        kept = groups[:limit]
        link = ""
        if len(groups) > len(kept):
            changes = {"show": more} if more else {"more": True}
            link = self.here + self.view.query(**changes)
        first = np.array([g[0] for g in kept], np.intp)
        shown = self._paint(rows[first], at[first], [len(g) - 1 for g in kept])
        return Section(title, note.format(len(rows)), shown, link, len(groups))

    def everything(self, excerpts: str) -> tuple[Section, ...]:
        """Every kind on one page."""
        limit = None if self.view.more else FEW
        return (
            self.section("Strongest", f"top {{}} of {excerpts} excerpts", (Kind.TOP,), 1, limit),
            self.section("Most negative", f"bottom {{}} of {excerpts} excerpts", (Kind.BOTTOM,), -1, limit),
            *self.bands(),
            self.section("Random", RANDOM_NOTE, (Kind.RANDOM,), 1, limit, ordered=False),
        )

    def bands(self) -> tuple[Section, ...]:
        """The four quantile bands, strongest first."""
        return tuple(self.section(BAND_NAMES[band], BAND_NOTE, (band,), 1, None) for band in reversed(BANDS))

    def by_signs(self, shares: tuple[Share, ...]) -> tuple[Section, ...]:
        """Records by the signs of gate and input at their strongest point, whatever kind they were kept as."""
        gates = self.records.gates
        if gates is None:
            return ()
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
            shown = self._paint(rows[first], at[first], [len(g) - 1 for g in kept])
            link = self.here + self.view.query(more=True) if len(groups) > len(kept) else ""
            note = f"{percent(share.share)} of tokens"
            out.append(Section(combination.name, note, shown, link, len(groups)))
        return tuple(out)

    def compared(self, excerpts: Int32, expected: Float32, sign: int) -> tuple[Section, ...]:
        """Actual against simulated. excerpts [R] ordinals, expected [R, T] on the 0-10 scale of sign * a."""
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
        scale = np.full(len(rows), 10, np.float32)
        simulated = self._paint(rows, at, none, "simulated", expected[of] * sign, scale)
        both = tuple(e for pair in zip(actual, simulated, strict=True) for e in pair)
        title = "Actual against simulated"
        return (Section(title, "simulated values are on the 0–10 scale", both, "", len(rows)),)

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
        return (Section("Every value", "", self._paint(found, at, [0]), "", 1),), listed

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
    ) -> tuple[Excerpt, ...]:
        if not len(rows):
            return ()
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
        packed = None if gates is None else np.packbits(gates[rows], axis=1)
        peaks = values[np.arange(len(rows)), at].tolist()
        starts = self.facts.excerpts.starts[ordinals].tolist() if ordinals.min() >= 0 else [0] * len(rows)
        documents, names = self.records.documents[rows].tolist(), self.facts.documents
        splits = self.records.splits[rows].tolist()
        return tuple(
            Excerpt(
                ordinal,
                paint.html,
                paint.values,
                paint.wide,
                "" if packed is None else packed[i].tobytes().hex(),
                paint.first,
                paint.cut_before,
                paint.cut_after,
                paint.indented,
                peaks[i],
                names[documents[i]].name if documents[i] >= 0 else "imported",
                starts[i],
                USES[Split(splits[i])],
                folded[i],
                label,
            )
            for i, (ordinal, paint) in enumerate(zip(ordinals.tolist(), painted, strict=True))
        )

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


def shares(values: tuple[float, float, float, float] | None) -> tuple[Share, ...]:
    """The shares of the four combinations of signs, as a bar of four parts."""
    if values is None:
        return ()
    out, offset = [], 0.0
    for combination, share in zip(COMBINATIONS, values, strict=True):
        out.append(Share(combination.key, combination.name, share, offset))
        offset += share
    return tuple(out)
