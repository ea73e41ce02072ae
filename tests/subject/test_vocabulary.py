"""Exact bytes of every token id."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from app.errors import ModelError
from app.subject.vocabulary import (
    byte_level_bytes,
    byte_of_char,
    default_bos,
    read_vocabulary,
    sentencepiece_bytes,
)
from tests.subject.tiny import byte_level_tokenizer, sentencepiece_tokenizer

BYTE_LEVEL = byte_level_tokenizer()
BYTE_LEVEL_PIECES = read_vocabulary(BYTE_LEVEL)
SENTENCEPIECE = sentencepiece_tokenizer()
SENTENCEPIECE_PIECES = read_vocabulary(SENTENCEPIECE)


def test_byte_table_is_gpt2s() -> None:
    table = byte_of_char()
    assert sorted(table.values()) == list(range(256))
    # Anchors from GPT-2's published vocabulary: Ġ is a space, Ċ a newline, ĉ a tab, ł 0xA0, Ń 0xAD.
    anchors = {
        "Ġ": 0x20,
        "Ċ": 0x0A,
        "ĉ": 0x09,
        "ł": 0xA0,
        "Ń": 0xAD,
        "Ā": 0x00,
        "ġ": 0x7F,
        "!": 0x21,
        "ÿ": 0xFF,
    }
    assert {char: table[char] for char in anchors} == anchors


def test_every_byte_level_id() -> None:
    pieces = BYTE_LEVEL_PIECES.pieces
    assert pieces[:256] == tuple(bytes([b]) for b in range(256))
    assert pieces[256:262] == (b"th", b"the", b" the", b"an", b"and", "é".encode())
    assert pieces[262:] == (b"<|endoftext|>", "\n\né".encode())
    assert BYTE_LEVEL_PIECES.special == {262}


@given(st.text())
def test_byte_level_round_trip(text: str) -> None:
    ids = BYTE_LEVEL(text, add_special_tokens=False).input_ids
    assert b"".join(BYTE_LEVEL_PIECES.pieces[i] for i in ids) == text.encode()


def test_every_sentencepiece_id() -> None:
    pieces = SENTENCEPIECE_PIECES.pieces
    assert pieces[:3] == (b"<unk>", b"<s>", b"</s>")
    assert pieces[3:259] == tuple(bytes([b]) for b in range(256))
    assert pieces[259] == b" " and pieces[260:286] == tuple(bytes([b]) for b in b"abcdefghijklmnopqrstuvwxyz")
    assert pieces[286:] == (b" t", b" th", b" the", "é".encode(), b"   ")
    assert SENTENCEPIECE_PIECES.special == {0, 1, 2}


@given(st.text().filter(lambda t: "\u2581" not in t and "<" not in t))
def test_sentencepiece_round_trip(text: str) -> None:
    ids = SENTENCEPIECE(text, add_special_tokens=False).input_ids
    assert b"".join(SENTENCEPIECE_PIECES.pieces[i] for i in ids) == text.encode()


@given(st.binary(min_size=1))
def test_byte_level_characters(data: bytes) -> None:
    chars = {b: c for c, b in byte_of_char().items()}
    assert byte_level_bytes("".join(chars[b] for b in data)) == data


def test_odd_tokens() -> None:
    assert byte_level_bytes("汉 ") == "汉 ".encode()  # not in the table: literal
    assert sentencepiece_bytes("<0xfF>") == b"\xff"
    assert sentencepiece_bytes("<0xFFF>") == b"<0xFFF>"


def test_bos_only_where_the_tokenizer_adds_it() -> None:
    assert BYTE_LEVEL.bos_token_id == 262
    assert default_bos(BYTE_LEVEL) is None
    assert default_bos(SENTENCEPIECE) == 1
    assert default_bos(sentencepiece_tokenizer(bos=False)) is None


def test_other_schemes_are_refused() -> None:
    core = Tokenizer(models.WordLevel({"a": 0, "[UNK]": 1}, unk_token="[UNK]"))
    core.pre_tokenizer = pre_tokenizers.Whitespace()
    with pytest.raises(ModelError, match="neither byte-level nor SentencePiece-like"):
        read_vocabulary(PreTrainedTokenizerFast(tokenizer_object=core))
