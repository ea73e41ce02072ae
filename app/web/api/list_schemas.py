"""Lists, samples, bookmarks and comments as `/api/v1` takes them and answers with them."""

from datetime import datetime

from pydantic import Field

from app.domain.neurons import Polarity
from app.store.list_items import Move
from app.web.api.neuron_schemas import BestScoreOut
from app.web.api.schemas import Schema


class NeuronName(Schema):
    """A neuron by its name."""

    model: str = Field(description="The model's slug.", examples=["smollm2-135m-instruct"])
    layer: str = Field(description="The layer's slug.", examples=["8-mlp"])
    index: int = Field(description="Its index within the layer, from 0.", examples=[101])


class ListIn(Schema):
    """A new list, or another name for one."""

    name: str = Field(description="One line of at most 120 characters.", examples=["Fires on “ store”"])
    description: str = Field(
        default="", description="At most 2,000 characters.", examples=["Seen while reading layer 8."]
    )


class ListOut(Schema):
    """A named list of neurons."""

    id: int = Field(examples=[3])
    slug: str = Field(
        description="In its address; it stays when the name changes.", examples=["fires-on-store"]
    )
    name: str = Field(examples=["Fires on “ store”"])
    description: str = Field(examples=["Seen while reading layer 8."])
    author: str = Field(description="A name that somebody chose; nobody checks it.", examples=["Ada"])
    revision: int = Field(description="Raised with every change.", examples=[12])
    neurons: int = Field(examples=[25])
    share_token: str | None = Field(
        description="The list is shown at /shared/{share_token} without a login; null while it is not shared.",
        examples=["PLaLB0GYba7Vlb6w-UFGQ9vXExqIqaMGYhIhvx7MbJU"],
    )
    created_at: datetime
    updated_at: datetime


class ItemIn(NeuronName):
    """A neuron to put into a list."""

    note: str = Field(default="", description="At most 2,000 characters.", examples=["Shops, and to store."])


class ItemsIn(Schema):
    """Neurons to put at a list's end, all of them or none."""

    items: list[ItemIn] = Field(min_length=1, max_length=10_000)


class ItemChange(Schema):
    """What to change of a neuron in a list."""

    note: str | None = Field(
        default=None, description="Another note; null leaves it.", examples=["Shops, and to store."]
    )
    seen: str | None = Field(
        default=None,
        description="The note that the other one takes the place of: where it has changed since, nothing is changed.",
        examples=["Shops."],
    )
    move: Move | None = Field(default=None, description="One place up or down, or to an end; null: it stays.")


class ItemOut(NeuronName):
    """A neuron in a list, or bookmarked, with what there is to say of it."""

    note: str = Field(examples=["Shops, and to store."])
    author: str = Field(description="Who put it there.", examples=["Ada"])
    added_at: datetime
    there: bool = Field(description="Whether the collection that pages show has it.")
    explanation: str = Field(
        description="The best-scoring explanation, else the newest; empty without any.",
        examples=["the word store and its kin"],
    )
    method: str = Field(description="Of that explanation.", examples=["summary"])
    best: BestScoreOut | None = Field(description="Its score; null without one.")


class SampleOut(Schema):
    """A list's neurons as they were at one time; it never changes, whatever becomes of the list."""

    digest: str = Field(
        description="sha256 of the lines model/layer/index in order, each ended by a newline.",
        examples=["9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"],
    )
    list_id: int = Field(description="The list, which may be gone.", examples=[3])
    name: str = Field(description="The list's name at that time.", examples=["Fires on “ store”"])
    revision: int = Field(description="The list's revision at that time.", examples=[12])
    created_at: datetime
    neurons: list[NeuronName] = Field(description="In the list's order.")


class InListOut(Schema):
    """A list that a neuron is in."""

    id: int = Field(examples=[3])
    slug: str = Field(examples=["fires-on-store"])
    name: str = Field(examples=["Fires on “ store”"])
    note: str = Field(description="The neuron's note there.", examples=["Shops, and to store."])


class BookmarkOut(NeuronName):
    """Whether a neuron is bookmarked by whoever asks."""

    bookmarked: bool


class CommentIn(Schema):
    """Something to say of a neuron."""

    text: str = Field(description="At most 5,000 characters.", examples=["Compare it with 8:77."])


class CommentOut(NeuronName):
    """What somebody said of a neuron."""

    id: int = Field(examples=[5])
    author: str = Field(description="A name that somebody chose; nobody checks it.", examples=["Ada"])
    text: str = Field(description="Empty once withdrawn.", examples=["Compare it with 8:77."])
    own: bool = Field(description="Whether whoever asks wrote it, and may withdraw it.")
    created_at: datetime
    withdrawn_at: datetime | None = Field(description="Null while it stands.", examples=[None])


class HumanIn(Schema):
    """An explanation that a person wrote."""

    text: str = Field(
        description="One line of at most 1,000 characters.", examples=["words about putting things away"]
    )
    polarity: Polarity = Field(
        default=Polarity.POSITIVE, description="Which sign of the activation it explains."
    )
    blind: bool = Field(
        default=False,
        description="Its author looked at the neuron's explain records alone. Without this it is scored on no document.",
        examples=[True],
    )


class Deleted(Schema):
    """What was taken away."""

    deleted: str = Field(examples=["fires-on-store"])
