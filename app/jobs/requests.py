"""What a job is asked to do, as it is kept in its row: frozen values, to and from JSON."""

import json
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TypeVar

from pydantic import TypeAdapter, ValidationError

from app.domain.explanations import ExplainOptions, Protocol, ScoreOptions, SimulatorName
from app.domain.judging import JudgeOptions
from app.domain.neurons import NeuronRef, Polarity, Profile
from app.domain.puzzles import Judge
from app.domain.revising import ProbeOptions, ReviseOptions
from app.domain.text_similarity import SimilarityOptions
from app.errors import BadInput


class Kind(StrEnum):
    """The kinds of job there are."""

    COLLECT = "collect"
    EXPLAIN = "explain"
    SCORE = "score"
    EMBED = "embed"
    REVISE = "revise"
    PROBE = "probe"
    ABLATION = "ablation"
    FALSE_POSITIVES = "false_positives"
    TRANSFER = "transfer"
    PUZZLES = "puzzles"
    EXPERIMENT = "experiment"
    JUDGE = "judge"
    SIMILARITY = "similarity"


@dataclass(frozen=True, kw_only=True)
class Begun:
    """By whom a job is begun, and what it repeats: what all requests but a collection have."""

    author: str = "neuronarium"
    retry_of: str = ""  # the job that this one repeats


@dataclass(frozen=True, kw_only=True)
class Asking(Begun):
    """A request whose job asks language models."""

    fresh: bool = False  # ask anew also what has been answered to an identical call


@dataclass(frozen=True)
class CollectRequest:
    """Run a model over a corpus and keep what each neuron does there."""

    model: str  # hub name, folder or GGUF file
    corpus: tuple[str, ...]  # folders, files or data sets, read one after another
    excerpts: int
    layers: tuple[int, ...] = ()  # empty: all
    profile: Profile = field(default_factory=Profile)
    seed: int = 0
    slug: str = ""  # the model's slug in the store, as far as it is known before loading
    corpus_name: str = ""  # shown to people
    retry_of: str = ""  # the job that this one repeats
    replace: bool = False  # a larger collection of the model too
    name: str = ""  # what to call the model; empty: as its source is called

    def same_work(self, other: "CollectRequest") -> bool:
        """Whether both would give the same result."""
        mine = (self.model, self.corpus, self.excerpts, self.layers, self.profile, self.seed, self.name)
        return mine == (
            other.model,
            other.corpus,
            other.excerpts,
            other.layers,
            other.profile,
            other.seed,
            other.name,
        )


@dataclass(frozen=True)
class ExplainRequest(Asking):
    """Explain a neuron and, where `score` says how, simulate and score what came out."""

    ref: NeuronRef
    explain: ExplainOptions
    score: ScoreOptions | None = None


@dataclass(frozen=True)
class ScoreRequest(Asking):
    """Simulate a neuron from a stored explanation and score that."""

    explanation_id: int
    score: ScoreOptions


@dataclass(frozen=True)
class ReviseRequest(Asking):
    """Revise an explanation, or one that is made first; where `score` says how, score what came out and what was revised."""

    ref: NeuronRef
    revise: ReviseOptions
    explanation_id: int = 0  # 0: made first, as `first` says
    first: ExplainOptions | None = None
    score: ScoreOptions | None = None  # its revision: whose kept sentences a control is scored on too


@dataclass(frozen=True)
class ProbeRequest(Asking):
    """Probe a neuron from an explanation, or from one that is made first, and score what came out."""

    ref: NeuronRef
    probe: ProbeOptions
    explanation_id: int = 0  # 0: made first, as `first` says
    first: ExplainOptions | None = None
    score: ScoreOptions | None = None


@dataclass(frozen=True)
class EmbedRequest(Begun):
    """Embed a model's explanations that have no vector yet, for search by meaning."""

    model: str  # slug
    token_lookup: bool = False  # those of the method token_lookup too
    only: tuple[int, ...] = ()  # these explanations; empty: all


@dataclass(frozen=True)
class AblationRequest(Begun):
    """Put a stored simulation in the neuron's place in the live model, and score what that changes."""

    explanation_id: int
    simulation_id: int


@dataclass(frozen=True)
class FalsePositivesRequest(Begun):
    """Find held-out excerpts where the local simulator predicts a neuron that is silent."""

    explanation_id: int
    excerpts: int  # to examine at most
    seed: int = 0  # of the sample and of the simulation


