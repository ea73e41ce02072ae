"""What a search may say: never anything but a query that both databases take, or one sentence that says why not."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.text_query import LONGEST, Term, TextQuery, marks, parse, plain, words
from app.errors import BadInput


@pytest.mark.parametrize(
    ("typed", "query"),
    [
        ("store", TextQuery((Term(("store",)),))),
        ("Store  STORE", TextQuery((Term(("store",)),))),
        ("the store", TextQuery((Term(("the",)), Term(("store",))))),
        ('"the store"', TextQuery((Term(("the", "store")),))),
        ("“the store” x", TextQuery((Term(("the", "store")), Term(("x",))))),
        ('"the store', TextQuery((Term(("the", "store")),))),
        ("stor*", TextQuery((Term(("stor",), True),))),
        ("well-known", TextQuery((Term(("well", "known")),))),
        ("well-kno*", TextQuery((Term(("well", "kno"), True),))),
        ('"the stor*"', TextQuery((Term(("the", "stor")),))),
        ("store -legal", TextQuery((Term(("store",)),), (Term(("legal",)),))),
        ('store -"a b" -leg*', TextQuery((Term(("store",)),), (Term(("a", "b")), Term(("leg",), True)))),
        ("store - legal", TextQuery((Term(("store",)), Term(("legal",))))),
        ("Café naïve Йод", TextQuery((Term(("cafe",)), Term(("naive",)), Term(("йод",))))),
        ("cafe\u0301", TextQuery((Term(("cafe",)),))),
        ("🤖 robots 🎉*", TextQuery((Term(("robots",)),))),
        ("x² __init__ a\0b", TextQuery((Term(("x",)), Term(("init",)), Term(("a", "b"))))),
        ("store OR NOT NEAR(a, 5)", TextQuery((*tuple(Term((w,)) for w in ("store", "or", "not")), Term(("near", "a")), Term(("5",))))),
    ],
)  # fmt: skip
def test_what_is_asked_for(typed: str, query: TextQuery) -> None:
    assert parse(typed) == query


@pytest.mark.parametrize(
    ("typed", "says"),
    [
        ("", "no word"),
        ("   ", "no word"),
        ('"" - * -- "" :: AND'.replace("AND", ""), "no word"),
        ("🤖🎉", "no word"),
        ("-legal", "wanted"),
        ('-"the store" -x', "wanted"),
        ("s*", "2 letters"),
        ("store -s*", "2 letters"),
        ("a" * 101, "too long for a word"),
        ("a " * 600, "1,000 characters"),
        ("x" * 10_000, "1,000 characters"),
        (" ".join(f"w{i}" for i in range(41)), "40 words"),
    ],
)
def test_what_cannot_be_searched(typed: str, says: str) -> None:
    with pytest.raises(BadInput, match=says) as caught:
        parse(typed)
    assert "\n" not in str(caught.value)


@given(st.text(max_size=LONGEST + 5) | st.text("\"*-“” ab1é🤖'();:&|!<>\\%_", max_size=60))
def test_anything_typed_is_a_query_of_plain_words_or_refused(typed: str) -> None:
    try:
        query = parse(typed)
    except BadInput:
        return
    assert query.wanted
    for term in (*query.wanted, *query.unwanted):
        assert term.words
        for word in term.words:
            assert word and not any(c.isspace() or c in "\"'*-:&|!()\\\0" for c in word)
            assert [w.plain for w in words(word)] == [word]  # a word is a word once more


@given(st.text(max_size=200))
def test_words_stand_where_they_are_said_to(text: str) -> None:
    found = words(text)
    assert [text[w.start : w.end] and plain(text[w.start : w.end]) for w in found] == [w.plain for w in found]
    assert all(a.end <= b.start for a, b in itertools.pairwise(found))


@pytest.mark.parametrize(
    ("typed", "text", "marked"),
    [
        ("store", "the Store, a store", ["Store", "store"]),
        ('"the store"', "the store; the “store” of the", ["the store", "the “store"]),
        ("stor*", "stories restore STORING", ["stories", "STORING"]),
        ("the store", "the store", ["the", "store"]),
        ("cafe", "un café", ["café"]),
        ("store -x", "x store", ["store"]),
        ("none", "the store", []),
        ('"a a"', "a a a", ["a a a"]),
    ],
)
def test_what_is_marked(typed: str, text: str, marked: list[str]) -> None:
    assert [text[a:b] for a, b in marks(parse(typed), text)] == marked


@given(st.text('ab "-*é', min_size=1, max_size=30), st.text("ab é.-", max_size=60))
def test_marks_are_apart_and_in_order(typed: str, text: str) -> None:
    try:
        spans = marks(parse(typed), text)
    except BadInput:
        return
    flat = [at for span in spans for at in span]
    assert flat == sorted(flat) and all(0 <= a < b <= len(text) for a, b in spans)
