"""Every order of a layer's neurons, walked forth and back page by page."""

import base64

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.explanations import Metric, Protocol, Sample, ScoreValue, State
from app.domain.neurons import NeuronRef, Polarity, Profile
from app.errors import BadInput, NotFound
from app.store import Session, Store, collections, cursors, explanations, models, neurons, scores
from app.store.excerpts import ExcerptCache
from app.store.rows import NeuronRow, NeuronSort
from tests import factories
from tests.conftest import Full

SLUG = factories.SLUG
LAYER = "1-mlp"


def walk(s: Session, sort: NeuronSort, descending: bool, limit: int, **measure: object) -> list[int]:
    """All pages forth, and the same ones back."""
    pages: list[tuple[int, ...]] = []
    cursor: str | None = None
    while True:
        page = neurons.page(s, SLUG, LAYER, sort, descending, cursor, limit, **measure)  # type: ignore[arg-type]
        assert (page.previous is None) == (not pages)
        pages.append(tuple(row.index for row in page.items))
        if page.next is None:
            break
        cursor = page.next
    back = pages[:-1]
    while page.previous is not None:
        page = neurons.page(s, SLUG, LAYER, sort, descending, page.previous, limit, **measure)  # type: ignore[arg-type]
        assert tuple(row.index for row in page.items) == back.pop()
        assert page.next is not None
    assert back == []
    return [index for rows in pages for index in rows]


def value(row: NeuronRow, sort: NeuronSort) -> float:
    if sort is NeuronSort.SCORE:
        return row.best.value if row.best is not None and row.best.value is not None else np.nan
    return float(getattr(row, sort.value))


@pytest.mark.parametrize("sort", list(NeuronSort))
@pytest.mark.parametrize("descending", [False, True])
@pytest.mark.parametrize("limit", [7, 32])
def test_every_order_shows_every_neuron_once(
    shared: Full, sort: NeuronSort, descending: bool, limit: int
) -> None:
    with shared.store.session() as s:
        rows = {row.index: row for row in neurons.page(s, SLUG, LAYER).items}
        seen = walk(s, sort, descending, limit)
    assert sorted(seen) == list(range(32))

    def key(index: int) -> tuple[bool, float, int]:
        x = value(rows[index], sort)
        if sort is NeuronSort.INDEX:
            return False, 0.0, -index if descending else index
        return bool(np.isnan(x)), 0.0 if np.isnan(x) else -x if descending else x, index

    assert seen == sorted(range(32), key=key)


def tied(s: Session) -> None:
    """A layer where most values are equal or missing."""
    documents, table = factories.corpus()
    result = factories.layer_result(1, table)
    result.skewness[:] = np.repeat([1.0, 2.0, np.nan, 2.0], 8)
    models.add_model(s, factories.card(), factories.vocabulary())
    id_ = collections.begin(s, SLUG, "Chapters", documents, table, Profile(), "{}", None)
    collections.write_layer(s, id_, result)
    collections.finish(s, id_)


@pytest.mark.parametrize("limit", [1, 3, 8])
def test_equal_values_go_by_index_and_missing_ones_come_last(store: Store, limit: int) -> None:
    with store.session() as s:
        tied(s)
        rising = walk(s, NeuronSort.SKEWNESS, False, limit)
        falling = walk(s, NeuronSort.SKEWNESS, True, limit)
        unscored = walk(s, NeuronSort.SCORE, True, limit)
    ones, twos, missing = list(range(8)), [*range(8, 16), *range(24, 32)], list(range(16, 24))
    assert rising == [*ones, *twos, *missing]
    assert falling == [*twos, *ones, *missing]
    assert unscored == list(range(32))


def add_score(s: Session, ref: NeuronRef, key: str, score: ScoreValue, store: Store) -> int:
    records = neurons.records(s, ExcerptCache.get(store, ref.model), ref)
    made = factories.provenance(records)
    id_ = explanations.add(s, ref, f"words {key}", Polarity.POSITIVE, made, State.OK, "", None, key)
    scores.add(s, id_, None, [score], None, key)
    return id_


