"""Windows of text that fire a neuron and windows that do not, for a judge to tell apart (detection and fuzzing).

Protocol of Paulo et al. 2024 ("Automatically Interpreting Millions of Features in Large Language Models", sections 3.2 and
3.3, and their code, delphi): 50 windows of 32 tokens with an active token and 50 without one. Activity as in DESIGN section 6.
Where this differs from delphi: see docs/scores.md.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from app.domain.explanations import Metric, State
from app.domain.hashing import priority
from app.domain.neurons import Bool, Float32, Int32, Polarity, Statistics

WINDOW_TOKENS = 32
A_SIDE = 50
FEWEST = 5  # with fewer on either side there is no score
ALPHA = 0.01  # a token is active above the quantile 1 - ALPHA of the explain split
MARK_SHARE = 0.3  # of the maximum: from there on a token is marked in fuzzing

Rows = NDArray[np.intp]


class WindowSource(StrEnum):
    """Where windows come from."""

    LIVE = "live"  # a sample of held-out text run through the model; where it fires too seldom, its stored records too
    STORED = "stored"  # the neuron's stored held-out records alone, which were chosen for firing


class Decoys(StrEnum):
    """What the wrongly marked windows of fuzzing are."""

    INACTIVE = "inactive"  # windows that do not fire the neuron, as delphi has it by default
    ACTIVE = "active"  # windows that do, with other tokens marked: only the tokens can tell


class Levels(NamedTuple):
    """From where on tokens count, in activations with the polarity's sign, both from the explain split."""

    active: float  # strictly above
    mark: float  # at or above


class Example(NamedTuple):
    """One window as it is put to a judge."""

    excerpt: int
    start: int  # of its first token within the excerpt
    truth: bool  # detection: it fires the neuron; fuzzing: the marks are where it fires
    marked: tuple[int, ...] = ()  # positions within the window; none in detection


class Drawn(NamedTuple):
    """What is to be judged. Without the state OK there is too little of it, and `reason` says of what."""

    state: State
    reason: str
    examples: tuple[Example, ...]
    live_active: int = 0  # windows that fire, from the sample of text
    stored_active: int = 0  # and from the neuron's own records
    found_active: int = 0  # how many there were to draw from
    found_inactive: int = 0


@dataclass(frozen=True, eq=False)
class Windows:
    """W windows of T tokens with what the neuron did there."""

    excerpts: Int32  # [W]
    starts: Int32  # [W]
    values: Float32  # [W, T] with the polarity's sign
    counted: Bool  # [W, T] False where position 0 is an outlier
    live: Bool  # [W] from a sample of text, not from the neuron's records


def levels(statistics: Statistics, polarity: Polarity) -> Levels | None:
    """The levels of one polarity; None where the neuron never fires with this sign, or nobody counted."""
    if polarity is Polarity.POSITIVE:
        active, maximum = statistics.token_q99, statistics.explain_maximum
    else:
        active, maximum = -statistics.token_q01, -statistics.explain_minimum
    if not (np.isfinite(active) and np.isfinite(maximum) and maximum > 0):
        return None
    return Levels(float(active), MARK_SHARE * float(maximum))


def cut(excerpts: Int32, activations: Float32, polarity: Polarity, *, position0: bool, live: bool) -> Windows:
    """Excerpts [E] with their activations [E, 64] as windows; an excerpt that is named twice is cut once.

    The model has read the whole excerpt, so that a window may fire for what stands before it. Raises ValueError for shapes that
    do not fit.
    """
    if activations.ndim != 2 or len(activations) != len(excerpts):
        raise ValueError(f"{len(excerpts)} excerpts do not fit activations {activations.shape}")
    _, first = np.unique(excerpts, return_index=True)
    kept, signed = excerpts[first], polarity.sign * activations[first]  # [E'], [E', 64]
    halves = signed.shape[1] // WINDOW_TOKENS
    signed = signed[:, : halves * WINDOW_TOKENS]
    counted = np.ones_like(signed, np.bool_)
    counted[:, 0] = not position0
    return Windows(
        excerpts=np.repeat(kept, halves),
        starts=np.tile(np.arange(halves, dtype=np.int32) * WINDOW_TOKENS, len(kept)),
        values=signed.reshape(-1, WINDOW_TOKENS).astype(np.float32),
        counted=counted.reshape(-1, WINDOW_TOKENS),
        live=np.full(halves * len(kept), live),
    )


