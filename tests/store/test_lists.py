"""Named lists: made, filled, ordered, shared, frozen; refused where they must be, the store as it was."""

import itertools
import secrets
import threading

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.domain.list_files import Entry, Format, read, write
from app.domain.neurons import NeuronRef
from app.errors import AppError, BadInput, Conflict, NotFound
from app.store import collections, kept_names, list_items, list_lines, list_samples, lists, neurons
from app.store.list_items import Move
from tests import factories
from tests.conftest import Full


def ref(index: int, layer: int = 0) -> NeuronRef:
    return NeuronRef(factories.SLUG, f"{layer}-mlp", index)


def order(full: Full, slug: str) -> list[int]:
    with full.store.session() as s:
        return [key.neuron for key in lists.neuron_keys(s, lists.get(s, slug).id)]


def made(full: Full, *indices: int, name: str = "Stores") -> str:
    with full.store.session() as s:
        slug = lists.create(s, name, "", "ada").slug
        for index in indices:
            assert list_items.add(s, slug, ref(index), f"note {index}", "ada")
    return slug


def test_a_list_is_made_filled_and_found_again(full: Full) -> None:
    with full.store.session() as s:
        row = lists.create(s, "  Fires on   “ store” ", "what\r\nit is", "Ada")
        assert (row.slug, row.name, row.description) == ("fires-on-store", "Fires on “ store”", "what\nit is")
        assert list_items.add(s, row.slug, full.tiny.explained, "  one\r\ntwo ", "Ada")
        assert list_items.add(s, row.slug, ref(5), "", "Bob")
        assert not list_items.add(s, row.slug, ref(5), "again", "Bob")
    with full.store.session() as s:
        row = lists.get(s, "fires-on-store")
        assert (row.neurons, row.author, row.revision) == (2, "Ada", 3)
        page = list_items.page(s, row.id)
        assert [(item.ref, item.note, item.author) for item in page.items] == [
            (full.tiny.explained, "one\ntwo", "Ada"),
            (ref(5), "", "Bob"),
        ]
        assert lists.every(s) == [row]
        [inside] = lists.containing(s, ref(5))
        assert (inside.id, inside.slug, inside.note) == (row.id, row.slug, "")
        assert lists.containing(s, ref(6)) == []


def test_what_is_said_of_its_neurons(full: Full) -> None:
    with full.store.session() as s:
        slug = lists.create(s, "x", "", "ada").slug
        for each in (full.tiny.failed, ref(5), full.tiny.explained):
            list_items.add(s, slug, each, "", "ada")
        items = list_items.page(s, lists.get(s, slug).id).items
        failed, plain, explained = list_lines.lines(s, items)
        [row] = neurons.page(s, factories.SLUG, "0-mlp", limit=6).items[5:]
        assert plain.there and plain.top_tokens == row.top_tokens and plain.best == row.best
        assert plain.text == (row.best.text if row.best and row.best.value is not None else plain.text)
        assert explained.best and explained.best.value is not None and explained.text == explained.best.text
        assert failed.item.ref == full.tiny.failed and failed.text


def test_a_list_outlives_the_collection(full: Full) -> None:
    slug = made(full, 3)
    with full.store.session() as s:
        documents, excerpts = factories.corpus()
        again = collections.begin(
            s, factories.SLUG, "Chapters", documents, excerpts, factories.Profile(), "{}", None
        )
        collections.write_layer(s, again, factories.layer_result(1, excerpts))
        collections.finish(s, again)
    with full.store.session() as s:
        [line] = list_lines.lines(s, list_items.page(s, lists.get(s, slug).id).items)
        assert line.item.ref == ref(3) and not line.there and line.top_tokens == () and line.best is None
        with pytest.raises(NotFound, match="0-mlp"):
            list_items.add(s, slug, ref(4), "", "ada")
        list_items.remove(s, slug, ref(3))
        assert lists.neuron_keys(s, lists.get(s, slug).id) == []


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("", "empty"),
        ("x" * 10_000, "at most"),
        ("a\0", r"U\+0000"),
        ("a\u202eb", r"U\+202E"),
        ("STORES", "already"),
    ],
)
def test_a_name_that_will_not_do_changes_nothing(full: Full, name: str, says: str) -> None:
    slug = made(full, 1)
    made(full, name="other")
    for act in (lambda s: lists.create(s, name, "", "ada"), lambda s: lists.edit(s, "other", name, "")):
        with pytest.raises(AppError, match=says), full.store.session() as s:
            act(s)
    with full.store.session() as s:
        assert sorted(row.name for row in lists.every(s)) == ["Stores", "other"]
        assert lists.edit(s, slug, "STORES", "its own name in capitals").slug == slug


