"""What can be said before a run of judging or comparing: whether it fits the explanation, the data and the settings."""

from app.domain.explanations import Protocol, State
from app.domain.judging import JUDGED, MOST_A_PROMPT, MOST_SAMPLED, JudgeOptions
from app.domain.text_similarity import SimilarityOptions
from app.domain.windows import WindowSource
from app.errors import BadInput
from app.jobs import embedders, endpoints
from app.settings import Endpoint, Settings
from app.store import Session, explanations, heldout, models
from app.store.explanation_rows import ExplanationRow


def explained(s: Session, explanation_id: int) -> ExplanationRow:
    """A stored explanation that came about. NotFound; BadInput for one that failed."""
    row = explanations.get(s, explanation_id)
    if row.state is not State.OK:
        raise BadInput("This explanation failed: there is no statement to score. Explain the neuron again.")
    return row


def to_judge(settings: Settings, s: Session, row: ExplanationRow, options: JudgeOptions) -> Endpoint:
    """The language model that will judge. BadInput for options that do not fit, NotFound for an unknown endpoint."""
    if options.metric not in JUDGED:
        raise BadInput(f"{options.metric} is not judged by a language model: choose {' or '.join(JUDGED)}.")
    if not 1 <= options.per_prompt <= MOST_A_PROMPT:
        raise BadInput(f"A prompt takes 1 to {MOST_A_PROMPT} windows, not {options.per_prompt}.")
    if options.source is WindowSource.LIVE and not 1 <= options.sampled <= MOST_SAMPLED:
        raise BadInput(f"From 1 to {MOST_SAMPLED} excerpts can be sampled, not {options.sampled}.")
    asked = endpoints.endpoint(settings, options.endpoint)
    if not asked.chat:
        raise BadInput(f"Judging needs chats, and “{asked.name}” serves none (chat = false in the settings).")
    collection = models.model(s, row.ref.model).collection
    if collection is None:
        raise BadInput(f"{row.ref.model} has not been collected yet: there is no held-out text to judge.")
    *per_split, unsplit = collection.documents_per_split
    if collection.imported or (unsplit and not sum(per_split)):
        raise BadInput("Imported data has no documents to hold out: nothing in it can be judged.")
    if collection.too_few_documents:
        raise BadInput(collection.too_few_documents)
    heldout.demand_known(s, row.id, {Protocol.WINDOWS})
    return asked


def to_compare(
    settings: Settings, s: Session, row: ExplanationRow, options: SimilarityOptions
) -> Endpoint | None:
    """The endpoint that embeds, None for the local model. BadInput where two explanations cannot be compared."""
    embedders.embedder(settings)
    reference = explained(s, options.reference)
    if reference.id == row.id:
        raise BadInput(
            "An explanation is like itself: choose another one of the same neuron as the reference."
        )
    if reference.ref != row.ref or reference.polarity is not row.polarity:
        raise BadInput(
            f"Explanation {reference.id} is of {reference.ref}, {reference.polarity}: a reference has to be of the same neuron"
            f" and sign as {row.ref}, {row.polarity}."
        )
    name = settings.embedding_endpoint
    return None if name is None else endpoints.endpoint(settings, name)
