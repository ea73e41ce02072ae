"""Searching a model's neurons: filters, sorts and pages against going through all of them, on both databases."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from sqlalchemy import update

from app.domain import text_query
from app.domain.explanations import Method, Metric, Protocol, Provenance, Sample, ScoreValue, State
from app.domain.neurons import NeuronRef, Polarity, Profile
from app.errors import BadInput, NotFound
from app.store import (
    Session,
    Store,
    collections,
    explanations,
    kept_names,
    neurons,
    scores,
    search,
    search_order,
    token_index,
)
from app.store import models as stored_models
from app.store.cursors import Cursor
from app.store.list_rows import Key
from app.store.neuron_columns import columns
from app.store.rows import NeuronRow, NeuronSort, Page
from app.store.search import Range, SearchSort, Wanted
from app.store.search_lines import Found
from app.store.tables import neurons as neurons_table
from tests import factories
from tests.conftest import Full

SLUG = factories.SLUG
MEASURE = (Protocol.HELDOUT_FULL, Sample.TOP_AND_RANDOM, Metric.CORRELATION)


def find(store: Store, limit: int = 100, cursor: str | None = None, **asked: Any) -> Page[Found]:
    with store.session() as s:
        return search.find(store, s, SLUG, Wanted(**asked), cursor, limit)


def refs(page: Page[Found]) -> list[NeuronRef]:
    return [found.ref for found in page.items]


def everything(s: Session) -> list[NeuronRow]:
    """All neurons as the lists of their layers have them."""
    return [row for layer in factories.LAYERS for row in neurons.page(s, SLUG, layer, limit=500).items]


def say(store: Store, ref: NeuronRef, text: str, value: float | None = None, **made: Any) -> int:
    """An explanation, with a score by the default measure."""
    with store.session() as s:
        provenance = Provenance(
            method=made.get("method", "summary"), explainer=made.get("explainer", "someone / model")
        )
        key = f"{ref} {text} {value}"
        polarity = made.get("polarity", Polarity.POSITIVE)
        id_ = explanations.add(s, ref, text, polarity, provenance, State.OK, "", None, key)
        if value is not None:
            score = ScoreValue(
                Metric.CORRELATION,
                Protocol.HELDOUT_FULL,
                Sample.TOP_AND_RANDOM,
                State.OK,
                value,
                value - 0.1,
                value + 0.1,
            )
            scores.add(s, id_, None, [score], None, key)
        return id_


def walk(store: Store, limit: int, **asked: Any) -> list[NeuronRef]:
    """All pages forth, and the same ones back."""
    pages: list[list[NeuronRef]] = []
    cursor: str | None = None
    while True:
        page = find(store, limit, cursor, **asked)
        assert (page.previous is None) == (not pages)
        pages.append(refs(page))
        if page.next is None:
            break
        cursor = page.next
    back = pages[:-1]
    while page.previous is not None:
        page = find(store, limit, page.previous, **asked)
        assert refs(page) == back.pop() and page.next is not None
    assert back == []
    seen = [ref for each in pages for ref in each]
    assert len(set(seen)) == len(seen) == page.total
    with store.session() as s:
        all_of_it = search.every(store, s, SLUG, Wanted(**asked))
    assert all_of_it.refs() == seen
    by_layer = {layer: [ref.index for ref in seen if ref.layer == layer] for layer in ("0-mlp", "1-mlp")}
    assert all_of_it.by_layer() == {layer: found for layer, found in by_layer.items() if found}
    return seen


STATISTICS = [
    SearchSort(each.value) for each in NeuronSort if each not in (NeuronSort.INDEX, NeuronSort.SCORE)
]


@pytest.mark.parametrize("by", [SearchSort.INDEX, SearchSort.SCORE, *STATISTICS])
@pytest.mark.parametrize("descending", [False, True])
@pytest.mark.parametrize("limit", [7, 64])
def test_every_order_shows_every_neuron_once(
    shared: Full, by: SearchSort, descending: bool, limit: int
) -> None:
    with shared.store.session() as s:
        rows = everything(s)

    def value(row: NeuronRow) -> float:
        if by is SearchSort.INDEX:
            return 0.0
        if by is SearchSort.SCORE:
            return row.best.value if row.best is not None and row.best.value is not None else np.nan
        return float(np.float32(getattr(row, by.value)))

    places = {row.ref: i for i, row in enumerate(rows)}

    def key(row: NeuronRow) -> tuple[bool, float, int]:
        x, place = value(row), places[row.ref]
        if by is SearchSort.INDEX:
            return False, 0.0, -place if descending else place
        return bool(np.isnan(x)), 0.0 if np.isnan(x) else -x if descending else x, place

    assert walk(shared.store, limit, sort=by, descending=descending) == [
        row.ref for row in sorted(rows, key=key)
    ]


def test_a_found_neuron_is_what_its_layer_s_list_shows(shared: Full) -> None:
    with shared.store.session() as s:
        rows = {row.ref: row for row in everything(s)}
    for found in find(shared.store).items:
        row = rows[found.ref]
        for name in (
            "density",
            "maximum",
            "minimum",
            "mean",
            "variance",
            "skewness",
            "kurtosis",
            "top_tokens",
        ):
            assert getattr(found, name) == getattr(row, name), name
        assert found.said is not None and row.best is not None
        assert (found.said.explanation_id, found.said.value, found.said.low, found.said.high) == (
            row.best.explanation_id, row.best.value, row.best.low, row.best.high,
        )  # fmt: skip
        assert (found.said.text, found.said.method, found.said.polarity) == (
            row.best.text,
            row.best.method,
            row.best.polarity,
        )


FILTERS: list[tuple[dict[str, Any], Callable[[NeuronRow], bool]]] = [
    ({"layers": frozenset({"1-mlp"})}, lambda row: row.ref.layer == "1-mlp"),
    ({"density": Range(0.05, 0.2)}, lambda row: 0.05 <= row.density <= 0.2),
    ({"density": Range(None, 0.1)}, lambda row: row.density <= 0.1),
    ({"kurtosis": Range(10, None)}, lambda row: row.kurtosis >= 10),
    ({"score": Range(0.8, None)}, lambda row: row.best is not None and (row.best.value or 0) >= 0.8),
    ({"layers": frozenset({"0-mlp"}), "kurtosis": Range(5, 40), "score": Range(0.5, 0.9)},
     lambda row: row.ref.layer == "0-mlp" and 5 <= row.kurtosis <= 40 and row.best is not None and 0.5 <= (row.best.value or 0) <= 0.9),
    ({"layers": frozenset()}, lambda row: False),
]  # fmt: skip


@pytest.mark.parametrize(("asked", "holds"), FILTERS, ids=lambda x: str(x) if isinstance(x, dict) else "")
def test_filters_keep_what_holds(
    shared: Full, asked: dict[str, Any], holds: Callable[[NeuronRow], bool]
) -> None:
    with shared.store.session() as s:
        rows = everything(s)
    assert refs(find(shared.store, **asked)) == [row.ref for row in rows if holds(row)]
    assert find(shared.store, 1, **asked).total == sum(map(holds, rows))


def test_has_and_lacks(shared: Full) -> None:
    tiny = shared.tiny
    assert refs(find(shared.store, has=("explanation",))) == [tiny.explained, tiny.failed]
    assert refs(find(shared.store, has=("explanation",), lacks=("summary",))) == [tiny.failed]
    assert refs(find(shared.store, has=("highlight",))) == [tiny.failed]
    assert find(shared.store, lacks=("explanation",)).total == 62
    assert find(shared.store, has=("token_lookup",)).total == 64
    assert find(shared.store, has=("astrology",)).total == 0


def test_what_is_asked_of_an_explanation_is_asked_of_one(full: Full) -> None:
    store = full.store
    ref = NeuronRef(SLUG, "0-mlp", 4)
    good = say(store, ref, "thunder and storms", 0.2, method="summary")
    other = say(store, ref, "rain", 0.9, method="hs", polarity=Polarity.NEGATIVE)
    storms = text_query.parse("storms")
    [found] = find(store, text=storms).items
    assert found.said is not None and (found.said.explanation_id, found.said.value) == (good, 0.2)
    assert refs(find(store, text=storms, method="summary")) == [ref]
    for asked in (
        {"method": "hs"},
        {"polarity": Polarity.NEGATIVE},
        {"score": Range(0.5, None)},
        {"explainer": "nobody"},
    ):
        assert find(store, text=storms, **asked).total == 0, asked
    [found] = find(store, method="hs").items
    assert found.said is not None and found.said.explanation_id == other
    assert find(store, text=text_query.parse("thunder rain")).total == 0


def test_the_best_matching_explanation_is_shown(full: Full) -> None:
    store = full.store
    ref = NeuronRef(SLUG, "0-mlp", 4)
    say(store, ref, "storms at sea", 0.3)
    best = say(store, ref, "storms on land", 0.6)  # the same method: only this one is in best_scores
    say(store, ref, "storms of words")
    second = NeuronRef(SLUG, "1-mlp", 0)
    say(store, second, "storms")
    third = NeuronRef(SLUG, "0-mlp", 9)
    say(store, third, "many storms", 0.7)
    page = find(store, text=text_query.parse("storms"), sort=SearchSort.SCORE, descending=True)
    assert refs(page) == [third, ref, second]
    assert page.items[1].said is not None and page.items[1].said.explanation_id == best
    assert page.items[2].said is not None and page.items[2].said.value is page.items[2].said.state is None
    sea = find(store, text=text_query.parse("sea"), sort=SearchSort.SCORE, descending=True)
    assert sea.items[0].said is not None and sea.items[0].said.value == 0.3


def test_gain_is_the_score_above_token_lookup_s(full: Full) -> None:
    store = full.store
    strong, weak = NeuronRef(SLUG, "0-mlp", 4), NeuronRef(SLUG, "0-mlp", 5)
    say(store, strong, "more than its tokens", 0.99)
    say(store, weak, "less than its tokens", -0.9)
    page = find(store, sort=SearchSort.GAIN, descending=True)
    assert page.items[0].ref == strong and weak in refs(page)
    assert full.tiny.plain not in refs(page)  # token lookup alone
    for found in page.items:
        if found.gain is not None:
            assert found.said is not None and found.said.value is not None and found.lookup is not None
            assert found.gain == found.said.value - found.lookup
    gains = [found.gain for found in page.items if found.gain is not None]
    assert gains == sorted(gains, reverse=True) and len(gains) == 3
    assert page.items[-1].ref == full.tiny.failed  # nobody scored it by this measure


def test_a_token_s_neurons_are_those_that_have_it(shared: Full) -> None:
    with shared.store.session() as s:
        rows = everything(s)
        vocabulary = stored_models.vocabulary(s, SLUG)
        index = token_index.index(s, columns(shared.store, s, SLUG))
    for token in range(len(vocabulary)):
        having = {row.ref: t for row in rows for t in row.top_tokens if t.id == token and t.mean > 0}
        page = find(shared.store, token=token, sort=SearchSort.TOKEN_MEAN, descending=True)
        assert set(refs(page)) == having.keys() and index.neurons_of(token) == len(having)
        means = [found.on_token.mean for found in page.items if found.on_token is not None]
        assert means == sorted((t.mean for t in having.values()), reverse=True)
        for found in page.items:
            assert found.on_token is not None and found.on_token.count == having[found.ref].count
            assert found.on_token.share == pytest.approx(found.on_token.mean / found.maximum)
        shares = [
            f.on_token.share
            for f in find(shared.store, token=token, sort=SearchSort.TOKEN, descending=True).items
            if f.on_token
        ]
        assert shares == sorted(shares, key=lambda x: -(x or 0))


def test_a_token_may_be_typed_in_several_ways(shared: Full) -> None:
    with shared.store.session() as s:
        vocabulary = stored_models.vocabulary(s, SLUG)
        index = token_index.index(s, columns(shared.store, s, SLUG))
    koba = vocabulary.pieces.index(b" koba")

    def ids(typed: str) -> list[int]:
        return [choice.id for choice in token_index.choices(index, vocabulary, typed)]

    assert ids(" koba") == ids("koba") == ids("KOBA") == [koba]
    assert ids(f"#{koba}") == [koba]
    assert ids("no such token") == ids("#99999999999") == ids("") == []
    assert ids("#") == []
    assert vocabulary.pieces.index(b"\xff") in ids("‹FF›")  # as pages show it
    assert ids("\ud800") == []


def test_what_others_write_is_found_at_once(full: Full) -> None:
    other = Store.open(full.store.engine.url.render_as_string(hide_password=False))
    storms = text_query.parse("storms")
    ref = NeuronRef(SLUG, "1-mlp", 30)
    before = find(full.store, sort=SearchSort.SCORE, descending=True)
    assert find(full.store, text=storms).total == 0
    id_ = say(other, ref, "storms")
    [found] = find(full.store, text=storms).items
    assert found.ref == ref and found.said is not None and found.said.value is None
    assert find(full.store, has=("explanation",)).total == 3
    with other.session() as s:
        top = ScoreValue(Metric.CORRELATION, Protocol.HELDOUT_FULL, Sample.TOP_AND_RANDOM, State.OK, 0.99999)
        scores.add(s, id_, None, [top], None, "later")
    after = find(full.store, sort=SearchSort.SCORE, descending=True)
    assert refs(before)[0] != ref == refs(after)[0]
    assert refs(find(full.store, text=storms, score=Range(0.99, None))) == [ref]
    with other.session() as s:
        factories.collect(s)
    assert (
        find(full.store, text=storms).total == 1
    )  # an explanation outlives its collection, its score does not
    assert refs(find(full.store, sort=SearchSort.SCORE, descending=True))[0] != ref
    other.close()


def test_members_of_a_list(shared: Full) -> None:
    some = [
        NeuronRef(SLUG, "1-mlp", 5),
        NeuronRef(SLUG, "0-mlp", 2),
        NeuronRef("other", "0-mlp", 1),
        NeuronRef(SLUG, "9-mlp", 1),
        NeuronRef(SLUG, "0-mlp", 99),
    ]
    with shared.store.session() as session:
        ids = {name: kept_names.layer_id(session, NeuronRef(SLUG, name, 0)) for name in ("0-mlp", "1-mlp")}
    keys = [Key(ids.get(ref.layer, 99_999) if ref.model == SLUG else 99_998, ref.index) for ref in some]
    assert refs(find(shared.store, members=keys)) == [some[1], some[0]]
    assert find(shared.store, members=[]).total == 0


def test_meaning_alone_and_fused_with_words(full: Full) -> None:
    store = full.store
    a, b, c = (NeuronRef(SLUG, "0-mlp", i) for i in (1, 2, 3))
    said = [
        say(store, ref, text, value)
        for ref, text, value in ((a, "storms", 0.1), (b, "tempests", 0.2), (c, "thunderstorms, storms", 0.3))
    ]
    by = {"sort": SearchSort.RELEVANCE, "descending": True}
    assert refs(find(store, ranked=(said[1], said[2], 10**9), **by)) == [b, c]
    fused = find(store, ranked=(said[1], said[0]), text=text_query.parse("storms"), **by)
    assert refs(fused)[0] == a and set(refs(fused)) == {a, b, c}  # a: second in both lists
    assert refs(find(store, ranked=(said[1], said[2]), layers=frozenset({"1-mlp"}), **by)) == []
    with pytest.raises(BadInput, match="relevance"):
        find(store, text=text_query.parse("storms"), **by)


def test_bounds_of_the_best_score_are_not_those_of_any(full: Full) -> None:
    ref = NeuronRef(SLUG, "0-mlp", 1)
    best = max(
        0.0, next(row.said.value or 0 for row in find(full.store).items if row.said and row.ref == ref)
    )
    assert best < 0.99
    low = say(full.store, ref, "much worse", -0.95)
    between = Range(-0.96, -0.9)
    assert [found.said.explanation_id for found in find(full.store, score=between).items if found.said] == [
        low
    ]
    assert find(full.store, score=between, best=True).total == 0
    found = find(full.store, score=Range(best, best), best=True)
    assert ref in refs(found) and "much worse" not in {each.said.text for each in found.items if each.said}
    every = find(full.store, 100, score=Range(-1, None), best=True)
    assert every.total == find(full.store, score=Range(-1, None)).total


def test_filters_come_before_the_nearest_are_taken(full: Full) -> None:
    """What is asked of explanations and neurons narrows what meaning may find, and words and meaning together alike."""
    store = full.store
    said = [say(store, NeuronRef(SLUG, "0-mlp", i), f"storms {i}", i / 40) for i in range(32)]
    with store.session() as s:
        assert search.candidates(store, s, SLUG, Wanted(ranked=())) is None
        ids = search.candidates(
            store, s, SLUG, Wanted(score=Range(0.5, None), layers=frozenset({"0-mlp"}), method="summary")
        )
        assert (
            ids is not None and set(said[20:]) <= set(ids.tolist()) and not set(said[:20]) & set(ids.tolist())
        )
    by = {"sort": SearchSort.RELEVANCE, "descending": True, "text": text_query.parse("storms")}
    fused = find(store, ranked=tuple(said), score=Range(0.7, None), **by)
    assert {ref.index for ref in refs(fused)} == {28, 29, 30, 31} and all(
        found.words for found in fused.items
    )
    other = find(store, ranked=(said[3],), lacks=("summary",), **by)
    assert refs(other) == []


def test_what_a_page_cannot_be(shared: Full) -> None:
    for limit in (0, -1, 501):
        with pytest.raises(BadInput, match="1 to 500"):
            find(shared.store, limit)
    cursor = find(shared.store, 3, sort=SearchSort.DENSITY).next
    for asked in ({"sort": SearchSort.MEAN}, {"sort": SearchSort.DENSITY, "descending": True}):
        with pytest.raises(BadInput, match="out of date"):
            find(shared.store, 3, cursor, **asked)
    with pytest.raises(BadInput, match="out of date"):
        find(shared.store, 3, "junk")
    with pytest.raises(BadInput, match="name one"):
        find(shared.store, sort=SearchSort.TOKEN)
    with shared.store.session() as s, pytest.raises(NotFound, match="no model"):
        search.find(shared.store, s, "nobody", Wanted())


def test_neurons_of_which_nothing_is_known_but_that_they_are_there(store: Store) -> None:
    documents, table = factories.corpus()
    result = factories.layer_result(1, table)
    result.kurtosis[:] = np.nan
    with store.session() as s:
        stored_models.add_model(s, factories.card(), factories.vocabulary())
        id_ = collections.begin(s, SLUG, "Chapters", documents, table, Profile(), "{}", None)
        collections.write_layer(s, id_, result)
        collections.finish(s, id_)
        s.execute(update(neurons_table).values(density=None, maximum=None))
    page = find(store, 10)
    assert page.total == 32 and all(found.said is None and not found.top_tokens for found in page.items)
    assert all(np.isnan(found.maximum) and np.isnan(found.kurtosis) for found in page.items)
    for by in SearchSort:
        if by not in (SearchSort.RELEVANCE, SearchSort.TOKEN, SearchSort.TOKEN_MEAN, SearchSort.GAIN):
            assert walk(store, 7, sort=by, descending=True)
    assert find(store, sort=SearchSort.GAIN).total == find(store, density=Range(0, 1)).total == 0
    assert find(store, text=text_query.parse("words")).total == 0
    assert find(store, token=3, sort=SearchSort.TOKEN).total == 0
    assert find(store, lacks=("explanation",)).total == 32


def test_a_model_without_neurons_cannot_be_searched(store: Store) -> None:
    with store.session() as s:
        stored_models.add_model(s, factories.card(), factories.vocabulary())
        with pytest.raises(NotFound, match="no neurons yet"):
            search.find(store, s, SLUG, Wanted())


@pytest.mark.parametrize("descending", [False, True])
@pytest.mark.parametrize("seed", range(5))
def test_pages_of_many_equal_and_missing_values(descending: bool, seed: int) -> None:
    rng = np.random.default_rng(seed)
    values = rng.choice(np.array([1.0, 2.0, np.nan, -3.5, 1e30]), 200)
    places = np.sort(rng.choice(10_000, 200, replace=False)).astype(np.int64)
    order = search_order.Order(values, places, descending)
    wanted = sorted(
        range(200),
        key=lambda i: (
            np.isnan(values[i]),
            0 if np.isnan(values[i]) else -values[i] if descending else values[i],
            i,
        ),
    )
    seen: list[int] = []
    at: Cursor | None = None
    while True:
        rows, more, _ = search_order.page(order, at, 7)
        seen += rows
        if not more:
            break
        value = values[rows[-1]]
        at = Cursor("", None if np.isnan(value) else float(value), int(places[rows[-1]]))
    assert seen == wanted


def test_token_lookup_is_left_out_of_words(shared: Full) -> None:
    assert find(shared.store, text=text_query.parse("tokens")).total == 0
    assert find(shared.store, method=Method.TOKEN_LOOKUP.value).total == 64
