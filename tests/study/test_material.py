"""What a study would show: held-out records alone, every arm's newest words, and a sentence for whatever stands in the way."""

import os
from dataclasses import replace
from pathlib import Path

import pytest

from app.domain.experiments import Rule, SampleRule
from app.domain.explanations import Method, Provenance, State
from app.domain.neurons import Kind, NeuronRef, Polarity, Split
from app.domain.protocols import BILLS_SCORE_RANDOM, BILLS_SCORE_TOP
from app.domain.studies import Gold, GoldKind, ShownRecords, StudyArm, Task
from app.domain.study_items import ItemKind
from app.errors import BadInput
from app.exchange.columns import Wishes
from app.exchange.importing import Asked, run
from app.jobs import import_published
from app.jobs.import_published import ImportRequest
from app.store import Store, explanations, neurons
from app.store.excerpts import ExcerptCache
from app.store.imported_neurons import Shape
from app.study.service import Studies
from tests import factories
from tests import study_world as w
from tests.conftest import Full
from tests.published_world import World

SAMPLES = Path(os.environ.get("NEURONARIUM_SAMPLES") or Path(__file__).parents[3] / "shared" / "data")
FIVE = SAMPLES / "five-methods-random-interpretable-gpt35.csv"


def add(store: Store, ref: NeuronRef, text: str, by: Provenance, key: str) -> None:
    with store.session() as s:
        explanations.add(s, ref, text, Polarity.POSITIVE, by, State.OK, "", None, key)


def test_raters_see_the_strongest_and_random_records_of_the_score_split(full: Full) -> None:
    w.describe(full.store, w.refs(3))
    found = Studies(full.store).material(w.definition(evidence=ShownRecords(3, 2)))
    assert found.problems == [] and len(found.main) == 3
    table = ExcerptCache.get(full.store, factories.SLUG)
    for item in found.main:
        assert item.neuron is not None and not item.top_only
        with full.store.session() as s:
            records = neurons.records(s, table, item.neuron)
        split = {e: Split(int(x)) for e, x in zip(records.excerpts.tolist(), records.splits, strict=True)}
        assert [record.kind for record in item.records] == ["top"] * 3 + ["random"] * 2
        assert {split[record.excerpt] for record in item.records} == {Split.SCORE}
        assert len({record.excerpt for record in item.records}) == 5
        strongest = [max(record.values) for record in item.records[:3]]
        assert strongest == sorted(strongest, reverse=True)


def test_top_only_is_an_option_that_is_noted(tiny_store: Store) -> None:
    w.describe(tiny_store, w.refs(3))
    found = Studies(tiny_store).material(w.definition(evidence=ShownRecords(5, 0), name_neuron=True))
    assert all(item.top_only for item in found.main)
    assert any(note.startswith("Raters see top records only") for note in found.notes)
    assert any("look it up elsewhere" in note for note in found.notes)


def test_what_no_method_says_yet_is_lacking_by_arm(tiny_store: Store) -> None:
    w.describe(tiny_store, w.refs(3), w.METHODS[:2])
    w.describe(tiny_store, w.refs(1), (Method.AVHS,))
    found = Studies(tiny_store).material(w.definition())
    assert {(each.ref, each.arm) for each in found.lacking} == {(ref, 2) for ref in w.refs(3)[1:]}
    assert found.problems == [
        "“avhs” says nothing of 2 of 3 neurons: make these explanations first (neuronarium study explain), or leave the arm out."
    ]
    made = Studies(tiny_store)
    draft = made.make(w.definition(), w.OWNER)
    with pytest.raises(BadInput, match="“avhs” says nothing of 2 of 3 neurons"):
        made.start(draft.id, w.OWNER)
    assert made.get(draft.id).registered_hash == ""


