"""Excerpts of published data, recognised by their content: the text of 64 tokens, wherever it turns up again."""

import hashlib
import json

import orjson

DIGEST_BYTES = 16


def digest_of(tokens: list[str]) -> bytes:
    """What stands for a run of tokens: equal for equal tokens, and for no others."""
    return _digest(_key(tokens))


def _key(tokens: list[str]) -> bytes:
    try:
        return orjson.dumps(tokens)
    except TypeError:  # a lone surrogate
        return json.dumps(tokens).encode()


def _digest(key: bytes) -> bytes:
    return hashlib.blake2b(key, digest_size=DIGEST_BYTES).digest()


class Seen:
    """The excerpts that one reading process has come across."""

    def __init__(self) -> None:
        self._digests: dict[bytes, bytes] = {}
        self._fresh: dict[bytes, list[str]] = {}

    def digest(self, tokens: list[str]) -> bytes:
        """As `digest_of`; tokens not seen before are remembered for `fresh`."""
        key = _key(tokens)
        known = self._digests.get(key)
        if known is None:
            known = self._digests[key] = _digest(key)
            self._fresh[known] = tokens
        return known

    def fresh(self) -> dict[bytes, list[str]]:
        """Tokens by digest of what was seen for the first time since this was asked last."""
        found, self._fresh = self._fresh, {}
        return found
