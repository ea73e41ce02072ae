"""The tokens by which a model writes a level, and the level that it expects."""

from typing import NamedTuple

import torch
from torch import Tensor

from app.errors import ModelError
from app.subject.prompt_tokens import PromptTokens


class NumberTokens(NamedTuple):
    """Single tokens for the levels 0..top; `top` is 10, or 9 where the tokenizer writes 10 as two tokens.

    With `top` 9 the prompts speak of a 0-9 scale throughout, and what is expected is stretched to 0-10.
    """

    ids: tuple[int, ...]  # [top + 1]

    @property
    def top(self) -> int:
        """The highest level that prompts show."""
        return len(self.ids) - 1

    def shown(self, level: int) -> int:
        """A level of the 0-10 scale as prompts show it: rounded to the nearest, halves up."""
        return level if self.top == 10 else (level * self.top + 5) // 10

    def expected(self, logits: Tensor) -> Tensor:
        """Expected level float32 [...] on the 0-10 scale from `logits` [..., top + 1] of the number
        tokens."""
        probabilities = torch.softmax(logits.float(), dim=-1)  # [..., top + 1]
        levels = torch.arange(self.top + 1, dtype=torch.float32, device=logits.device)  # [top + 1]
        return (probabilities @ levels) * (10.0 / self.top)  # [...]


def find_number_tokens(tokens: PromptTokens) -> NumberTokens:
    """The number tokens of a vocabulary. ModelError when a digit is not one token of its own."""
    ids = [tokens.text(str(level)) for level in range(10)]
    if any(len(i) != 1 for i in ids) or len(set(ids)) != 10:
        raise ModelError(
            "the simulator's tokenizer does not write each digit as one token: choose another simulator_model"
        )
    ten = tokens.text("10")
    return NumberTokens(tuple(i[0] for i in ids) + (ten if len(ten) == 1 else ()))
