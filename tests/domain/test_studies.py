"""Definitions of rating studies: their files, what is wrong with them, and the places that are drawn for raters."""

import json
from collections import Counter
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.domain.definition_files import FileKind, kind_of
from app.domain.experiments import Rule, SampleRule
from app.domain.neurons import NeuronRef, Polarity
from app.domain.puzzles import Puzzle
from app.domain.studies import (
    Codes,
    Consent,
    Gold,
    GoldKind,
    ShownRecords,
    StudyArm,
    StudyContrast,
    StudyDefinition,
    Task,
    definition_hash,
)
from app.domain.study_checks import problems
from app.domain.study_files import read, read_kept, to_values, write
from app.domain.study_items import ItemKind, StudyItem, item_values, of_puzzle, read_item
from app.domain.study_places import places
from app.domain.study_quality import Exclusions
from app.domain.study_texts import Source, alike, once
from app.domain.study_williams import williams
from app.errors import BadInput
from app.exchange.puzzles import built_in
from tests.domain.test_experiments import names, rules, seeds, words

SOUND = StudyDefinition(
    name="Which format do people prefer?",
    samples=(SampleRule(Rule.RANDOM, n=2),),
    models=("tiny-random",),
    arms=(StudyArm("original"), StudyArm("summary"), StudyArm("avhs")),
)
prose = st.just("") | st.text(
    st.characters(codec="utf-8", categories=["L", "N", "P", "S", "Zs"]), max_size=20
).map(str.strip)
shares = st.none() | st.floats(0, 1)


@st.composite
def definitions(draw: st.DrawFn) -> StudyDefinition:
    raters = draw(st.integers(1, 40))
    arms = draw(
        st.lists(st.builds(StudyArm, names, st.just("") | names, st.just("") | words), min_size=2, max_size=5)
    )
    labels = list(dict.fromkeys(arm.label for arm in arms))
    arms = [next(arm for arm in arms if arm.label == label) for label in labels]
    if len(arms) < 2:
        arms = [StudyArm("one"), StudyArm("two")]
        labels = ["one", "two"]
    tasks = draw(
        st.lists(
            st.sampled_from([Task.RATE, Task.BEST, Task.RANK, Task.PAIR]), min_size=1, max_size=4, unique=True
        )
    )
    gold = st.builds(
        Gold, st.sampled_from([GoldKind.PUZZLES, GoldKind.FALSE]), st.integers(1, 3)
    ) | st.builds(Gold, st.just(GoldKind.GIVEN), st.just(1), st.just("m/0-mlp/1"), words, st.tuples(words))
    return StudyDefinition(
        name=draw(words),
        samples=tuple(draw(st.lists(rules(), min_size=1, max_size=3, unique_by=lambda rule: rule.label))),
        arms=tuple(arms),
        title=draw(words),
        question=draw(prose),
        instructions=draw(prose),
        statement=draw(words) + " [description]",
        best_question=draw(words),
        models=tuple(draw(st.lists(names, min_size=1, max_size=2, unique=True))),
        polarity=draw(st.sampled_from(list(Polarity))),
        tasks=tuple(tasks),
        evidence=draw(st.builds(ShownRecords, st.integers(1, 10), st.integers(0, 10))),
        name_neuron=draw(st.booleans()),
        raters=raters,
        raters_per_item=draw(st.integers(0, raters)),
        gold=tuple(draw(st.lists(gold, max_size=3))),
        repeats=draw(st.integers(0, 5)),
        practice=draw(st.integers(0, 5)),
        consent=draw(st.builds(Consent, prose, prose, prose, prose, prose)),
        codes=draw(st.builds(Codes, st.just("") | st.just("C1A2"), st.just("") | st.just("SCREEN"))),
        contrasts=draw(st.sampled_from([(), (StudyContrast(labels[0], labels[1]),)])),
        exclusions=draw(st.builds(Exclusions, shares, shares, st.none() | st.floats(0, 1e3), shares)),
        stopping=draw(prose),
        timeout_hours=draw(st.floats(0.1, 1e3)),
        seed=draw(seeds),
    )


