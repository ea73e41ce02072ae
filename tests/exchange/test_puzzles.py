"""Puzzles into the store: the built-in set, published ones from a file of ours, and whatever must not come in."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from app.domain.neurons import NeuronRef
from app.domain.puzzles import OWN_SET
from app.errors import BadInput, Conflict, NotFound
from app.exchange.puzzles import add_built_in, import_file
from app.store import Store, models, neurons, puzzles, relations
from tests import factories

SAMPLES = Path(os.environ.get("NEURONARIUM_SAMPLES") or Path(__file__).parents[3] / "shared" / "data")

FORM: dict[str, Any] = {
    "drinks": {
        "name": "drinks",
        "explanation": "what one drinks",
        "sentences": [
            [["She", 0], " drank", [" tea", 8.5], " and", [" milk", 10], "."],
            ["The", " road", " was", " wet", "."],
            [[" \u202ebeer", 3], [" tea", 2]],
        ],
        "false_explanations": ["what one eats", "the word “tea”"],
    },
    "rain": {
        "name": "rain",
        "explanation": "words for rain",
        "sentences": [[["Drizzle", 9], " fell"], ["Nothing", " fell"]],
        "false_explanations": ["words for falling"],
    },
}

Write = Callable[[Any], Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def put(value: Any, name: str = "some-puzzles.json") -> Path:
        file = tmp_path / name
        file.write_text(value if isinstance(value, str) else json.dumps(value), "utf-8")
        return file

    return put


def test_the_built_in_set_is_added_once_and_browsable(store: Store) -> None:
    first, again = add_built_in(store), add_built_in(store)
    assert first.new >= 20 and first.same == 0
    assert (again.new, again.same) == (0, first.new)
    with store.session() as s:
        [found] = puzzles.sets(s)
        layer = models.layers(s, OWN_SET)
        ref = NeuronRef(OWN_SET, "puzzles", first.new - 1)
        stored, beside = puzzles.of_neuron(s, ref), relations.of(s, ref)
        assert neurons.page(s, OWN_SET, "puzzles").total == first.new
    assert (found.slug, found.puzzles, found.source) == (OWN_SET, first.new, "built in")
    assert [(each.slug, each.neurons, each.width) for each in layer] == [("puzzles", first.new, first.new)]
    assert stored is not None and len(beside) == 1
    assert json.loads(beside[0].data)[0]["tokens"] == list(stored.puzzle.sentences[0].pieces)


def test_a_set_grows_and_what_a_puzzle_says_never_changes(store: Store, write: Write) -> None:
    assert import_file(store, write({"rain": FORM["rain"]}), "mine").added == (1, 0)
    assert import_file(store, write(FORM), "mine").added == (1, 1)
    changed = {**FORM, "rain": {**FORM["rain"], "explanation": "words for snow"}, "new": FORM["rain"]}
    with pytest.raises(Conflict, match="another puzzle “rain”"):
        import_file(store, write(changed), "mine")
    with store.session() as s:
        assert [(each.puzzle.key, each.puzzle.truth) for each in puzzles.of_set(s, "mine")] == [
            ("rain", "words for rain"),
            ("drinks", "what one drinks"),
        ]


def test_published_puzzles_come_in_whole_and_apart_from_ours(store: Store, write: Write) -> None:
    add_built_in(store)
    made = import_file(store, write(FORM))
    assert (made.slug, made.added) == ("some-puzzles", (2, 0))
    with store.session() as s:
        drinks, rain = puzzles.of_set(s, "some-puzzles")
        assert len(puzzles.sets(s)) == 2
        assert puzzles.of_neuron(s, NeuronRef("some-puzzles", "puzzles", 2)) is None
        with pytest.raises(NotFound, match=r"“x”; there is neuron-puzzles, some-puzzles"):
            puzzles.get_set(s, "x")
    assert drinks.puzzle.false == ("what one eats", "the word “tea”") and drinks.source == "some-puzzles.json"
    assert drinks.puzzle.sentences[0].pieces == ("She", " drank", " tea", " and", " milk", ".")
    assert drinks.puzzle.levels == ((0, 0, 8, 0, 10, 0), (0, 0, 0, 0, 0), (3, 2))
    assert drinks.puzzle.sentences[2].pieces == (" \u202ebeer", " tea")
    assert rain.ref == NeuronRef("some-puzzles", "puzzles", 1)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"sentences": []}, "no sentences"),
        ({"sentences": [[["a", float("nan")]]]}, "no finite number"),
        ({"sentences": [["a", "b"]]}, "no token of its sentences is active"),
        ({"explanation": " "}, "explanation is empty"),
        ({"false_explanations": []}, "no false explanations"),
        ({"false_explanations": ["words for rain"]}, "is the true one"),
    ],
)
def test_one_faulty_puzzle_and_none_comes_in(
    store: Store, write: Write, change: dict[str, Any], why: str
) -> None:
    file = write({"drinks": FORM["drinks"], "rain": {**FORM["rain"], **change}})
    with pytest.raises(BadInput, match=why) as caught:
        import_file(store, file)
    assert "puzzle “rain”" in str(caught.value)
    with store.session() as s:
        assert puzzles.sets(s) == []


def test_what_is_no_set_is_refused(sqlite_store: Store, write: Write) -> None:
    factories.fill(sqlite_store)
    with pytest.raises(BadInput, match="holds no puzzles"):
        import_file(sqlite_store, write([{"a": 1}]))
    with pytest.raises(BadInput, match="comes with the program"):
        import_file(sqlite_store, write(FORM), OWN_SET)
    with pytest.raises(Conflict, match="is a model and no set"):
        import_file(sqlite_store, write(FORM), factories.SLUG)
    for slug in ("rate", "Über", "a/b"):
        with pytest.raises(BadInput, match="cannot be"):
            import_file(sqlite_store, write(FORM), slug)


@pytest.mark.skipif(
    not (SAMPLES / "neuron-puzzles-ten.json").exists(), reason=f"no published samples in {SAMPLES}"
)
def test_ten_published_puzzles_come_in_whole(sqlite_store: Store) -> None:
    file = SAMPLES / "neuron-puzzles-ten.json"
    made = import_file(sqlite_store, file)
    assert made.added == (10, 0)
    with sqlite_store.session() as s:
        found = puzzles.of_set(s, made.slug)
    for stored, given in zip(found, json.loads(file.read_text("utf-8")).values(), strict=True):
        puzzle = stored.puzzle
        assert [puzzle.truth, *puzzle.false] == [
            given["explanation"].strip(),
            *map(str.strip, given["false_explanations"]),
        ]
        again = [
            list(zip(sentence.pieces, sentence.activations, strict=True)) for sentence in puzzle.sentences
        ]
        plain = [[tuple(x) if isinstance(x, list) else (x, 0) for x in each] for each in given["sentences"]]
        assert again == plain
        assert all(0 <= value <= 10 for each in puzzle.sentences for value in each.activations)
