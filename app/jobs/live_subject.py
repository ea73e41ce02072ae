"""The live model behind collected neurons, made sure of."""

from typing import TYPE_CHECKING

from app.domain.neurons import NeuronRef
from app.errors import ModelError
from app.jobs.runtime import Runtime
from app.store import models

if TYPE_CHECKING:
    from app.gpu.protocol import SubjectService


async def live_subject(runtime: Runtime, ref: NeuronRef) -> tuple["SubjectService", int]:
    """(the model of a neuron, loaded, and its layer's ordinal).

    ModelError where it cannot be loaded, or is no longer the one that was collected.
    """
    card = (await runtime.db(lambda s: models.model(s, ref.model))).card
    layer = await runtime.db(lambda s: models.layer(s, ref.model, ref.layer))
    service = await runtime.subject(ref.model)
    found = await service.card()
    if found.revision != card.revision:
        raise ModelError(
            f"{card.source} is now revision {found.revision[:12]}; the neurons of {ref.model} were collected from "
            f"{card.revision[:12]}. Put that one back, or collect the new one under another name."
        )
    return service, layer.ordinal
