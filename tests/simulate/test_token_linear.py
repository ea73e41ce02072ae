"""The baseline by weights, in a toy where it is the truth, and in one where it is not."""

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from transformers import GPT2Config, GPT2LMHeadModel

from app.domain.candidates import on_dev
from app.domain.explanations import Simulated, SimulatorName, State
from app.domain.neurons import Polarity
from app.domain.token_weights import TokenWeights
from app.errors import BadInput, ModelError
from app.simulate import NextToken, make
from app.simulate.token_linear import TokenLinear
from app.subject.live import activations
from app.subject.load import Subject, assemble
from app.subject.weights import token_weights
from tests.explain.neuron import neuron, statistics
from tests.simulate.helpers import records_of
from tests.subject.small import byte_level, small

RECORDS, VOCABULARY = records_of([[b"a", b"b", b"c"], [b"c", b"d", b"a"]])


def linear(values: list[float]) -> TokenWeights:
    array = np.array([values], np.float32)
    return TokenWeights(array, array)


async def test_weights_are_the_prediction_brought_to_ten_by_one_factor() -> None:
    simulator = make(SimulatorName.TOKEN_LINEAR, weights=linear([0.5, -1.0, 2.0, 0.0]))
    found = await simulator.simulate("", RECORDS, VOCABULARY, Polarity.POSITIVE, 0, "j")
    np.testing.assert_allclose(found.expected, [[2.5, -5.0, 10.0], [10.0, 0.0, 2.5]])
    assert json.loads(found.parameters_json)["factor"] == 5.0
    turned = await simulator.simulate("", RECORDS, VOCABULARY, Polarity.NEGATIVE, 0, "j")
    np.testing.assert_allclose(turned.expected, -found.expected)


async def test_without_weights_or_with_another_model_s_it_is_refused() -> None:
    with pytest.raises(BadInput, match="needs the model's weights"):
        make(SimulatorName.TOKEN_LINEAR)
    with pytest.raises(ModelError, match="another model"):
        await TokenLinear(linear([1.0])).simulate("", RECORDS, VOCABULARY, Polarity.POSITIVE, 0, "j")


def one_layer() -> Subject:
    """A model whose neurons are linear in the token alone: no positions, no attention, no curve, embeddings of norm 1."""
    torch.manual_seed(3)
    tokenizer = byte_level()
    config = GPT2Config(
        vocab_size=len(tokenizer),
        n_embd=32,
        n_layer=1,
        n_head=4,
        n_positions=128,
        activation_function="linear",
    )
    model: Any = GPT2LMHeadModel(config)
    with torch.no_grad():
        wte = torch.randn(len(tokenizer), 32)
        wte -= wte.mean(1, keepdim=True)
        model.transformer.wte.weight.copy_(wte / wte.std(1, keepdim=True, unbiased=False))
        model.transformer.wpe.weight.zero_()
        block = model.transformer.h[0]
        block.attn.c_proj.weight.zero_()
        block.attn.c_proj.bias.zero_()
        block.ln_2.weight.copy_(torch.rand(32) + 0.5)
        block.mlp.c_fc.bias.zero_()
    return assemble(model, tokenizer, name="toy", source="random", revision="seed 3")


@pytest.mark.parametrize("polarity", list(Polarity))
@pytest.mark.parametrize(
    "subject", [one_layer(), small("gpt2"), small("llama")], ids=["toy", "gpt2", "llama"]
)
async def test_it_predicts_perfectly_where_neurons_are_linear_in_the_token_and_not_elsewhere(
    subject: Subject, polarity: Polarity
) -> None:
    rng = np.random.default_rng(0)
    tokens = rng.integers(1, len(subject.vocabulary.pieces), (5, 12)).astype(np.int32)
    live = activations(subject, 0, [7], tokens.tolist())
    records = replace(neuron(), tokens=tokens, activations=np.stack([each[:, 0] for each in live]))
    simulator = TokenLinear(token_weights(subject, 0, [7]))
    found = await simulator.simulate("", records, subject.vocabulary, polarity, 0, "j")
    score = on_dev(records, found.expected, polarity, statistics())
    assert score.state is State.OK and score.value is not None
    if subject.card.name == "toy":
        assert score.value == pytest.approx(1.0, abs=1e-5)
    else:
        assert abs(score.value) < 0.99


class Recording:
    """A simulator that says where it was asked: the id of each token it is shown."""

    name = SimulatorName.LOCAL

    async def simulate(self, explanation: str, records: Any, *_: Any) -> Any:
        self.explanation = explanation
        return Simulated(records.excerpts, records.tokens.astype(np.float32))


async def test_a_position_is_judged_by_the_token_that_follows_and_the_last_by_none() -> None:
    inner = Recording()
    simulator = NextToken(inner)
    statement = "what comes just before the letter c"
    found = await simulator.simulate(statement, RECORDS, VOCABULARY, Polarity.POSITIVE, 0, "j")
    assert inner.explanation == "the letter c"
    assert found.expected.shape == RECORDS.tokens.shape
    np.testing.assert_array_equal(found.expected[:, :-1], RECORDS.tokens[:, 1:])
    assert not found.expected[:, -1].any()
    said = json.loads(found.parameters_json)
    assert (said["by_next_token"], said["last_position"]) == (True, "not predicted")
    one = replace(RECORDS, tokens=RECORDS.tokens[:, :1], activations=RECORDS.activations[:, :1])
    alone = await simulator.simulate(statement, one, VOCABULARY, Polarity.POSITIVE, 0, "j")
    assert alone.expected.shape == (2, 1)
