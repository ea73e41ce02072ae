"""Text to a model's token ids, piece by piece: what is joined are ids, never text."""

from typing import Any

from app.domain.piece_text import field_text
from app.domain.vocabulary import Vocabulary
from app.errors import ModelError

_ANCHORS = ("", "\n", "|")  # something in front keeps sentencepiece from putting a space before the text
_REMEMBERED = 200_000  # pieces kept with their ids; a vocabulary has at most about that many


class PromptTokens:
    """Turns the fields of a prompt into token ids of one model.

    The ids of a field always stand for exactly the field's bytes: no space put in front by the tokenizer, no
    special token made from text that looks like one, no beginning- or end-of-text.
    """

    def __init__(self, tokenizer: Any, vocabulary: Vocabulary) -> None:
        self.tokenizer = tokenizer
        self.vocabulary = vocabulary
        self._single: dict[bytes, int] = {}
        for token, piece in enumerate(vocabulary.pieces):
            if piece and token not in vocabulary.special:
                # Where two tokens stand for the same bytes (sentencepiece's <0x41> and A), the later is the word.
                self._single[piece] = token
        self._longest = max(map(len, self._single), default=0)
        self._pieces: dict[bytes, tuple[int, ...]] = {}

    def text(self, text: str) -> tuple[int, ...]:
        """The ids of a running text. ModelError when the vocabulary cannot spell it."""
        wanted = text.encode("utf-8")
        if not wanted:
            return ()
        for before in _ANCHORS:
            ids = self._encode(before + text)
            start = self._after(ids, before.encode())
            if start is not None and self.spelt(ids[start:]) == wanted:
                return ids[start:]
        return self._greedy(wanted)

    def piece(self, piece: bytes) -> tuple[int, ...]:
        """The ids of one token of the subject as a field of a line (`field_text`)."""
        known = self._pieces.get(piece)
        if known is None:
            text = field_text(piece)
            same = self._single.get(piece) if text.encode("utf-8") == piece else None
            known = (same,) if same is not None else self.text(text)
            if len(self._pieces) >= _REMEMBERED:
                self._pieces.clear()
            self._pieces[piece] = known
        return known

    def spelt(self, ids: tuple[int, ...]) -> bytes:
        """The bytes that these ids stand for."""
        return b"".join(self.vocabulary.pieces[i] for i in ids)

    def _encode(self, text: str) -> tuple[int, ...]:
        ids = self.tokenizer.encode(text, add_special_tokens=False, split_special_tokens=True)
        return tuple(int(i) for i in ids)

    def _after(self, ids: tuple[int, ...], before: bytes) -> int | None:
        """How many ids stand for `before`, with or without a space in front; None if a token straddles its
        end."""
        if not before:
            return 0
        seen = b""
        for count, token in enumerate(ids, start=1):
            seen += self.vocabulary.pieces[token]
            if seen.removeprefix(b" ") == before:
                return count
        return None

    def _greedy(self, wanted: bytes) -> tuple[int, ...]:
        """Longest match first: for what the tokenizer itself would change (such as normalising it)."""
        ids: list[int] = []
        at = 0
        while at < len(wanted):
            for end in range(min(len(wanted), at + self._longest), at, -1):
                token = self._single.get(wanted[at:end])
                if token is not None:
                    ids.append(token)
                    at = end
                    break
            else:
                raise ModelError(
                    f"the simulator's vocabulary has no token for byte {wanted[at]:#04x}:"
                    " choose another simulator_model"
                )
        return tuple(ids)
