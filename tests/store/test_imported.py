"""Other people's explanations in bulk: kept as given, added once, never shown to be held out."""

import math
from collections.abc import Sequence
from datetime import UTC, datetime

import hypothesis
import hypothesis.strategies as st
import pytest

from app.domain.explanations import Metric, Protocol, Sample, ScoreValue, State
from app.domain.imported import ImportedExplanation, ImportedScore, ImportSource, place_json
from app.domain.neurons import NeuronRef, Polarity
from app.errors import BadInput
from app.store import Store, best, explanations, heldout, imported_neurons, names, scores
from app.store.imported import add_explanations
from app.store.types import clean
from tests.conftest import Full

SOURCE = ImportSource("published", "gpt-4", "OpenAI", "v1", place_json("some.jsonl", "00ff", "jsonl"))
REF = NeuronRef("tiny-random", "1-mlp", 9)
BILLS = (Metric.CORRELATION, Protocol.BILLS_5_5, Sample.TOP_AND_RANDOM)
GOOD = ImportedScore(*BILLS, 0.5)


def row(
    text: str, *given: ImportedScore, neuron: int = 9, layer: int = 1, **more: object
) -> ImportedExplanation:
    return ImportedExplanation(layer, neuron, text, scores=given, **more)  # type: ignore[arg-type]


def add(store: Store, *rows: ImportedExplanation, source: ImportSource = SOURCE) -> Sequence[int]:
    with store.session() as s:
        return add_explanations(s, "tiny-random", source, rows).ids


def test_an_explanation_comes_out_as_it_went_in(full: Full) -> None:
    made = datetime(2023, 5, 9, 1, 2, 3, 456789, tzinfo=UTC)
    (id_,) = add(full.store, row("  leading\n“quotes” \0", GOOD, polarity=Polarity.NEGATIVE, created_at=made))
    with full.store.session() as s:
        found = explanations.get(s, id_)
    assert (found.ref, found.text, found.polarity) == (REF, "  leading\n“quotes” ␀", Polarity.NEGATIVE)
    assert (found.state, found.created_at) == (State.OK, made)
    assert (found.provenance.method, found.provenance.explainer, found.provenance.author) == (
        "published", "gpt-4", "OpenAI",
    )  # fmt: skip
    assert found.provenance.parameters_json == SOURCE.parameters_json
    (score,) = found.scores
    assert (score.value.value, score.value.protocol, score.simulator) == (0.5, Protocol.BILLS_5_5, "not told")


def test_nothing_is_added_twice(full: Full) -> None:
    rows = [
        row("a", GOOD),
        row("a", GOOD),
        row("b"),
        row("a", neuron=8),
        row("a", polarity=Polarity.NEGATIVE),
    ]
    with full.store.session() as s:
        first = add_explanations(s, "tiny-random", SOURCE, rows)
    assert (first.new, first.same) == (4, 1)
    assert first.ids[0] == first.ids[1] and len(set(first.ids)) == 4
    with full.store.session() as s:
        again = add_explanations(s, "tiny-random", SOURCE, [*rows, row("c")])
        assert (again.new, again.same) == (1, 5)
        assert again.ids[:5] == first.ids
        assert len(scores.of_explanation(s, first.ids[0])) == 1
    other = ImportSource("published", "gpt-4", "OpenAI", "v1", place_json("other.jsonl", "01", "jsonl"))
    (id_,) = add(full.store, row("a"), source=other)
    assert id_ not in first.ids


def test_the_same_words_of_two_moments_are_two(full: Full) -> None:
    moments = [datetime(2024, 1, day, tzinfo=UTC) for day in (1, 2)]
    rows = [*(row("a", created_at=at) for at in moments), row("a")]
    first = add(full.store, *rows)
    assert len(set(first)) == 2 and first[2] == first[0]
    assert add(full.store, *rows) == first


def test_neurons_of_an_imported_model_are_there_from_then_on(store: Store) -> None:
    with store.session() as s:
        imported_neurons.ensure_model(s, "gpt2-xl")
        ids = add_explanations(
            s, "gpt2-xl", SOURCE, [row("a", GOOD, layer=47, neuron=6399), row("b", layer=3)]
        ).ids
        assert explanations.get(s, ids[0]).ref == NeuronRef("gpt2-xl", "47-mlp", 6399)
        assert [(x.slug, x.present) for x in names.parts_of(s, "gpt2-xl")] == [("3-mlp", 1), ("47-mlp", 1)]
        assert explanations.of_neuron(s, NeuronRef("gpt2-xl", "3-mlp", 9))[0].id == ids[1]


def test_a_score_that_comes_later_is_added_to_what_is_there(full: Full) -> None:
    (first,) = add(full.store, row("a"))
    (again,) = add(full.store, row("a", GOOD, ImportedScore(*BILLS, 0.25)))
    assert first == again
    with full.store.session() as s:
        assert sorted(x.value.value or 0 for x in scores.of_explanation(s, first)) == [0.25, 0.5]


