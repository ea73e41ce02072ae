"""The few-shot examples and the encoding of tokens in a prompt's line."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.piece_text import LONGEST, field_text
from app.domain.simulation_examples import read_marked, simulation_examples


@given(seed=st.integers(min_value=0, max_value=2**32))
def test_examples_are_sound_for_every_seed(seed: int) -> None:
    examples = simulation_examples(seed)
    assert len(examples) == 5 and examples == simulation_examples(seed)
    for example in examples:
        for excerpt in example.excerpts:
            assert len(excerpt.pieces) == len(excerpt.levels) >= 50
            assert 1 <= excerpt.first_known < len(excerpt.pieces)
            assert set(excerpt.levels) <= set(range(11)) and max(excerpt.levels) == 10
            assert sum(level > 0 for level in excerpt.levels) < 0.2 * len(excerpt.levels)
            assert not re.search(r"[|^]|  ", excerpt.text)


def test_marked_text_by_hand() -> None:
    assert read_marked("A fid|dle^9 cost $^4|40^10,^1\n|no") == (
        ("A", " fid", "dle", " cost", " $", "40", ",", "\n", "no"),
        (0, 0, 9, 0, 4, 10, 1, 0, 0),
    )
    with pytest.raises(ValueError, match="unreadable"):
        read_marked("two  spaces")


def unescaped(text: str) -> bytes:
    """`field_text` read back."""
    out = b""
    pattern = r"\\(?:x([0-9A-F]{2})|u\{([0-9A-F]+)\}|([\\ntr]))|([^\\])"
    for byte, code, named, plain in re.findall(pattern, text, flags=re.S):
        if byte:
            out += bytes([int(byte, 16)])
        elif code:
            out += chr(int(code, 16)).encode()
        else:
            out += {"n": b"\n", "t": b"\t", "r": b"\r", "\\": b"\\"}[named] if named else plain.encode()
    return out


pieces = st.one_of(st.binary(max_size=LONGEST), st.text(max_size=LONGEST // 4).map(str.encode))


@given(piece=pieces)
def test_a_field_is_one_line_and_can_be_read_back(piece: bytes) -> None:
    text = field_text(piece)
    assert "\t" not in text and len(text.splitlines()) <= 1
    text.encode("utf-8")  # no lone surrogate is left
    assert unescaped(text) == piece


def test_fields_by_hand() -> None:
    assert field_text(b" naive") == " naive"
    assert field_text(b"a\tb\n\\n") == "a\\tb\\n\\\\n"
    assert field_text("€".encode()[:2]) == "\\xE2\\x82"
    assert field_text("\u2028\x00".encode()) == "\\u{2028}\\u{0}"
    assert field_text(b"\x1c") == "\\u{1C}"
    assert field_text(b"x" * 10_000) == "x" * LONGEST + "\\…"
    assert field_text(b"x" * LONGEST) == "x" * LONGEST
