"""Detection and fuzzing: what may be chosen, what a judge said of each window, and the score that comes of it."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from app.domain.bootstrap import DRAWS, MIN_UNITS, interval, poisson_weights
from app.domain.explanations import Metric, Protocol, Sample, ScoreValue, State
from app.domain.neurons import Bool, Float64, Int32
from app.domain.scored_by import Scorer, words
from app.domain.scoring import INDICATIVE_BELOW
from app.domain.windows import ALPHA, WINDOW_TOKENS, Decoys, Example, WindowSource

JUDGED = (Metric.DETECTION, Metric.FUZZING)
JUDGE = "judge"  # how scores name who predicted
MOST_A_PROMPT = 10
MOST_SAMPLED = 4096
WINDOWS = "windows"  # the key in a score's parameters


@dataclass(frozen=True)
class JudgeOptions:
    """What a person may choose when an explanation is to be judged."""

    metric: Metric = Metric.DETECTION
    endpoint: str = ""  # the language model that judges
    per_prompt: int = 1  # windows in one prompt; several leak how many fire
    source: WindowSource = WindowSource.LIVE
    sampled: int = 128  # held-out excerpts that are run through the model where the source is live
    decoys: Decoys = Decoys.INACTIVE  # of fuzzing
    probabilities: bool = True  # ask for log probabilities too, for the area under the ROC curve
    seed: int = 0


class Verdict(NamedTuple):
    """What a judge made of one window."""

    example: Example
    said: bool
    probability: float | None  # of "yes", where the endpoint gave log probabilities


class Asked(NamedTuple):
    """How the verdicts of one score came about."""

    metric: Metric
    judge: str  # "endpoint / model"
    seed: int
    parameters: Mapping[str, object]  # prompt version, source, thresholds and whatever else decided them


def score(asked: Asked, verdicts: tuple[Verdict, ...], documents: Int32) -> ScoreValue:
    """Balanced accuracy, (TPR + TNR) / 2, over windows; `documents` [N] are theirs.

    Chance is 0.5, also for a judge that always says the same. The interval is a bootstrap of documents within the two kinds of
    window; with fewer than `MIN_UNITS` documents of a kind there is none. The parameters keep every verdict.
    """
    truth = np.array([v.example.truth for v in verdicts], np.bool_)  # [N]
    said = np.array([v.said for v in verdicts], np.bool_)  # [N]
    both = rates(truth, said)
    fewest = min(len(np.unique(documents[truth])), len(np.unique(documents[~truth])))
    drawn = _drawn(truth, said, documents, asked.seed)
    low, high = interval(drawn) if fewest >= MIN_UNITS else (np.nan, np.nan)
    parameters = {
        **asked.parameters,
        **words(Scorer(JUDGE, asked.judge, asked.seed)),
        "true_positive_rate": both.positive,
        "true_negative_rate": both.negative,
        "active": int(truth.sum()),
        "inactive": int((~truth).sum()),
        "draws": DRAWS,
        "alpha": ALPHA,
        WINDOWS: _packed(verdicts),
    }
    probabilities = [v.probability for v in verdicts]
    if all(p is not None for p in probabilities):
        parameters["auroc"] = auroc(truth, np.array(probabilities, np.float64))
    return ScoreValue(
        asked.metric,
        Protocol.WINDOWS,
        Sample.WINDOWS,
        State.OK,
        balanced_accuracy(both),
        None if np.isnan(low) else float(low),
        None if np.isnan(high) else float(high),
        len(verdicts),
        len(np.unique(documents)),
        len(verdicts) * WINDOW_TOKENS,
        fewest < INDICATIVE_BELOW,
        "",
        json.dumps(parameters, sort_keys=True),
    )


def without(asked: Asked, state: State, reason: str) -> ScoreValue:
    """The score that there is none of."""
    parameters = {**asked.parameters, **words(Scorer(JUDGE, asked.judge, asked.seed))}
    return ScoreValue(
        asked.metric,
        Protocol.WINDOWS,
        Sample.WINDOWS,
        state,
        reason=reason,
        parameters_json=json.dumps(parameters, sort_keys=True),
    )


class Rates(NamedTuple):
    """How often a judge was right."""

    positive: float  # of the true ones, the share said to be
    negative: float  # of the false ones, the share said not to be


def rates(truth: Bool, said: Bool) -> Rates:
    """Both rates; `truth` [N] needs both kinds (ValueError)."""
    if truth.all() or not truth.any():
        raise ValueError("one kind alone has no balanced accuracy")
    return Rates(float(said[truth].mean()), float((~said[~truth]).mean()))


def balanced_accuracy(both: Rates) -> float:
    """The mean of both rates."""
    return (both.positive + both.negative) / 2


def auroc(truth: Bool, probabilities: Float64) -> float:
    """The chance that a true window gets a higher probability than a false one, ties counting half (Mann and Whitney)."""
    difference = probabilities[truth][:, None] - probabilities[~truth][None, :]  # [P, N]
    return float((difference > 0).mean() + 0.5 * (difference == 0).mean())


def _drawn(truth: Bool, said: Bool, documents: Int32, seed: int) -> Float64:
    """Balanced accuracy in every draw, [B]; NaN in one without any document of a kind."""
    drawn, place = np.unique(documents, return_inverse=True)
    weights = poisson_weights(seed, drawn)[place]  # [N, B]
    right = (said == truth)[:, None] * weights  # [N, B]
    with np.errstate(invalid="ignore", divide="ignore"):
        each = [right[kind].sum(0) / weights[kind].sum(0) for kind in (truth, ~truth)]
    found: Float64 = (each[0] + each[1]) / 2
    return found


def _packed(verdicts: tuple[Verdict, ...]) -> dict[str, object]:
    """Every verdict, some 20 bytes each: a list or a string of digits a column."""
    packed: dict[str, object] = {
        "excerpts": [v.example.excerpt for v in verdicts],
        "starts": [v.example.start for v in verdicts],
        "truth": "".join(str(int(v.example.truth)) for v in verdicts),
        "said": "".join(str(int(v.said)) for v in verdicts),
    }
    if any(v.probability is not None for v in verdicts):
        packed["yes"] = [None if v.probability is None else round(v.probability, 4) for v in verdicts]
    if any(v.example.marked for v in verdicts):
        packed["marked"] = [list(v.example.marked) for v in verdicts]
    return packed


def verdicts_of(parameters_json: str) -> tuple[Verdict, ...]:
    """Every verdict behind a stored score; none where it is no judge's."""
    said = json.loads(parameters_json)
    packed = said.get(WINDOWS)
    if not isinstance(packed, dict):
        return ()
    n = len(packed["excerpts"])
    nothing: list[None] = [None] * n
    columns = zip(
        packed["excerpts"],
        packed["starts"],
        packed["truth"],
        packed["said"],
        packed.get("yes", nothing),
        packed.get("marked", [[]] * n),
        strict=True,
    )
    return tuple(
        Verdict(Example(excerpt, start, truth == "1", tuple(marked)), answer == "1", yes)
        for excerpt, start, truth, answer, yes, marked in columns
    )
