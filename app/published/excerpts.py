"""Excerpts of published data, recognised by their content wherever it turns up again."""

import json

import orjson

from app.domain.published import digest_of
from app.published.reading import words


class Seen:
    """The excerpts that one reading process has come across."""

    def __init__(self) -> None:
        self._digests: dict[bytes, bytes] = {}
        self._fresh: dict[bytes, list[str]] = {}

    def digest(self, tokens: object) -> bytes:
        """As `digest_of`; tokens not seen before are remembered for `fresh`. Unreadable for what is no list of text."""
        key = _key(tokens)
        known = self._digests.get(key)
        if known is None:
            text = words(tokens)
            known = self._digests[key] = digest_of(text)
            self._fresh[known] = text
        return known

    def fresh(self) -> dict[bytes, list[str]]:
        """Tokens by digest of what was seen for the first time since this was asked last."""
        found, self._fresh = self._fresh, {}
        return found


def _key(tokens: object) -> bytes:
    """Quicker than a digest: thousands of excerpts come again and again."""
    try:
        return orjson.dumps(tokens)
    except TypeError:  # a lone surrogate
        return json.dumps(tokens).encode()
