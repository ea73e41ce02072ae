"""The dry run: what explaining or scoring would send, and for how much. No language model is asked."""

from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import Field

from app.domain.explain_options import ASKING_METHODS, demand_sound
from app.domain.explanations import ASKING_SIMULATORS, Protocol, SimulatorName
from app.domain.neurons import NeuronRef, Polarity
from app.errors import BadInput
from app.explain.previews import Preview
from app.jobs import previews
from app.jobs.endpoints import endpoint
from app.jobs.neuron import Neuron, load_neuron
from app.jobs.service import Jobs
from app.settings import Endpoint
from app.simulate.estimates import LIKELY, Estimate
from app.store import explanations as stored_explanations
from app.web.api.asking import ExplainQuery, ScoreIn, explain_options, score_options
from app.web.api.parameters import ExplanationId, Layer, Model, NeuronIndex
from app.web.api.schemas import Schema
from app.web.dependencies import JobsDep, StoreDep

router = APIRouter()


class PreviewQuery(ExplainQuery):
    """How to explain a neuron and, where a simulator is named, how to score what comes out."""

    simulator: SimulatorName | None = Field(
        default=None, description="Estimate the scoring too, by this simulator."
    )
    endpoint: str = Field(
        default="", description="Endpoint for chat_json, logprobs, one_at_a_time; empty otherwise."
    )
    protocol: Protocol | None = Field(
        default=None, description="Records to score on; the simulator's usual ones where nothing is said."
    )


class MessageOut(Schema):
    """One message of a chat."""

    role: str = Field(examples=["system"])
    content: str = Field(examples=["We study neurons of a language model. …"])


class ExplainingOut(Schema):
    """The call that explains, once for each candidate."""

    endpoint: str = Field(examples=["vllm"])
    model: str = Field(description="The model's name there.", examples=["Qwen/Qwen2.5-7B-Instruct"])
    messages: list[MessageOut] = Field(description="Exactly what would be sent.")
    tokens_in: int = Field(description="Tokens of the messages.", examples=[959])
    exact: bool = Field(
        description="Whether `tokens_in` was counted by the model's own tokenizer; else it is an estimate."
    )
    max_tokens_out: int = Field(description="Tokens of the longest answer.", examples=[60])
    candidates: int = Field(description="So many such calls are made.", examples=[1])
    price_usd: float = Field(
        description="Of all candidates, each with the messages and the longest answer; as exact as `tokens_in`.",
        examples=[0.003],
    )


class ScoringOut(Schema):
    """The calls that simulate. All numbers are estimates, should every answer be as long as it may be."""

    endpoint: str = Field(examples=["vllm"])
    model: str = Field(description="The model's name there.", examples=["Qwen/Qwen2.5-7B-Instruct"])
    calls: int = Field(examples=[20])
    tokens_in: int = Field(examples=[25800])
    max_tokens_out: int = Field(examples=[14200])
    price_usd: float = Field(examples=[0.21])


class PreviewOut(Schema):
    """What an explanation and its score would take."""

    explaining: ExplainingOut | None = Field(description="Null where no language model is asked.")
    choosing: ScoringOut | None = Field(
        description="Holding the candidates against the dev records. Null with one candidate, or where no language model is "
        "asked."
    )
    scoring: ScoringOut | None = Field(description="Null where no language model is asked, or no score.")


class ScorePreviewOut(Schema):
    """What another score of an explanation would take."""

    scoring: ScoringOut | None = Field(description="Null where no language model is asked.")


@router.get("/models/{model}/layers/{layer}/neurons/{index}/preview", tags=["neurons"])
def preview_explanation(
    jobs: JobsDep,
    store: StoreDep,
    model: Model,
    layer: Layer,
    index: NeuronIndex,
    query: Annotated[PreviewQuery, Query()],
) -> PreviewOut:
    """The dry run of an explanation: its exact messages, their tokens and the price, and about what its score takes.
    No language model is asked; a server on this machine is asked to count the tokens, where it can.
    """
    neuron = load_neuron(store, NeuronRef(model, layer, index))
    explaining = None
    options = explain_options(query)
    demand_sound(options)
    if options.method in ASKING_METHODS:
        asked = endpoint(jobs.settings, query.explainer)
        seen = previews.explaining(neuron, options, asked)
        explaining = _explaining(seen, asked)
    choosing = scoring = None
    if query.simulator is not None:
        wanted = ScoreIn(simulator=query.simulator, endpoint=query.endpoint, protocol=query.protocol)
        scoring = _scoring(jobs, neuron, query.polarity, wanted)
        if query.candidates > 1 and query.simulator in ASKING_SIMULATORS:
            by = endpoint(jobs.settings, query.endpoint)
            choosing = _calls(previews.choosing(neuron, options, score_options(wanted), by), by)
    return PreviewOut(explaining=explaining, choosing=choosing, scoring=scoring)


@router.get("/explanations/{explanation}/scores/preview", tags=["explanations"])
def preview_score(
    jobs: JobsDep, store: StoreDep, explanation: ExplanationId, query: Annotated[ScoreIn, Query()]
) -> ScorePreviewOut:
    """The dry run of another score: about how many calls and tokens it takes, and the price. Nothing is sent."""
    with store.session() as session:
        row = stored_explanations.get(session, explanation)
    if not row.text:
        raise BadInput("This explanation failed: there is no statement to score. Explain the neuron again.")
    return ScorePreviewOut(scoring=_scoring(jobs, load_neuron(store, row.ref), row.polarity, query, row.text))


def _explaining(seen: Preview, asked: Endpoint) -> ExplainingOut:
    return ExplainingOut(
        endpoint=asked.name,
        model=asked.model,
        messages=[MessageOut(role=each.role, content=each.content) for each in seen.messages],
        tokens_in=seen.tokens,
        exact=seen.exact,
        max_tokens_out=seen.max_tokens,
        candidates=seen.candidates,
        price_usd=seen.price_usd,
    )


def _scoring(
    jobs: Jobs, neuron: Neuron, polarity: Polarity, wanted: ScoreIn, text: str = LIKELY
) -> ScoringOut | None:
    if wanted.simulator not in ASKING_SIMULATORS:
        return None
    asked = endpoint(jobs.settings, wanted.endpoint)
    options = score_options(wanted)
    return _calls(previews.scoring(neuron, polarity, options, asked, text), asked)


def _calls(seen: Estimate, asked: Endpoint) -> ScoringOut:
    return ScoringOut(
        endpoint=asked.name,
        model=asked.model,
        calls=seen.calls,
        tokens_in=seen.tokens_in,
        max_tokens_out=seen.tokens_out,
        price_usd=seen.price_usd,
    )