def test_what_is_no_number_is_a_state_with_a_reason(full: Full) -> None:
    given = [
        ImportedScore(*BILLS, None),
        ImportedScore(*BILLS, math.nan),
        ImportedScore(*BILLS, math.inf, "overflow"),
        ImportedScore(*BILLS, None, "flat", State.CONSTANT_PREDICTION),
    ]
    ids = add(full.store, *(row(str(i), score) for i, score in enumerate(given)))
    with full.store.session() as s:
        found = [scores.of_explanation(s, id_)[0].value for id_ in ids]
    assert [(v.state, v.value, v.reason) for v in found] == [
        (State.FAILED, None, "The imported score is no number."),
        (State.FAILED, None, "The imported score is no number."),
        (State.FAILED, None, "overflow"),
        (State.CONSTANT_PREDICTION, None, "flat"),
    ]


def test_the_best_scores_are_those_that_rebuilding_finds(full: Full) -> None:
    failed = ImportedScore(*BILLS, None, "no")
    add(full.store, row("b", GOOD), row("a", ImportedScore(*BILLS, 0.2), failed), row("c", failed, neuron=4))
    add(full.store, row("d", ImportedScore(*BILLS, 0.4)), row("e", ImportedScore(*BILLS, 0.9), neuron=4))
    add(full.store, row("f", failed, neuron=5), row("g", ImportedScore(*BILLS, None, "newer"), neuron=5))
    kept = best_rows(full.store)
    with full.store.session() as s:
        assert BILLS_MEASURE in scores.measures(s, "tiny-random")
        (of_layer,) = [
            x for x in scores.by_layer(s, "tiny-random", *BILLS_MEASURE, "published") if x.layer == "1-mlp"
        ]
        assert (of_layer.defined, of_layer.mean) == (2, pytest.approx(0.7))
        best.rebuild(s)
    assert best_rows(full.store) == kept


BILLS_MEASURE = (Protocol.BILLS_5_5, Sample.TOP_AND_RANDOM, Metric.CORRELATION)


def best_rows(store: Store) -> list[tuple[object, ...]]:
    with store.session() as s:
        return sorted((tuple(r) for r in s.exec_driver_sql("SELECT * FROM best_scores")), key=str)


@pytest.mark.parametrize(
    ("bad", "error", "says"),
    [
        (row("x", neuron=32), BadInput, "has 0 to 31"),
        (row("x", neuron=-1), BadInput, "there is no neuron -1"),
        (row("x", layer=2), BadInput, "no layer 2"),
        (row(" \n"), BadInput, "empty explanation"),
    ],
)  # fmt: skip
def test_a_wrong_row_leaves_the_store_as_it_was(
    full: Full, bad: ImportedExplanation, error: type[Exception], says: str
) -> None:
    with full.store.session() as s:
        before = len(explanations.of_neuron(s, REF))
    with pytest.raises(error, match=says):
        add(full.store, row("good"), bad)
    with full.store.session() as s:
        assert len(explanations.of_neuron(s, REF)) == before


def test_nobody_can_score_it_on_documents(full: Full) -> None:
    (id_,) = add(full.store, row("a"))
    held = ScoreValue(Metric.CORRELATION, Protocol.HELDOUT_FULL, Sample.TOP_AND_RANDOM, State.OK, 0.9)
    for protocol in (Protocol.HELDOUT_FULL, Protocol.HELDOUT_5_5, Protocol.POPULATION):
        with (
            full.store.session() as s,
            pytest.raises(BadInput, match="nobody knows which text its maker saw"),
        ):
            scores.add(s, id_, None, [held._replace(protocol=protocol)], None, "key")
    with full.store.session() as s, pytest.raises(BadInput, match="as-imported is for scores that came"):
        scores.add(s, id_, None, [held._replace(protocol=Protocol.AS_IMPORTED)], None, "key")
    with full.store.session() as s:
        assert not heldout.seen_documents(s, id_).known
        assert heldout.seen_excerpts(s, id_) == []
        assert explanations.get(s, id_).provenance.excerpts == ()
        assert scores.of_explanation(s, id_) == []


@hypothesis.given(st.lists(st.text(st.characters(), min_size=1).filter(lambda x: x.strip()), min_size=1))
@hypothesis.settings(suppress_health_check=[hypothesis.HealthCheck.function_scoped_fixture], max_examples=30)
def test_any_text_comes_back(full: Full, texts: list[str]) -> None:
    ids = add(full.store, *(row(text) for text in texts))
    assert ids == add(full.store, *(row(text) for text in texts))
    with full.store.session() as s:
        assert [explanations.get(s, id_).text for id_ in ids] == [clean(text) for text in texts]
