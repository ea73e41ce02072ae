"""What a study will show, drawn from the store: neurons, their held-out records, and what each arm says of them."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

from app.domain import study_texts
from app.domain.neurons import NeuronRef, Records, Split
from app.domain.protocols import explain_records
from app.domain.studies import GoldKind, StudyArm, StudyDefinition, Task
from app.domain.study_items import ItemKind, StudyItem, frozen, known, of_puzzle, shown_rows
from app.domain.study_texts import Shown, Source
from app.errors import AppError
from app.exchange.puzzles import built_in
from app.store import Session, Store, experiment_samples, models, neurons, study_material
from app.store.excerpts import ExcerptCache


@dataclass(frozen=True)
class Lacking:
    """A neuron of which an arm says nothing yet."""

    ref: NeuronRef
    arm: int


@dataclass
class Material:
    """What a definition comes to in this store."""

    items: list[StudyItem] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)  # in words; kept with the study
    problems: list[str] = field(default_factory=list)  # why it cannot start, in words
    lacking: list[Lacking] = field(default_factory=list)  # explanations that are still to be made

    @property
    def main(self) -> list[StudyItem]:
        return [item for item in self.items if item.kind is ItemKind.MAIN]

    @property
    def same_texts(self) -> int:
        """Main items in which two arms say the same."""
        return sum(any(len(text.sources) > 1 for text in item.texts) for item in self.main)


def prepare(store: Store, definition: StudyDefinition) -> Material:
    """Everything that raters would be shown, and everything that stands in the way."""
    found = Material()
    with store.session() as session:
        chosen, short, wrong = experiment_samples.draw(session, definition.samples, definition.models)
    found.notes += short
    found.problems += wrong
    refs = [each.ref for each in chosen]
    for ref in refs:
        found.items.append(_main(store, definition, ref, found))
    _say_lacking(definition, found)
    _say_same(found)
    if not definition.evidence.random and definition.compares:
        found.notes.append(
            "Raters see top records only, so that they cannot notice what a description claims too much of."
        )
    if definition.name_neuron:
        found.notes.append(
            "Raters are told layer and index of each neuron, by which they could look it up elsewhere."
        )
    found.items += _gold(store, definition, found)
    if definition.practice:
        found.items += [
            of_puzzle(puzzle, ItemKind.PRACTICE, wrong=2) for puzzle in built_in()[: definition.practice]
        ]
    return found


def _main(store: Store, definition: StudyDefinition, ref: NeuronRef, found: Material) -> StudyItem:
    evidence, collection_id = _evidence(store, definition, ref)
    if not len(evidence):
        found.problems.append(
            f"{ref} has no {'records' if Task.WRITE in definition.tasks else 'held-out records'} to show raters."
        )
    sources: list[Source] = []
    with store.session() as session:
        for i, arm in enumerate(definition.arms):
            said = study_material.newest(session, ref, arm, definition.polarity)
            if said is None:
                found.lacking.append(Lacking(ref, i))
                continue
            sources.append(Source(i, said.id, said.text))
            _demand_held_out(session, ref, arm, said.id, collection_id, evidence, found)
    vocabulary = models.cached_vocabulary(store, ref.model)
    return StudyItem(
        ItemKind.MAIN,
        ref,
        frozen(evidence, vocabulary),
        study_texts.once(sources),
        top_only=definition.evidence.top_only,
    )


def _evidence(store: Store, definition: StudyDefinition, ref: NeuronRef) -> tuple[Records, int]:
    """The records to be shown, and the collection that they are of."""
    excerpts = ExcerptCache.get(store, ref.model)
    with store.session() as session:
        records = neurons.records(session, excerpts, ref)
    if Task.WRITE in definition.tasks:
        return explain_records(records, definition.polarity), excerpts.collection_id
    return records.take(shown_rows(records, definition.evidence, definition.polarity)), excerpts.collection_id


def _demand_held_out(
    s: Session,
    ref: NeuronRef,
    arm: StudyArm,
    explanation_id: int,
    collection_id: int,
    evidence: Records,
    found: Material,
) -> None:
    if not len(evidence) or (evidence.splits == Split.UNSPLIT).all():
        return  # data without documents: ranks that no explainer is shown
    seen = study_material.seen_of(s, explanation_id, collection_id, evidence.excerpts.tolist())
    if seen is None:
        note = f"Nobody knows which text the makers of “{arm.label}” saw: what raters see may not be held out from them."
        if note not in found.notes:
            found.notes.append(note)
    elif seen:
        found.problems.append(
            f"{ref}: explanation {explanation_id} ({arm.label}) was made from text that raters would be shown; explain the neuron anew."
        )


def _say_lacking(definition: StudyDefinition, found: Material) -> None:
    counts = Counter(each.arm for each in found.lacking)
    for arm, n in sorted(counts.items()):
        label, of = definition.arms[arm].label, len(found.main)
        found.problems.append(
            f"“{label}” says nothing of {n} of {of} neurons: make these explanations first (neuronarium study explain), or leave the arm out."
        )


def _say_same(found: Material) -> None:
    if found.same_texts:
        found.notes.append(
            f"In {found.same_texts} of {len(found.main)} neurons two or more arms say the same: such a text is shown once, a rating counts for"
            " each of its m arms, and a choice of it gives each 1/m."
        )


def _gold(store: Store, definition: StudyDefinition, found: Material) -> Iterator[StudyItem]:
    puzzles = built_in()[definition.practice :]  # none that was practised on
    used = 0
    for gold in definition.gold:
        if gold.kind is GoldKind.PUZZLES:
            if used + gold.n > len(puzzles):
                found.problems.append(
                    f"There are {len(puzzles)} puzzles for gold items, and {used + gold.n} are wanted."
                )
            yield from (of_puzzle(each, ItemKind.GOLD, wrong=4) for each in puzzles[used : used + gold.n])
            used += gold.n
        elif gold.kind is GoldKind.GIVEN:
            try:
                with store.session() as session:
                    ref = experiment_samples.named(session, gold.neuron)
                evidence, _ = _evidence(store, definition, ref)
            except AppError as error:
                found.problems.append(f"Gold item {gold.neuron}: {error.sentence}")
                continue
            records = frozen(evidence, models.cached_vocabulary(store, ref.model))
            yield StudyItem(
                ItemKind.GOLD, ref, records, known(gold.right, gold.wrong), note="right and wrong given"
            )
        else:
            yield from _false(found.main, gold.n)


def _false(main: Sequence[StudyItem], n: int) -> Iterator[StudyItem]:
    """Neurons of the study with a description of another one among their own: the neuron half-way round the sample."""
    whole = [item for item in main if item.texts]
    for i, item in enumerate(whole[:n]):
        other = whole[(i + len(whole) // 2) % len(whole)]
        strange = other.texts[0]
        if other is item or any(text.text == strange.text for text in item.texts):
            continue
        false = Shown(strange.text, (Source(-1, None, strange.sources[0].raw),), False)
        yield replace(
            item,
            kind=ItemKind.GOLD,
            texts=(*item.texts, false),
            note=f"false description: that of {other.neuron}",
        )
