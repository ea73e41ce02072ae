import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest
from sqlalchemy import update

from app.domain.explanations import Metric, Protocol, Sample, ScoreValue, State
from app.domain.neurons import NeuronRef, Polarity
from app.store import Store, neurons, scores, spreads
from app.store import explanations as stored
from app.store import tables as t
from app.store.excerpts import ExcerptCache
from app.store.rows import LayerScores, NeuronSort
from tests import factories
from tests.conftest import Full

MEASURE = (Protocol.HELDOUT_FULL, Sample.TOP_AND_RANDOM, Metric.CORRELATION)


def score(store: Store, ref: NeuronRef, value: float, key: str) -> None:
    """A new explanation that is as good as said."""
    records = neurons_of(store, ref)
    with store.session() as s:
        made = factories.provenance(records)
        id_ = stored.add(s, ref, "anything", Polarity.POSITIVE, made, State.OK, "", None, key)
        scores.add(s, id_, None, [ScoreValue(MEASURE[2], MEASURE[0], MEASURE[1], State.OK, value)], None, key)


def neurons_of(store: Store, ref: NeuronRef) -> Any:
    with store.session() as s:
        return neurons.records(s, ExcerptCache.get(store, ref.model), ref)


def fresh(store: Store) -> list[LayerScores]:
    with store.session() as s:
        return scores.by_layer(s, factories.SLUG, *MEASURE)


def same(found: list[LayerScores], other: list[LayerScores]) -> bool:
    return [vars(each) for each in found] == [vars(each) for each in other]


@pytest.fixture
def looked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The layers whose scores were read, in order."""
    read: list[str] = []
    original = scores.of_part

    def counted(s: Any, part: Any, *rest: Any) -> LayerScores:
        read.append(part.slug)
        return original(s, part, *rest)

    monkeypatch.setattr(scores, "of_part", counted)
    return read


def age(store: Store) -> None:
    """Make all that is stored look old: a minute's caution about late transactions is over."""
    with store.session() as s:
        if store.dialect == "postgresql":
            s.exec_driver_sql("ALTER TABLE scores DISABLE TRIGGER USER")
        else:
            for (name,) in s.exec_driver_sql(
                "SELECT name FROM sqlite_master WHERE type = 'trigger' AND tbl_name = 'scores'"
            ).fetchall():
                s.exec_driver_sql(f"DROP TRIGGER {name}")
        s.execute(update(t.scores).values(created_at=datetime.now(UTC) - timedelta(hours=1)))


def test_what_was_computed_is_kept_until_a_score_is_added(full: Full, looked: list[str]) -> None:
    age(full.store)
    first = spreads.by_layer(full.store, factories.SLUG, *MEASURE)
    assert looked == list(factories.LAYERS)
    assert same(first, fresh(full.store))
    looked.clear()
    assert same(spreads.by_layer(full.store, factories.SLUG, *MEASURE), first)
    assert looked == []
    score(full.store, NeuronRef(factories.SLUG, "1-mlp", 20), 0.987, "new")
    again = spreads.by_layer(full.store, factories.SLUG, *MEASURE)
    assert looked == ["1-mlp"]  # the other layer's are as they were
    assert same(again, fresh(full.store)) and not same(again, first)
    assert again[1].counts[-1] == first[1].counts[-1] + 1


def test_scores_of_another_process_are_seen(full: Full) -> None:
    spreads.by_layer(full.store, factories.SLUG, *MEASURE)
    other = Store.open(full.store.engine.url.render_as_string(hide_password=False))
    try:
        score(other, NeuronRef(factories.SLUG, "0-mlp", 2), 0.99, "elsewhere")
    finally:
        other.close()
    assert same(spreads.by_layer(full.store, factories.SLUG, *MEASURE), fresh(full.store))


