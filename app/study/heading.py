"""What every page and file of a study's results says of where they come from."""

from collections import Counter
from typing import NamedTuple

from app.domain.studies import StudyDefinition, Task
from app.domain.study_items import ItemKind
from app.report.values import plain_lines
from app.store.study_rows import RaterState, StudyRow, StudyState
from app.study.answered import Collected


class StudyHeading(NamedTuple):
    """The study, its raters, and everything that limits what can be said."""

    study: StudyRow
    models: tuple[str, ...]
    neurons: int
    raters: int  # who answered any main item whole
    states: tuple[tuple[RaterState, int], ...]
    blocks: int  # main items that were answered whole
    expected: int
    begun: int  # items that were begun and never finished
    excluded: tuple[tuple[int, str], ...]  # raters by number, and why; empty where nobody was
    exclusions_applied: bool

    @property
    def erased(self) -> int:
        return dict(self.states).get(RaterState.ERASED, 0)

    def record(self) -> dict[str, str | int]:
        row = self.study
        return {
            "study": row.id,
            "study_version": row.version,
            "registered_sha256": row.registered_hash,
            "unblinded_before_close": unblinded(row) or "no",
            "evidence": evidence_words(row.definition),
            "raters_erased": self.erased,
            "exclusions": "applied" if self.exclusions_applied else "not applied",
            "all_raters": self.raters,
            "all_blocks": self.blocks,
        }

    def lines(self) -> list[str]:
        row = self.study
        closed = (
            f"closed {row.closed_at:%Y-%m-%d}"
            if row.closed_at is not None
            else "not closed: results may change"
        )
        said = [
            f"Neuronarium, study {row.id}, version {row.version}: {row.name}",
            f"registered sha256: {row.registered_hash}; {closed}",
            f"models: {', '.join(self.models)}; methods: {', '.join(row.definition.arm_labels()) or 'none'}",
            f"shown to raters: {evidence_words(row.definition)}",
            f"raters: {self.raters}, {'crossed' if row.definition.crossed else f'{row.definition.per_item} an item'};"
            f" neurons: {self.neurons}; blocks: {self.blocks} of {self.expected}",
        ]
        if early := unblinded(row):
            said.append(f"UNBLINDED BEFORE THE CLOSE: {early}")
        if self.erased:
            said.append(f"erased raters: {self.erased}; their answers are deleted")
        if self.exclusions_applied:
            said.append(f"registered exclusions applied: {len(self.excluded)} raters left out")
        return plain_lines(*said)


def heading(found: Collected, excluded: tuple[tuple[int, str], ...], applied: bool) -> StudyHeading:
    """Of what was collected; `excluded` are those that the registered rules leave out, whether or not they are `applied`."""
    main = found.main
    refs = {each.item.neuron for each in main if each.item.neuron is not None}
    states = Counter(rater.state for rater in found.raters)
    of = sum(item.kind is ItemKind.MAIN for item in found.items)
    return StudyHeading(
        found.study,
        tuple(sorted({ref.model for ref in refs})),
        len(refs),
        len({each.rater.number for each in main}),
        tuple(sorted(states.items(), key=lambda each: list(RaterState).index(each[0]))),
        len(main),
        of * found.study.definition.per_item,
        found.started,
        excluded,
        applied,
    )


def evidence_words(definition: StudyDefinition) -> str:
    """What raters saw, in words that every report prints."""
    shown = definition.evidence
    kind = "records that the explainer sees" if Task.WRITE in definition.tasks else "held-out records"
    words = f"{shown.top} top and {shown.random} random {kind}"
    return f"TOP ONLY: {shown.top} top {kind}, no random ones" if shown.top_only else words


def unblinded(row: StudyRow) -> str:
    """Who looked at results before the close, and when; empty where nobody did."""
    if row.unblinded_at is None:
        return ""
    late = row.state is StudyState.CLOSED and row.closed_at is not None and row.unblinded_at > row.closed_at
    return "" if late else f"by {row.unblinded_by}, {row.unblinded_at:%Y-%m-%d %H:%M} UTC"
