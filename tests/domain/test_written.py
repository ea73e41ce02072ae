"""What people write is taken as it is, or refused in one sentence; nothing invisible gets into a name."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain import written
from app.errors import BadInput


@given(st.text(max_size=200))
def test_a_name_is_refused_or_one_visible_line(text: str) -> None:
    try:
        name = written.one_line(text, "a name", written.NAME)
    except BadInput as error:
        assert "\n" not in str(error) and len(str(error)) < 200
        return
    assert name == written.one_line(name, "a name", written.NAME)
    assert 0 < len(name) <= written.NAME and name == name.strip(" ")
    hidden = {"Cc", "Cf", "Cs", "Co", "Zl", "Zp"}
    assert not [c for c in name if unicodedata.category(c) in hidden and c not in "\u200c\u200d"]


@given(st.text(max_size=60))
def test_a_word_of_an_address_needs_no_escape(name: str) -> None:
    slug = written.slug(name)
    assert slug and slug.isascii() and len(slug) <= written.SLUG
    assert all(c.isalnum() or c == "-" for c in slug) and slug.lower() == slug


@given(st.text(max_size=300))
def test_a_note_survives_as_written_but_for_line_ends_and_blanks_around_it(text: str) -> None:
    try:
        note = written.prose(text, "a note", written.NOTE)
    except BadInput:
        assert any(unicodedata.category(c) in ("Cc", "Cs") for c in text)
        return
    assert note == text.replace("\r\n", "\n").replace("\r", "\n").strip()
    assert written.prose(note, "a note", written.NOTE) == note


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("", "empty"),
        ("   ", "empty"),
        ("\u200d\u200d", "empty"),
        ("x" * 10_000, "at most 120"),
        ("a\0b", r"U\+0000"),
        ("a\nb", r"U\+000A"),
        ("a\u202eb", r"U\+202E"),
        ("a\u200bb", r"U\+200B"),
        ("a\u2028b", r"U\+2028"),
    ],
)
def test_what_a_name_cannot_be(name: str, says: str) -> None:
    with pytest.raises(BadInput, match=says):
        written.one_line(name, "a list's name", written.NAME)


def test_names_that_look_alike_are_the_same() -> None:
    assert written.same("Ｓｔｏｒｅ") == written.same("store") == written.same("STO\u200dRE")
    assert written.same("Straße") == written.same("STRASSE")
    assert written.same("store") != written.same("stores")


def test_families_and_persian_are_names() -> None:
    for name in ("👩‍👩‍👧 neurons", "می‌خواهم", "Ångström", "日本"):
        assert written.one_line(name, "a name", written.NAME) == name


def test_a_statement_is_one_line() -> None:
    assert written.statement(" words\r\n about\train ") == "words about rain"
    with pytest.raises(BadInput, match="empty"):
        written.statement("\n\n")
