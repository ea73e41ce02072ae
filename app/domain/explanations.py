"""Explanations, simulations and scores as values, with where they come from."""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple

import numpy as np

from app.domain.neurons import Float32, Int32, Polarity


class Method(StrEnum):
    """How an explanation came about."""

    ORIGINAL = "original"
    SUMMARY = "summary"
    HIGHLIGHT = "highlight"
    HS = "hs"
    AVHS = "avhs"
    TOKEN_LOOKUP = "token_lookup"  # noqa: S105
    TOKEN_SPACE = "token_space"  # noqa: S105  # from tokens alone: by mean activation, or by input weight
    OUTPUT_TOKENS = "output_tokens"  # from the tokens that the output weights promote
    NEXT_TOKEN = "next_token"  # noqa: S105  # BILLS: from (next token, activation) pairs
    TOKEN_LINEAR = "token_linear"  # noqa: S105  # BILLS: input weights times embeddings, no language model
    REVISION = "revision"  # BILLS: revised in the light of the explainer's own test sentences
    REVISION_RANDOM = "revision_random"  # its control: random sentences of non-zero activation instead
    RE_EXPLANATION = "re_explanation"  # its other control: explained once more, with nothing new
    PROBING = "probing"  # revised until its own predictions on the live model hold
    TRANSFER = "transfer"  # another neuron's explanation, put to the test on this one
    HUMAN = "human"  # written by a person; nothing that could be asked for


class AskedMethod(StrEnum):
    """The methods that something here can be asked to explain by."""

    ORIGINAL = Method.ORIGINAL.value
    SUMMARY = Method.SUMMARY.value
    HIGHLIGHT = Method.HIGHLIGHT.value
    HS = Method.HS.value
    AVHS = Method.AVHS.value
    TOKEN_LOOKUP = Method.TOKEN_LOOKUP.value
    NEXT_TOKEN = Method.NEXT_TOKEN.value
    TOKEN_SPACE = Method.TOKEN_SPACE.value
    OUTPUT_TOKENS = Method.OUTPUT_TOKENS.value
    TOKEN_LINEAR = Method.TOKEN_LINEAR.value


PROMPTED_METHODS = (Method.ORIGINAL, Method.SUMMARY, Method.HIGHLIGHT, Method.HS, Method.AVHS)


class SimulatorName(StrEnum):
    """How activations are predicted from an explanation."""

    LOCAL = "local"
    CHAT_JSON = "chat_json"
    LOGPROBS = "logprobs"
    ONE_AT_A_TIME = "one_at_a_time"
    TOKEN_LOOKUP = "token_lookup"  # noqa: S105
    TOKEN_LINEAR = "token_linear"  # noqa: S105


# Those that ask a language model.
ASKING_SIMULATORS = (SimulatorName.CHAT_JSON, SimulatorName.LOGPROBS, SimulatorName.ONE_AT_A_TIME)


class Protocol(StrEnum):
    """Which records a score is computed on. Scores of different protocols are never mixed."""

    HELDOUT_5_5 = "heldout-5+5"
    HELDOUT_FULL = "heldout-full"
    POPULATION = "population"
    BILLS_5_5 = "bills-5+5"
    AS_IMPORTED = (
        "as-imported"  # what came with other people's explanations: their records are not known here
    )
    GENERATED = "heldout-5+5+generated"  # and the sentences that a revision kept for scoring
    WINDOWS = "windows-50+50"  # delphi: 50 active and 50 inactive windows of 32 tokens, held out
    REFERENCE = "reference"  # no records: against another explanation of the same neuron


def usual_protocol(simulator: SimulatorName, revision: int = 0) -> Protocol:
    """What is scored on where nobody says: paid calls are kept few, free ones use all records; a revision's sentences alone
    where one is named.
    """
    if revision:
        return Protocol.GENERATED
    return Protocol.HELDOUT_5_5 if simulator in ASKING_SIMULATORS else Protocol.HELDOUT_FULL


class Sample(StrEnum):
    """Which of the protocol's records a score covers."""

    TOP_AND_RANDOM = "top-and-random"
    RANDOM_ONLY = "random-only"
    POPULATION = "population"
    AS_IMPORTED = "as-imported"  # not told
    GENERATED = "with-generated"
    WINDOWS = "active-and-inactive"
    REFERENCE = "reference"


