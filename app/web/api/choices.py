"""What may be chosen when asking for an explanation or a score: language models, methods, simulators, protocols."""

from collections.abc import Collection, Iterable

from fastapi import APIRouter
from pydantic import Field

from app.domain.explain_options import ASKING_METHODS
from app.domain.explanations import ASKING_SIMULATORS
from app.web.api.parameters import Model
from app.web.api.schemas import ListOf, Schema
from app.web.dependencies import FactsDep, JobsDep
from app.web.explanation_items import explain_form
from app.web.neuron_contexts import Choice
from app.web.neuron_view import View

router = APIRouter(tags=["choices"])


class EndpointOut(Schema):
    """A language model that can be asked. Where it is and its key are the server's business."""

    name: str = Field(description="To be given as `explainer` and `endpoint`.", examples=["vllm"])
    model: str = Field(description="The model's name there.", examples=["Qwen/Qwen2.5-7B-Instruct"])
    price_in: float = Field(description="US dollars per million prompt tokens.", examples=[2.5])
    price_out: float = Field(description="US dollars per million completion tokens.", examples=[10.0])
    chat: bool = Field(description="Serves chats: explaining, chat_json and one_at_a_time can ask it.")
    completions: bool = Field(
        description="Serves completions with log probabilities: logprobs and one_at_a_time can ask it."
    )


class ChoiceOut(Schema):
    """A value that a parameter may have."""

    value: str = Field(examples=["heldout-full"])
    label: str = Field(description="As pages call it.", examples=["all held-out records"])
    suggested: bool = Field(description="What the pages begin with, unless that is to give nothing.")


class AskingChoiceOut(ChoiceOut):
    """A method or a simulator."""

    value: str = Field(examples=["summary"])
    label: str = Field(examples=["Summary: plain excerpts, then the tokens that fire"])
    asks: bool = Field(description="Whether it asks a language model, so that an endpoint must be named.")


class ChoicesOut(Schema):
    """What may be given when asking for an explanation or a score of a model's neurons, by parameter."""

    method: list[AskingChoiceOut]
    polarity: list[ChoiceOut]
    cut_off: list[ChoiceOut]
    scale_maximum: list[ChoiceOut]
    shown_band: list[ChoiceOut]
    token_source: list[ChoiceOut]
    simulator: list[AskingChoiceOut] = Field(
        description="token_lookup and token_linear fit the method of their name alone."
    )
    protocol: list[ChoiceOut] = Field(description="Imported data has other ones than collected data.")


@router.get("/endpoints")
def list_endpoints(jobs: JobsDep) -> ListOf[EndpointOut]:
    """The language models that can explain and simulate, with their prices."""
    return ListOf(
        items=[
            EndpointOut(
                name=each.name,
                model=each.model,
                price_in=each.price_in,
                price_out=each.price_out,
                chat=each.chat,
                completions=each.completions,
            )
            for each in jobs.endpoints()
        ]
    )


@router.get("/models/{model}/choices")
def get_choices(jobs: JobsDep, facts_of: FactsDep, model: Model) -> ChoicesOut:
    """What may be chosen for a neuron of this model: methods, simulators, protocols and the rest, as the pages' forms
    have it. Without a language model only what needs none is listed.
    """
    imported = facts_of.get(model).imported
    form = explain_form("", View().protocol, [(each.name, each.model) for each in jobs.endpoints()], imported)
    return ChoicesOut(
        method=_asking(form.methods, ASKING_METHODS),
        polarity=_choices(form.polarities),
        cut_off=_choices(form.cut_offs),
        scale_maximum=_choices(form.maxima),
        shown_band=_choices(form.bands),
        token_source=_choices(form.token_sources),
        simulator=_asking(form.simulators, ASKING_SIMULATORS),
        protocol=_choices(form.protocols),
    )


def _choices(choices: Iterable[Choice]) -> list[ChoiceOut]:
    # The form has entries without a value too, for not scoring at all and for the usual protocol: here, null.
    return [
        ChoiceOut(value=each.value, label=each.label, suggested=each.current)
        for each in choices
        if each.value
    ]


def _asking(choices: Iterable[Choice], ask: Collection[str]) -> list[AskingChoiceOut]:
    return [AskingChoiceOut(**each.model_dump(), asks=each.value in ask) for each in _choices(choices)]