def test_names_of_one_address_get_numbers(full: Full) -> None:
    with full.store.session() as s:
        slugs = [lists.create(s, name, "", "ada").slug for name in ("a b", "a-b", "A, B", "日本", "中国")]
    assert slugs == ["a-b", "a-b-2", "a-b-3", "list", "list-2"]


def test_what_was_deleted_meanwhile_is_said(full: Full) -> None:
    slug = made(full, 1, 2)
    with full.store.session() as s:
        lists.remove(s, slug)
    for act in (
        lambda s: lists.get(s, slug),
        lambda s: lists.remove(s, slug),
        lambda s: lists.share(s, slug),
        lambda s: list_items.add(s, slug, ref(3), "", "ada"),
        lambda s: list_items.set_note(s, slug, ref(1), "x"),
        lambda s: list_items.move(s, slug, ref(1), Move.UP),
        lambda s: list_samples.freeze(s, slug),
    ):
        with pytest.raises(NotFound, match="deleted meanwhile"), full.store.session() as s:
            act(s)
    with full.store.session() as s:
        assert lists.containing(s, ref(1)) == []


@pytest.mark.parametrize("index", [32, 99_999_999_999, 10**30])
def test_unknown_neurons(full: Full, index: int) -> None:
    slug = made(full, 1)
    with pytest.raises(NotFound), full.store.session() as s:
        list_items.add(s, slug, ref(index), "", "ada")
    with pytest.raises(NotFound), full.store.session() as s:
        list_items.remove(s, slug, ref(index))
    with pytest.raises(BadInput, match="at most 2,000"), full.store.session() as s:
        list_items.add(s, slug, ref(2), "x" * 2001, "ada")
    assert order(full, slug) == [1]


def test_moving(full: Full) -> None:
    slug = made(full, 1, 2, 3, 4)
    steps = [(4, Move.UP), (1, Move.DOWN), (3, Move.BOTTOM), (4, Move.TOP), (4, Move.UP), (3, Move.DOWN)]
    for index, to in steps:
        with full.store.session() as s:
            list_items.move(s, slug, ref(index), to)
    assert order(full, slug) == [4, 2, 1, 3]


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_order_of_changes_is_that_of_a_plain_list(sqlite_full: Full, data: st.DataObject) -> None:
    name = secrets.token_hex(8)
    slug, model = made(sqlite_full, name=name), list[int]()
    for _ in range(data.draw(st.integers(1, 15))):
        index, act = data.draw(st.integers(0, 5)), data.draw(st.sampled_from(["add", "remove", *Move]))
        with sqlite_full.store.session() as s:
            if act == "add":
                assert list_items.add(s, slug, ref(index), "", "ada") == (index not in model)
                model += [index] * (index not in model)
            elif index not in model:
                continue
            elif act == "remove":
                list_items.remove(s, slug, ref(index))
                model.remove(index)
            else:
                list_items.move(s, slug, ref(index), Move(act))
                at = model.index(index)
                model.remove(index)
                to = {Move.UP: max(0, at - 1), Move.DOWN: at + 1, Move.TOP: 0, Move.BOTTOM: len(model)}[
                    Move(act)
                ]
                model.insert(to, index)
    assert order(sqlite_full, slug) == model


@pytest.fixture
def sqlite_full(tiny_store, tiny) -> Full:  # type: ignore[no-untyped-def]
    return Full(tiny_store, tiny)


