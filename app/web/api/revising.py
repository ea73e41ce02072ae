"""Revising an explanation, probing a neuron, and what a model's revisions came to."""

from fastapi import APIRouter
from pydantic import Field

from app.domain.explanations import ASKING_SIMULATORS, Method, ScoreOptions
from app.domain.neurons import NeuronRef, Polarity
from app.domain.revising import MOST_CALLS, MOST_ROUNDS, MOST_TEXTS, ProbeOptions, ReviseOptions
from app.errors import BadInput
from app.jobs import live_previews
from app.jobs.endpoints import endpoint
from app.jobs.live_previews import LivePreview
from app.jobs.neuron import load_neuron
from app.jobs.requests import ProbeRequest, ReviseRequest
from app.store import explanations as stored
from app.store import models, revisions
from app.store.explanation_rows import ExplanationRow
from app.web.api.asking import FRESH, ExplainQuery, ScoreIn, explain_options, score_options
from app.web.api.parameters import ExplanationId, Layer, Model, NeuronIndex
from app.web.api.schemas import JobStarted, Schema
from app.web.dependencies import JobsDep, StoreDep

router = APIRouter()


class ReviseIn(Schema):
    """How to revise an explanation."""

    explainer: str = Field(
        description="Endpoint that writes the sentences and the statement.", examples=["vllm"]
    )
    method: Method = Field(
        default=Method.REVISION,
        description="revision, or one of its controls: revision_random, re_explanation.",
    )
    seed: int = Field(default=0, ge=0, lt=2**31, description="Of the calls, and of which sentences are kept.")
    score: ScoreIn | None = Field(
        default=None,
        description="Also score what comes out and what it was made from, on the kept sentences too.",
    )
    on: int = Field(
        default=0,
        ge=0,
        description="For a control: the revision whose kept sentences it is scored on; 0 for the newest of the same explanation.",
    )
    fresh: bool = Field(default=False, description=FRESH)


class ProbeIn(Schema):
    """How to probe a neuron, and how much that may take."""

    explainer: str = Field(description="Endpoint that writes the texts and thinks again.", examples=["vllm"])
    explanation: int | None = Field(
        default=None,
        description="The explanation to begin from; null where `first` says how one is made.",
        examples=[46081],
    )
    first: ExplainQuery | None = Field(default=None, description="How a first explanation is made.")
    rounds: int = Field(default=4, description=f"Rounds at most, 1 to {MOST_ROUNDS}.")
    texts: int = Field(default=4, description=f"Texts of each kind in a round, 1 to {MOST_TEXTS}.")
    calls: int = Field(default=20, description=f"Calls of the explainer at most, 1 to {MOST_CALLS}.")
    usd: float | None = Field(
        default=None,
        description="Dollars at most; null for no bound but the spending cap.",
        examples=[0.5],
    )
    seed: int = Field(default=0, ge=0, lt=2**31)
    score: ScoreIn | None = Field(default=None, description="Also score what comes out.")
    fresh: bool = Field(default=False, description=FRESH)


class LivePreviewOut(Schema):
    """What it would take at most. All numbers are estimates, should every answer be as long as it may be."""

    endpoint: str = Field(examples=["vllm"])
    calls: int = Field(description="Where every answer can be used.", examples=[2])
    most_calls: int = Field(description="Where every one is asked for as often as allowed.", examples=[6])
    tokens_in: int = Field(examples=[5200])
    max_tokens_out: int = Field(examples=[2700])
    price_usd: float = Field(examples=[0.04])
    live_texts: int = Field(description="Texts that the subject model reads.", examples=[10])
    scoring_calls: int = Field(description="0 where no language model is asked for scores.", examples=[46])
    scoring_price_usd: float = Field(examples=[0.21])


class RevisionsOut(Schema):
    """How often explainers were wrong about the sentences that they wrote to fit their own statements."""

    sentences: int = Field(description="Sentences written and run.", examples=[120])
    false_positives: int = Field(description="Of them, those without an active token.", examples=[51])
    neurons: int = Field(description="Neurons tested.", examples=[12])
    neurons_with_false_positive: int = Field(examples=[10])
    share_of_sentences: float | None = Field(description="Null without any.", examples=[0.425])
    share_of_neurons: float | None = Field(description="Null without any.", examples=[0.833])


@router.post("/explanations/{explanation}/revisions", status_code=202, tags=["explanations"])
def revise(jobs: JobsDep, store: StoreDep, explanation: ExplanationId, request: ReviseIn) -> JobStarted:
    """Start a job that revises the explanation in the light of sentences that the live model reads."""
    with store.session() as session:
        ref = stored.get(session, explanation).ref
    asked = ReviseRequest(
        ref, _revise(request), explanation, score=_score(request), author="api", fresh=request.fresh
    )
    return JobStarted(job_id=jobs.enqueue_revise(asked))