def test_the_best_score_by_one_measure_is_never_that_of_another(full: Full) -> None:
    store = full.store
    ref = full.tiny.plain
    full_protocol = (Protocol.HELDOUT_FULL, Metric.CORRELATION, Sample.TOP_AND_RANDOM)
    with store.session() as s:
        before = neurons.page(s, SLUG, LAYER).items[ref.index].best
        assert before is not None and before.method == "token_lookup" and before.value is not None
        other = ScoreValue(Metric.CORRELATION, Protocol.HELDOUT_5_5, Sample.TOP_AND_RANDOM, State.OK, 0.99999)
        add_score(s, ref, "other-protocol", other, store)
        r2 = ScoreValue(Metric.R_SQUARED, Protocol.HELDOUT_FULL, Sample.TOP_AND_RANDOM, State.OK, 0.99999)
        add_score(s, ref, "other-metric", r2, store)
        random = ScoreValue(Metric.CORRELATION, Protocol.HELDOUT_FULL, Sample.RANDOM_ONLY, State.OK, 0.99999)
        add_score(s, ref, "other-sample", random, store)
        assert neurons.page(s, SLUG, LAYER).items[ref.index].best == before
        same = ScoreValue(
            *(full_protocol[1], full_protocol[0], full_protocol[2]), State.OK, 0.99999, 0.9, 1.0
        )
        id_ = add_score(s, ref, "same", same, store)
        page = neurons.page(s, SLUG, LAYER, NeuronSort.SCORE, True, limit=2)
        best = page.items[0].best
        assert page.items[0].index == ref.index and best is not None
        assert (best.value, best.low, best.high, best.explanation_id) == (0.99999, 0.9, 1.0, id_)
        assert (best.text, best.method, best.polarity) == ("words same", "summary", Polarity.POSITIVE)
        by_r2 = neurons.page(s, SLUG, LAYER, NeuronSort.SCORE, True, limit=2, metric=Metric.R_SQUARED).items
        assert [row.index for row in by_r2] == [ref.index, full.tiny.explained.index]


def test_a_score_added_between_two_pages_moves_nothing_else(full: Full) -> None:
    store = full.store
    with store.session() as s:
        order = [row.index for row in neurons.page(s, SLUG, LAYER, NeuronSort.SCORE, True, limit=32).items]
        first = neurons.page(s, SLUG, LAYER, NeuronSort.SCORE, True, limit=10)
        last = NeuronRef(SLUG, LAYER, order[-1])
        top = ScoreValue(Metric.CORRELATION, Protocol.HELDOUT_FULL, Sample.TOP_AND_RANDOM, State.OK, 0.99999)
        add_score(s, last, "rises", top, store)
        second = neurons.page(s, SLUG, LAYER, NeuronSort.SCORE, True, first.next, limit=10)
    assert [row.index for row in second.items] == order[10:20]


def test_an_undefined_score_says_why(shared: Full) -> None:
    with shared.store.session() as s:
        page = neurons.page(
            s, SLUG, LAYER, NeuronSort.SCORE, protocol=Protocol.HELDOUT_5_5, sample=Sample.RANDOM_ONLY
        )
        states = {row.best.state for row in page.items if row.best is not None and row.best.value is None}
        assert State.TOO_FEW_ACTIVE in states
        assert all(row.best is not None for row in page.items)


def test_what_a_page_cannot_be(shared: Full) -> None:
    with shared.store.session() as s:
        for limit in (0, -1, 501):
            with pytest.raises(BadInput, match="1 to 500"):
                neurons.page(s, SLUG, LAYER, limit=limit)
        with pytest.raises(NotFound, match="no layer"):
            neurons.page(s, SLUG, "7-mlp")
        cursor = neurons.page(s, SLUG, LAYER, NeuronSort.DENSITY, limit=3).next
        for sort, descending in ((NeuronSort.MEAN, False), (NeuronSort.DENSITY, True)):
            with pytest.raises(BadInput, match="out of date"):
                neurons.page(s, SLUG, LAYER, sort, descending, cursor)
        by_score = neurons.page(s, SLUG, LAYER, NeuronSort.SCORE, limit=3).next
        with pytest.raises(BadInput, match="out of date"):
            neurons.page(s, SLUG, LAYER, NeuronSort.SCORE, cursor=by_score, metric=Metric.R_SQUARED)


@given(
    value=st.none() | st.floats(allow_nan=False, allow_infinity=False),
    index=st.integers(0, 2**24 - 1),
    backward=st.booleans(),
)
def test_cursors_keep_every_bit(value: float | None, index: int, backward: bool) -> None:
    made = cursors.Cursor("density/-", value, index, backward)
    word = made.word()
    assert word.replace("-", "").replace("_", "").isalnum()
    assert cursors.read(word, "density/-") == made


@given(st.text(max_size=60) | st.binary(max_size=40).map(lambda b: base64.urlsafe_b64encode(b).decode()))
def test_damaged_cursors_are_refused(word: str) -> None:
    with pytest.raises(BadInput, match="out of date"):
        cursors.read(word, "density/-")


@pytest.mark.parametrize("content", ['["density/-",1,-1,false]', '["density/-",1,16777216,false]', '["density/-",true,1,false]',
    '["density/-","1",1,false]', '["density/-",1,1.5,false]', '["density/-",1,1]', "{}"])  # fmt: skip
def test_cursors_of_another_shape_are_refused(content: str) -> None:
    with pytest.raises(BadInput):
        cursors.read(base64.urlsafe_b64encode(content.encode()).decode(), "density/-")
