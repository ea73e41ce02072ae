"""Having the live model read texts that it has not read before, and what a neuron did on each token."""

from collections.abc import Sequence

from app.domain.live_texts import LiveText, exact, length_problem
from app.errors import AnswerError, BadInput
from app.jobs.live_subject import live_subject
from app.jobs.neuron import Neuron
from app.jobs.runtime import Runtime
from app.store import Session, models


async def tokens_of(runtime: Runtime, neuron: Neuron, texts: Sequence[str]) -> list[list[int]]:
    """Each text's tokens. AnswerError where one is too short, too long, or reads as a control token: nothing is cut."""
    subject, _ = await live_subject(runtime, neuron.ref)
    tokens = await subject.tokenize(texts)
    problem = length_problem([len(ids) for ids in tokens])
    for i, ids in enumerate(tokens, 1):
        if not problem and not neuron.vocabulary.special.isdisjoint(ids):
            problem = f"text {i} holds a control token"
    if problem:
        raise AnswerError(problem)
    return tokens


async def run_tokens(
    runtime: Runtime, neuron: Neuron, texts: Sequence[str], tokens: Sequence[Sequence[int]]
) -> list[LiveText]:
    """The texts with the neuron's activations, each run alone. ModelError where the model cannot be loaded or is another."""
    subject, layer = await live_subject(runtime, neuron.ref)
    values = await subject.activations(layer, [neuron.ref.index], tokens)  # of each text [T, 1]
    return [
        LiveText(text, tuple(ids), exact(found[:, 0]))
        for text, ids, found in zip(texts, tokens, values, strict=True)
    ]


def demand_live(session: Session, slug: str) -> None:
    """Raises BadInput, before anything is begun, where it is known that no live model can read for a model's neurons."""
    found = models.model(session, slug)
    if found.collection is None:
        raise BadInput(f"{slug} has not been collected yet: there is no neuron to test.")
    if found.collection.imported or not found.card.source:
        raise BadInput(
            f"{slug} was imported: its activations are here, but not the model itself, and this needs the model to"
            " read new texts. Collect the model to revise or probe its neurons."
        )