def test_the_newest_of_a_method_and_its_explainer_counts(tiny_store: Store) -> None:
    [ref] = w.refs(1)
    w.describe(tiny_store, [ref])
    table = ExcerptCache.get(tiny_store, factories.SLUG)
    with tiny_store.session() as s:
        records = neurons.records(s, table, ref)
    other = replace(factories.provenance(records, method=Method.SUMMARY), explainer="vllm / big")
    add(tiny_store, ref, "newer words", other, "newer")
    made = Studies(tiny_store)
    for named, says in (("", "Newer words."), ("big", "Newer words."), ("vllm", "Newer words."), ("vllm / big", "Newer words."), ("scripted", "Ships and harbours 0.")):  # fmt: skip
        arms = (StudyArm("original"), StudyArm("summary", named))
        [item] = made.material(w.definition(1, arms=arms, contrasts=())).main
        assert item.texts[1].text == says
    nobody = made.material(
        w.definition(1, arms=(StudyArm("original"), StudyArm("summary", "bi%")), contrasts=())
    )
    assert len(nobody.lacking) == 1


def test_an_explanation_that_saw_what_would_be_shown_is_refused(tiny_store: Store) -> None:
    ref, other = w.refs(2)
    w.describe(tiny_store, [ref, other])
    table = ExcerptCache.get(tiny_store, factories.SLUG)
    with tiny_store.session() as s:
        records = neurons.records(s, table, ref)
    held_out = records.excerpts[(records.kinds == Kind.TOP) & (records.splits == Split.SCORE)]
    by = replace(factories.provenance(records, method=Method.SUMMARY), excerpts=tuple(held_out.tolist()[:1]))
    add(tiny_store, ref, "I saw it", by, "leak")
    found = Studies(tiny_store).material(w.definition(2))
    assert [(each.ref, each.arm) for each in found.exposed] == [(ref, 1)]
    [said] = found.problems
    assert said.startswith("“summary”: 1 of 2 explanations were made from text that raters would be shown")
    assert str(ref) in said


def test_gold_of_every_kind_has_its_right_answers(tiny_store: Store) -> None:
    w.describe(tiny_store, w.refs(3))
    gold = (
        Gold(GoldKind.PUZZLES, 2),
        Gold(
            GoldKind.GIVEN, neuron=f"{factories.SLUG}/1-mlp/9", right="planted", wrong=("not it", "nor this")
        ),
        Gold(GoldKind.FALSE, 1),
    )
    found = Studies(tiny_store).material(w.definition(gold=gold, practice=1))
    assert found.problems == []
    kinds = [item.kind for item in found.items]
    assert kinds == [ItemKind.MAIN] * 3 + [ItemKind.GOLD] * 4 + [ItemKind.PRACTICE]
    puzzles, given, false = found.items[3:5], found.items[5], found.items[6]
    assert all([text.right for text in item.texts].count(True) == 1 for item in puzzles)
    assert {item.note for item in puzzles}.isdisjoint({found.items[7].note})  # none that was practised on
    assert [text.right for text in given.texts] == [True, False, False] and len(given.records) == 10
    assert [text.right for text in false.texts].count(False) == 1 and false.texts[-1].sources[0].arm == -1
    assert all(text.sources[0].arm == -1 for item in puzzles for text in item.texts)
    many = Studies(tiny_store).material(w.definition(gold=(Gold(GoldKind.PUZZLES, 500),)))
    assert any("and 500 are wanted" in problem for problem in many.problems)
    missing = Gold(GoldKind.GIVEN, neuron="nobody/0-mlp/1", right="a", wrong=("b",))
    assert any(
        "nobody" in problem
        for problem in Studies(tiny_store).material(w.definition(gold=(missing,))).problems
    )


def test_people_who_write_see_what_an_explainer_sees(tiny_store: Store) -> None:
    writing = w.definition(arms=(), contrasts=(), tasks=(Task.WRITE,), practice=0)
    found = Studies(tiny_store).material(writing)
    assert found.problems == []
    table = ExcerptCache.get(tiny_store, factories.SLUG)
    for item in found.main:
        assert item.neuron is not None
        with tiny_store.session() as s:
            records = neurons.records(s, table, item.neuron)
        shown = factories.provenance(records).excerpts
        assert tuple(record.excerpt for record in item.records) == shown and item.texts == ()


