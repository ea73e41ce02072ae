"""What a study will show, drawn from the store: neurons, their held-out records, and what each arm says of them."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from app.domain import study_texts
from app.domain.neurons import NeuronRef, Records, Split
from app.domain.protocols import explain_records
from app.domain.studies import GoldKind, StudyArm, StudyDefinition, Task
from app.domain.study_items import FrozenRecord, ItemKind, StudyItem, frozen, known, of_puzzle, shown_rows
from app.domain.study_texts import Shown, Source
from app.domain.vocabulary import Vocabulary
from app.errors import AppError
from app.exchange.puzzles import built_in
from app.store import Session, Store, experiment_samples, models, neurons, study_material
from app.store.excerpts import ExcerptCache
from app.store.rows import StoredExcerpts
from app.store.study_material import Said

NAMED = 3  # neurons in a sentence


@dataclass(frozen=True)
class Lacking:
    """A neuron of which an arm says nothing yet, or nothing that raters could be shown."""

    ref: NeuronRef
    arm: int


@dataclass
class Material:
    """What a definition comes to in this store."""

    items: list[StudyItem] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)  # in words; kept with the study
    problems: list[str] = field(default_factory=list)  # why it cannot start, in words
    lacking: list[Lacking] = field(default_factory=list)  # explanations that are still to be made
    exposed: list[Lacking] = field(default_factory=list)  # explanations made from text that raters would see
    bare: list[NeuronRef] = field(default_factory=list)  # neurons without records to show

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
    with store.reading() as session:
        shelf = _Shelf(store, session, definition)
        said = study_material.newest(session, refs, definition.arms, definition.polarity)
        for ref in refs:
            found.items.append(_main(shelf, ref, said, found))
    _say_bare(definition, found)
    _say_lacking(definition, found)
    _say_exposed(definition, found)
    _say_same(found)
    blocks = len(found.main) * definition.per_item
    if 0 < blocks < definition.raters:
        found.problems.append(
            f"{len(found.main)} neurons of {definition.per_item} raters each leave {definition.raters - blocks} of {definition.raters} raters"
            " without any: take fewer raters, or more neurons."
        )
    if not definition.evidence.random and definition.compares:
        found.notes.append(
            "Raters see top records only, so that they cannot notice what a description claims too much of."
        )
    if definition.name_neuron:
        found.notes.append(
            "Raters are told layer and index of each neuron, by which they could look it up elsewhere."
        )
    if not (definition.consent.text and definition.consent.contact):
        found.notes.append(
            "The consent page tells raters "
            + ("nothing but how to begin" if not definition.consent.text else "of nobody whom they could ask")
            + f": fill in consent.{'contact' if definition.consent.text else 'text'}."
        )
    found.items += _gold(store, definition, found)
    if definition.practice:
        found.items += [
            of_puzzle(puzzle, ItemKind.PRACTICE, wrong=2) for puzzle in built_in()[: definition.practice]
        ]
    return found


class _Shelf:
    """What raters see of neurons, read within one session."""

    def __init__(self, store: Store, session: Session, definition: StudyDefinition) -> None:
        self.session = session
        self.definition = definition
        self._store = store
        self._excerpts: dict[str, StoredExcerpts] = {}
        self._vocabularies: dict[str, Vocabulary] = {}

    def evidence(self, ref: NeuronRef) -> Records:
        """The records to be shown."""
        records = neurons.records(self.session, self._excerpts_of(ref.model), ref)
        if Task.WRITE in self.definition.tasks:
            return explain_records(records, self.definition.polarity)
        return records.take(shown_rows(records, self.definition.evidence, self.definition.polarity))

    def collection(self, ref: NeuronRef) -> int:
        """The collection that they are of."""
        return self._excerpts_of(ref.model).collection_id

    def frozen(self, ref: NeuronRef, records: Records) -> tuple[FrozenRecord, ...]:
        """Records as raters see them."""
        if ref.model not in self._vocabularies:
            self._vocabularies[ref.model] = models.cached_vocabulary(self._store, ref.model)
        return frozen(records, self._vocabularies[ref.model])

    def _excerpts_of(self, model: str) -> StoredExcerpts:
        if model not in self._excerpts:
            self._excerpts[model] = ExcerptCache.get(self._store, model)
        return self._excerpts[model]


def _main(
    shelf: _Shelf, ref: NeuronRef, said: Mapping[tuple[NeuronRef, int], Said], found: Material
) -> StudyItem:
    evidence = shelf.evidence(ref)
    if not len(evidence):
        found.bare.append(ref)
    sources: list[Source] = []
    for i, arm in enumerate(shelf.definition.arms):
        one = said.get((ref, i))
        if one is None:
            found.lacking.append(Lacking(ref, i))
            continue
        sources.append(Source(i, one.id, one.text))
        _demand_held_out(shelf, ref, i, arm, one.id, evidence, found)
    return StudyItem(
        ItemKind.MAIN,
        ref,
        shelf.frozen(ref, evidence),
        study_texts.once(sources),
        top_only=shelf.definition.evidence.top_only,
    )


def _demand_held_out(
    shelf: _Shelf,
    ref: NeuronRef,
    number: int,
    arm: StudyArm,
    explanation_id: int,
    evidence: Records,
    found: Material,
) -> None:
    if not len(evidence) or (evidence.splits == Split.UNSPLIT).all():
        return  # data without documents: ranks that no explainer is shown
    seen = study_material.seen_of(
        shelf.session, explanation_id, shelf.collection(ref), evidence.excerpts.tolist()
    )
    if seen is None:
        note = f"Nobody knows which text the makers of “{arm.label}” saw: what raters see may not be held out from them."
        if note not in found.notes:
            found.notes.append(note)
    elif seen:
        found.exposed.append(Lacking(ref, number))


def _say_lacking(definition: StudyDefinition, found: Material) -> None:
    counts = Counter(each.arm for each in found.lacking)
    for arm, n in sorted(counts.items()):
        label, of = definition.arms[arm].label, len(found.main)
        found.problems.append(
            f"“{label}” says nothing of {n} of {of} neurons: make these explanations first (neuronarium study explain), or leave the arm out."
        )


def _say_exposed(definition: StudyDefinition, found: Material) -> None:
    counts = Counter(each.arm for each in found.exposed)
    for arm, n in sorted(counts.items()):
        of = [each.ref for each in found.exposed if each.arm == arm]
        found.problems.append(
            f"“{definition.arms[arm].label}”: {n} of {len(found.main)} explanations were made from text that raters would be shown"
            f" ({_some(of)}): explain these neurons anew."
        )


def _say_bare(definition: StudyDefinition, found: Material) -> None:
    if found.bare:
        what = "records" if Task.WRITE in definition.tasks else "held-out records"
        found.problems.append(
            f"{len(found.bare)} of {len(found.main)} neurons have no {what} to show raters ({_some(found.bare)}): collect or import them,"
            " or leave these neurons out."
        )


def _some(refs: Sequence[NeuronRef]) -> str:
    """A few of them by name."""
    named = ", ".join(str(ref) for ref in refs[:NAMED])
    return f"{named} …" if len(refs) > NAMED else named


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
                    shelf = _Shelf(store, session, definition)
                    records = shelf.frozen(ref, shelf.evidence(ref))
            except AppError as error:
                found.problems.append(f"Gold item {gold.neuron}: {error.sentence}")
                continue
            if not records:
                found.problems.append(f"Gold item {gold.neuron} has no held-out records to show raters.")
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
