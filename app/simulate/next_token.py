"""Any simulator, asked of the tokens that follow: position t is judged by token t + 1 (BILLS)."""

import json
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from app.domain.explanations import Simulated
from app.domain.neurons import Polarity, Records
from app.domain.next_token import phrase, shifted
from app.domain.vocabulary import Vocabulary

if TYPE_CHECKING:
    from app.simulate.base import Simulator


class NextToken:
    """Asks `inner` about what comes next, in excerpts that begin with their second token.

    Nothing is predicted for the last position, whose next token nobody knows: it holds 0, which `parameters_json` tells and
    no score counts (`app.domain.next_token.compared`).
    """

    def __init__(self, inner: "Simulator") -> None:
        self.inner = inner
        self.name = inner.name

    async def simulate(
        self,
        explanation: str,
        records: Records,
        vocabulary: Vocabulary,
        polarity: Polarity,
        seed: int,
        job_id: str,
    ) -> Simulated:
        """Expected activations [R, T] as `Simulator.simulate` has them. Raises as `inner` does."""
        if records.tokens.shape[1] < 2:
            return Simulated(records.excerpts, np.zeros(records.tokens.shape, np.float32))
        made = await self.inner.simulate(
            phrase(explanation), shifted(records), vocabulary, polarity, seed, job_id
        )
        expected = np.pad(made.expected, ((0, 0), (0, 1)))  # [R, T - 1] -> [R, T]
        parameters = {
            **json.loads(made.parameters_json),
            "by_next_token": True,
            "last_position": "not predicted",
        }
        return replace(made, expected=expected, parameters_json=json.dumps(parameters))