@pytest.mark.parametrize("limit", [1, 3, 7])
def test_pages_join_both_ways(full: Full, limit: int) -> None:
    slug = made(full, *range(7))
    with full.store.session() as s:
        list_id = lists.get(s, slug).id
        list_items.move(s, slug, ref(6), Move.TOP)
        list_items.move(s, slug, ref(5), Move.TOP)  # below zero
        whole = [item.ref.index for item in list_items.page(s, list_id).items]
        assert whole == [5, 6, 0, 1, 2, 3, 4]
        pages, cursor = [], None
        while True:
            page = list_items.page(s, list_id, cursor, limit)
            pages.append(page)
            cursor = page.next
            if cursor is None:
                break
        assert [item.ref.index for page in pages for item in page.items] == whole
        assert pages[0].previous is None and {page.total for page in pages} == {7}
        for before, page in itertools.pairwise(pages):
            assert list_items.page(s, list_id, page.previous, limit).items == before.items
        for cursor in ("junk", "a", "b1x", "a9" * 30, "c1"):
            with pytest.raises(BadInput, match="first page"):
                list_items.page(s, list_id, cursor, limit)


def test_a_note_changed_by_another_is_not_overwritten(full: Full) -> None:
    slug = made(full, 1)
    with full.store.session() as s:
        list_items.set_note(s, slug, ref(1), "Bob's", seen="note 1")
    with pytest.raises(Conflict, match="Bob's"), full.store.session() as s:
        list_items.set_note(s, slug, ref(1), "Ada's", seen="note 1")
    with full.store.session() as s:
        list_items.set_note(s, slug, ref(1), "Ada's", seen="Bob's\r\n")
        [item] = list_items.page(s, lists.get(s, slug).id).items
        assert item.note == "Ada's"


def test_sharing_and_its_end(full: Full) -> None:
    slug, other = made(full, 1), made(full, name="other")
    with full.store.session() as s:
        token = lists.share(s, slug)
        assert lists.share(s, slug) == token and len(token) >= 40
        assert lists.share(s, other) != token
        assert lists.shared(s, token).slug == slug
        lists.unshare(s, slug)
    with full.store.session() as s:
        for wrong in (token, "", "x", token.upper(), "\0"):
            with pytest.raises(NotFound, match="no longer shared") as caught:
                lists.shared(s, wrong)
            assert slug not in str(caught.value)
        assert lists.share(s, slug) != token


def test_a_sample_stays_what_it_was(full: Full) -> None:
    slug = made(full, 3, 1, 2)
    with full.store.session() as s:
        sample = list_samples.freeze(s, slug)
        assert [key.neuron for key in sample.keys] == [3, 1, 2] == order(full, slug)
        assert list(sample.keys) == lists.neuron_keys(s, sample.list_id)
    with full.store.session() as s:
        list_items.move(s, slug, ref(1), Move.TOP)
        second = list_samples.freeze(s, slug)
        assert second.digest != sample.digest and second.revision > sample.revision
        list_items.move(s, slug, ref(1), Move.DOWN)
        third = list_samples.freeze(s, slug)
        assert third == sample  # the same neurons in the same order
        lists.remove(s, slug)
    with full.store.session() as s:
        assert list_samples.get(s, sample.digest) == sample
        assert kept_names.refs_of(s, sample.keys)[sample.keys[0]] == ref(3)
        with pytest.raises(NotFound, match="no sample"):
            list_samples.get(s, "0" * 64)
    empty = made(full, name="empty")
    with pytest.raises(BadInput, match="empty"), full.store.session() as s:
        list_samples.freeze(s, empty)


def test_a_file_fills_a_list_and_says_what_it_could_not_use(full: Full) -> None:
    slug = made(full, 3)
    entries = [
        Entry(2, "", "0-mlp", 5, "five"),
        Entry(3, "tiny-random", "1", 6, ""),
        Entry(4, "", "0-mlp", 3, ""),
        Entry(5, "", "0-mlp", 32, ""),
        Entry(6, "", "7", 0, ""),
        Entry(7, "gpt-9", "0-mlp", 0, ""),
        Entry(8, "", "0", 5, "again"),
        Entry(9, "", "0", 7, "x" * 2001),
    ]
    with full.store.session() as s:
        filled = list_items.fill(s, slug, entries, "ada")
    assert filled.added == 2 and filled.row.neurons == 3
    reasons = {each.line: each.reason for each in filled.skipped}
    assert list(reasons) == [4, 5, 6, 7, 8, 9]
    for line, says in {
        4: "already",
        5: "0 to 31",
        6: "no layer “7”",
        7: "gpt-9",
        8: "already",
        9: "2,000",
    }.items():
        assert says in reasons[line]
    with full.store.session() as s:
        keys = lists.neuron_keys(s, filled.row.id)
        names = kept_names.refs_of(s, keys)
        assert [names[key] for key in keys] == [ref(3), ref(5), ref(6, layer=1)]