@router.post("/explanations/{explanation}/revisions/preview", tags=["explanations"])
def preview_revision(
    jobs: JobsDep, store: StoreDep, explanation: ExplanationId, request: ReviseIn
) -> LivePreviewOut:
    """The dry run of a revision. Nothing is sent anywhere."""
    options = _revise(request)
    options.check()
    with store.session() as session:
        row = stored.get(session, explanation)
    neuron = load_neuron(store, row.ref)
    asked = endpoint(jobs.settings, request.explainer)
    score = _score(request)
    scorer = (
        endpoint(jobs.settings, score.endpoint) if score and score.simulator in ASKING_SIMULATORS else None
    )
    return _out(
        asked.name,
        live_previews.revising(neuron, live_previews.begin(neuron, row), options, asked, score, scorer),
    )


@router.post("/models/{model}/layers/{layer}/neurons/{index}/probes", status_code=202, tags=["neurons"])
def probe(
    jobs: JobsDep, store: StoreDep, model: Model, layer: Layer, index: NeuronIndex, request: ProbeIn
) -> JobStarted:
    """Start a job in which an explainer tests its hypotheses about the neuron on the live model."""
    ref = NeuronRef(model, layer, index)
    polarity = _begun(store, ref, request)[0]
    first = None if request.first is None else explain_options(request.first)
    score = None if request.score is None else score_options(request.score)
    begun = request.explanation or 0
    asked = ProbeRequest(
        ref, _probe(request, polarity), begun, first, score, author="api", fresh=request.fresh
    )
    return JobStarted(job_id=jobs.enqueue_probe(asked))


@router.post("/models/{model}/layers/{layer}/neurons/{index}/probes/preview", tags=["neurons"])
def preview_probe(
    jobs: JobsDep, store: StoreDep, model: Model, layer: Layer, index: NeuronIndex, request: ProbeIn
) -> LivePreviewOut:
    """The dry run of a probing that uses its whole budget; of a first explanation not. Nothing is sent anywhere."""
    ref = NeuronRef(model, layer, index)
    neuron = load_neuron(store, ref)
    polarity, row = _begun(store, ref, request)
    begun = live_previews.begin(neuron, row) if row else live_previews.begin_anew(neuron, polarity)
    asked = endpoint(jobs.settings, request.explainer)
    score = None if request.score is None else score_options(request.score)
    scorer = (
        endpoint(jobs.settings, score.endpoint) if score and score.simulator in ASKING_SIMULATORS else None
    )
    return _out(
        asked.name, live_previews.probing(neuron, begun, _probe(request, polarity), asked, score, scorer)
    )


@router.get("/models/{model}/revisions", tags=["models"])
def get_revisions(store: StoreDep, model: Model) -> RevisionsOut:
    """False positives among the test sentences of all revisions of the model's neurons."""
    with store.session() as session:
        models.model(session, model)
        found = revisions.false_positives(session, model)
    return RevisionsOut(
        sentences=found.sentences,
        false_positives=found.wrong,
        neurons=found.neurons,
        neurons_with_false_positive=found.neurons_with,
        share_of_sentences=found.share,
        share_of_neurons=found.neuron_share,
    )


def _revise(request: ReviseIn) -> ReviseOptions:
    return ReviseOptions(request.explainer, request.method, request.seed)


def _score(request: ReviseIn) -> ScoreOptions | None:
    if request.score is None:
        return None
    options = score_options(request.score)
    return ScoreOptions(options.simulator, options.endpoint, options.protocol, options.seed, request.on)


def _probe(request: ProbeIn, polarity: Polarity) -> ProbeOptions:
    return ProbeOptions(
        request.explainer, polarity, request.rounds, request.texts, request.calls, request.usd, request.seed
    )


def _begun(store: StoreDep, ref: NeuronRef, request: ProbeIn) -> tuple[Polarity, ExplanationRow | None]:
    """(polarity, the explanation to begin from where there is one). BadInput for both, and for neither."""
    if (request.explanation is None) == (request.first is None):
        raise BadInput("Give either explanation, the one to begin from, or first, how one is made.")
    if request.first is not None:
        return request.first.polarity, None
    with store.session() as session:
        row = stored.get(session, request.explanation or 0)
    return row.polarity, row


def _out(name: str, seen: LivePreview) -> LivePreviewOut:
    return LivePreviewOut(
        endpoint=name,
        calls=seen.calls,
        most_calls=seen.most_calls,
        tokens_in=seen.tokens_in,
        max_tokens_out=seen.tokens_out,
        price_usd=seen.price_usd,
        live_texts=seen.texts,
        scoring_calls=seen.scoring.calls if seen.scoring else 0,
        scoring_price_usd=seen.scoring.price_usd if seen.scoring else 0.0,
    )