@settings(max_examples=30)
@given(definitions(), st.sampled_from(list(FileKind)))
def test_what_is_written_reads_back_the_same(made: StudyDefinition, kind: FileKind) -> None:
    assert problems(made) == []
    text = write(made, kind)
    again = read(text, kind)
    assert again == made and definition_hash(again) == definition_hash(made)
    assert kind_of(text) is kind
    assert read_kept(write(made, FileKind.JSON)) == made


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.floats() | st.text(), lambda v: st.lists(v) | st.dictionaries(st.sampled_from([*to_values(SOUND), "consent", "gold", "x"]), v), max_leaves=8))  # fmt: skip
def test_whatever_a_file_holds_is_a_definition_or_said_to_be_none(values: object) -> None:
    with pytest.raises(BadInput):
        read(json.dumps(values), FileKind.JSON)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"name": ""}, "a study's name needs a letter"),
        ({"samples": ()}, "samples is empty"),
        ({"models": ()}, "models is empty"),
        ({"samples": (SampleRule(Rule.RANDOM),)}, "the sample would be empty"),
        ({"arms": ()}, "best needs descriptions of at least two methods; 0 given"),
        ({"arms": (StudyArm("a"),) * 2}, "the names of arms: “a” is there twice"),
        ({"arms": tuple(StudyArm(f"m{i}") for i in range(11))}, "at most 10 can be compared"),
        ({"arms": (StudyArm("a"), StudyArm(""))}, "name the method of each"),
        ({"tasks": ()}, "tasks is empty"),
        ({"tasks": (Task.RATE, Task.RATE)}, "“rate” is there twice"),
        ({"tasks": (Task.WRITE,), "arms": (), "practice": 0}, ""),
        ({"tasks": (Task.WRITE,), "practice": 0}, "is shown none: leave arms out"),
        ({"tasks": (Task.SIMULATE,), "arms": SOUND.arms[:1]}, "practice = 0"),
        ({"statement": "It is good."}, "write [description]"),
        ({"evidence": ShownRecords(0, 5)}, "at least one top record"),
        ({"evidence": ShownRecords(11, 10)}, "at most 20 in all"),
        ({"raters": 0}, "0 is not between 1 and 1000"),
        ({"raters_per_item": 6}, "6 of 5 raters cannot see an item"),
        ({"repeats": -1}, "less than none"),
        ({"practice": 6}, "6 is not between 0 and 5"),
        ({"gold": (Gold(GoldKind.GIVEN, neuron="x"),)}, "names no neuron"),
        ({"gold": (Gold(GoldKind.PUZZLES, 0),)}, "n is 0"),
        ({"codes": Codes("a b")}, "other signs than letters and digits"),
        ({"contrasts": (StudyContrast("hs", "original"),)}, "there is no arm “hs”"),
        ({"contrasts": (StudyContrast("avhs", "avhs"),)}, "set against itself"),
        ({"timeout_hours": 0.0}, "timeout_hours"),
        ({"seed": -1}, "seed: -1"),
        ({"instructions": "a\0b"}, "control character"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said(change: dict[str, object], words: str) -> None:
    assert problems(SOUND) == []
    said = problems(replace(SOUND, **change))  # type: ignore[arg-type]
    assert any(words in each for each in said) if words else said == []


def test_a_file_says_where_it_is_wrong() -> None:
    text = write(SOUND, FileKind.TOML)
    with pytest.raises(BadInput, match="raterz: unknown key; the keys here are name, title"):
        read(f"raterz = 3\n{text}", FileKind.TOML)
    with pytest.raises(BadInput, match="arms 1, methud: unknown key"):
        read(text.replace('method = "original"', 'method = "original"\nmethud = "x"'), FileKind.TOML)
    for rule in ("min_gold = 2", "max_straight = -0.1", "min_seconds = nan"):
        with pytest.raises(BadInput, match=f"exclusions: {rule.split()[0]} is a"):
            read(f"{text}\n[exclusions]\n{rule}\n", FileKind.TOML)
    with pytest.raises(BadInput, match="newer version of Neuronarium, or damaged"):
        read_kept('{"name": "x", "samples": [{"rule": "random", "n": 1}], "later": 1}')


def items(
    n: int, arms: int = 3, gold: int = 0, practice: int = 0, same: tuple[int, ...] = ()
) -> list[StudyItem]:
    """Main items in which the arms say something each; in those of `same` the last two say the same."""
    made = []
    for i in range(n):
        said = [f"text {i} {a}" for a in range(arms)]
        if i in same:
            said[-1] = said[-2]
        texts = once([Source(a, 10 * i + a, text) for a, text in enumerate(said)])
        made.append(StudyItem(ItemKind.MAIN, NeuronRef("m", f"{i % 4}-mlp", i), (), texts))
    puzzles: list[Puzzle] = list(built_in())
    made += [of_puzzle(puzzle, ItemKind.GOLD, wrong=2) for puzzle in puzzles[:gold]]
    made += [of_puzzle(puzzle, ItemKind.PRACTICE, wrong=2) for puzzle in puzzles[:practice]]
    return made


@settings(max_examples=60)
@given(
    st.integers(1, 12), st.integers(0, 12), st.integers(1, 25), st.integers(2, 5), st.integers(0, 2**31 - 1)
)
def test_every_item_is_in_its_number_of_places(
    raters: int, per_item: int, n: int, arms: int, seed: int
) -> None:
    made = replace(
        SOUND,
        raters=raters,
        raters_per_item=min(per_item, raters),
        seed=seed,
        repeats=2,
        arms=tuple(StudyArm(f"m{i}") for i in range(arms)),
        tasks=(Task.RATE, Task.PAIR),
    )
    shown = items(n, arms, gold=2, practice=1, same=(0,))
    drawn = places(made, shown)
    assert drawn == places(made, shown) and len(drawn) == raters
    counts = Counter(s.item for plan in drawn for s in plan if not s.repeat)
    assert [counts[i] for i in range(n)] == [made.per_item] * n
    assert [counts[i] for i in range(n, n + 3)] == [
        raters
    ] * 3  # everybody's: two of gold, one to practise on
    loads = [sum(s.item < n and not s.repeat for s in plan) for plan in drawn]
    assert max(loads) - min(loads) <= 1
    for plan in drawn:
        assert plan[0].item == n + 2 and all(s.item != n + 2 for s in plan[1:])
        mine = [s.item for s in plan if s.item < n and not s.repeat]
        assert len(set(mine)) == len(mine)
        again = [s for s in plan if s.repeat]
        assert len(again) == min(2, len(mine)) and {s.item for s in again} <= set(mine)
        assert list(plan[len(plan) - len(again) :]) == again  # as late as can be
        for s in plan:
            assert sorted(s.texts) == list(range(len(shown[s.item].texts)))
            both = {frozenset(pair) for pair in s.pairs}
            assert len(both) == len(s.pairs) == len(s.texts) * (len(s.texts) - 1) // 2


def test_another_seed_draws_other_places_and_more_raters_keep_their_orders() -> None:
    shown = items(8)
    made = replace(SOUND, raters=4)
    assert places(made, shown) != places(replace(made, seed=1), shown)
    assert places(replace(made, raters=6), shown)[:4] == places(made, shown)


def test_raters_of_a_nested_study_each_have_one_neuron_of_every_layer_and_are_mixed() -> None:
    made = replace(SOUND, raters=5, raters_per_item=1)
    drawn = places(made, items(4 * 5))  # five of each of four layers in turn: layer by layer is every fourth
    assert [len(plan) for plan in drawn] == [4] * 5
    two = replace(SOUND, raters=6, raters_per_item=2)
    plans = places(two, items(60))
    shared = Counter(
        frozenset(k for k, plan in enumerate(plans) if any(s.item == i for s in plan)) for i in range(60)
    )
    assert len(shared) > 3  # not the same three pairs of raters throughout


@pytest.mark.parametrize("arms", [2, 3, 4, 5])
def test_methods_stand_equally_often_at_each_place_and_after_each_other(arms: int) -> None:
    period = len(williams(arms))
    made = replace(
        SOUND, raters=3, arms=tuple(StudyArm(f"m{i}") for i in range(arms)), tasks=(Task.RATE,), practice=0
    )
    for plan in places(made, items(2 * period, arms)):
        orders = [s.texts for s in plan]
        for at in range(arms):
            assert set(Counter(order[at] for order in orders).values()) == {2 * period // arms}
        for half in (orders[:period], orders[period:]):
            after = Counter(pair for order in half for pair in pairwise(order))
            assert len(after) == arms * (arms - 1) and len(set(after.values())) == 1


@given(st.text(max_size=60))
def test_descriptions_are_set_alike_once_and_for_all(raw: str) -> None:
    text = alike(raw)
    assert alike(text) == text and "\n" not in text and "  " not in text
    assert alike(f"  {raw}\t") == text


def test_an_item_survives_being_stored() -> None:
    for item in items(2, gold=1, practice=1, same=(1,)):
        again = read_item(json.loads(json.dumps(item_values(item))))
        assert again == item and again.digest == item.digest
        # What the store reads without the rest of it.
        assert list(item_values(item))[:3] == ["kind", "neuron", "records"]
