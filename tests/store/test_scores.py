"""Scores: proof that they are held out, and the table of best ones that is derived from them."""

from dataclasses import replace

import numpy as np
import pytest
from sqlalchemy import select

from app.domain.explanations import Metric, Protocol, Provenance, Sample, ScoreValue, Simulated, State
from app.domain.neurons import Kind, NeuronRef, Polarity, Profile, Split
from app.errors import BadInput, NotFound
from app.store import Session, Store, best, collections, explanations, models, neurons, scores, simulations
from app.store import tables as t
from app.store.excerpts import ExcerptCache
from app.store.rows import QUANTILES, SCORE_EDGES
from tests import factories
from tests.conftest import Full

SLUG = factories.SLUG
OK = ScoreValue(
    Metric.CORRELATION,
    Protocol.HELDOUT_FULL,
    Sample.TOP_AND_RANDOM,
    State.OK,
    value=0.5,
    low=0.4,
    high=0.6,
    n_records=20,
    n_documents=19,
    n_tokens=1280,
    indicative=True,
    parameters_json='{"draws": 1000, "seed": 1}',
)
CONSTANT = OK._replace(
    state=State.CONSTANT_PREDICTION, value=None, low=None, high=None, reason="says always 0"
)


def explain(s: Session, ref: NeuronRef, key: str, *excerpts: int, method: str = "summary") -> int:
    made = Provenance(method=method, explainer="scripted / m", excerpts=excerpts)
    return explanations.add(s, ref, f"words {key}", Polarity.POSITIVE, made, State.OK, "", None, key)


def simulate(s: Session, explanation: int, key: str, *excerpts: int) -> int:
    values = Simulated(np.array(excerpts, np.int32), np.ones((len(excerpts), 64), np.float32))
    return simulations.add(s, explanation, "local", "", "{}", 0, values, State.OK, "", None, key)


def of_split(split: Split, n: int = 3) -> list[int]:
    """Excerpts of different documents of one split; not of the near-duplicates."""
    _, table = factories.corpus()
    found = np.flatnonzero(table.splits == split)
    return [int(x) for x in found if x % 2 == 0 and table.documents[x] not in factories.twins()][:n]


def test_a_score_comes_back_with_all_it_says(full: Full) -> None:
    store, tiny = full
    with store.session() as s:
        id_ = explain(s, tiny.plain, "e", *of_split(Split.EXPLAIN))
        simulation = simulate(s, id_, "s", *of_split(Split.SCORE))
        scores.add(s, id_, simulation, [OK, CONSTANT._replace(metric=Metric.R_SQUARED)], "job-1", "k")
    with store.session() as s:
        found = scores.of_explanation(s, id_)
        assert [row.value for row in found] == [CONSTANT._replace(metric=Metric.R_SQUARED), OK]
        assert {(row.simulator, row.simulation_id, row.job_id) for row in found} == {
            ("local", simulation, "job-1")
        }
        assert explanations.get(s, id_).scores == tuple(found)


def test_the_same_key_writes_nothing(full: Full) -> None:
    store, tiny = full
    with store.session() as s:
        id_ = explain(s, tiny.plain, "e")
        scores.add(s, id_, None, [OK], None, "k")
        scores.add(s, id_, None, [OK._replace(value=0.9)], None, "k")
        assert [row.value for row in scores.of_explanation(s, id_)] == [OK]
        with pytest.raises(BadInput, match="need a key"):
            scores.add(s, id_, None, [OK], None, "")


@pytest.mark.parametrize(
    "bad",
    [
        OK._replace(value=None),
        CONSTANT._replace(value=0.0),
        OK._replace(value=float("nan")),
        OK._replace(high=float("inf")),
    ],
)
def test_a_state_is_never_a_number_nor_a_number_a_state(shared: Full, bad: ScoreValue) -> None:
    with shared.store.session() as s, pytest.raises(BadInput):
        scores.add(s, shared.tiny.explanation, None, [bad], None, "k")


def test_what_was_seen_is_known(shared: Full) -> None:
    store, tiny = shared
    documents, table = factories.corpus()
    with store.session() as s:
        proof = scores.seen_documents(s, tiny.explanation)
        shown = explanations.get(s, tiny.explanation).provenance.excerpts
        assert len(shown) == 5
        assert proof.documents == tuple(sorted({int(table.documents[i]) for i in shown}))
        assert proof.clusters == {documents[i].cluster for i in proof.documents}
        assert {documents[i].split for i in proof.documents} == {Split.EXPLAIN}
        (lookup,) = explanations.of_neuron(s, tiny.plain)
        of_lookup = scores.seen_documents(s, lookup.id)
        records = neurons.records(s, ExcerptCache.get(store, SLUG), tiny.plain).where(splits=(Split.EXPLAIN,))
        assert of_lookup.documents == tuple(sorted(set(records.documents.tolist())))
        with pytest.raises(NotFound):
            scores.seen_documents(s, 999)


