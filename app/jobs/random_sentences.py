"""The control of a revision: sentences of the explain split, drawn at random from those in which the neuron is active."""

from collections.abc import Collection, Sequence
from itertools import pairwise

import numpy as np

from app.domain.live_texts import (
    FEWEST_TOKENS,
    Role,
    Sentence,
    is_active,
    problem_of,
    same,
    threshold_of,
)
from app.domain.neurons import Polarity, Split
from app.errors import AnswerError
from app.jobs.lifecycle import Progress, in_thread
from app.jobs.live_run import run_tokens
from app.jobs.neuron import Neuron
from app.jobs.runtime import Runtime
from app.store.excerpts import ExcerptCache

AT_ONCE = 32  # sentences in one call of the model
MOST_READ = 1024
_ENDS = (b".", b"!", b"?")


async def draw(
    runtime: Runtime,
    neuron: Neuron,
    polarity: Polarity,
    count: int,
    shown: Collection[int],
    known: Collection[str],
    seed: int,
    progress: Progress,
) -> list[Sentence]:
    """So many sentences, one an excerpt, none of an excerpt in `shown` nor one of `known` (`live_texts.same`).

    The seed orders the excerpts; the first whose drawn sentence activates the neuron, when the model reads it alone, are
    taken. AnswerError where too few are found among the `MOST_READ` that are read.
    """
    held = await in_thread(lambda stop: ExcerptCache.get(runtime.store, neuron.ref.model))
    rng = np.random.default_rng(seed)
    ordinals = np.flatnonzero(held.splits == Split.EXPLAIN)
    order = [int(x) for x in ordinals[rng.permutation(len(ordinals))] if int(x) not in shown][:MOST_READ]
    found: list[Sentence] = []
    threshold = threshold_of(neuron.statistics, polarity)
    taken = set(known)
    for start in range(0, len(order), AT_ONCE):
        batch = order[start : start + AT_ONCE]
        progress.report(start, f"reading random sentences: {len(found)} of {count} active so far")
        tokens = [_one(neuron.vocabulary.pieces, held.tokens[each], rng) for each in batch]
        texts = [neuron.vocabulary.text(ids) for ids in tokens]
        lives = await run_tokens(runtime, neuron, texts, [ids.tolist() for ids in tokens])
        for excerpt, live in zip(batch, lives, strict=True):
            unfit = problem_of([live.text], taken)
            if unfit or not is_active(live.activations, neuron.statistics, polarity):
                continue
            found.append(Sentence(live, Role.EVIDENCE, True, threshold, excerpt))
            taken.add(same(live.text))
            if len(found) == count:
                return found
    raise AnswerError(
        f"Only {len(found)} of {len(order)} random sentences of the explain split activate {neuron.ref}; the control needs"
        f" {count}."
    )


def _one(pieces: Sequence[bytes], ids: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """One of the excerpt's whole sentences, int32 [T]; the whole excerpt where it holds none."""
    there = spans([pieces[i] for i in ids.tolist()])
    start, end = there[int(rng.integers(len(there)))]
    return ids[start:end]


def spans(pieces: Sequence[bytes]) -> list[tuple[int, int]]:
    """Where the whole sentences of an excerpt of T tokens lie; (0, T) alone where there is none."""
    ends = [i + 1 for i, piece in enumerate(pieces) if piece.rstrip().endswith(_ENDS)]
    whole = [(a, b) for a, b in pairwise(ends) if b - a >= FEWEST_TOKENS]
    return whole or [(0, len(pieces))]