class Metric(StrEnum):
    """The measures of agreement (DESIGN section 6)."""

    CORRELATION = "correlation"
    R_SQUARED = "r_squared"
    R_SQUARED_UNCENTRED = "r_squared_uncentred"
    ABS_DEV_EXPLAINED = "abs_dev_explained"
    COSINE = "cosine"
    AUPRC = "auprc"
    F1 = "f1"
    IOU = "iou"
    ABLATION = "ablation"
    DETECTION = "detection"
    FUZZING = "fuzzing"
    EMBEDDING = "embedding"


COMPUTED_METRICS = (
    Metric.CORRELATION,
    Metric.R_SQUARED,
    Metric.R_SQUARED_UNCENTRED,
    Metric.ABS_DEV_EXPLAINED,
    Metric.COSINE,
    Metric.AUPRC,
    Metric.F1,
    Metric.IOU,
)
CALIBRATED_METRICS = (
    Metric.R_SQUARED,
    Metric.R_SQUARED_UNCENTRED,
    Metric.ABS_DEV_EXPLAINED,
)  # by a line, on dev
BINARY_METRICS = (Metric.AUPRC, Metric.F1, Metric.IOU)  # of which tokens are active
CUT_METRICS = (Metric.F1, Metric.IOU)  # with predictions cut in two where it is best on dev


_BOTH = (Sample.TOP_AND_RANDOM, Sample.RANDOM_ONLY)


def measured(protocol: Protocol) -> tuple[tuple[Sample, Metric], ...]:
    """What a protocol can be asked for here. Of `AS_IMPORTED` anything may have come."""
    if protocol is Protocol.AS_IMPORTED:
        return tuple((sample, metric) for sample in Sample for metric in Metric)
    if protocol is Protocol.REFERENCE:
        return ((Sample.REFERENCE, Metric.EMBEDDING),)
    if protocol is Protocol.WINDOWS:
        return tuple((Sample.WINDOWS, metric) for metric in (Metric.DETECTION, Metric.FUZZING))
    samples = {Protocol.POPULATION: (Sample.POPULATION,), Protocol.GENERATED: (Sample.GENERATED,)}
    return tuple(
        (sample, metric)
        for sample in samples.get(protocol, _BOTH)
        for metric in (*COMPUTED_METRICS, Metric.ABLATION)
    )


class State(StrEnum):
    """Whether a value exists, and if not, why. Only `OK` has a value."""

    OK = "ok"
    FAILED = "failed"
    CONSTANT_PREDICTION = "constant_prediction"
    CONSTANT_ACTUAL = "constant_actual"
    TOO_FEW_ACTIVE = "too_few_active"
    TOO_FEW_RECORDS = "too_few_records"
    NO_CALIBRATION = "no_calibration"


class CutOff(StrEnum):
    """How the cut-off of `summary`, `highlight`, `hs` was chosen (DESIGN section 6)."""

    EXCERPT_MAX_Q99 = "excerpt_max_q99"
    TOKEN_Q99 = "token_q99"  # noqa: S105
    SHOWN_Q90 = "shown_q90"


class ScaleMaximum(StrEnum):
    """Which maximum is 10 on the 0-10 scale: that of the records shown (published code) or of all seen (paper)."""

    SHOWN = "shown"
    ALL = "all"


class Usage(NamedTuple):
    """What a call or a chain of calls took."""

    tokens_in: int = 0
    tokens_out: int = 0
    cost_usd: float = 0.0
    seconds: float = 0.0
    calls: int = 0

    def plus(self, other: "Usage") -> "Usage":
        return Usage(
            self.tokens_in + other.tokens_in,
            self.tokens_out + other.tokens_out,
            self.cost_usd + other.cost_usd,
            self.seconds + other.seconds,
            self.calls + other.calls,
        )

    def at_least(self, other: "Usage") -> "Usage":
        return Usage(
            max(self.tokens_in, other.tokens_in),
            max(self.tokens_out, other.tokens_out),
            max(self.cost_usd, other.cost_usd),
            max(self.seconds, other.seconds),
            max(self.calls, other.calls),
        )

    def minus(self, other: "Usage") -> "Usage":
        return Usage(
            self.tokens_in - other.tokens_in,
            self.tokens_out - other.tokens_out,
            self.cost_usd - other.cost_usd,
            self.seconds - other.seconds,
            self.calls - other.calls,
        )