def test_a_score_on_what_the_maker_saw_is_refused(full: Full) -> None:
    store, tiny = full
    seen, other = of_split(Split.SCORE, 2)
    with store.session() as s:
        id_ = explain(s, tiny.plain, "e", seen)
        on_other = simulate(s, id_, "s1", other)
        on_seen = simulate(s, id_, "s2", other, seen)
        same_document = simulate(s, id_, "s3", seen + 1)
        scores.add(s, id_, on_other, [OK], None, "fine")
    documents, table = factories.corpus()
    name = documents[table.documents[seen]].name
    for simulation in (on_seen, same_document):
        with pytest.raises(BadInput, match=f"not held out.*“{name}”"), store.session() as s:
            scores.add(s, id_, simulation, [OK], None, f"not {simulation}")
    with store.session() as s:
        assert len(scores.of_explanation(s, id_)) == 1


def test_near_duplicates_of_what_was_seen_are_refused(full: Full) -> None:
    store, tiny = full
    documents, table = factories.corpus()
    first, second = factories.twins()
    assert documents[first].cluster == documents[second].cluster
    assert documents[first].text_hash != documents[second].text_hash
    of_first, of_second = (int(np.flatnonzero(table.documents == i)[0]) for i in (first, second))
    with store.session() as s:
        id_ = explain(s, tiny.plain, "e", of_first)
        simulation = simulate(s, id_, "s", of_second)
        with pytest.raises(BadInput, match="near-duplicates"):
            scores.add(s, id_, simulation, [OK], None, "k")


def test_what_is_only_calibrated_on_may_be_in_the_simulation(full: Full) -> None:
    store, tiny = full
    (dev,) = of_split(Split.DEV, 1)
    (held_out,) = of_split(Split.SCORE, 1)
    with store.session() as s:
        id_ = explain(s, tiny.plain, "e", dev)
        simulation = simulate(s, id_, "s", dev, held_out)
        scores.add(s, id_, simulation, [OK], None, "k")
        assert len(scores.of_explanation(s, id_)) == 1


def test_without_a_simulation_the_neurons_score_records_are_what_is_scored(full: Full) -> None:
    store, tiny = full
    with store.session() as s:
        records = neurons.records(s, ExcerptCache.get(store, SLUG), tiny.plain).where(splits=(Split.SCORE,))
        id_ = explain(s, tiny.plain, "e", int(records.excerpts[3]))
        with pytest.raises(BadInput, match="not held out"):
            scores.add(s, id_, None, [OK], None, "k")
        innocent = explain(s, tiny.plain, "e2", *of_split(Split.EXPLAIN))
        scores.add(s, innocent, None, [OK], None, "k2")
        assert len(scores.of_explanation(s, innocent)) == 1


def test_the_published_protocol_is_exempt(full: Full) -> None:
    store, tiny = full
    (seen,) = of_split(Split.SCORE, 1)
    bills = OK._replace(protocol=Protocol.BILLS_5_5)
    with store.session() as s:
        id_ = explain(s, tiny.plain, "e", seen)
        simulation = simulate(s, id_, "s", seen)
        scores.add(s, id_, simulation, [bills], None, "k")
        assert len(scores.of_explanation(s, id_)) == 1
        with pytest.raises(BadInput, match="not held out"):
            scores.add(s, id_, simulation, [bills, OK], None, "both")


def test_data_without_splits_can_only_be_scored_as_published(store: Store) -> None:
    documents, table = factories.corpus()
    unsplit = [replace(d, split=int(Split.UNSPLIT)) for d in documents]
    excerpts = replace(table, splits=np.full(len(table.splits), Split.UNSPLIT, np.uint8))
    result = factories.layer_result(0, table, neurons=2)
    kinds = np.array([Kind.TOP] * 20 + [Kind.RANDOM] * 20, np.uint8)
    result = replace(
        result,
        kinds=kinds,
        splits=np.full(40, Split.UNSPLIT, np.uint8),
        excerpts=result.excerpts[:, :40],
        activations=result.activations[:, :40],
        gates=None,
    )
    ref = NeuronRef(SLUG, "0-mlp", 1)
    with store.session() as s:
        models.add_model(s, factories.card(), factories.vocabulary())
        id_ = collections.begin(s, SLUG, "Imported", unsplit, excerpts, Profile(), "{}", None)
        collections.write_layer(s, id_, result)
        collections.finish(s, id_)
        explanation = explain(s, ref, "e", 1)
        simulation = simulate(s, explanation, "s", 200)
        with pytest.raises(BadInput, match="only be scored by bills"):
            scores.add(s, explanation, simulation, [OK], None, "k")
        scores.add(s, explanation, simulation, [OK._replace(protocol=Protocol.BILLS_5_5)], None, "k")
        assert len(scores.of_explanation(s, explanation)) == 1


