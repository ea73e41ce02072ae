"""Sequences beside statements, and puzzles' sentences: records where they can be, kept exactly, never in place of others."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select

from app.domain.neurons import Kind, NeuronRef, Split
from app.exchange import sequences
from app.exchange.columns import Wishes
from app.exchange.importing import Asked, run
from app.exchange.report import Report
from app.jobs import export_published, import_published
from app.jobs.import_published import ImportRequest
from app.published.layout import What
from app.store import (
    Session,
    Store,
    examples,
    excerpt_index,
    explanations,
    names,
    neurons,
    published_reading,
    simulations,
)
from app.store import tables as t
from app.store.excerpts import ExcerptCache
from app.store.explanation_rows import SimulationRow
from app.store.imported_neurons import Shape
from tests.conftest import Full
from tests.published_world import World, put

T, SHAPE = 64, Shape(2, 10)
REF = NeuronRef("pub-tiny", "1-mlp", 3)


def sequence(tokens: list[str], actual: list[float], simulated: list[float] | None = None) -> dict[str, Any]:
    """As the published viewer's files have one; the third number of a token is derived, and let be."""
    made = {
        "actual": [
            {"token": t, "strength": v, "normalized_strength": 0} for t, v in zip(tokens, actual, strict=True)
        ]
    }
    if simulated is not None:
        made["simulated"] = [{"token": t, "strength": v} for t, v in zip(tokens, simulated, strict=True)]
    return made


@pytest.fixture
def world() -> World:
    return World(2, 10, excerpts=80)


def row(world: World, neuron: int = 3, text: str = " shops", shift: float = 0.0) -> dict[str, Any]:
    """Two examples, and two that something was simulated on."""
    rng = np.random.default_rng(neuron)
    found = []
    for i in range(4):
        actual = np.round(rng.normal(size=T).astype(np.float16).astype(np.float64), 4) + shift
        simulated = (rng.random(T) * 10).tolist() if i > 1 else None
        found.append(sequence(world.excerpts[i], actual.tolist(), simulated))
    return {
        "layer": 1, "neuron": neuron, "explanation": text, "score": 0.5,
        "explain_sequences": found[:2], "score_sequences": found[2:],
    }  # fmt: skip


ComeIn = Callable[..., Report]


@pytest.fixture
def come_in(store: Store, tmp_path: Path) -> ComeIn:
    def now(*rows: dict[str, Any], name: str = "six.json") -> Report:
        file = tmp_path / name
        file.write_text(json.dumps(list(rows)))
        return run(store, Asked(file, "pub-tiny", shape=SHAPE))

    return now


def records(store: Store, ref: NeuronRef = REF) -> list[tuple[Kind, list[str], list[float]]]:
    """(kind, tokens, activations with their decimals) of a neuron, as they are stored."""
    held = ExcerptCache.get(store, ref.model)
    with store.session() as s:
        words = published_reading.words(s, ref.model)
        found = neurons.records(s, held, ref)
        assert set(found.splits.tolist()) <= {Split.UNSPLIT} and set(found.documents.tolist()) <= {-1}
        exact = exact_values(s, ref)
    return [
        (Kind(kind), [words[i] for i in tokens], values)
        for kind, tokens, values in zip(
            found.kinds.tolist(), found.tokens.tolist(), exact.tolist(), strict=True
        )
    ]


def exact_values(s: Session, ref: NeuronRef) -> Any:
    part = names.part_of(s, ref)
    query = select(t.exemplars.c.data).where(t.exemplars.c.id == names.neuron_id(part.id, ref.index))
    return examples.of_row(s.execute(query).scalar_one(), part.kinds.tobytes()).values


def simulated(store: Store, ref: NeuronRef = REF) -> list[SimulationRow]:
    with store.session() as s:
        return [x for e in explanations.of_neuron(s, ref) for x in simulations.of_explanation(s, e.id)]


def test_sequences_become_records_and_simulations(store: Store, world: World, come_in: ComeIn) -> None:
    one = row(world)
    report = come_in(one)
    assert (report.added, report.records, report.simulations, report.noted) == (1, 4, 1, 0)
    wanted = [
        (Kind.GIVEN, [t["token"] for t in each["actual"]], [t["strength"] for t in each["actual"]])
        for each in one["explain_sequences"] + one["score_sequences"]
    ]
    assert records(store) == wanted
    (found,) = simulated(store)
    assert found.simulated is not None and found.actual is not None
    expected = [[t["strength"] for t in each["simulated"]] for each in one["score_sequences"]]
    assert np.array_equal(found.simulated.expected, np.array(expected, np.float32))
    assert np.array_equal(found.actual, np.array([values for _, _, values in wanted[2:]], np.float32))
    with store.session() as s:
        (said,) = explanations.of_neuron(s, REF)
        assert said.simulated and said.scores[0].simulation_id is None  # it was computed on more than these
        statistics = neurons.statistics(s, REF)
    assert np.isnan([statistics.maximum, statistics.mean, statistics.explain_maximum]).all()
    again = come_in(one)
    assert (again.added, again.same, again.records, again.simulations) == (0, 1, 0, 0)
    assert records(store) == wanted and len(simulated(store)) == 1


