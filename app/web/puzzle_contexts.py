"""What the pages of puzzles are given."""

from dataclasses import dataclass
from typing import NamedTuple

from app.domain.puzzle_tallies import JudgeTally, RankTally
from app.store.puzzle_results import RunResult
from app.store.puzzles import PuzzleSet, StoredPuzzle
from app.store.rows import JobRow
from app.web.contexts import Chrome
from app.web.neuron_contexts import Choice, Sentence


class Tally(NamedTuple):
    """What one judge or simulator makes of a run, in words and with where its statements are."""

    words: str
    by: str
    reasons: tuple[tuple[str, int], ...]
    address: str


class RunCard(NamedTuple):
    """One run in short."""

    result: RunResult
    title: str
    extent: str
    judged: tuple[Tally, ...]
    ranked: tuple[Tally, ...]
    address: str


@dataclass(frozen=True)
class PuzzlesPage:
    """`puzzles.html`."""

    chrome: Chrome
    sets: tuple[PuzzleSet, ...]
    runs: tuple[RunCard, ...]  # newest first, of all sets
    lacking: int  # puzzles of the built-in set that are not in the store
    waiting: int  # statements that this person could judge
    json: str


@dataclass(frozen=True)
class PuzzleSetPage:
    """`puzzle_set.html`."""

    chrome: Chrome
    set: PuzzleSet
    puzzles: tuple[StoredPuzzle, ...]
    runs: tuple[RunCard, ...]
    active: tuple[JobRow, ...]  # jobs over this set that have not ended
    methods: tuple[Choice, ...]
    explainers: tuple[Choice, ...]
    judges: tuple[Choice, ...]
    simulators: tuple[Choice, ...]
    models: tuple[Choice, ...]  # whose weights can simulate here
    json: str


class Verdict(NamedTuple):
    """What one judge says of one statement."""

    words: str  # right, wrong, no verdict
    right: bool | None
    by: str


class Said(NamedTuple):
    """One statement of a run, or why there is none."""

    text: str
    problem: str
    address: str  # of the explanation, or empty
    verdicts: tuple[Verdict, ...]


class Placed(NamedTuple):
    """The truth's place among the statements of one puzzle."""

    words: str
    statements: tuple[tuple[str, bool, str], ...]  # text, whether it is the truth, its correlation


class PuzzleLine(NamedTuple):
    """One puzzle of a run."""

    name: str
    address: str
    truth: str
    first: Said | None
    revised: Said | None
    nothing: str  # why there was nothing to revise
    placed: tuple[Placed, ...]


@dataclass(frozen=True)
class PuzzleRunPage:
    """`puzzle_run.html`."""

    chrome: Chrome
    set: PuzzleSet
    card: RunCard
    tallies: tuple[JudgeTally, ...]
    rankings: tuple[RankTally, ...]
    lines: tuple[PuzzleLine, ...]
    filters: tuple[Choice, ...]
    job: str
    json: str


@dataclass(frozen=True)
class RatePage:
    """`puzzle_rate.html`: nothing here may tell how a statement came about."""

    chrome: Chrome
    token: str  # stands for the statement; empty where nothing is left
    statement: str
    truth: str
    sentences: tuple[Sentence, ...]
    left: int
    who: str


@dataclass(frozen=True)
class PuzzleForm:
    """`_puzzle_form.html`."""

    here: str
    methods: tuple[Choice, ...]
    explainers: tuple[Choice, ...]
