"""The four ways in which a gated neuron gets its value, and how often each occurs."""

from typing import NamedTuple

from app.web.neuron_contexts import Share


class Combination(NamedTuple):
    """One of the four ways in which a gated neuron gets its value."""

    key: str
    name: str
    gate: bool
    input: bool


COMBINATIONS = (
    Combination("++", "gate +, input +", True, True),
    Combination("+-", "gate +, input −", True, False),
    Combination("-+", "gate −, input +", False, True),
    Combination("--", "gate −, input −", False, False),
)


def shares(values: tuple[float, float, float, float] | None) -> tuple[Share, ...]:
    """The shares of the four combinations of signs, as a bar of four parts."""
    if values is None:
        return ()
    out, offset = [], 0.0
    for combination, share in zip(COMBINATIONS, values, strict=True):
        out.append(Share(combination.key, combination.name, share, offset))
        offset += share
    return tuple(out)
