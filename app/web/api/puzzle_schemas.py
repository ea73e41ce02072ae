"""What `/api/v1/puzzles` says and takes."""

from datetime import datetime

from pydantic import Field

from app.domain.explanations import AskedMethod, SimulatorName, State
from app.domain.puzzles import Judge
from app.web.api.schemas import Schema


class PuzzleSetOut(Schema):
    """A set of puzzles. It is a model of its own, with the one layer `puzzles`."""

    slug: str = Field(examples=["neuron-puzzles"])
    name: str = Field(examples=["Neuron puzzles"])
    puzzles: int = Field(examples=[25])
    source: str = Field(description="`built in`, or the file that it came from.", examples=["built in"])


class PuzzleOut(Schema):
    """One puzzle. Statements continue “the main thing this neuron does is find”."""

    index: int = Field(description="Its neuron in the layer `puzzles`.", examples=[0])
    key: str = Field(examples=["bank"])
    name: str = Field(examples=["bank"])
    truth: str = Field(examples=["the word “bank” where it means a place that keeps money"])
    false: list[str] = Field(description="Statements that only look right.", examples=[["words about money"]])
    sentences: list["PuzzleSentenceOut"]


class PuzzleSentenceOut(Schema):
    """One sentence, whole."""

    tokens: list[str] = Field(examples=[["The", " bank"]])
    activations: list[float] = Field(description="As their author gave them.", examples=[[0, 10]])
    levels: list[int] = Field(description="The same on the 0-10 scale.", examples=[[0, 10]])


class CountedOut(Schema):
    """k right of n that were judged."""

    right: int = Field(examples=[5])
    judged: int = Field(examples=[19])


class ReasonOut(Schema):
    """Why something is missing, and how often."""

    reason: str = Field(examples=["the answer is a list"])
    times: int = Field(examples=[2])


class JudgeTallyOut(Schema):
    """A run as one judge sees it."""

    judge: Judge
    name: str = Field(description="Which embedder, language model or person.", examples=["all-MiniLM-L6-v2"])
    first: CountedOut = Field(description="First statements.")
    final: CountedOut | None = Field(description="With the second round; null where there was none.")
    better: int = Field(
        description="Puzzles wrong at first and right at last, of those judged both times.", examples=[2]
    )
    worse: int = Field(description="The other way round.", examples=[0])
    unjudged: int = Field(description="Statements without a verdict.", examples=[1])
    failures: list[ReasonOut]
    chance: float | None = Field(
        description="How many first statements a blind guess would get right; null where that is no guess.",
        examples=[4.8],
    )


class RankTallyOut(Schema):
    """Truth and false statements of a run's puzzles, as one simulator sees them."""

    simulator: str = Field(examples=["local"])
    model: str = Field(examples=["SmolLM2-135M-Instruct"])
    seed: int = Field(examples=[0])
    ranked: int = Field(description="Puzzles whose truth has a place.", examples=[24])
    first: int = Field(description="Puzzles whose truth is ranked first.", examples=[17])
    top_two: int = Field(examples=[21])
    undefined: list[ReasonOut] = Field(description="Why the others have no place.")


class RunOut(Schema):
    """One explainer, one method, one seed over puzzles of a set."""

    id: str = Field(examples=["puzzles-3f2a9c41d7e0"])
    explainer: str = Field(description="Empty where nothing was explained.", examples=["demo / SmolLM2"])
    method: str = Field(examples=["summary"])
    seed: int = Field(examples=[0])
    author: str = Field(examples=["local"])
    created_at: datetime
    puzzles: int = Field(examples=[25])
    explained: int = Field(examples=[24])
    revised: int = Field(examples=[7])
    nothing_to_revise: int = Field(examples=[3])
    failures: list[ReasonOut] = Field(description="Why statements came to nothing.")
    judges: list[JudgeTallyOut]
    rankings: list[RankTallyOut]


class VerdictOut(Schema):
    """What one judge says of a statement; of persons what most of them say."""

    judge: Judge
    name: str = Field(examples=["all-MiniLM-L6-v2"])
    right: bool | None = Field(description="Null where the judge failed, or persons disagree.")


class AnswerOut(Schema):
    """A puzzle's statement in a run, or why there is none."""

    explanation: int | None = Field(description="Null where nothing was asked.", examples=[46081])
    state: State
    text: str = Field(examples=["words about money"])
    note: str = Field(description="Why it failed, or why there was nothing to revise.", examples=[""])
    verdicts: list[VerdictOut]


class RankedOut(Schema):
    """One statement of a puzzle, by what a simulator makes of it."""

    text: str = Field(examples=["words about money"])
    truth: bool
    state: State
    correlation: float | None = Field(examples=[0.61])


class RankingOut(Schema):
    """The truth's place among the false statements."""

    simulator: str = Field(examples=["local"])
    model: str = Field(examples=["SmolLM2-135M-Instruct"])
    seed: int = Field(examples=[0])
    state: State
    place: int | None = Field(description="1 is first; null where the truth has none.", examples=[1])
    reason: str = Field(examples=[""])
    statements: list[RankedOut]


class RunLineOut(Schema):
    """One puzzle of a run."""

    index: int = Field(examples=[0])
    key: str = Field(examples=["bank"])
    first: AnswerOut | None
    revised: AnswerOut | None
    rankings: list[RankingOut]


class RunWholeOut(RunOut):
    """A run with every statement."""

    lines: list[RunLineOut]


class RunIn(Schema):
    """What to do over a set."""

    puzzles: list[int] = Field(default=[], max_length=10_000, description="Neuron indices; empty for all.")
    explainer: str = Field(default="", description="Endpoint name; empty to explain nothing.")
    method: AskedMethod = Field(default=AskedMethod.SUMMARY, description="One of the five prompted formats.")
    seed: int = Field(default=0, ge=0, lt=2**31)
    revise_with: SimulatorName | None = Field(
        default=None, description="Who says what the first statement gets wrong: local or chat_json."
    )
    judge: Judge | None = Field(default=None, description="With `person`, people judge later.")
    judge_endpoint: str = Field(default="", description="Of a language model as judge.")
    rank_with: SimulatorName | None = Field(default=None, description="local or chat_json.")
    simulator_endpoint: str = Field(default="", description="Of chat_json.")
    simulator_model: str = Field(default="", description="Slug of the model whose weights simulate locally.")
    run: str = Field(default="", description="The run that this goes on with.")
    fresh: bool = Field(default=False, description="Ask anew also what has been answered.")
