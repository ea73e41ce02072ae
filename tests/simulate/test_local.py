"""Simulation through the GPU side's protocol."""

import json
from collections.abc import Sequence

import numpy as np
import pytest

from app.domain.collection import ModelCard
from app.domain.neurons import Float32, Polarity
from app.domain.simulator_card import SimulatorCard
from app.errors import AnswerError, ModelError
from app.simulate.local import Local
from tests.simulate.helpers import NASTY, records_of

CARD = ModelCard("Tiny", "tiny", "nowhere", "abc", "llama", 1, 4, True, "silu", None, 10, "float32")
RECORDS, VOCABULARY = records_of([NASTY, NASTY[::-1]])


class Service:
    """Predicts the length of each token in bytes, at most 10, plus the seed."""

    def __init__(self, spoil: float | None = None) -> None:
        self.spoil = spoil
        self.explanations: list[str] = []

    async def card(self) -> ModelCard:
        return CARD

    async def simulator(self) -> SimulatorCard:
        return SimulatorCard(CARD, 9, 5, "one-pass-1")

    async def simulate(
        self, explanation: str, token_pieces: Sequence[Sequence[bytes]], seed: int = 0
    ) -> Float32:
        if explanation == "unfit":
            raise ModelError("no digits")
        self.explanations.append(explanation)
        levels = [[min(len(piece), 9) + seed for piece in row] for row in token_pieces]
        array = np.array(levels, np.float32)
        if self.spoil is not None:
            array[0, 0] = self.spoil
        return array

    async def close(self) -> None:
        """Nothing to give back."""


async def test_the_service_gets_the_tokens_bytes_and_its_values_come_back() -> None:
    service = Service()
    result = await Local(service).simulate("words", RECORDS, VOCABULARY, Polarity.POSITIVE, 1, "j")
    lengths = [min(len(piece), 9) + 1 for piece in NASTY]
    assert result.expected.tolist() == [lengths, lengths[::-1]]
    assert result.excerpts.tolist() == [100, 101]
    assert service.explanations == ["words"]
    assert json.loads(result.parameters_json) == {
        "model": "Tiny",
        "revision": "abc",
        "scale": "0-9",
        "shots": 5,
        "prompt_version": "one-pass-1",
    }
    assert result.usage.calls == 0


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
async def test_a_value_that_is_no_number_is_a_failure(value: float) -> None:
    with pytest.raises(AnswerError, match="no finite number"):
        await Local(Service(value)).simulate("words", RECORDS, VOCABULARY, Polarity.POSITIVE, 0, "j")


async def test_a_model_that_is_unfit_says_so() -> None:
    with pytest.raises(ModelError, match="no digits"):
        await Local(Service()).simulate("unfit", RECORDS, VOCABULARY, Polarity.POSITIVE, 0, "j")