def test_an_empty_sample_and_unknown_neurons_are_said(tiny_store: Store) -> None:
    made = Studies(tiny_store)
    by_score = SampleRule(Rule.RANDOM_ABOVE, n=1, above=9.0)
    empty = made.material(w.definition(samples=(by_score,), models=(factories.SLUG,)))
    assert empty.main == [] and "is empty: no neuron meets its rule" in empty.problems[0]
    unknown = made.material(
        w.definition(samples=(SampleRule(Rule.NEURONS, neurons=(f"{factories.SLUG}/9-mlp/1",)),))
    )
    assert unknown.main == [] and "9-mlp" in unknown.problems[0]


def test_where_nobody_knows_what_was_seen_it_is_noted(tiny_store: Store, tmp_path: Path) -> None:
    [ref] = w.refs(1)
    w.describe(tiny_store, [ref])
    file = tmp_path / "theirs.jsonl"
    file.write_text('{"layer": 0, "neuron": 0, "explanation": "what they say"}\n')
    run(tiny_store, Asked(file, factories.SLUG))
    arms = (StudyArm("original"), StudyArm("import"))
    found = Studies(tiny_store).material(w.definition(1, arms=arms, contrasts=(), raters=1))
    assert found.problems == [] and found.main[0].texts[1].text == "What they say."
    assert any(note.startswith("Nobody knows which text the makers of “import” saw") for note in found.notes)


def test_a_rater_without_a_neuron_is_one_too_many(tiny_store: Store) -> None:
    w.describe(tiny_store, w.refs(3))
    made = Studies(tiny_store)
    assert made.material(w.definition(raters=3, raters_per_item=1)).problems == []
    [said] = made.material(w.definition(raters=5, raters_per_item=1)).problems
    assert said.startswith("3 neurons of 1 raters each leave 2 of 5 raters without any")


def test_imported_data_shows_the_ranks_that_nobody_explained_from(
    sqlite_store: Store, tmp_path: Path
) -> None:
    world = World(2, 10, excerpts=80)
    world.write(tmp_path)
    import_published.run(
        sqlite_store, ImportRequest(str(tmp_path), "pub-tiny", shape=Shape(2, 10)), lambda _: None, 0
    )
    with sqlite_store.session() as s:
        made = explanations.of_neuron(s, NeuronRef("pub-tiny", "1-mlp", 3))
    method = made[0].provenance.method
    ref = NeuronRef("pub-tiny", "1-mlp", 3)
    found = Studies(sqlite_store).material(
        w.definition(
            samples=(SampleRule(Rule.NEURONS, neurons=(str(ref),)),),
            arms=(StudyArm(method),),
            contrasts=(),
            tasks=(Task.RATE,),
        )
    )
    [item] = found.main
    table = ExcerptCache.get(sqlite_store, "pub-tiny")
    with sqlite_store.session() as s:
        records = neurons.records(s, table, ref)
    by_kind = {kind: records.excerpts[records.kinds == kind].tolist() for kind in (Kind.TOP, Kind.RANDOM)}
    wanted = [by_kind[Kind.TOP][i] for i in BILLS_SCORE_TOP] + [
        by_kind[Kind.RANDOM][i] for i in BILLS_SCORE_RANDOM if i < len(by_kind[Kind.RANDOM])
    ]
    assert [record.excerpt for record in item.records] == list(dict.fromkeys(wanted))
    assert found.problems == []


@pytest.mark.skipif(not FIVE.exists(), reason=f"no published samples in {SAMPLES}")
def test_the_five_methods_of_960_neurons(sqlite_store: Store) -> None:
    """Explanations without records: what two methods say alike is counted, and that nothing can be shown is said once."""
    run(sqlite_store, Asked(FIVE, "gpt2-xl", wishes=Wishes(explainer="gpt-3.5-turbo")))
    arms = tuple(StudyArm(method) for method in ("original", "summary", "highlight", "hs", "avhs"))
    every = w.definition(
        arms=arms, samples=(SampleRule(Rule.RANDOM, n=6400),), models=("gpt2-xl",), contrasts=()
    )
    found = Studies(sqlite_store).material(every)
    assert (len(found.main), found.same_texts, found.lacking) == (960, 47, [])
    assert any(note.startswith("In 47 of 960 neurons two or more arms say the same") for note in found.notes)
    [said] = found.problems
    assert said.startswith("960 of 960 neurons have no held-out records to show raters (gpt2-xl/0-mlp/")
