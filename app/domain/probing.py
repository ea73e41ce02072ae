"""Probing as values: texts with what was foretold of them, and whether a hypothesis held."""

import json
from collections.abc import Sequence
from typing import NamedTuple

from app.domain.explanations import Step
from app.domain.live_texts import PROBE, LiveText, dumps, live_data, live_of

HYPOTHESIS = "hypothesis"  # kinds of step
VERDICT = "verdict"
REJECTED = "rejected"  # an answer that could not be used


class Probe(NamedTuple):
    """A text that the explainer wrote to test a hypothesis, and what the neuron did."""

    round: int  # from 1
    live: LiveText
    expected: bool  # foretold: active
    active: bool  # a token is above the threshold

    @property
    def right(self) -> bool:
        return self.expected is self.active


class Verdict(NamedTuple):
    """How one hypothesis did on one round's fresh texts."""

    round: int
    hypothesis: str
    right: int
    texts: int

    @property
    def held(self) -> bool:
        """Every text that should activate the neuron did, and every other one left it silent."""
        return self.right == self.texts > 0


def judge(round_: int, hypothesis: str, probes: Sequence[Probe]) -> Verdict:
    """The verdict of one round on its own texts alone."""
    mine = [probe for probe in probes if probe.round == round_]
    return Verdict(round_, hypothesis, sum(probe.right for probe in mine), len(mine))


def best(verdicts: Sequence[Verdict]) -> Verdict:
    """The hypothesis that foretold the largest share rightly; of equals the latest, which knew most. ValueError without any."""
    return max(verdicts, key=lambda verdict: (verdict.right / verdict.texts, verdict.round))


def probe_step(probe: Probe) -> Step:
    """As it is stored beside the explanation."""
    data: dict[str, object] = {
        **live_data(probe.live),
        "round": probe.round,
        "expected": probe.expected,
        "active": probe.active,
        "right": probe.right,
    }
    return Step(PROBE, dumps(data))


def probe_of(step: Step) -> Probe:
    """Back from what is stored."""
    data = json.loads(step.data_json)
    return Probe(int(data["round"]), live_of(data), bool(data["expected"]), bool(data["active"]))


def hypothesis_step(round_: int, text: str) -> Step:
    """What was believed from this round on."""
    return Step(HYPOTHESIS, dumps({"round": round_, "text": text}))


def verdict_step(verdict: Verdict) -> Step:
    """How the round went."""
    return Step(VERDICT, dumps({**verdict._asdict(), "held": verdict.held}))


def verdict_of(step: Step) -> Verdict:
    """Back from what is stored."""
    data = json.loads(step.data_json)
    return Verdict(int(data["round"]), str(data["hypothesis"]), int(data["right"]), int(data["texts"]))


def rejected_step(what: str, reason: str, answer: str, round_: int = 0) -> Step:
    """An answer that could not be used, and why."""
    text = answer.encode("utf-16", "surrogatepass").decode(
        "utf-16", "replace"
    )  # half a pair is no text to keep
    return Step(REJECTED, dumps({"asked": what, "reason": reason, "answer": text, "round": round_}))
