"""What raters are shown of a neuron: frozen with the study, so that a later collection or explanation changes nothing in it."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from app.domain.neurons import Kind, NeuronRef, Polarity, Records, Split
from app.domain.protocols import BILLS_SCORE_RANDOM, BILLS_SCORE_TOP
from app.domain.puzzles import Puzzle
from app.domain.studies import ShownRecords
from app.domain.study_texts import Shown, Source, alike
from app.domain.vocabulary import Vocabulary


class ItemKind(StrEnum):
    """What an item is for."""

    MAIN = "main"
    GOLD = "gold"  # its right answer is known; it is no part of the results
    PRACTICE = "practice"  # before the study; its answers are kept and are no part of the results


class FrozenRecord(NamedTuple):
    """One excerpt of T tokens."""

    kind: str  # "top", "random", "sentence" of a puzzle
    excerpt: int  # ordinal in its collection; -1 where it is of none
    pieces: tuple[str, ...]  # [T] made visible
    values: tuple[float, ...]  # [T] activations

    @property
    def strongest(self) -> float:
        return max(self.values, key=abs, default=0.0)


@dataclass(frozen=True)
class StudyItem:
    """A neuron to be judged."""

    kind: ItemKind
    neuron: NeuronRef | None  # None: an invented one that is in no store
    records: tuple[FrozenRecord, ...]
    texts: tuple[Shown, ...]  # each once; of a main item in the order of the first arm that says it
    top_only: bool = False
    note: str = ""  # what researchers are to know of it

    @property
    def digest(self) -> str:
        """sha256 of all of it."""
        return hashlib.sha256(
            json.dumps(item_values(self), sort_keys=True, ensure_ascii=False).encode("utf-8", "surrogatepass")
        ).hexdigest()


def shown_rows(records: Records, shown: ShownRecords, polarity: Polarity) -> NDArray[np.intp]:
    """Rows of the held-out records that raters see: the strongest of the score split in order, then random ones of it.

    Of imported data, which has no splits, the ranks that BILLS scored on. Fewer where there are fewer; an excerpt is shown once.
    """
    strong = Kind.TOP if polarity is Polarity.POSITIVE else Kind.BOTTOM
    unsplit = bool(len(records)) and bool((records.splits == Split.UNSPLIT).all())
    rows: list[int] = []
    seen: set[int] = set()
    for kind, n, ranks in (
        (strong, shown.top, BILLS_SCORE_TOP),
        (Kind.RANDOM, shown.random, BILLS_SCORE_RANDOM),
    ):
        split = Split.UNSPLIT if unsplit else Split.SCORE
        there = np.flatnonzero((records.kinds == kind) & (records.splits == split)).tolist()
        wanted = [there[rank] for rank in ranks if rank < len(there)] if unsplit else there
        fresh = [row for row in wanted if int(records.excerpts[row]) not in seen][:n]
        seen.update(int(records.excerpts[row]) for row in fresh)
        rows += fresh
    return np.array(rows, np.intp)


def frozen(records: Records, vocabulary: Vocabulary) -> tuple[FrozenRecord, ...]:
    """Records as raters see them."""
    shown = vocabulary.shown
    return tuple(
        FrozenRecord(
            "random" if kind == Kind.RANDOM else "top",
            excerpt,
            tuple(shown[token] for token in tokens),
            tuple(values),
        )
        for kind, excerpt, tokens, values in zip(
            records.kinds.tolist(),
            records.excerpts.tolist(),
            records.tokens.tolist(),
            records.activations.astype(float).tolist(),
            strict=True,
        )
    )


def of_puzzle(
    puzzle: Puzzle, kind: ItemKind, ref: NeuronRef | None = None, wrong: int | None = None
) -> StudyItem:
    """A puzzle as an item: its truth is the right description, and at most `wrong` of its false ones the others."""
    records = tuple(
        FrozenRecord("sentence", -1, sentence.pieces, sentence.activations) for sentence in puzzle.sentences
    )
    false = puzzle.false if wrong is None else puzzle.false[:wrong]
    texts = [_known(puzzle.truth, True), *(_known(text, False) for text in false)]
    return StudyItem(kind, ref, records, tuple(texts), note=f"puzzle “{puzzle.name}”")


def known(right: str, wrong: Sequence[str]) -> tuple[Shown, ...]:
    """Descriptions of which one is known to be right."""
    return (_known(right, True), *(_known(text, False) for text in wrong))


def _known(raw: str, right: bool) -> Shown:
    return Shown(alike(raw), (Source(-1, None, raw),), right)


def item_values(item: StudyItem) -> dict[str, Any]:
    """The item as plain values, which `read_item` takes back."""
    return {
        "kind": item.kind.value,
        "neuron": None if item.neuron is None else [item.neuron.model, item.neuron.layer, item.neuron.index],
        "records": [list(record) for record in item.records],
        "texts": [
            {"text": t.text, "right": t.right, "sources": [list(source) for source in t.sources]}
            for t in item.texts
        ],
        "top_only": item.top_only,
        "note": item.note,
    }


def read_item(values: dict[str, Any]) -> StudyItem:
    """What `item_values` was made of."""
    return StudyItem(
        ItemKind(values["kind"]),
        None if values["neuron"] is None else NeuronRef(*values["neuron"]),
        tuple(FrozenRecord(kind, excerpt, tuple(p), tuple(v)) for kind, excerpt, p, v in values["records"]),
        tuple(
            Shown(t["text"], tuple(Source(*source) for source in t["sources"]), t["right"])
            for t in values["texts"]
        ),
        values["top_only"],
        values["note"],
    )
