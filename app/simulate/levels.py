"""From the tokens that could stand at a place, with their log probabilities, to the level expected there."""

import math
from collections.abc import Iterable

_NUMBERS = {str(level): level for level in range(11)}


def expected_level(rivals: Iterable[tuple[str, float]], top: int) -> float | None:
    """Expected level on the 0-10 scale where a level from 0 to `top` is to stand; None without a number.

    `rivals` are tokens with natural log probabilities. Only whole numbers from 0 to `top` count, with or without
    white space around them; their probabilities are scaled to sum to one, and a scale that ends below 10 is
    stretched to 10.
    """
    weights = [0.0] * (top + 1)
    for token, logprob in rivals:
        level = _NUMBERS.get(token.strip())
        if level is not None and level <= top and math.isfinite(logprob):
            weights[level] += math.exp(min(logprob, 0.0))
    total = sum(weights)
    if total <= 0:
        return None
    return sum(level * weight for level, weight in enumerate(weights)) / total * (10.0 / top)


def likeliest_level(rivals: Iterable[tuple[str, float]], top: int) -> int | None:
    """The likeliest level from 0 to `top` among the rivals, the lower of two equals; None without a number."""
    best: tuple[float, int] | None = None
    for token, logprob in rivals:
        level = _NUMBERS.get(token.strip())
        if level is None or level > top or not math.isfinite(logprob):
            continue
        if best is None or (-logprob, level) < best:
            best = (-logprob, level)
    return None if best is None else best[1]
