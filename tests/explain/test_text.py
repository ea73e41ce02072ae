import re

from hypothesis import given
from hypothesis import strategies as st

from app.explain.text import bracketed_text, in_list, running_text, token_list

# Tokens as a byte-level tokenizer makes them: any bytes, often parts of characters, none above the cut of long ones.
PIECES = st.lists(
    st.one_of(
        st.sampled_from(
            [b" the", b"\n", b"\t", b"[", b"]", b",", b"\\", b"\\n", b"\xe2", b"\x82", b"\xac", b"\xff", b"n"]
        ),
        st.binary(min_size=1, max_size=4),
        st.text(min_size=1, max_size=6).map(lambda text: text.encode("utf-8", "replace")),
    ),
    max_size=20,
)


def unescape(line: str) -> bytes:
    """The bytes that a line stands for: the inverse of what prompts do."""
    names = {"n": b"\n", "t": b"\t", "r": b"\r", "\\": b"\\", "[": b"[", "]": b"]", ",": b","}
    out = b""
    for found in re.finditer(r"\\x([0-9A-F]{2})|\\u\{([0-9A-F]+)\}|\\(.)|([^\\])", line, re.DOTALL):
        if found[1]:
            out += bytes([int(found[1], 16)])
        elif found[2]:
            out += chr(int(found[2], 16)).encode()
        elif found[3]:
            out += names[found[3]]
        else:
            out += found[4].encode()
    return out


@given(PIECES)
def test_running_text_is_one_line_that_can_be_read_back(pieces):
    line = running_text(pieces)
    assert unescape(line) == b"".join(pieces)
    assert len(line.splitlines()) <= 1
    assert "\t" not in line


@given(
    PIECES.flatmap(lambda p: st.tuples(st.just(p), st.lists(st.booleans(), min_size=len(p), max_size=len(p))))
)
def test_brackets_tell_each_marked_token(case):
    pieces, marked = case
    line = bracketed_text(pieces, marked)
    inside = re.findall(r"(?<!\\)(?:\\\\)*\[((?:\\.|[^\\\]])*)\]", line, re.DOTALL)
    assert [unescape(text) for text in inside] == [p for p, mark in zip(pieces, marked, strict=True) if mark]
    without = re.sub(r"((?:\\.|[^\\\[\]])*)[\[\]]?", lambda m: m[1], line, flags=re.DOTALL)
    assert unescape(without) == b"".join(pieces)


@given(PIECES)
def test_lists_can_be_taken_apart_again(pieces):
    text = token_list(pieces, [True] * len(pieces))
    if pieces:
        parts = re.findall(r"((?:\\.|[^\\,])*)(?:,|$)", text, re.DOTALL)[: len(pieces)]
        assert [unescape(part) for part in parts] == pieces
    else:
        assert text == " (none)"


def test_characters_made_of_several_tokens_are_shown_whole():
    euro = [b" \xe2\x82", b"\xac", b"5"]
    assert running_text(euro) == " €5"
    assert running_text([b"\xe2", b"\x82"]) == "\\xE2\\x82"
    assert running_text([b"\xe2", b"a", b"\x82"]) == "\\xE2a\\x82"
    assert running_text([b"\xf0\x9f", b"\x98", b"\x80"]) == "😀"


def test_a_marked_part_of_a_character_shows_its_bytes():
    euro = [b" \xe2\x82", b"\xac", b"5"]
    assert bracketed_text(euro, [False, True, False]) == " \\xE2\\x82[\\xAC]5"
    assert bracketed_text(euro, [False, False, True]) == " €[5]"


def test_neighbours_and_repeats_stay_apart():
    assert bracketed_text([b" a", b" a", b"a"], [True, True, False]) == "[ a][ a]a"
    assert token_list([b" a", b" a", b"a"], [True, True, True]) == " a, a,a"
    assert in_list(b",") == "\\,"
