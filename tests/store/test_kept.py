"""Bookmarks, comments and explanations by people: whose they are, and that nothing said is changed in silence."""

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from app.domain.explanations import (
    Method,
    Metric,
    Protocol,
    Sample,
    ScoreValue,
    Simulated,
    SimulatorName,
    State,
)
from app.domain.neurons import NeuronRef, Polarity
from app.domain.protocols import score_records
from app.errors import BadInput, Conflict, NotFound, Refused, StoreError
from app.store import (
    bookmarks,
    comments,
    explanations,
    heldout,
    human,
    list_samples,
    lists,
    neurons,
    scores,
    simulations,
)
from app.store.excerpts import ExcerptCache
from tests import factories
from tests.conftest import Full

REF = NeuronRef(factories.SLUG, "0-mlp", 3)


def test_bookmarks_are_one_person_s(full: Full) -> None:
    with full.store.session() as s:
        assert bookmarks.add(s, "ada", REF, "Ada") and not bookmarks.add(s, "ada", REF, "Ada")
        assert bookmarks.add(s, "ada", full.tiny.explained, "Ada")
        assert bookmarks.has(s, "ada", REF) and not bookmarks.has(s, "bob", REF)
        whole = bookmarks.page(s, "ada")
        assert [item.ref for item in whole.items] == [full.tiny.explained, REF] and whole.total == 2
        first = bookmarks.page(s, "ada", limit=1)
        second = bookmarks.page(s, "ada", first.next, 1)
        assert first.items + second.items == whole.items and second.next is None
        assert bookmarks.page(s, "ada", second.previous, 1) == first
        bookmarks.remove(s, "bob", REF)
        bookmarks.remove(s, "ada", full.tiny.explained)
        assert [item.ref for item in bookmarks.page(s, "ada").items] == [REF]
        for index in (32, 10**20):
            with pytest.raises(NotFound):
                bookmarks.add(s, "ada", NeuronRef(factories.SLUG, "0-mlp", index), "Ada")
        with pytest.raises(BadInput, match="first page"):
            bookmarks.page(s, "ada", "junk")


def test_a_withdrawn_comment_was_there_and_says_nothing(full: Full) -> None:
    with full.store.session() as s:
        said = comments.add(s, REF, " first\r\nline <b> ", "Ada", "ada")
        comments.add(s, REF, "second", "Bob", "bob")
        assert said.text == "first\nline <b>"
    with pytest.raises(Refused, match="another's"), full.store.session() as s:
        comments.withdraw(s, REF, said.id, "bob")
    with full.store.session() as s:
        assert comments.withdraw(s, REF, said.id, "ada").text == ""
    with full.store.session() as s:
        first, second = comments.of_neuron(s, REF)
        assert (first.text, first.author, second.text) == ("", "Ada", "second")
        assert first.withdrawn_at is not None and second.withdrawn_at is None
        assert s.execute(text("SELECT text FROM comments ORDER BY id")).scalar() == "first\nline <b>"
        assert comments.of_neuron(s, full.tiny.explained) == []
    with pytest.raises(Conflict, match="already"), full.store.session() as s:
        comments.withdraw(s, REF, said.id, "ada")
    for wrong in (0, 999, 10**30):
        with pytest.raises(NotFound), full.store.session() as s:
            comments.withdraw(s, REF, wrong, "ada")
    with pytest.raises(NotFound), full.store.session() as s:
        comments.withdraw(s, full.tiny.explained, said.id, "ada")
    for words in ("", " \n", "x" * 5001, "a\0"):
        with pytest.raises(BadInput), full.store.session() as s:
            comments.add(s, REF, words, "Ada", "ada")


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE comments SET text = 'better'",
        "UPDATE comments SET author = 'Bob', withdrawn_at = 1",
        "UPDATE comments SET withdrawn_at = NULL",
        "DELETE FROM comments",
        "UPDATE list_samples SET name = 'other'",
        "DELETE FROM list_samples",
    ],
)
def test_what_was_said_or_sampled_is_not_changed(full: Full, statement: str) -> None:
    from app.store import list_items

    with full.store.session() as s:
        comments.add(s, REF, "first", "Ada", "ada")
        slug = lists.create(s, "x", "", "ada").slug
        list_items.add(s, slug, REF, "", "ada")
        list_samples.freeze(s, slug)
    with pytest.raises((StoreError, DBAPIError), match="append-only"), full.store.session() as s:
        s.execute(text(statement))


def test_an_explanation_by_a_person_is_stored_once_and_can_be_scored(full: Full) -> None:
    with full.store.session() as s:
        id_ = human.explain(s, REF, " words  about\nrain ", Polarity.POSITIVE, "Ada")
        assert human.explain(s, REF, "words about rain", Polarity.POSITIVE, "Ada") == id_
        assert human.explain(s, REF, "words about rain", Polarity.NEGATIVE, "Ada") != id_
        assert human.explain(s, REF, "words about rain", Polarity.POSITIVE, "Bob") != id_
    with full.store.session() as s:
        row = explanations.get(s, id_)
        assert (row.text, row.state, row.method) == ("words about rain", State.OK, Method.HUMAN)
        assert (row.provenance.explainer, row.provenance.author) == ("none", "Ada")
        assert row.provenance.excerpts == ()
        with pytest.raises(BadInput, match="nobody knows which text"):
            heldout.demand(s, id_, None, row.collection_id, {Protocol.HELDOUT_FULL})
        # Its author's word that only explain records were looked at is kept, and makes it another explanation.
        blind = human.explain(s, REF, "words about rain", Polarity.POSITIVE, "Ada", blind=True)
        assert blind != id_ and "by the author" in explanations.get(s, blind).provenance.parameters_json
        id_ = blind
        assert id_ in [each.id for each in explanations.recent(s, 5)]
        table = ExcerptCache.get(full.store, factories.SLUG)
        records = neurons.records(s, table, REF)
        scored, _ = score_records(records, Protocol.HELDOUT_FULL, Polarity.POSITIVE)
        guess = factories.simulated(scored, records, Polarity.POSITIVE)
        simulated = Simulated(guess.excerpts, guess.expected)
        simulation = simulations.add(
            s, id_, SimulatorName.LOCAL, "", "{}", 0, simulated, State.OK, "", None, "human/simulation"
        )
        value = ScoreValue(
            Metric.CORRELATION, Protocol.HELDOUT_FULL, Sample.TOP_AND_RANDOM, State.OK, 0.99, n_records=10
        )
        scores.add(s, id_, simulation, [value], None, "human/score")
        [line] = neurons.page(s, factories.SLUG, "0-mlp", limit=4).items[3:]
        assert line.best is not None and (line.best.method, line.best.explanation_id) == ("human", id_)


@pytest.mark.parametrize(
    ("words", "says"), [("", "empty"), ("x" * 1001, "at most 1,000"), ("a\u202eb", r"U\+202E")]
)
def test_what_is_no_statement_is_refused(full: Full, words: str, says: str) -> None:
    with pytest.raises(BadInput, match=says), full.store.session() as s:
        human.explain(s, REF, words, Polarity.POSITIVE, "Ada")
    with pytest.raises(NotFound), full.store.session() as s:
        human.explain(s, NeuronRef(factories.SLUG, "0-mlp", 99), "fine", Polarity.POSITIVE, "Ada")
