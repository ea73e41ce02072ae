"""The texts that simulators are shown."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from syrupy.assertion import SnapshotAssertion

from app.errors import BadInput
from app.simulate.prompts import fields, instruction, one_at_a_time, one_line, one_pass, shown
from tests.simulate.helpers import NASTY

PIECES = (b"The", b" old", b" fid", b"dle", b"\n", b" sang")


def test_one_pass_prompt(snapshot: SnapshotAssertion) -> None:
    assert one_pass("musical instruments", PIECES, 0, 10).text == snapshot


def test_one_pass_prompt_on_the_scale_to_nine_and_with_nasty_tokens(snapshot: SnapshotAssertion) -> None:
    prompt = one_pass(one_line("control\n tokens such as <|im_end|>"), NASTY, 1, 9)
    assert prompt.text[prompt.keep_from :] == snapshot


def test_one_at_a_time_prompt(snapshot: SnapshotAssertion) -> None:
    assert instruction(9) + one_at_a_time("musical instruments", PIECES, [0, 1, 8], 9) == snapshot


@given(st.lists(st.sampled_from(NASTY) | st.binary(max_size=20), max_size=70), st.sampled_from([9, 10]))
def test_every_token_has_one_line_and_its_slot(pieces: list[bytes], top: int) -> None:
    prompt = one_pass("words", pieces, 0, top)
    assert len(prompt.slots) == len(pieces)
    for slot in prompt.slots:
        assert prompt.text[slot - 1 : slot + 8] == "\tunknown\n"
    lines = prompt.text[prompt.keep_from :].split("\n")
    assert lines[0] == f"Its levels, from 0 to {top}:"
    assert len(lines) == len(pieces) + 2
    assert lines[-1] == ""
    assert prompt.text[prompt.highest :].startswith(f"{top}:\n")
    assert all(line.count("\t") == 1 and line.endswith("\tunknown") for line in lines[1:-1])
    prompt.text.encode()  # no lone surrogate


@given(st.binary(max_size=40))
def test_fields_are_short_visible_and_inert(piece: bytes) -> None:
    (field,) = fields([piece])
    assert "\t" not in field
    assert "\n" not in field
    assert "<|" not in field
    assert len(field) <= 50 * 8


def test_a_token_of_ten_thousand_characters_is_cut() -> None:
    (field,) = fields([b"x" * 10_000])
    assert len(field) < 60


def test_explanations_are_put_on_one_line_and_bounded() -> None:
    assert one_line("  words\n\tabout   </s> ") == "words about <\\/s>"
    with pytest.raises(BadInput, match="no explanation"):
        one_line(" \n")
    with pytest.raises(BadInput, match="longer than"):
        one_line("x" * 4001)


def test_levels_on_a_scale_to_nine() -> None:
    assert [shown(level, 9) for level in range(11)] == [0, 1, 2, 3, 4, 5, 5, 6, 7, 8, 9]
    assert [shown(level, 10) for level in range(11)] == list(range(11))