@dataclass(frozen=True)
class TransferRequest(Begun):
    """Score a stored explanation on another neuron, as an explanation of that one."""

    explanation_id: int
    ref: NeuronRef  # the other neuron
    polarity: Polarity
    score: ScoreOptions


@dataclass(frozen=True)
class PuzzlesRequest(Asking):
    """Explain the puzzles of a set, revise, judge and rank: whatever of it is asked for and not there yet."""

    model: str  # slug of the set
    puzzles: tuple[int, ...] = ()  # neuron indices; empty: all
    explain: ExplainOptions | None = None  # None: nothing is explained
    revise_with: SimulatorName | None = (
        None  # who says what the first statement gets wrong; None: no second round
    )
    judge: Judge | None = None  # None, or PERSON: this job judges nothing
    judge_endpoint: str = ""  # of a language model as judge
    rank_with: SimulatorName | None = None  # None: truth and falsehood are not ranked
    simulator_endpoint: str = ""  # for simulators that ask
    simulator_model: str = (
        ""  # slug of the model whose weights simulate locally; empty: the one of the settings
    )
    seed: int = 0  # of simulators
    run: str = ""  # the run that this goes on with; empty: a new one


@dataclass(frozen=True)
class ExperimentRequest(Begun):
    """Do what is open of an experiment, which the store has."""

    experiment_id: int


@dataclass(frozen=True)
class JudgeRequest(Asking):
    """Have a language model judge windows by a stored explanation: detection or fuzzing."""

    explanation_id: int
    judge: JudgeOptions


@dataclass(frozen=True)
class SimilarityRequest(Begun):
    """Compare a stored explanation's words with another one's of the same neuron."""

    explanation_id: int
    similarity: SimilarityOptions


Request = (
    CollectRequest
    | ExplainRequest
    | ScoreRequest
    | EmbedRequest
    | ReviseRequest
    | ProbeRequest
    | AblationRequest
    | FalsePositivesRequest
    | TransferRequest
    | PuzzlesRequest
    | ExperimentRequest
    | JudgeRequest
    | SimilarityRequest
)
T = TypeVar("T", bound=Request)

TYPES: dict[Kind, type[Request]] = {
    Kind.COLLECT: CollectRequest,
    Kind.EXPLAIN: ExplainRequest,
    Kind.SCORE: ScoreRequest,
    Kind.EMBED: EmbedRequest,
    Kind.REVISE: ReviseRequest,
    Kind.PROBE: ProbeRequest,
    Kind.ABLATION: AblationRequest,
    Kind.FALSE_POSITIVES: FalsePositivesRequest,
    Kind.TRANSFER: TransferRequest,
    Kind.PUZZLES: PuzzlesRequest,
    Kind.EXPERIMENT: ExperimentRequest,
    Kind.JUDGE: JudgeRequest,
    Kind.SIMILARITY: SimilarityRequest,
}
_ADAPTERS: dict[type, TypeAdapter[Request]] = {kind: TypeAdapter(kind) for kind in TYPES.values()}


def dumps(request: Request) -> str:
    """The request as JSON."""
    return _ADAPTERS[type(request)].dump_json(request).decode()


def loads(kind: type[T], text: str) -> T:
    """The request back from JSON. Raises BadInput when it is none of this kind, as after a change of version."""
    try:
        value = _ADAPTERS[kind].validate_json(text)
    except ValidationError as error:
        raise BadInput(
            "The job's parameters are not understood by this version: start the job anew."
        ) from error
    assert isinstance(value, kind)
    return value


def is_fresh(text: str) -> bool:
    """Whether the job of these parameters draws a fresh sample: asked for, or because it repeats one whose answers failed."""
    value = json.loads(text) if text else None
    return isinstance(value, dict) and bool(value.get("fresh") or value.get("retry_of"))


_PROTOCOLS: dict[str, Protocol] = {Kind.JUDGE: Protocol.WINDOWS, Kind.SIMILARITY: Protocol.REFERENCE}


def protocol_of(kind: str, text: str) -> Protocol | None:
    """The protocol that a job scores by; None for a job that does not score."""
    if kind in (Kind.EXPLAIN, Kind.REVISE, Kind.PROBE):
        request = loads(TYPES[Kind(kind)], text)
        assert isinstance(request, ExplainRequest | ReviseRequest | ProbeRequest)
        return request.score.protocol if request.score is not None else None
    if kind == Kind.TRANSFER:
        return loads(TransferRequest, text).score.protocol
    if kind in _PROTOCOLS:
        return _PROTOCOLS[kind]
    return loads(ScoreRequest, text).score.protocol if kind == Kind.SCORE else None
