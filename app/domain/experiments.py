"""What an experiment is: which neurons, explained by whom and how, scored on what; a value with a name of its own.

A definition alone decides what is made: the sample of neurons is crossed with its arms and seeds, and every explanation that
comes of it with its scorers. See `experiment_checks` for what it must hold to, `experiment_files` for how it is written down.
"""

import hashlib
import json
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import NamedTuple

from app.domain.explanations import (
    PROMPTED_METHODS,
    Method,
    Metric,
    Protocol,
    Sample,
    ShownOptions,
    SimulatorName,
    measured,
)
from app.domain.neurons import Polarity
from app.domain.windows import WindowSource


class Rule(StrEnum):
    """How neurons are drawn."""

    RANDOM = "random"  # n at random of each layer
    RANDOM_ABOVE = "random_above"  # n at random of those whose score is above a threshold
    RANDOM_ABOVE_PER_LAYER = "random_above_per_layer"  # the same of each layer
    TOP_PER_LAYER = "top_per_layer"  # the n best of each layer by a score
    TOP_OVERALL = "top_overall"  # the n best of a model by a score
    LIST = "list"  # a list's neurons, as they are when the experiment begins, or a sample taken of it before
    NEURONS = "neurons"  # those named


ABOVE = (Rule.RANDOM_ABOVE, Rule.RANDOM_ABOVE_PER_LAYER)
BY_SCORE = (*ABOVE, Rule.TOP_PER_LAYER, Rule.TOP_OVERALL)
BY_NAME = (Rule.LIST, Rule.NEURONS)


@dataclass(frozen=True)
class Measure:
    """One kind of score."""

    protocol: Protocol = Protocol.HELDOUT_FULL
    sample: Sample = Sample.TOP_AND_RANDOM
    metric: Metric = Metric.CORRELATION

    @property
    def label(self) -> str:
        return f"{self.metric} ({self.protocol}, {self.sample})"


@dataclass(frozen=True)
class SampleRule:
    """One group of neurons: how it is drawn. What a rule does not use stays as it is here."""

    rule: Rule
    name: str = ""  # what reports call the group; made from the rule where it is empty
    n: int = 0  # of each model, and for the rules by layer of each layer
    seed: int = 0
    layers: tuple[str, ...] = ()  # slugs; empty: all
    measure: Measure = field(default_factory=Measure)  # that they are chosen by
    method: str = Method.TOKEN_LOOKUP.value  # whose scores; empty: the best of any method
    above: float = 0.0
    list: str = ""  # slug
    digest: str = ""  # of a sample that was taken of a list
    neurons: tuple[str, ...] = ()  # model/layer/index

    @property
    def label(self) -> str:
        """The name, or words that say the rule."""
        if self.name:
            return self.name
        match self.rule:
            case Rule.RANDOM:
                return f"random {self.n} a layer"
            case Rule.RANDOM_ABOVE:
                return f"random {self.n} with {self.measure.metric} above {self.above:g}"
            case Rule.RANDOM_ABOVE_PER_LAYER:
                return f"random {self.n} a layer with {self.measure.metric} above {self.above:g}"
            case Rule.TOP_PER_LAYER:
                return f"top {self.n} a layer by {self.measure.metric}"
            case Rule.TOP_OVERALL:
                return f"top {self.n} by {self.measure.metric}"
            case Rule.LIST:
                return f"list {self.list or self.digest[:12]}"
            case Rule.NEURONS:
                return f"{len(self.neurons)} named"


@dataclass(frozen=True)
class Simulator:
    """Who predicts activations from a statement."""

    name: SimulatorName
    endpoint: str = ""


@dataclass(frozen=True)
class Judge:
    """A score beside those that every simulation has."""

    metric: Metric
    endpoint: str = ""  # of detection and fuzzing
    source: WindowSource = WindowSource.LIVE  # of detection and fuzzing: where windows come from
    reference: str = ""  # of embedding: the method whose newest statement of a neuron is compared with


class Contrast(NamedTuple):
    """Two arms that are compared, neuron by neuron: `arm` minus `against`."""

    arm: str
    against: str


