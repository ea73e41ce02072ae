import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from app.llm.echo import token_offsets


@pytest.mark.parametrize(
    ("prompt", "tokens", "offsets"),
    [
        ("The cat", ["The", " cat"], [0, 3]),
        ("The cat", ["The", " cat", " sat", "."], [0, 3, 7, 11]),
        ("The cat", ["<s>", "The", " cat", " sat"], [0, 0, 3, 7]),
        ("The cat", ["<|begin_of_text|>", "The", " cat"], [0, 0, 3]),
        ("The cat", ["<s>", " The", " cat"], [0, 0, 3]),
        ("The cat", ["", "The", " cat"], [0, 0, 3]),
        ("5 € x", ["5", " \ufffd", "\ufffd", " x"], [0, 1, 2, 3]),
        ("5 € x", ["5", "bytes:\\x20\\xe2\\x82", "bytes:\\xac", " x", "!"], [0, 1, 2, 3, 5]),
        ("5 €", ["5", " \ufffd", "\ufffd", "!"], [0, 1, 2, 3]),
        ("", [" on", " the"], [0, 3]),
        # No echo, or only part of one:
        ("The cat", [" sat"], None),
        ("The cat", [" sat", " on", " the", " mat"], None),
        ("The cat", ["The"], None),
        ("The cat", ["<s>", "The"], None),
        ("The cat", [], None),
        ("The cat", ["cat"], None),
        ("The cat", ["\ufffd"], None),
        ("abc abc", ["bytes:\\xe2", "abc"], None),
    ],
)
def test_offsets(prompt, tokens, offsets):
    assert token_offsets(prompt, tokens) == offsets


def cut(data: bytes, lengths: list[int]) -> list[bytes]:
    pieces, at = [], 0
    for length in lengths:
        pieces.append(data[at : at + length])
        at += length
    return [*(p for p in pieces if p), *([data[at:]] if data[at:] else [])]


PROMPTS = st.text(st.characters(exclude_categories=("Cs",)), min_size=1, max_size=30)


@given(PROMPTS, st.lists(st.integers(1, 6), max_size=20))
def test_byte_level_tokens_are_placed_exactly_where_bytes_are_told(prompt, lengths):
    data = prompt.encode()
    shown, expected, at = [], [], 0
    for piece in cut(data, lengths):
        try:
            shown.append(piece.decode())
        except UnicodeDecodeError:
            shown.append("bytes:" + "".join(f"\\x{byte:02x}" for byte in piece))
        expected.append(len(data[:at].decode("utf-8", "ignore")))
        at += len(piece)
    assert token_offsets(prompt, [*shown, "!"]) == [*expected, len(prompt)]


@given(PROMPTS, st.lists(st.integers(1, 6), max_size=20), st.sampled_from(["replace", "ignore"]))
def test_byte_level_tokens_fit_where_they_are_placed(prompt, lengths, errors):
    pieces = cut(prompt.encode(), lengths)
    shown = [piece.decode("utf-8", errors) for piece in pieces]
    offsets = token_offsets(prompt, shown)
    assert offsets is not None
    assert offsets == sorted(offsets)
    assert len(offsets) == len(pieces)
    for text, offset in zip(shown, offsets, strict=True):
        if text and "\ufffd" not in text:
            # it may begin within a character that it does not show
            assert prompt.startswith(text, offset) or prompt.startswith(text, offset + 1)


@given(
    st.text("ab €", min_size=1, max_size=12), st.lists(st.text("ab €", min_size=1, max_size=3), max_size=12)
)
@example("€€€", ["€", "€"])  # the middle one is half in either token
def test_what_does_not_begin_with_the_prompt_is_no_echo(prompt, tokens):
    joined = "".join(tokens)
    begins = joined.startswith(prompt) or "".join(tokens[1:]).startswith(prompt)
    # A character whose bytes two tokens share is shown by neither of them, so that these are all that can be told apart.
    bare = prompt.replace("€", "")
    for shown in (joined, "".join(tokens[1:])) if "€" in prompt else ():
        begins = begins or shown.replace("€", "").startswith(bare)
    if not begins and not joined.startswith(" ") and not "".join(tokens[1:]).startswith(" "):
        assert token_offsets(prompt, tokens) is None