def test_a_late_transaction_is_seen_after_a_minute(
    full: Full, looked: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    score(full.store, NeuronRef(factories.SLUG, "0-mlp", 2), 0.5, "just now")
    now = 1000.0
    monkeypatch.setattr(spreads.time, "monotonic", lambda: now)
    spreads.by_layer(full.store, factories.SLUG, *MEASURE)
    looked.clear()
    now += 59
    spreads.by_layer(full.store, factories.SLUG, *MEASURE)
    assert looked == []
    now += 2
    spreads.by_layer(full.store, factories.SLUG, *MEASURE)
    assert looked == list(factories.LAYERS)


def test_measures_and_methods_are_kept_apart(full: Full) -> None:
    for method in (None, "token_lookup", "summary", "nobody", "summary"):
        found = spreads.by_layer(full.store, factories.SLUG, *MEASURE, method)
        with full.store.session() as s:
            assert same(found, scores.by_layer(s, factories.SLUG, *MEASURE, method))


def test_no_more_is_kept_than_said(full: Full, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spreads, "MOST", 3)
    for by in (NeuronSort.DENSITY, NeuronSort.MEAN, NeuronSort.MAXIMUM, NeuronSort.KURTOSIS):
        spreads.statistic(full.store, factories.SLUG, by)
    assert len(full.store.spreads) == 3


def test_statistics_are_computed_anew_for_a_new_collection(full: Full) -> None:
    before = spreads.statistic(full.store, factories.SLUG, NeuronSort.DENSITY)
    assert spreads.statistic(full.store, factories.SLUG, NeuronSort.DENSITY) is before
    with full.store.session() as s:
        s.execute(update(t.neurons).values(density=0.25))
    assert spreads.statistic(full.store, factories.SLUG, NeuronSort.DENSITY) is before  # nobody does that
    with full.store.session() as s:
        s.execute(update(t.collections).values(finished_at=datetime.now(UTC)))
    after = spreads.statistic(full.store, factories.SLUG, NeuronSort.DENSITY)
    assert [each.mean for each in after] == [0.25, 0.25]
    assert np.allclose(after[0].quantiles, 0.25)


def seeded(store: Store, ref: NeuronRef, value: float, seed: int, key: str, **changes: Any) -> None:
    """An explanation by one seed, as good as said; `parameters` differ as those of real ones do."""
    made = factories.provenance(neurons_of(store, ref))
    said = {"sent_seed": seed, "failed_answers": [], "evidence": changes.pop("evidence", "top")}
    made = replace(made, seed=seed, parameters_json=json.dumps(said), **changes)
    with store.session() as s:
        id_ = stored.add(s, ref, f"seed {seed}", Polarity.POSITIVE, made, State.OK, "", None, key)
        scores.add(s, id_, None, [ScoreValue(MEASURE[2], MEASURE[0], MEASURE[1], State.OK, value)], None, key)


def test_the_spread_between_seeds_is_of_what_differs_in_nothing_else(full: Full) -> None:
    store, other = full.store, NeuronRef(factories.SLUG, "1-mlp", 9)
    assert spreads.by_seed(store, factories.SLUG, *MEASURE) is None
    seeded(store, other, 0.2, 0, "a")
    seeded(store, other, 0.9, 1, "b", evidence="random")
    seeded(store, other, 0.8, 2, "c", method="highlight")
    seeded(store, NeuronRef(factories.SLUG, "1-mlp", 10), 0.7, 3, "d")
    assert spreads.by_seed(store, factories.SLUG, *MEASURE) is None
    seeded(store, other, 0.4, 5, "e")
    found = spreads.by_seed(store, factories.SLUG, *MEASURE)
    assert found is not None and (found.groups, found.scores) == (1, 2)
    assert found.deviation == pytest.approx(np.std([0.2, 0.4], ddof=1))
    assert spreads.by_seed(store, factories.SLUG, Protocol.POPULATION, Sample.POPULATION, MEASURE[2]) is None
    seeded(store, other, 0.3, 5, "f")  # the same seed again: the newest counts
    again = spreads.by_seed(store, factories.SLUG, *MEASURE)
    assert again is not None and again.deviation == pytest.approx(np.std([0.2, 0.3], ddof=1))
