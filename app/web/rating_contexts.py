"""What raters' pages are given. Nothing here tells who made a description, how, or which one it is in the study."""

from dataclasses import dataclass
from typing import NamedTuple

from markupsafe import Markup

from app.domain.studies import Consent
from app.web.neuron_contexts import Sentence


@dataclass(frozen=True)
class Frame:
    """Around every page of a rater: `rating_base.html`. It leads nowhere but to the study."""

    title: str
    theme: str  # "light", "dark", or empty for the system's
    home: str  # the study's first page; empty where there is none to go to


@dataclass(frozen=True)
class RaterErrorPage:
    """`rating_error.html`."""

    frame: Frame
    headline: str
    message: str


@dataclass(frozen=True)
class WelcomePage:
    """`rating_welcome.html`: what a rater agrees to, and how it is done."""

    frame: Frame
    instructions: str
    consent: Consent
    practice: bool
    action: str  # where agreeing is sent
    hidden: tuple[tuple[str, str], ...]  # fields that go with it
    platform: bool  # whether the rater comes with a platform's ids
    preview: bool = False


@dataclass(frozen=True)
class GoOnPage:
    """`rating_go_on.html`: between two visits."""

    frame: Frame
    instructions: str
    consent: Consent
    practice: bool
    done: int
    of: int
    address: str  # of what is next
    leave: str


@dataclass(frozen=True)
class EndPage:
    """`rating_end.html`."""

    frame: Frame
    headline: str
    words: str
    code: str  # for a recruiting platform
    back: str  # where that is handed in
    contact: str


@dataclass(frozen=True)
class LeavePage:
    """`rating_leave.html`."""

    frame: Frame
    action: str
    consent: Consent


class Group(NamedTuple):
    """Texts of one kind, painted."""

    title: str
    sentences: tuple[Sentence, ...]


class Described(NamedTuple):
    """A description at its place on the page, and what was said of it."""

    position: int  # from 1
    text: str
    rating: str  # "1" to "5", or empty
    rank: str
    best: bool


class Paired(NamedTuple):
    """Two descriptions side by side."""

    position: int  # from 1, in the order of the page
    left: str
    right: str
    said: str  # "left", "right", "tie", or empty


class Marked(NamedTuple):
    """One token of a text that is to be marked."""

    number: int  # from 0, of the token in its text
    lead: str  # blanks before it
    html: Markup
    on: bool


class ToMark(NamedTuple):
    """A text whose tokens are to be marked."""

    position: int  # from 1
    tokens: tuple[Marked, ...]
    none: bool  # it was said that none fires


@dataclass(frozen=True)
class ItemPage:
    """`rating_item.html`: one neuron to be judged."""

    frame: Frame
    heading: str
    practice: bool
    attempt: int
    address: str  # of this page, where answers are sent
    number: int
    of: int
    done: int
    instructions: str
    groups: tuple[Group, ...]
    negative: bool  # what is described is where the neuron is below zero
    tasks: frozenset[str]
    before: str  # of the statement, what stands before the description
    after: str
    best_question: str
    scale: tuple[tuple[str, str], ...]  # value, words
    descriptions: tuple[Described, ...]
    pairs: tuple[Paired, ...]
    to_mark: tuple[ToMark, ...]
    written: str
    comment: str
    missing: tuple[str, ...]  # what is still to be answered, when that was asked for
    problem: str  # why what was sent was not kept
    leave: str
    previous: str = ""  # addresses of a preview
    next: str = ""
    preview: bool = False


class Reviewed(NamedTuple):
    """One practice item, with what is known to be right."""

    heading: str
    passed: bool
    groups: tuple[Group, ...]
    fires_on: tuple[Markup, ...]
    right: tuple[str, ...]
    wrong: tuple[tuple[str, str], ...]  # a description that does not fit, and what was said of it


@dataclass(frozen=True)
class ReviewPage:
    """`rating_review.html`: what was right in a practice that failed."""

    frame: Frame
    items: tuple[Reviewed, ...]
    rules: tuple[str, ...]
    address: str  # of the next try
    leave: str