def test_a_failed_simulation_has_no_score(full: Full) -> None:
    store, tiny = full
    with store.session() as s:
        explanation = simulations.get(s, tiny.failed_simulation).explanation_id
        with pytest.raises(BadInput, match="failed: it cannot have a score"):
            scores.add(s, explanation, tiny.failed_simulation, [OK], None, "k")
        (row,) = scores.of_explanation(s, explanation)
        assert (row.value.state, row.value.value) == (State.FAILED, None)
        with pytest.raises(NotFound, match="has no simulation"):
            scores.add(s, tiny.explanation, tiny.failed_simulation, [OK], None, "k")


def test_by_layer_counts_what_is_defined(full: Full) -> None:
    store = full.store
    with store.session() as s:
        rows = scores.by_layer(s, SLUG, Protocol.HELDOUT_FULL, Sample.TOP_AND_RANDOM)
        page = neurons.page(s, SLUG, "1-mlp")
        values = np.array([row.best.value for row in page.items if row.best and row.best.value is not None])
        assert [row.layer for row in rows] == ["0-mlp", "1-mlp"]
        one = rows[1]
        assert (one.neurons, one.defined, one.constant) == (32, len(values), 0)
        assert one.mean == pytest.approx(values.mean())
        assert one.quantiles == pytest.approx(tuple(np.quantile(values, QUANTILES)))
        assert sum(one.counts) == one.defined and len(one.counts) == len(SCORE_EDGES) - 1
        only = scores.by_layer(s, SLUG, Protocol.HELDOUT_FULL, Sample.TOP_AND_RANDOM, method="summary")
        assert [row.defined for row in only] == [0, 1]
        assert only[0].mean is None and only[0].quantiles == ()
        nobody = scores.by_layer(s, SLUG, Protocol.HELDOUT_FULL, Sample.TOP_AND_RANDOM, method="nobody")
        assert [row.defined for row in nobody] == [0, 0]
        assert scores.by_layer(s, SLUG, Protocol.POPULATION, Sample.POPULATION)[0].defined == 0


def test_constant_predictions_count_as_nothing_and_far_values_in_the_first_bin(full: Full) -> None:
    store = full.store
    measure = (Protocol.POPULATION, Sample.POPULATION)
    with store.session() as s:
        for index, value in ((0, 0.5), (1, -7.0), (2, None)):
            id_ = explain(s, NeuronRef(SLUG, "0-mlp", index), f"e{index}")
            score = OK if value is not None else CONSTANT
            made = score._replace(protocol=measure[0], sample=measure[1], value=value)
            scores.add(s, id_, None, [made], None, f"k{index}")
        row = scores.by_layer(s, SLUG, *measure)[0]
        assert (row.defined, row.constant) == (2, 1)
        assert row.mean == pytest.approx(-3.25) and row.mean_constant_0 == pytest.approx(-6.5 / 3)
        assert row.counts[0] == 1 and row.counts[15] == 1
        assert (Protocol.POPULATION, Sample.POPULATION, Metric.CORRELATION) in scores.measures(s, SLUG)


def test_measures_are_those_that_were_scored(shared: Full) -> None:
    with shared.store.session() as s:
        found = scores.measures(s, SLUG)
    assert (Protocol.HELDOUT_FULL, Sample.RANDOM_ONLY, Metric.ABS_DEV_EXPLAINED) in found
    assert (Protocol.HELDOUT_5_5, Sample.RANDOM_ONLY, Metric.CORRELATION) in found
    assert not [m for m in found if m[0] in (Protocol.POPULATION, Protocol.BILLS_5_5)]


def _best(s: Session) -> list[tuple[object, ...]]:
    return sorted((tuple(row) for row in s.execute(select(t.best_scores))), key=str)


def test_the_best_scores_can_be_made_anew_from_all_scores(full: Full) -> None:
    store, tiny = full
    with store.session() as s:
        for i, value in enumerate((None, 0.3, 0.3, 0.7, 0.2, None)):
            id_ = explain(s, tiny.plain, f"e{i}", method=("summary", "hs")[i // 5])
            score = OK._replace(value=value) if value is not None else CONSTANT
            scores.add(s, id_, None, [score], None, f"k{i}")
        other = CONSTANT._replace(state=State.CONSTANT_ACTUAL)
        scores.add(s, id_, None, [other], None, "newer")
        before = _best(s)
        assert best.rebuild(s) == len(before)
        assert _best(s) == before
        mine = [row for row in before if row[-2] == id_]
        assert [row[6] for row in mine] == [State.CONSTANT_ACTUAL]
        page = neurons.page(s, SLUG, tiny.plain.layer)
        shown = page.items[tiny.plain.index].best
        assert shown is not None and shown.value is not None and shown.value >= 0.7
