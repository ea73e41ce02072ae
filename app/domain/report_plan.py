"""What a report needs to know of an experiment beside its results: what was fixed before, and facts of models."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from app.domain.explanations import Metric, Protocol, Sample
from app.domain.neurons import NeuronRef


class Evaluation(NamedTuple):
    """One way in which explanations of one model's neurons were scored. Nothing is ever averaged over two of them."""

    model: str  # slug
    protocol: Protocol
    sample: Sample
    metric: Metric
    simulator: str  # who predicted or judged; empty where nobody did


class Primary(NamedTuple):
    """The measure that the contrasts are about."""

    protocol: Protocol
    sample: Sample
    metric: Metric
    simulators: tuple[str, ...] = ()  # one a model where each simulates itself; empty: whatever simulator

    def covers(self, evaluation: Evaluation) -> bool:
        """Whether it is this evaluation, of whatever model."""
        same = evaluation[1:4] == self[:3]
        return same and (not self.simulators or evaluation.simulator in self.simulators)


class Contrast(NamedTuple):
    """Two arms compared neuron by neuron, `arm` minus `against`, fixed in the definition."""

    arm: str
    against: str


class NeuronGroup(NamedTuple):
    """Neurons that were sampled one way, such as "random per layer" (LEE's samples). A neuron may be in several."""

    name: str
    refs: frozenset[NeuronRef]


class Subject(NamedTuple):
    """A subject model."""

    slug: str
    name: str
    parameters: int  # 0: not known
    activation: str  # gelu_new, silu, relu…
    gated: bool
    step: int | None = None  # of training, where the model is a checkpoint that says so


class PuzzleRun(NamedTuple):
    """One method on the neuron puzzles, by one judge or one simulator: LEE Table 4 and BILLS' puzzle ranks."""

    method: str
    explainer: str
    by: str  # who decided: "similarity (model)", a language model, a blind person; or who simulated
    puzzles: int
    right: int | None = None  # None: nobody judged
    judged: int | None = None  # of which that is
    right_revised: int | None = None
    judged_revised: int | None = None
    first: int | None = None  # truth ranked first; None: not ranked
    top_two: int | None = None
    ranked: int | None = None  # of which these are


class Preference(NamedTuple):
    """Ratings of pairs of explanations whose scores were so far apart: how often the better-scored one was preferred."""

    gap_low: float
    gap_high: float
    ratings: int
    preferred: int


@dataclass(frozen=True)
class Plan:
    """What the definition fixes."""

    experiment: str  # as the address has it
    name: str
    definition_hash: str
    arms: tuple[str, ...]  # in order
    primary: Primary
    contrasts: tuple[Contrast, ...] = ()
    margin: float | None = None  # of non-inferiority, in units of the primary measure; None: not asked
    groups: tuple[NeuronGroup, ...] = ()
    neurons: int = 0  # asked for; 0: not known
    expected: int = 0  # results when everything is done; 0: not known


@dataclass(frozen=True)
class Facts:
    """What is known from elsewhere. Nothing here is needed; what is missing is said to be missing."""

    subjects: tuple[Subject, ...] = ()
    sizes: Mapping[str, int] = field(default_factory=dict)  # parameters, by explainer or simulator
    density: Mapping[NeuronRef, float] = field(default_factory=dict)
    puzzles: tuple[PuzzleRun, ...] = ()
    preferences: tuple[Preference, ...] = ()
    marks: Mapping[tuple[Protocol, Sample, Metric], str] = field(
        default_factory=dict
    )  # what trust checks say
