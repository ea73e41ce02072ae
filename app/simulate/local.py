"""Predictions by a language model of our own, through the GPU side's protocol."""

import json
import time

import numpy as np

from app.domain.explanations import Simulated, SimulatorName, Usage
from app.domain.neurons import Polarity, Records
from app.domain.vocabulary import Vocabulary
from app.errors import AnswerError
from app.gpu.protocol import SubjectService


class Local:
    """All positions of an excerpt in one forward pass of a local model. No endpoint, no cost but time."""

    name = SimulatorName.LOCAL

    def __init__(self, service: SubjectService) -> None:
        self.service = service

    async def simulate(
        self,
        explanation: str,
        records: Records,
        vocabulary: Vocabulary,
        polarity: Polarity,
        seed: int,
        job_id: str,
    ) -> Simulated:
        """Expected activations of the explained sign, 0-10. ModelError when the local model is unfit."""
        started = time.monotonic()
        pieces = [[vocabulary.pieces[i] for i in row] for row in records.tokens.tolist()]
        expected = np.asarray(await self.service.simulate(explanation, pieces, seed), np.float32)  # [R, T]
        if expected.shape != records.tokens.shape or not np.isfinite(expected).all():
            raise AnswerError("The local simulator gave no finite number for some token.")
        card = await self.service.simulator()
        parameters = {
            "model": card.model.name,
            "revision": card.model.revision,
            "scale": f"0-{card.scale_top}",
            "shots": card.shots,
            "prompt_version": card.prompt_version,
        }
        usage = Usage(seconds=time.monotonic() - started)
        return Simulated(records.excerpts, expected, usage, json.dumps(parameters))