def together(sampled: Windows, stored: Windows) -> Windows:
    """Both; an excerpt that was sampled is left out of the stored ones."""
    new = ~np.isin(stored.excerpts, sampled.excerpts)
    return Windows(
        np.concatenate([sampled.excerpts, stored.excerpts[new]]),
        np.concatenate([sampled.starts, stored.starts[new]]),
        np.concatenate([sampled.values, stored.values[new]]),
        np.concatenate([sampled.counted, stored.counted[new]]),
        np.concatenate([sampled.live, stored.live[new]]),
    )


def draw(windows: Windows, at: Levels, metric: Metric, decoys: Decoys, seed: int) -> Drawn:
    """At most `A_SIDE` examples of either kind, in an order that tells nothing; the same for the same seed.

    Where any window is of a sample of text, inactive ones are drawn from that alone, and active ones from the neuron's records
    only as far as the sample has too few. In fuzzing an active window needs a token at the marking level, or there would be
    nothing to mark; each decoy marks as many tokens as one of the right examples, drawn among those below both levels.
    """
    reach = np.where(windows.counted, windows.values, -np.inf)  # [W, T]
    fires: Bool = np.any(reach > at.active, axis=1)  # [W]
    order = np.argsort(priority(seed, windows.excerpts, windows.starts), kind="stable")  # [W]
    usable = fires & np.any(reach >= at.mark, axis=1) if metric is Metric.FUZZING else fires
    active: Rows = order[usable[order]]
    active = np.concatenate([active[windows.live[active]], active[~windows.live[active]]])
    sampled = bool(windows.live.any())
    silent: Bool = ~fires & windows.live if sampled else ~fires
    inactive: Rows = order[silent[order]]
    found = len(active), len(inactive)
    if metric is Metric.FUZZING and decoys is Decoys.ACTIVE:
        both = active[: 2 * A_SIDE]
        active, inactive = both[: len(both) // 2], both[len(both) // 2 :]
    active, inactive = active[:A_SIDE], inactive[:A_SIDE]
    of_sample = int(windows.live[active].sum())
    counts = of_sample, len(active) - of_sample, *found
    if len(active) < FEWEST:
        marks = ", and marked at 0.3 of its maximum" if metric is Metric.FUZZING else ""
        reason = f"Only {found[0]} windows with an active token{marks}; {FEWEST} of each kind are needed."
        return Drawn(State.TOO_FEW_ACTIVE, reason, (), *counts)
    if len(inactive) < FEWEST:
        reason = f"Only {found[1]} windows without an active token; {FEWEST} of each kind are needed."
        return Drawn(State.TOO_FEW_RECORDS, reason, (), *counts)
    right = [_example(windows, row, True) for row in active.tolist()]
    wrong = [_example(windows, row, False) for row in inactive.tolist()]
    if metric is Metric.FUZZING:
        right = [
            example._replace(marked=tuple(np.flatnonzero(reach[row] >= at.mark).tolist()))
            for example, row in zip(right, active.tolist(), strict=True)
        ]
        quiet = windows.counted & (windows.values < at.mark) & (windows.values <= at.active)  # [W, T]
        wrong = [
            example._replace(marked=_some(quiet[row], len(right[i % len(right)].marked), example, seed))
            for i, (example, row) in enumerate(zip(wrong, inactive.tolist(), strict=True))
        ]
    examples = right + wrong
    # With the words the other way round: by the first order the rarer kind would come last.
    excerpts, starts = (np.array([example[i] for example in examples]) for i in range(2))
    shuffled = np.argsort(priority(seed, starts, excerpts), kind="stable").tolist()
    return Drawn(State.OK, "", tuple(examples[i] for i in shuffled), *counts)


def sample(excerpts: Int32, n: int, seed: int) -> Int32:
    """At most n of these excerpts, each as likely, in rising order; the same for the same seed."""
    order = np.argsort(priority(seed, excerpts, np.zeros_like(excerpts)), kind="stable")[:n]
    return np.sort(excerpts[order])


def _example(windows: Windows, row: int, truth: bool) -> Example:
    return Example(int(windows.excerpts[row]), int(windows.starts[row]), truth)


def _some(quiet: Bool, n: int, example: Example, seed: int) -> tuple[int, ...]:
    """n random positions where nothing happens; all of them where there are fewer."""
    places = np.flatnonzero(quiet)
    word = np.array([example.excerpt * WINDOW_TOKENS + example.start])
    chosen = places[np.argsort(priority(seed, word, places), kind="stable")[:n]]
    return tuple(sorted(chosen.tolist()))