def test_simulated_values_go_with_the_statement_that_they_are_from(
    store: Store, world: World, tmp_path: Path
) -> None:
    file = tmp_path / "six.json"
    file.write_text(json.dumps([{**row(world), "by_hand": "shops, I think"}]))
    wishes = Wishes(method="human", columns={"explanation": "by_hand"})
    report = run(store, Asked(file, "pub-tiny", shape=SHAPE, wishes=wishes))
    assert (report.added, report.records, report.simulations) == (1, 4, 0)
    assert "not from “by_hand”" in report.notes[0].reason and simulated(store) == []


def test_of_two_simulations_of_one_statement_the_first_is_kept(
    store: Store, world: World, come_in: ComeIn
) -> None:
    one = row(world)
    other = json.loads(json.dumps(one))
    other["score_sequences"][0]["simulated"][5]["strength"] = 9.75
    report = come_in(one, other)
    assert (report.added, report.same, report.records, report.simulations) == (1, 1, 4, 1)
    assert [note.line for note in report.notes] == [2] and "others are stored" in report.notes[0].reason
    assert len(simulated(store)) == 1


def test_excerpts_are_stored_once_whoever_brings_them(store: Store, world: World, come_in: ComeIn) -> None:
    come_in(row(world), row(world, 4))
    assert len(ExcerptCache.get(store, "pub-tiny").tokens) == 4
    come_in(row(world, 5), name="others.json")
    assert len(ExcerptCache.get(store, "pub-tiny").tokens) == 4


def test_values_that_disagree_leave_what_is_there(store: Store, world: World, come_in: ComeIn) -> None:
    come_in(row(world))
    before = records(store)
    report = come_in(row(world, text=" other words", shift=0.5), name="other.json")
    assert (report.added, report.records, report.simulations) == (1, 0, 0)
    (note,) = report.notes
    assert "something else than what is stored of this neuron, which is kept" in note.reason
    assert records(store) == before and len(simulated(store)) == 1


def import_files(store: Store, root: Path) -> import_published.Report:
    return import_published.run(store, ImportRequest(str(root), "pub-tiny", shape=SHAPE), lambda at: None, 0)


def published_file(
    world: World, root: Path, neuron: int, *given: dict[str, Any], random: int = 20
) -> dict[str, Any]:
    """A neuron's file that has these sequences among its strongest, and none of `row`'s texts otherwise."""
    record = world.record(1, neuron, random=random)
    shown = {tuple(tokens) for tokens in world.excerpts[:4]}
    for name in ("most_positive_activation_records", "random_sample"):
        record[name] = [each for each in record[name] if tuple(each["tokens"]) not in shown]
    record["random_sample_by_quantile"] = []
    for each in given:
        tokens, values = [t["token"] for t in each["actual"]], [t["strength"] for t in each["actual"]]
        record["most_positive_activation_records"].append({"tokens": tokens, "activations": values})
    put(root, f"data/collated-activations/1/{neuron}.json", record)
    return record


def test_a_published_file_and_examples_stand_together_whichever_came_first(
    store: Store, world: World, come_in: ComeIn, tmp_path: Path
) -> None:
    one, other = row(world), row(world, 4)
    files = [
        published_file(world, tmp_path / "pub", n, *each["explain_sequences"])
        for n, each in ((3, one), (4, other))
    ]
    assert come_in(one).records == 4
    report = import_files(store, tmp_path / "pub")
    assert (report.new["activations"], report.skipped) == (2, [])
    assert come_in(other).records == 2  # the two that the file does not have
    by_kind = [[kind for kind, _, _ in records(store, NeuronRef("pub-tiny", "1-mlp", n))] for n in (3, 4)]
    assert [kinds.count(Kind.GIVEN) for kinds in by_kind] == [4, 2]
    assert import_files(store, tmp_path / "pub").skipped == []
    export_published.run(store, "pub-tiny", tmp_path / "out", (What.ACTIVATIONS,), (), (), lambda n: None)
    for n, wanted in zip((3, 4), files, strict=True):
        written = json.loads((tmp_path / f"out/data/collated-activations/1/{n}.json").read_bytes())
        for name in ("most_positive_activation_records", "random_sample"):
            got = [(x["tokens"], x["activations"]) for x in written[name]]
            assert got == [(x["tokens"], x["activations"]) for x in wanted[name]]


