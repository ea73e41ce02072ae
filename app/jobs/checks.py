"""What would make a job fail, as far as it is known before it begins."""

from app.domain.explain_options import ASKING_METHODS, needs_weights
from app.domain.explanations import (
    ASKING_SIMULATORS,
    ExplainOptions,
    Method,
    Protocol,
    ScoreOptions,
    SimulatorName,
)
from app.errors import BadInput
from app.jobs import embedders, endpoints, live_checks, wanted
from app.jobs.caps import demand_room
from app.jobs.live_checks import LiveT
from app.jobs.requests import (
    EmbedRequest,
    ExplainRequest,
    JudgeRequest,
    ProbeRequest,
    Request,
    ReviseRequest,
    ScoreRequest,
    SimilarityRequest,
    TransferRequest,
)
from app.settings import Settings
from app.store import Session, explanations, models


def affordable(session: Session, settings: Settings, endpoint: str) -> None:
    """Raises NotFound for an endpoint that is not set up, Refused where the spending cap leaves no room for it."""
    demand_room(session, settings, endpoints.endpoint(settings, endpoint))


def score(session: Session, settings: Settings, slug: str, method: str, options: ScoreOptions) -> None:
    """Raise what stands in the way of such a score of any neuron of a model: BadInput, Refused, NotFound."""
    if options.simulator in ASKING_SIMULATORS:
        affordable(session, settings, options.endpoint)
    if options.simulator is SimulatorName.TOKEN_LOOKUP and method != Method.TOKEN_LOOKUP:
        raise BadInput(
            "The token_lookup simulator predicts from token means, not from a statement: choose another simulator."
        )
    if options.simulator is SimulatorName.TOKEN_LINEAR and method != Method.TOKEN_LINEAR:
        raise BadInput(
            "The token_linear simulator predicts from the model's weights, not from a statement: choose another simulator."
        )
    collection = models.model(session, slug).collection
    if collection is None:
        raise BadInput(f"{slug} has not been collected yet: there are no records to score on.")
    *per_split, unsplit = collection.documents_per_split
    if options.protocol is Protocol.AS_IMPORTED:
        raise BadInput("as-imported is for scores that came with an explanation: choose another protocol.")
    own = not collection.imported and (sum(per_split) > 0 or unsplit == 0)
    if own and options.protocol is Protocol.BILLS_5_5:
        raise BadInput("bills-5+5 is for imported data: choose heldout-5+5, heldout-full or population.")
    if not own and options.protocol is not Protocol.BILLS_5_5:
        raise BadInput("Imported data has no documents to hold out: choose bills-5+5.")
    if collection.too_few_documents:
        raise BadInput(collection.too_few_documents)


def demand_weights(session: Session, slug: str, options: ExplainOptions) -> None:
    """Raises BadInput where these options need weights of a model that was imported without any."""
    collection = models.model(session, slug).collection
    if needs_weights(options) and (collection is None or collection.imported):
        raise BadInput(
            f"{options.method} reads the weights of the model itself, and {slug} was imported without it: choose a method "
            "that works from records."
        )


def live(session: Session, settings: Settings, request: LiveT) -> LiveT:
    """A revision or a probing with what it left open filled in. Raises what would make it fail."""
    live_checks.check(session, request)
    asked = endpoints.endpoint(settings, live_checks.explainer_of(request))
    if not asked.chat:
        raise BadInput(f"“{asked.name}” serves no chats, and writing texts needs one: choose another.")
    demand_room(session, settings, asked)
    if request.first is not None:
        affordable(session, settings, request.first.explainer)
    if request.score is not None:
        score(session, settings, request.ref.model, live_checks.method_of(request), request.score)
        request = live_checks.with_sentences(session, request)
    return request


def again(session: Session, settings: Settings, request: Request) -> Request:
    """The request of a job that is to be begun again, as it can be now. Raises what would make it fail."""
    if isinstance(request, ReviseRequest | ProbeRequest):
        return live(session, settings, request)
    if isinstance(request, EmbedRequest):
        embedders.embedder(settings)
    elif isinstance(request, ExplainRequest):
        if request.explain.method in ASKING_METHODS:
            affordable(session, settings, request.explain.explainer)
        if request.score is not None:
            score(session, settings, request.ref.model, request.explain.method, request.score)
    elif isinstance(request, ScoreRequest):
        explanation = explanations.get(session, request.explanation_id)
        score(session, settings, explanation.ref.model, explanation.method, request.score)
    elif isinstance(request, TransferRequest):
        score(session, settings, request.ref.model, Method.TRANSFER, request.score)
    elif isinstance(request, JudgeRequest):
        explanation = wanted.explained(session, request.explanation_id)
        demand_room(session, settings, wanted.to_judge(settings, session, explanation, request.judge))
    elif isinstance(request, SimilarityRequest):
        explanation = wanted.explained(session, request.explanation_id)
        asked = wanted.to_compare(settings, session, explanation, request.similarity)
        if asked is not None:
            demand_room(session, settings, asked)
    return request
