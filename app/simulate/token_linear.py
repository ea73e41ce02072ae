"""The baseline that fits nothing: every token is predicted to be its input weight (BILLS)."""

import json

import numpy as np

from app.domain.explanations import Simulated, SimulatorName
from app.domain.neurons import Float32, Polarity, Records
from app.domain.token_weights import TokenWeights
from app.domain.vocabulary import Vocabulary
from app.errors import ModelError


class TokenLinear:
    """`wte[t] . diag(ln.g) . W_in[:, n]` at every token t, directly; for gated MLPs its counterpart (`TokenWeights.input`).

    Neither context nor position plays a part. Values are signed, and turned round for the negative polarity. One positive
    factor per neuron brings them to the 0-10 scale (10 is the largest weight in size), so values below 0 occur, and neither
    a correlation nor a calibrated score changes by it.
    """

    name = SimulatorName.TOKEN_LINEAR

    def __init__(self, weights: TokenWeights) -> None:
        self.weights = weights

    async def simulate(
        self,
        explanation: str,
        records: Records,
        vocabulary: Vocabulary,
        polarity: Polarity,
        seed: int,
        job_id: str,
    ) -> Simulated:
        """Expected activations of the explained sign in -10..10. The explanation's text plays no part."""
        one: Float32 = self.weights.input[0]  # [V]
        if records.tokens.size and records.tokens.max() >= len(one):
            raise ModelError(
                "The model's vocabulary is smaller than that of the records: it is another model."
            )
        largest = float(np.abs(one).max(initial=0.0))
        factor = polarity.sign * (10.0 / largest if largest > 0 else 1.0)
        expected = (one[records.tokens].astype(np.float64) * factor).astype(np.float32)  # [R, T]
        parameters = {"factor": factor, "weight": self.weights.input_kind}
        return Simulated(records.excerpts, expected, parameters_json=json.dumps(parameters))
