"""What a rating study is: which neurons, whose explanations, asked what of people, and how it will be judged.

A definition alone decides what is made. It is frozen when the study starts: nothing in it is changed afterwards, and its hash, with
that of the material, is what was registered. See `study_checks` for what it must hold to, `study_files` for how it is written down.
"""

import hashlib
import json
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import NamedTuple

from app.domain.experiments import SampleRule
from app.domain.neurons import Polarity
from app.domain.study_quality import Exclusions

SCALE = (1, 2, 3, 4, 5)
SCALE_WORDS = (
    "Strongly Disagree",
    "Disagree",
    "Neither Agree nor Disagree",
    "Agree",
    "Strongly Agree",
)  # LEE
STATEMENT = "[description] is a good explanation of this neuron's behaviour"  # LEE
BEST_QUESTION = "Which description is the best match?"  # LEE
PRACTICE_TRIES = 2


class Task(StrEnum):
    """What a rater is asked of one neuron."""

    RATE = "rate"  # each description, 1 to 5
    BEST = "best"  # which description fits best
    RANK = "rank"  # all descriptions, best first
    PAIR = "pair"  # two descriptions at a time: either, or a tie
    WRITE = "write"  # an explanation of one's own, from what the explainer saw (BILLS' human baseline)
    SIMULATE = "simulate"  # mark the tokens on which the neuron will fire


COMPARING = (Task.RATE, Task.BEST, Task.RANK, Task.PAIR)  # tasks that show descriptions


class GoldKind(StrEnum):
    """Where an item with a known answer comes from."""

    PUZZLES = "puzzles"  # invented neurons whose truth is known
    GIVEN = "given"  # a neuron whose right and wrong descriptions the definition names, such as a planted one
    FALSE = "false"  # a neuron of the study with a description of another neuron among its own


@dataclass(frozen=True)
class StudyArm:
    """One way in which the descriptions to be compared came about."""

    method: str
    explainer: str = (
        ""  # as provenance has it, or its endpoint's or model's name alone; empty: whoever it was
    )
    name: str = ""  # what results call it

    @property
    def label(self) -> str:
        """Unique in a sound definition."""
        if self.name:
            return self.name
        return f"{self.method} by {self.explainer}" if self.explainer else self.method


@dataclass(frozen=True)
class ShownRecords:
    """Which held-out records raters see of a neuron."""

    top: int = 5
    random: int = 5

    @property
    def top_only(self) -> bool:
        """Without random records people cannot notice what an explanation claims too much of; every report says so."""
        return self.random == 0


@dataclass(frozen=True)
class Gold:
    """Items whose right answer is known. What a kind does not use stays as it is here."""

    kind: GoldKind
    n: int = 1
    neuron: str = ""  # model/layer/index
    right: str = ""
    wrong: tuple[str, ...] = ()


@dataclass(frozen=True)
class Consent:
    """What raters agree to before they see anything."""

    text: str = ""
    contact: str = ""
    pay: str = ""
    withdraw_until: str = ""  # a date or a term, in words
    kept_until: str = ""

    @property
    def version(self) -> str:
        """The first digits of the sha256 of all of it: what a rater's consent is stored with."""
        return hashlib.sha256(
            json.dumps(asdict(self), sort_keys=True, ensure_ascii=False).encode()
        ).hexdigest()[:16]


@dataclass(frozen=True)
class Codes:
    """What a recruiting platform is told at the end (Prolific's completion codes)."""

    completed: str = ""
    screened_out: str = ""


class StudyContrast(NamedTuple):
    """Two arms that are compared: `arm` minus `against`."""

    arm: str
    against: str


@dataclass(frozen=True)
class StudyDefinition:
    """A study as it is asked for. Sound in itself only if `study_checks.problems` finds nothing."""

    name: str  # for researchers
    samples: tuple[SampleRule, ...]
    arms: tuple[StudyArm, ...] = ()
    title: str = "Rating descriptions of neurons"  # for raters: it must not tell what is compared
    question: str = ""  # what the study is to answer; raters never see it
    instructions: str = ""
    statement: str = STATEMENT
    best_question: str = BEST_QUESTION
    models: tuple[str, ...] = ()
    polarity: Polarity = Polarity.POSITIVE
    tasks: tuple[Task, ...] = (Task.RATE, Task.BEST)
    evidence: ShownRecords = ShownRecords()
    name_neuron: bool = False  # whether the header says layer:index, by which a rater could look it up
    raters: int = 5  # places for raters
    raters_per_item: int = 0  # 0: all of them (crossed); 1: each item has one rater (nested)
    gold: tuple[Gold, ...] = ()
    repeats: int = 0  # items that each rater is asked again
    practice: int = 1  # puzzles before the study, each with two tries; 0: none
    consent: Consent = field(default_factory=Consent)
    codes: Codes = field(default_factory=Codes)
    contrasts: tuple[StudyContrast, ...] = ()  # fixed before anything is known
    exclusions: Exclusions = field(default_factory=Exclusions)
    stopping: str = ""  # the rule by which it ends, in words
    timeout_hours: float = 24.0  # after which a rater who answers nothing gives up the place
    seed: int = 0

    @property
    def crossed(self) -> bool:
        """Whether every rater sees every neuron."""
        return self.per_item == self.raters

    @property
    def per_item(self) -> int:
        """Raters that every item gets."""
        return self.raters_per_item or self.raters

    @property
    def compares(self) -> bool:
        """Whether any task shows descriptions."""
        return any(task in COMPARING for task in self.tasks)

    def arm_labels(self) -> tuple[str, ...]:
        """In the order of the definition, which is how results number them."""
        return tuple(arm.label for arm in self.arms)


def canonical_json(definition: StudyDefinition) -> str:
    """The definition with every value in it, in one form alone: keys sorted, no blanks."""
    return json.dumps(
        asdict(definition), sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
    )


def definition_hash(definition: StudyDefinition) -> str:
    """sha256 of the canonical JSON, hexadecimal."""
    return hashlib.sha256(canonical_json(definition).encode("utf-8", "surrogatepass")).hexdigest()
