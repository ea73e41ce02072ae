"""The index of words: on both databases what a reading of every text finds, whatever is asked and whatever was written."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from sqlalchemy import insert, inspect, text

from app.domain import text_query
from app.domain.explanations import Method, Provenance, State
from app.domain.neurons import NeuronRef, Polarity, Profile
from app.errors import BadInput
from app.store import Store, collections, explanations, migrate, neuron_columns, text_index, word_memory
from app.store import tables as t
from tests import factories
from tests.conftest import Postgres

TEXTS = (
    "words and phrases related to legal matters",
    "the beginning of a sentence, e.g. “The store”",
    "stores, storage and restored things",
    "the token “ substit” and the phrase 'in the store'",
    "well-known people: Ada Lovelace, O'Brien",
    "numbers such as 3.5, 1e5, 12abc, 2nd and 1,000",
    "file names (foo_bar.py), paths /usr/lib and http://example.com/a?b=c",
    "e-mail addresses like someone@example.org",
    "un café très naïve, Ångström; cafe\u0301 again",
    "Йод и ёлка, йод",
    "ΑΘΗΝΑ αθηνα",
    "日本語 の 文",
    "robots🤖robots and 🎉party🎉 flags🏳️‍🌈 hands👋🏽waving",
    "x² + y³ = ½",
    "SELECT * FROM neurons; DROP TABLE neurons; --",
    "AND OR NOT NEAR",
    "tabs\tand\nnew lines\r\nhere",
    "<script>alert('legal')</script>",
    "the the the store store",
    "the store the legal store",
    "zero\u200bwidth and nbsp\u00a0here",
    "dashes—like this–or…that",
)
WORDS = sorted({word.plain for said in TEXTS for word in text_query.words(said)})


def add(store: Store, text: str, key: str, method: str = Method.SUMMARY.value, index: int = 0) -> int:
    made = Provenance(method=method, explainer="somebody")
    with store.session() as s:
        return explanations.add(
            s,
            NeuronRef(factories.SLUG, "0-mlp", index),
            text,
            Polarity.POSITIVE,
            made,
            State.OK,
            "",
            None,
            key,
        )


def ask(store: Store, typed: str) -> list[int]:
    with store.session() as s:
        c = neuron_columns.columns(store, s, factories.SLUG)
        return text_index.matching(s, c, text_query.parse(typed)).tolist()


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def searched(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Store, dict[int, str]]]:
    """A store with these explanations, and their ids."""
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path_factory.mktemp('searched') / 'store.sqlite'}"
    else:
        server: Postgres = request.getfixturevalue("postgres")
        url = server.migrated()
    store = Store.open(url)
    with store.session() as s:
        factories.collect(s)
    yield store, {add(store, said, f"said-{i}"): said for i, said in enumerate(TEXTS)}
    store.close()


def by_reading(said: dict[int, str], typed: str) -> list[int]:
    """The ids of what fits, found by reading."""
    query = text_query.parse(typed)

    def has(term: text_query.Term, text: str) -> bool:
        return bool(text_query.marks(text_query.TextQuery((term,)), text))

    return [
        id_
        for id_, text in said.items()
        if all(has(term, text) for term in query.wanted)
        and not any(has(term, text) for term in query.unwanted)
    ]


@pytest.mark.parametrize("word", WORDS)
def test_every_word_is_found(searched: tuple[Store, dict[int, str]], word: str) -> None:
    store, said = searched
    assert ask(store, word) == by_reading(said, word) != []


@pytest.mark.parametrize(
    "typed",
    ["store", "stor*", '"the store"', "store -legal", '"the store" -"the legal"', "legal the", "cafe", "CAFÉ", "йод", "Ёлка", "αθηνα",
     "日本語", "robots", "party", "waving", "x", "1e5", "12abc", "3.5", "1,000", "example.com", "foo_bar", "foo bar", "foo_ba*",
     "o'brien", "someone@example.org", "drop table", '"drop table neurons"', "or not", "near", "alert legal", "new lines",
     '"in the store', "stor* -stores", "re*", "th* st*", "like this or that", "zero", "width", "nbsp here", '"the the the"',
     '"store the" legal', "missing", '"store store"', "🤖 robots", "2nd", "usr/lib", "'in the store'"],
)  # fmt: skip
def test_what_reading_finds(searched: tuple[Store, dict[int, str]], typed: str) -> None:
    store, said = searched
    assert ask(store, typed) == by_reading(said, typed)


term = st.sampled_from(WORDS) | st.lists(st.sampled_from(WORDS), min_size=1, max_size=3).map(
    lambda w: f'"{" ".join(w)}"'
)
prefix = st.sampled_from([word[:n] + "*" for word in WORDS for n in (2, 3, 4) if len(word) >= n])
signed = st.tuples(st.sampled_from(["", "", "-"]), term | prefix).map("".join)


@given(
    st.lists(signed, min_size=1, max_size=4).map(" ".join)
    | st.text("the store-*\"'&|!<>():\\%_é🤖", max_size=40)
    | st.text(max_size=60)
)
@example("'); DROP TABLE explanations; --")
@example('NEAR("the" store, 2) AND ^text : {a b}')
@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_anything_typed_finds_what_reading_finds(searched: tuple[Store, dict[int, str]], typed: str) -> None:
    store, said = searched
    try:
        wanted = by_reading(said, typed)
    except BadInput:
        return
    assert ask(store, typed) == wanted


def test_what_was_there_before_the_index_is_in_it(store: Store) -> None:
    with store.session() as s:
        factories.collect(s)
    ids = [add(store, f"words about storms {i}", f"k{i}") for i in range(3)]
    with store.engine.begin() as connection:
        migrate.run(connection, "0002")
    with store.engine.begin() as connection:  # as that form of the store knew it, without later columns
        there = [c["name"] for c in inspect(connection).get_columns("explanations")]
        taken = ", ".join(
            {"id": "id + 1000", "text": "'more about storms'", "key": "'later'"}.get(name, name)
            for name in there
        )
        connection.execute(
            text(
                f"INSERT INTO explanations ({', '.join(there)}) SELECT {taken} FROM explanations WHERE id = :id"
            ),
            {"id": ids[-1]},
        )
        if store.dialect == "postgresql":
            connection.execute(text("ALTER SEQUENCE explanations_id_seq RESTART WITH 2000"))
        migrate.run(connection, migrate.HEAD)
    later = ids[-1] + 1000
    assert ask(store, "storms") == [*ids, later]
    assert ask(store, "token") == ask(store, "tokens") == []  # token lookup has a search of its own
    last = add(store, "still more about storms", "last")
    assert ask(store, "storms -words") == [later, last]


def test_only_what_came_about_and_is_no_token_lookup_is_searched(store: Store) -> None:
    with store.session() as s:
        factories.collect(s)
        made = Provenance(method="summary", explainer="somebody")
        ref = NeuronRef(factories.SLUG, "0-mlp", 1)
        explanations.add(
            s, ref, None, Polarity.POSITIVE, made, State.FAILED, "nothing about storms", None, "f"
        )
    add(store, "the token “ storms”", "lookup", Method.TOKEN_LOOKUP.value)
    assert ask(store, "storms") == []
    assert ask(store, "st*") == []


def test_what_an_unfinished_collection_said_goes_with_it(store: Store) -> None:
    with store.session() as s:
        factories.collect(s)
        documents, table = factories.corpus()
        held = collections.begin(s, factories.SLUG, "Again", documents, table, Profile(), "{}", None)
        collections.write_layer(s, held, factories.layer_result(0, table))
    kept = add(store, "kept storms", "kept")
    with store.session() as s:
        row = dict(s.execute(t.explanations.select().where(t.explanations.c.id == kept)).mappings().one())
        del row["id"]
        gone = s.execute(
            insert(t.explanations)
            .values({**row, "collection_id": held, "key": "gone", "text": "gone storms"})
            .returning(t.explanations.c.id)
        ).scalar_one()
    assert ask(store, "storms") == [kept, gone]
    with store.session() as s:
        collections.abandon(s, held)
    assert ask(store, "storms") == [kept]
    assert ask(store, "gone") == []


def test_both_databases_have_the_same_words(tmp_path: Path) -> None:
    store = Store.open(f"sqlite:///{tmp_path / 'x.sqlite'}")
    with store.session() as s:
        made = s.exec_driver_sql(
            "SELECT sql FROM sqlite_master WHERE name = 'explanation_words'"
        ).scalar_one()
    store.close()
    assert f'tokenize="{word_memory.TOKENIZE}"' in made


def test_the_index_on_sqlite_is_sound(tmp_path: Path) -> None:
    store = Store.open(f"sqlite:///{tmp_path / 'x.sqlite'}")
    with store.session() as s:
        factories.collect(s)
    for i, said in enumerate(TEXTS):
        add(store, said, f"k{i}")
    with store.session() as s:
        s.exec_driver_sql(
            "INSERT INTO explanation_words(explanation_words, rank) VALUES ('integrity-check', 1)"
        )
    store.close()
