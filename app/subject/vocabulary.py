"""The exact bytes that every token id stands for, from a tokenizer's own tables (never by decoding ids to text).

Two schemes cover the causal models in use: byte-level BPE (GPT-2, GPT-NeoX, Llama 3, Qwen, SmolLM; also what
transformers makes of tiktoken files), where each character of a token stands for one byte, and SentencePiece-like
vocabularies (Llama 2, Mistral, Gemma), where U+2581 stands for a space and <0xE2> for one byte.
"""

import json
import re
from functools import cache
from typing import Any

from app.domain.vocabulary import Vocabulary
from app.errors import ModelError

_BYTE = re.compile(r"<0x([0-9A-Fa-f]{2})>")
_SPACE = "\u2581"


@cache
def byte_of_char() -> dict[str, int]:
    """The characters by which byte-level BPE writes bytes.

    Bytes that print in Latin-1 stand for themselves; the other 68 take the code points from 256 on, in order.
    """
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [b for b in range(256) if b not in printable]
    table = {chr(b): b for b in printable}
    table.update({chr(256 + i): b for i, b in enumerate(others)})
    return table


def byte_level_bytes(token: str) -> bytes:
    """A byte-level token as bytes; one with a character outside the table is literal text, as tokenizers decode it."""
    table = byte_of_char()
    if all(char in table for char in token):
        return bytes(table[char] for char in token)
    return token.encode("utf-8", "surrogatepass")


def sentencepiece_bytes(token: str) -> bytes:
    """A SentencePiece token as bytes: <0xE2> is one byte, U+2581 a space."""
    if match := _BYTE.fullmatch(token):
        return bytes([int(match[1], 16)])
    return token.replace(_SPACE, " ").encode("utf-8", "surrogatepass")


def read_vocabulary(tokenizer: Any) -> Vocabulary:
    """All tokens of a transformers tokenizer. Ids that no token has are empty. ModelError for other schemes."""
    if getattr(tokenizer, "backend_tokenizer", None) is None:
        raise ModelError(
            "This tokenizer has no tokenizer.json that gives exact bytes for its tokens; "
            "save it as a fast tokenizer and try again."
        )
    state = json.loads(tokenizer.backend_tokenizer.to_str())
    parts = _component_types(state.get("decoder"))
    parts |= _component_types(state.get("pre_tokenizer"))
    if "ByteLevel" in parts:
        decode = byte_level_bytes
    elif parts & {"Metaspace", "ByteFallback"} or _SPACE in json.dumps(
        state.get("decoder"), ensure_ascii=False
    ):
        decode = sentencepiece_bytes
    else:
        raise ModelError(
            f"This tokenizer is neither byte-level nor SentencePiece-like (its parts: {', '.join(sorted(parts))}), "
            "so the bytes of its tokens are not known."
        )
    pieces: dict[int, bytes] = {
        i: decode(token) for token, i in tokenizer.backend_tokenizer.get_vocab(False).items()
    }
    special: set[int] = set()
    for added in state["added_tokens"]:
        # Added tokens are matched in the text as they are written. SentencePiece models list runs of U+2581 among
        # them (Gemma), which stand for spaces.
        text = added["content"]
        as_space = decode is sentencepiece_bytes and not added["special"]
        pieces[added["id"]] = (text.replace(_SPACE, " ") if as_space else text).encode(
            "utf-8", "surrogatepass"
        )
        if added["special"]:
            special.add(added["id"])
    size = max(pieces, default=-1) + 1
    if not size:
        raise ModelError("This tokenizer has no tokens.")
    return Vocabulary(tuple(pieces.get(i, b"") for i in range(size)), frozenset(special))


def _component_types(component: Any) -> set[str]:
    """The `type`s of a tokenizer.json component and of those nested in it."""
    if isinstance(component, list):
        return set().union(*map(_component_types, component)) if component else set()
    if not isinstance(component, dict):
        return set()
    found = {component["type"]} if isinstance(component.get("type"), str) else set()
    return found.union(*(_component_types(v) for v in component.values()))


def default_bos(tokenizer: Any) -> int | None:
    """The token that the tokenizer itself puts before a text, or None.

    A tokenizer that merely names a BOS (GPT-2's <|endoftext|>, SmolLM2's <|im_start|>, which opens a chat turn)
    does not have it prepended: its model never saw texts begin that way. Llama's, Mistral's and Gemma's are added
    by the tokenizer, so models saw them at position 0.
    """
    bos = tokenizer.bos_token_id
    if bos is None:
        return None
    ids = tokenizer("a", add_special_tokens=True).input_ids
    return int(bos) if ids and ids[0] == bos else None
