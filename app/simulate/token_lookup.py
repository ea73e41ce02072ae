"""The baseline without a language model: every token is predicted to be what it was on average."""

import json

from app.domain.explanations import Simulated, SimulatorName
from app.domain.neurons import Polarity, Records
from app.domain.token_lookup import TokenMeans
from app.domain.vocabulary import Vocabulary


class TokenLookup:
    """Mean activation by token over the neuron's explain records; the neuron's mean for tokens not seen there.

    The means come from stored records, which are heavy in strong ones. They are signed, and turned round for the
    negative polarity. One positive factor per neuron brings them to the 0-10 scale (10 is the largest mean in
    size), so values below 0 occur, and neither a correlation nor a calibrated score changes by it.
    """

    name = SimulatorName.TOKEN_LOOKUP

    def __init__(self, means: TokenMeans) -> None:
        self.means = means

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
        expected = self.means.on_scale(records.tokens, polarity.sign)  # [R, T]
        parameters = {"factor": polarity.sign * self.means.factor, "tokens": len(self.means.ids)}
        return Simulated(records.excerpts, expected, parameters_json=json.dumps(parameters))
