"""The API's form of studies, their material and their raters."""

from datetime import datetime
from typing import Any

from pydantic import Field

from app.store.study_rows import RaterSource, RaterState, StudyState
from app.web.api.schemas import Schema

_DEFINITION = [
    {"name": "Two formats", "arms": ["summary", "original"], "samples": [{"rule": "random", "n": 1}]}
]


class StudyIn(Schema):
    """A study to look at, to keep or to change."""

    definition: dict[str, Any] | str = Field(
        description="The definition: an object with the keys of a file, or the text of a TOML or JSON file.",
        examples=_DEFINITION,
    )


class NewStudyIn(StudyIn):
    """A study to keep as a draft."""

    version_of: int | None = Field(
        default=None, description="The study that it is a new version of.", examples=[None]
    )


class ExplainIn(Schema):
    """Who is to explain."""

    explainer: str = Field(
        default="", description="Endpoint for arms that name nobody; empty: the first.", examples=["vllm"]
    )


class CloseIn(Schema):
    """How to end a study."""

    anyway: bool = Field(default=False, description="Although items are unfinished.", examples=[True])


class UnblindIn(Schema):
    """Why results are opened before the close."""

    why: str = Field(description="It is kept, and printed in every export.", examples=["a pilot"])


class InviteIn(Schema):
    """Whom to invite."""

    names: list[str] = Field(
        description="What you call each; raters never see it.", examples=[["Grace", "Alan"]]
    )
    days: float | None = Field(
        default=None, description="How long the invitations are good; null: no end.", examples=[14]
    )


class StudyOut(Schema):
    """A study."""

    id: int = Field(examples=[1])
    name: str = Field(examples=["Two formats"])
    state: StudyState
    version: int = Field(examples=[1])
    version_of: int | None = Field(
        description="The study that it is a new version of; null for a first one.", examples=[None]
    )
    definition_hash: str = Field(
        description="sha256 of the definition in its canonical form.", examples=["9f86d0…"]
    )
    registered_hash: str = Field(
        description="sha256 of definition, texts and places; empty before the start.", examples=["60303a…"]
    )
    notes: list[str] = Field(description="What is to be known of what raters see.", examples=[[]])
    results_open: bool = Field(description="Whether results may be read.")
    author: str = Field(examples=["me"])
    created_at: datetime
    started_at: datetime | None
    closed_at: datetime | None
    unblinded_at: datetime | None = Field(
        description="When results were opened before the close; null: never."
    )


class LackingOut(Schema):
    """What one arm lacks."""

    arm: str = Field(examples=["summary"])
    neurons: list[str] = Field(
        description="As model/layer/index.", examples=[["smollm2-135m-instruct/8-mlp/101"]]
    )


class MaterialOut(Schema):
    """What a definition comes to in this store."""

    neurons: int = Field(examples=[30])
    texts: int = Field(description="Different ones, over all neurons.", examples=[148])
    same_texts: int = Field(description="Neurons in which two or more arms say the same.", examples=[2])
    lines: list[str] = Field(
        description="The same in words.", examples=[["30 neurons, 5 ways of explaining …"]]
    )
    notes: list[str] = Field(examples=[[]])
    problems: list[str] = Field(description="Why it cannot start; empty where it can.", examples=[[]])
    lacking: list[LackingOut]


class RaterCountOut(Schema):
    """How many raters are in one state."""

    state: RaterState
    raters: int = Field(examples=[3])


class ItemOut(Schema):
    """One neuron, and how many raters have finished it."""

    item: int = Field(description="Its number in the results.", examples=[0])
    neuron: str = Field(examples=["smollm2-135m-instruct/8-mlp/101"])
    done: int = Field(examples=[4])


class StandingOut(Schema):
    """A study with its definition and how far it is. Nothing of the answers."""

    study: StudyOut
    definition: dict[str, Any] = Field(description="As a JSON file holds it.", examples=_DEFINITION)
    items_wanted: int = Field(description="Neurons times the raters of each; 0 of a draft.", examples=[150])
    items_done: int = Field(examples=[40])
    answers: int = Field(description="Stored answers, those that were changed later too.", examples=[260])
    raters: list[RaterCountOut]
    items: list[ItemOut]
    median_seconds: float | None = Field(
        description="From opening an item to having answered it; null before the first.", examples=[48.5]
    )
    comments: int = Field(examples=[2])


class RaterOut(Schema):
    """A rater, as the owner sees one."""

    number: int = Field(examples=[3])
    label: str = Field(description="What the owner called the invitation.", examples=["Grace"])
    participant: str = Field(description="The recruiting platform's id.", examples=[""])
    source: RaterSource
    state: RaterState
    done: int = Field(description="Items answered whole, practice aside.", examples=[12])
    of: int = Field(examples=[30])
    median_seconds: float | None = Field(examples=[51.0])
    gold_right: int = Field(examples=[2])
    gold: int = Field(description="Items with a known answer that were answered.", examples=[2])
    comments: int = Field(examples=[0])
    practice_failed: int = Field(examples=[0])
    expires_at: datetime | None
    link: str = Field(
        description="The invitation's path, while it can be opened; else empty.", examples=["/rate/…"]
    )


class LinksOut(Schema):
    """How raters come, as paths on this server."""

    open: str = Field(examples=["/rate/…?join=…"])
    prolific: str = Field(examples=["/rate/…?join=…&PROLIFIC_PID={{%PROLIFIC_PID%}}"])


class RatersOut(Schema):
    """All raters of a study."""

    links: LinksOut
    items: list[RaterOut]


class ErasedOut(Schema):
    """What erasing took away."""

    answers_deleted: int = Field(examples=[84])


class LogOut(Schema):
    """One entry of the audit log."""

    at: datetime
    who: str = Field(examples=["me"])
    what: str = Field(examples=["started"])
    detail: str = Field(examples=["registered as 60303a…"])


class DefinitionOut(Schema):
    """A definition, as a JSON file holds it."""

    definition: dict[str, Any] = Field(examples=_DEFINITION)


class EffectOut(Schema):
    """One difference and the share of simulated studies that found it."""

    difference: float = Field(description="Points of the scale.", examples=[0.2])
    power: float = Field(examples=[0.71])


class PowerOut(Schema):
    """What simulated studies of one plan found."""

    detectable: float | None = Field(
        description="The smallest difference that 80 % of them find; null where none does.", examples=[0.22]
    )
    blocks: int = Field(description="Of a neuron and a rater.", examples=[240])
    sd: float = Field(description="Of a block's difference between two methods.", examples=[1.0])
    se: float = Field(description="Of the mean difference, by theory.", examples=[0.0645])
    alpha: float = Field(description="Of a single contrast.", examples=[0.0125])
    effects: list[EffectOut]
