"""What the GPU side offers, in this process or elsewhere: plain values in, arrays out, nothing of torch."""

from collections.abc import Sequence
from typing import Protocol

from app.domain.collection import ModelCard
from app.domain.neurons import Float32, Int32
from app.domain.simulator_card import SimulatorCard
from app.domain.token_weights import TokenWeights


class SubjectService(Protocol):
    """One model, wherever it runs. Loading happens at the first call that needs the model.

    Every method raises `ModelError` when the model cannot be loaded or is unfit for the request. A call may
    be cancelled like any coroutine; the work stops at the next batch.
    """

    async def card(self) -> ModelCard:
        """The model that answers, as found."""

    async def simulator(self) -> SimulatorCard:
        """What a stored simulation must say of the simulator: model, scale, few-shot examples, prompt
        version."""

    async def simulate(
        self, explanation: str, token_pieces: Sequence[Sequence[bytes]], seed: int = 0
    ) -> Float32:
        """Expected activations float32 [R, T] on the 0-10 scale of R excerpts of T tokens each, from the
        explanation alone.

        `token_pieces` are the subject's tokens as the bytes that they stand for (`Vocabulary.pieces`); `seed`
        draws where the few-shot examples turn from "unknown" to numbers, and nothing else: equal calls give
        equal values.
        """

    async def tokenize(self, texts: Sequence[str]) -> list[list[int]]:
        """Vocabulary ids of each text, without special tokens."""

    async def activations(
        self, layer: int, neurons: Sequence[int], tokens: Sequence[Sequence[int]]
    ) -> list[Float32]:
        """What neurons do on texts of any lengths up to the model's context: a float32 [T, N] for each text.

        Every text is run alone, behind the model's BOS where it has one, whose own value is left out: as in a
        collection. `layer` is the ordinal. BadInput for an empty text, one that is too long, or a neuron that the
        model does not have.
        """

    async def token_weights(self, layer: int, neurons: Sequence[int]) -> TokenWeights:
        """What neurons' weights alone say of every token of the vocabulary; `layer` is the ordinal.

        BadInput for a neuron that the model does not have, or for more neurons than fit in one answer.
        """

    async def divergences(
        self, layer: int, neuron: int, tokens: Int32, replacements: Sequence[Float32]
    ) -> Float32:
        """How far the model's predictions move when a neuron is given other values: float32 [K, R, T].

        `tokens` [R, T] are texts of one length, `replacements` K arrays [R, T] of what the neuron is set to at each token;
        NaN leaves it as it is. A value is the Jensen-Shannon divergence in nats, 0 to ln 2, between the next-token
        distribution after that token and the same of the model left alone. Texts are run as by `activations`; a BOS
        keeps its own value and is not counted. BadInput as there, or for replacements that do not fit.
        """

    async def close(self) -> None:
        """Give the model's memory back. A later call loads it again."""