@dataclass(frozen=True)
class Primary:
    """The measure that the experiment is decided by."""

    measure: Measure
    scorer: str = ""  # its label; empty: the first that gives this measure


class Arm(NamedTuple):
    """One way of explaining."""

    name: str  # unique; holds what tells it from the other arms
    method: Method
    explainer: str  # endpoint name; empty where no language model is asked
    shown: ShownOptions
    candidates: int


class Scorer(NamedTuple):
    """One way of scoring what an arm said."""

    label: str  # unique
    simulator: SimulatorName | None  # None: a judge
    metric: Metric | None  # the judge's; None: all that the simulation allows
    endpoint: str  # empty where no language model is asked
    protocol: Protocol
    judge: Judge | None = None

    def fits(self, arm: Arm) -> bool:
        """Whether this arm's statements can be scored so: predictions from token means, or from weights, are their baseline's, and
        a revision's sentences test what explainers that saw excerpts said.
        """
        if self.protocol is Protocol.GENERATED and arm.method not in SHOWN_EXCERPTS:
            return False
        return self.simulator not in DIRECT or arm.method is DIRECT[self.simulator]

    def gives(self) -> tuple[tuple[Sample, Metric], ...]:
        """What it is asked for, whether or not it can be had."""
        pairs = measured(self.protocol)
        if self.metric is not None:
            return tuple(pair for pair in pairs if pair[1] is self.metric)
        return tuple(pair for pair in pairs if pair[1] not in JUDGED)


# Simulators that predict without a statement, each with the method that it is the prediction of.
DIRECT: dict[SimulatorName | None, Method] = {
    SimulatorName.TOKEN_LOOKUP: Method.TOKEN_LOOKUP,
    SimulatorName.TOKEN_LINEAR: Method.TOKEN_LINEAR,
}
JUDGED = (Metric.DETECTION, Metric.FUZZING, Metric.EMBEDDING, Metric.ABLATION)
_JUDGED_ON = {
    Metric.DETECTION: Protocol.WINDOWS,
    Metric.FUZZING: Protocol.WINDOWS,
    Metric.EMBEDDING: Protocol.REFERENCE,
}
# Made without a language model: by token table, or by weights.
WITHOUT_EXPLAINER = (Method.TOKEN_LOOKUP, Method.TOKEN_LINEAR)
# Begin from a statement of another arm, and put it to the test of the live model, or before the explainer again.
REVISING_METHODS = (Method.REVISION, Method.REVISION_RANDOM, Method.RE_EXPLANATION, Method.PROBING)
# Shown excerpts of the neuron, so that band, number and length of them matter.
SHOWN_EXCERPTS = (
    *PROMPTED_METHODS,
    Method.NEXT_TOKEN,
    *REVISING_METHODS,
)
NOT_IN_EXPERIMENTS = (Method.HUMAN, Method.TRANSFER)