class Band(StrEnum):
    """Which of a neuron's explain records an explainer is shown."""

    TOP = "top"  # the strongest; the most negative for the negative polarity
    Q1 = "q1"
    Q2 = "q2"
    Q3 = "q3"
    Q4 = "q4"
    RANDOM = "random"
    MIXED = "mixed"  # the strongest, one of each band, and random ones


@dataclass(frozen=True)
class ShownOptions:
    """The evidence: which records, how many, and how much of each. The default is what both papers show."""

    band: Band = Band.TOP
    excerpts: int = 5
    tokens: int = 64  # of each excerpt, around its strongest token


class TokenSource(StrEnum):
    """By what the tokens of `token_space` are the neuron's strongest."""

    ACTIVATION = "activation"  # mean activation over its explain records
    WEIGHT = "weight"  # input weight, from the live model


@dataclass(frozen=True)
class ExplainOptions:
    """What a person may choose when asking for an explanation."""

    method: Method = Method.SUMMARY
    polarity: Polarity = Polarity.POSITIVE
    explainer: str = ""  # endpoint name; empty for token_lookup
    cut_off: CutOff = CutOff.TOKEN_Q99
    scale_maximum: ScaleMaximum = ScaleMaximum.SHOWN
    seed: int = 0
    shown: ShownOptions = field(default_factory=ShownOptions)
    candidates: int = 1  # statements made, of which the one with the best score on `dev` is kept
    token_source: TokenSource = TokenSource.ACTIVATION  # of token_space alone


@dataclass(frozen=True)
class ScoreOptions:
    """What a person may choose when asking for a score."""

    simulator: SimulatorName = SimulatorName.LOCAL
    endpoint: str = ""  # endpoint name for chat_json, logprobs, one_at_a_time; empty otherwise
    protocol: Protocol = Protocol.HELDOUT_FULL
    seed: int = 0
    revision: int = 0  # the revision whose kept sentences are scored on as well; 0: none


@dataclass(frozen=True)
class Provenance:
    """Everything needed to trace an explanation back to its making."""

    method: str
    explainer: str  # "endpoint name / model", "none" for token_lookup
    prompt_version: str = ""
    messages_hash: str = ""  # sha256 of the exact messages as JSON
    messages_json: str = ""  # the exact messages
    parameters_json: str = "{}"
    seed: int = 0
    excerpts: tuple[int, ...] = ()  # ordinals of the excerpts that the explainer saw
    code_version: str = ""
    usage: Usage = field(default_factory=Usage)
    author: str = "neuronarium"


class Step(NamedTuple):
    """Something that was tried on the way to an explanation: a candidate, a test sentence, a probe."""

    kind: str
    data_json: str  # by kind; see where it is made


class ScoreValue(NamedTuple):
    """One metric's value on named records, or the state that says why there is none."""

    metric: Metric
    protocol: Protocol
    sample: Sample
    state: State
    value: float | None = None
    low: float | None = None  # 95 % bootstrap interval; none where a stratum has fewer than two documents
    high: float | None = None
    n_records: int = 0
    n_documents: int = 0
    n_tokens: int = 0
    indicative: bool = False  # fewer than 10 documents in a stratum
    reason: str = ""
    parameters_json: str = "{}"  # calibration, threshold, cut, base rate, bootstrap draws and seed, weights


@dataclass(frozen=True, eq=False)
class Simulated:
    """Expected activations on the 0-10 scale for given records, in their order."""

    excerpts: Int32  # [R]
    expected: Float32  # [R, T]
    usage: Usage = field(default_factory=Usage)
    parameters_json: str = "{}"  # prompt version, scale and whatever else decided the values

    def __post_init__(self) -> None:
        if not np.isfinite(self.expected).all():
            raise ValueError("a simulation holds a value that is not finite")