def test_a_published_file_that_contradicts_examples_is_refused(
    store: Store, world: World, come_in: ComeIn, tmp_path: Path
) -> None:
    published_file(world, tmp_path / "pub", 3, *row(world, shift=1.0)["explain_sequences"])
    come_in(row(world))
    before = records(store)
    (skipped,) = import_files(store, tmp_path / "pub").skipped
    assert "says something else than what is stored" in skipped.reason
    assert records(store) == before


def test_examples_alone_are_not_exported_as_a_published_file(
    store: Store, world: World, come_in: ComeIn, tmp_path: Path
) -> None:
    come_in(row(world))
    assert not export_published.run(store, "pub-tiny", tmp_path / "out", tuple(What), (), (), lambda n: None)


def test_strongest_excerpts_are_found_though_a_layer_got_more_slots(
    store: Store, world: World, come_in: ComeIn, tmp_path: Path
) -> None:
    published_file(world, tmp_path / "first", 3, random=10)
    published_file(world, tmp_path / "second", 4, random=20)
    import_files(store, tmp_path / "first")
    import_files(store, tmp_path / "second")
    come_in(row(world, 5))
    with store.session() as s:
        index = excerpt_index.build(s, "pub-tiny")
    assert len(index.ids) == 2 and (index.sizes >= 15).all()


def test_texts_of_another_length_are_left_out_and_said(store: Store, world: World, come_in: ComeIn) -> None:
    come_in(row(world))
    short = row(world, 4)
    for name in sequences.NAMES:
        short[name] = [{key: value[:7] for key, value in each.items()} for each in short[name]]
    report = come_in(short, name="short.json")
    assert (report.added, report.records, report.simulations) == (1, 0, 0)
    assert "are of 7 tokens, unlike the excerpts that are there, of 64" in report.notes[0].reason


def test_a_model_of_our_own_takes_the_statement_alone(full: Full, world: World, tmp_path: Path) -> None:
    file = tmp_path / "six.json"
    file.write_text(json.dumps([row(world, 9)]))
    report = run(full.store, Asked(file, "tiny-random"))
    assert (report.added, report.records) == (1, 0)
    assert "was collected here" in report.notes[0].reason


FINE = [{"token": "a", "strength": 1.0}, {"token": "b", "strength": 0}]


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ("text", "is no list"),
        ([5], "is no list"),
        ([{}], "no actual tokens"),
        ([{"actual": []}], "no actual tokens"),
        ([{"actual": [{"token": 1, "strength": 1}]}], "is no text"),
        ([{"actual": [{"token": "a"}]}], "without a number"),
        ([{"actual": [{"token": "a", "strength": True}]}], "without a number"),
        ([{"actual": [{"token": "a", "strength": float("nan")}]}], "not finite"),
        ([{"actual": [{"token": "a", "strength": 1e39}]}], "not finite"),
        ([{"actual": FINE}, {"actual": FINE[:1]}], "of 2 and of 1 tokens"),
        ([{"actual": FINE}, {"actual": [FINE[0], {"token": "b", "strength": 2}]}], "different activations"),
        ([{"actual": FINE, "simulated": FINE[::-1]}], "other tokens"),
    ],
)
def test_sequences_that_cannot_be_used_are_left_out_whole(given: Any, says: str) -> None:
    found, (note,) = sequences.examples({"score_sequences": given})
    assert found is None and says in note and note.startswith("its sequences were left out: ")


def test_simulated_values_of_another_scale_are_left_out_alone() -> None:
    beyond = [{"token": "a", "strength": 10.5}, {"token": "b", "strength": 0}]
    found, (note,) = sequences.examples({"score_sequences": [{"actual": FINE, "simulated": beyond}]})
    assert found is not None and found.simulation is None and "not on the scale from 0 to 10" in note


numbers = (
    st.floats(-(2.0**127), 2.0**127, width=32)
    | st.integers(-100, 100)
    | st.floats(-10, 10).map(lambda x: round(x, 4))
)
texts = st.lists(st.tuples(st.text(max_size=3), numbers), min_size=3, max_size=3)


@given(st.lists(texts, min_size=1, max_size=5, unique_by=lambda text: tuple(token for token, _ in text)))
def test_any_texts_come_back_with_their_decimals(found_texts: list[list[tuple[str, float]]]) -> None:
    rows = [{"actual": [{"token": t, "strength": v} for t, v in text]} for text in found_texts]
    found, notes = sequences.examples({"explain_sequences": rows})
    assert found is not None and notes == ()
    held = examples._nothing(3).given(np.arange(len(rows), dtype=np.int32), found.activations)
    slots = examples.Slots(held.kinds.tobytes())
    back = examples.of_row(held.pack(slots), slots.kinds)
    assert np.array_equal(back.values, [[float(v) for _, v in text] for text in found_texts])
    assert back.mark == examples.NO_FILE and (back.kinds == Kind.GIVEN).all()
