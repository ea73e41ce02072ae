"""Found neurons as `/api/v1/search` answers with them."""

from pydantic import Field

from app.domain.explanations import State
from app.domain.neurons import Polarity
from app.web.api.neuron_schemas import TopTokenOut
from app.web.api.schemas import PageOf, Schema


class SaidOut(Schema):
    """The explanation that a neuron was found by: the best by the measure of those that have what was asked."""

    explanation_id: int = Field(examples=[46081])
    text: str = Field(examples=["verbs about putting one thing in the place of another"])
    matches: list[list[int]] = Field(
        description="Where the words of `q` stand in `text`: from and to, in characters.", examples=[[[0, 5]]]
    )
    method: str = Field(examples=["summary"])
    explainer: str = Field(examples=["local / smollm2"])
    polarity: Polarity
    state: State | None = Field(
        description="Of its score by the measure; null where there is none.", examples=["ok"]
    )
    value: float | None = Field(description="Null unless state is ok.", examples=[0.41])
    low: float | None = Field(description="95 % bootstrap interval.", examples=[0.3])
    high: float | None = Field(examples=[0.5])


class OnTokenOut(Schema):
    """The neuron on the token that was searched for."""

    mean: float = Field(description="Mean activation over the explain-split records.", examples=[4.76])
    share_of_maximum: float | None = Field(
        description="The mean over the neuron's maximum; null where that is not above 0.", examples=[0.75]
    )
    count: int = Field(description="Occurrences behind the mean.", examples=[3])


class FoundOut(Schema):
    """A found neuron. Statistics that are undefined or were not imported are null."""

    model: str = Field(examples=["smollm2-135m-instruct"])
    layer: str = Field(examples=["8-mlp"])
    index: int = Field(examples=[101])
    density: float | None = Field(examples=[0.012])
    maximum: float | None = Field(examples=[6.31])
    minimum: float | None = Field(examples=[-0.87])
    mean: float | None = Field(examples=[0.004])
    variance: float | None = Field(examples=[0.021])
    skewness: float | None = Field(examples=[9.6])
    kurtosis: float | None = Field(examples=[160.2])
    top_tokens: list[TopTokenOut]
    said: SaidOut | None = Field(description="Null where nothing was said of the neuron.")
    found_by: list[str] = Field(
        description="Which ways of searching `q` found the explanation: words, meaning, or both.",
        examples=[["words", "meaning"]],
    )
    similarity: float | None = Field(
        description="Cosine between `q` and the explanation; null unless meaning found it.", examples=[0.62]
    )
    token_lookup: float | None = Field(description="Token lookup's score by the measure.", examples=[0.22])
    gain: float | None = Field(
        description="The score minus token lookup's; null where either is missing.", examples=[0.19]
    )
    on_token: OnTokenOut | None = Field(description="Null unless a token was searched for.")


class TokenChoiceOut(Schema):
    """A token that may be meant by what was typed; the first one that any neuron fires on is searched for."""

    id: int = Field(examples=[8614])
    text: str = Field(description="Made visible: nothing hidden in it.", examples=[" store"])
    neurons: int = Field(description="That have it among their top tokens.", examples=[12])


class SearchOut(PageOf[FoundOut]):
    """A page of found neurons, and how the question was understood."""

    model: str = Field(description="That was searched.", examples=["smollm2-135m-instruct"])
    measure: str = Field(
        description="That scores are by: protocol.sample.metric.",
        examples=["heldout-full.top-and-random.correlation"],
    )
    sort: str = Field(examples=["score"])
    order: str = Field(examples=["down"])
    token: int | None = Field(description="Id of the token that was searched for.", examples=[8614])
    token_choices: list[TokenChoiceOut]
    within: str | None = Field(
        description="The list that was searched within, by its word in addresses.", examples=["worth-a-look"]
    )
    notes: list[str] = Field(
        description="What of the question could not be followed, in sentences.", examples=[[]]
    )


class KeepIn(Schema):
    """A search whose results become a list."""

    search: str = Field(
        default="",
        description="Query string of a search, or its whole address.",
        examples=["model=gpt2-xl&q=medic*&min=0.5"],
    )
    name: str = Field(description="The list's name.", examples=["Medicine"])