@dataclass(frozen=True)
class Definition:
    """An experiment as it is asked for. Sound in itself only if `experiment_checks.problems` finds nothing."""

    name: str
    samples: tuple[SampleRule, ...]
    methods: tuple[Method, ...]
    question: str = ""  # what it is to answer, in people's own words
    models: tuple[str, ...] = ()  # slugs; empty: those of the neurons that are named or listed
    polarity: Polarity = Polarity.POSITIVE
    explainers: tuple[str, ...] = ()  # endpoint names
    evidence: tuple[ShownOptions, ...] = (ShownOptions(),)
    candidates: tuple[int, ...] = (1,)
    simulators: tuple[Simulator, ...] = ()
    protocols: tuple[Protocol, ...] = (Protocol.HELDOUT_5_5,)
    judges: tuple[Judge, ...] = ()
    metrics: tuple[Metric, ...] = ()  # that reports show; empty: all
    seeds: tuple[int, ...] = (0,)
    revise_from: Method = Method.ORIGINAL  # whose statements revision, its controls and probing begin from
    contrasts: tuple[Contrast, ...] = ()  # fixed before anything is known
    margin: float | None = None  # of non-inferiority, in the units of the primary measure
    primary: Primary | None = None  # None: the first of the first scorer
    budget_usd: float | None = None  # None: no bound but the one of the settings
    attempts: int = 2  # tries of a unit that failed
    fresh: bool = False  # ask anew also what has been answered to an identical call before

    def arms(self) -> tuple[Arm, ...]:
        """Every way of explaining that is crossed here, each once."""
        found: list[tuple[Method, str, ShownOptions, int]] = []
        for method in self.methods:
            asks = method not in WITHOUT_EXPLAINER
            for explainer in self.explainers if asks else ("",):
                for shown in self.evidence if method in SHOWN_EXCERPTS else (ShownOptions(),):
                    for candidates in self.candidates if asks else (1,):
                        found.append((method, explainer, shown, candidates))
        return tuple(Arm(self._arm_name(*each), *each) for each in found)

    def scorers(self) -> tuple[Scorer, ...]:
        """Every way of scoring: simulators by protocols, then judges."""
        found: list[Scorer] = []
        for protocol in self.protocols if self.simulators else ():
            for one in self.simulators:
                label = self._scorer_label(one.name, one.endpoint, protocol)
                found.append(Scorer(label, one.name, None, one.endpoint, protocol))
        for judge in self.judges:
            on = _JUDGED_ON.get(judge.metric)
            records = [each for each in self.protocols if each is not Protocol.GENERATED]
            for protocol in records if on is None else (on,):
                label = self._scorer_label(judge.metric, judge.endpoint, protocol)
                found.append(Scorer(label, None, judge.metric, judge.endpoint, protocol, judge))
        return tuple(found)

    def decided_by(self) -> tuple[Scorer, Measure]:
        """The primary measure and who gives it. LookupError where nobody does, as where nothing is scored."""
        scorers = self.scorers()
        if not scorers:
            raise LookupError("nothing is scored")
        if self.primary is None:
            first = scorers[0]
            sample, metric = first.gives()[0]
            return first, Measure(first.protocol, sample, metric)
        wanted = self.primary.measure
        for scorer in scorers:
            named = self.primary.scorer in ("", scorer.label)
            if (
                named
                and scorer.protocol is wanted.protocol
                and (wanted.sample, wanted.metric) in scorer.gives()
            ):
                return scorer, wanted
        raise LookupError(wanted.label)

    def endpoints(self) -> tuple[str, ...]:
        """The language models that are asked, each once."""
        asked = [arm.explainer for arm in self.arms()] + [scorer.endpoint for scorer in self.scorers()]
        return tuple(dict.fromkeys(name for name in asked if name))

    def _arm_name(self, method: Method, explainer: str, shown: ShownOptions, candidates: int) -> str:
        words = [method.value]
        if explainer and len(self.explainers) > 1:
            words.append(explainer)
        if method in SHOWN_EXCERPTS and len(self.evidence) > 1:
            words.append(evidence_label(shown))
        if method not in WITHOUT_EXPLAINER and len(self.candidates) > 1:
            words.append(f"best of {candidates}")
        return " · ".join(words)

    def _scorer_label(self, name: str, endpoint: str, protocol: Protocol) -> str:
        said = f"{name} by {endpoint}" if endpoint else str(name)
        several = len(self.protocols) > 1 and protocol in self.protocols
        return f"{said} on {protocol}" if several else said


def behind(definition: Definition, scorer: Scorer) -> int | None:
    """The scorer whose simulation the ablation score is of: the first on its protocol that predicts from statements."""
    for i, other in enumerate(definition.scorers()):
        predicts = other.simulator is not None and other.simulator not in DIRECT
        if predicts and other.protocol is scorer.protocol:
            return i
    return None


def evidence_label(shown: ShownOptions) -> str:
    """What an explainer was shown, in short: `top 5 x 64`."""
    return f"{shown.band} {shown.excerpts} x {shown.tokens}"


def canonical_json(definition: Definition) -> str:
    """The definition with every value in it, in one form alone: keys sorted, no blanks."""
    return json.dumps(
        asdict(definition), sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
    )


def definition_hash(definition: Definition) -> str:
    """sha256 of the canonical JSON, hexadecimal: equal for definitions that ask for the same."""
    return hashlib.sha256(canonical_json(definition).encode()).hexdigest()