def test_nothing_usable_and_too_much_leave_the_list_as_it_was(
    full: Full, monkeypatch: pytest.MonkeyPatch
) -> None:
    slug = made(full, 3)
    with full.store.session() as s:
        before = lists.get(s, slug)
    with pytest.raises(BadInput, match="0 to 31"), full.store.session() as s:
        list_items.fill(s, slug, [Entry(2, "", "0-mlp", 32, "")], "ada")
    with pytest.raises(BadInput, match="nothing was added"), full.store.session() as s:
        list_items.fill(s, slug, [Entry(1, "", "0", 1, ""), Entry(2, "", "0", 32, "")], "ada", strict=True)
    monkeypatch.setattr(list_items, "MOST", 4)
    with pytest.raises(BadInput, match="at most 4"), full.store.session() as s:
        list_items.fill(s, slug, [Entry(i, "", "0-mlp", i, "") for i in range(10, 20)], "ada")
    with full.store.session() as s:
        assert lists.get(s, slug) == before


@pytest.mark.parametrize("format", Format)
def test_a_list_comes_back_from_its_file(full: Full, format: Format) -> None:
    slug = made(full, 9, 1, 4)
    with full.store.session() as s:
        list_items.set_note(s, slug, ref(1), 'a "quoted", \u202enote\nin two lines 🧠')
        row = lists.get(s, slug)
        text = write(list_lines.written(s, row.id), format, {"name": row.name})
        copy = lists.create(s, "copy", "", "bob").slug
        found = read(text, format)
        assert not found.skipped
        assert list_items.fill(s, copy, found.entries, "bob").skipped == []
        again = list_items.page(s, lists.get(s, copy).id).items
        whole = list_items.page(s, row.id).items
        assert [(i.ref, i.note) for i in again] == [(i.ref, i.note) for i in whole]


def test_edits_at_the_same_time_lose_nothing(full: Full) -> None:
    slug = made(full)
    problems: list[AppError] = []

    def work(me: int) -> None:
        try:
            for index in range(me, 32, 4):
                with full.store.session() as s:
                    list_items.add(s, slug, ref(index), "", f"writer {me}")
                with full.store.session() as s:
                    list_items.move(s, slug, ref(index), Move.UP)
        except AppError as error:
            problems.append(error)

    threads = [threading.Thread(target=work, args=(me,)) for me in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not problems
    assert sorted(order(full, slug)) == list(range(32))
    with full.store.session() as s:
        positions = [item.position for item in list_items.page(s, lists.get(s, slug).id).items]
    assert len(set(positions)) == 32


def test_one_name_is_given_once_however_many_ask(full: Full) -> None:
    outcomes: list[str] = []

    def work() -> None:
        try:
            with full.store.session() as s:
                outcomes.append(lists.create(s, "the same", "", "ada").slug)
        except Conflict as error:
            outcomes.append(str(error))

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(outcomes) == 6 and outcomes.count("the-same") == 1
    assert sum("already" in each for each in outcomes) == 5


def test_a_list_by_word_or_id_and_what_it_has_of_which_model(full: Full) -> None:
    slug = made(full, 3, 5)
    number = made(full, 7, name="12345")
    with full.store.session() as s:
        row = lists.get(s, slug)
        assert lists.named(s, slug) == lists.named(s, str(row.id)) == row
        assert lists.named(s, number).slug == number == "12345"  # the word comes before any id
        assert lists.models_in(s, row.id) == [factories.SLUG] and lists.models_in(s, 999) == []
        assert lists.outside(s, row.id, factories.SLUG) == 0
        for word in ("", "0", "9" * 15, "9" * 400, "-1", "²", "no such"):
            with pytest.raises(NotFound, match="no list"):
                lists.named(s, word)
        with pytest.raises(NotFound, match="no model"):
            lists.outside(s, row.id, "nobody")
        collections_of_another = factories.collect(s, "another")
        assert collections_of_another
        assert lists.outside(s, row.id, "another") == 2
