"""Token weights against the formulas written out one neuron and token at a time, and against the model itself."""

from typing import Any

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from app.errors import BadInput
from app.subject import weights
from app.subject.families import decoder, family_of
from app.subject.load import Subject
from app.subject.weights import token_weights
from tests.subject.small import small

NEURONS = [5, 0, 17]


def varied(family: str) -> Subject:
    """A small random model whose norms do not multiply by one."""
    subject = small(family)
    generator = torch.Generator().manual_seed(1)
    for name, parameter in subject.model.named_parameters():
        if "norm" in name or "ln_" in name:
            parameter.copy_(torch.randn(parameter.shape, generator=generator))
    return subject


def block_of(subject: Subject, layer: int) -> Any:
    return getattr(decoder(subject.model), family_of(subject.model.config).blocks)[layer]


def test_gpt2_as_published() -> None:
    subject = varied("gpt2")
    found = token_weights(subject, 1, NEURONS)
    model: Any = subject.model
    block, wte = block_of(subject, 1), model.transformer.wte.weight
    assert found.input.shape == found.output.shape == (3, len(subject.vocabulary))
    assert found.input.dtype == np.float32 and not found.gated and found.up is None
    for row, n in enumerate(NEURONS):
        into = wte @ torch.diag(block.ln_2.weight) @ block.mlp.c_fc.weight[:, n]
        out = block.mlp.c_proj.weight[n] @ torch.diag(model.transformer.ln_f.weight) @ wte.T
        np.testing.assert_allclose(found.input[row], into, atol=1e-4)
        np.testing.assert_allclose(found.output[row], out, atol=1e-4)


def test_neox_has_an_unembedding_of_its_own() -> None:
    subject = varied("gpt_neox")
    found = token_weights(subject, 1, NEURONS)
    model: Any = subject.model
    block = block_of(subject, 1)
    assert not torch.equal(model.lm_head.weight, model.gpt_neox.embed_in.weight)
    size = len(subject.vocabulary)
    for row, n in enumerate(NEURONS):
        gain = block.post_attention_layernorm.weight
        into = model.gpt_neox.embed_in.weight[:size] @ (gain * block.mlp.dense_h_to_4h.weight[n])
        final = model.gpt_neox.final_layer_norm.weight
        out = model.lm_head.weight[:size] @ (final * block.mlp.dense_4h_to_h.weight[:, n])
        np.testing.assert_allclose(found.input[row], into, atol=1e-4)
        np.testing.assert_allclose(found.output[row], out, atol=1e-4)


@pytest.mark.parametrize("family", ["llama", "qwen3"])
def test_llama_has_two_input_weights(family: str) -> None:
    subject = varied(family)
    found = token_weights(subject, 1, NEURONS)
    model: Any = subject.model
    block, wte = block_of(subject, 1), model.model.embed_tokens.weight
    assert found.gate is not None and found.up is not None and found.gated
    gain = block.post_attention_layernorm.weight
    for row, n in enumerate(NEURONS):
        np.testing.assert_allclose(found.gate[row], wte @ (gain * block.mlp.gate_proj.weight[n]), atol=1e-4)
        np.testing.assert_allclose(found.up[row], wte @ (gain * block.mlp.up_proj.weight[n]), atol=1e-4)
        x = wte / (wte.pow(2).mean(-1, keepdim=True) + model.config.rms_norm_eps).sqrt() * gain
        estimate = F.silu(x @ block.mlp.gate_proj.weight[n]) * (x @ block.mlp.up_proj.weight[n])
        np.testing.assert_allclose(found.input[row], estimate, atol=1e-4)
        out = model.lm_head.weight @ (model.model.norm.weight * block.mlp.down_proj.weight[:, n])
        np.testing.assert_allclose(found.output[row], out, atol=1e-4)


@pytest.mark.parametrize("family", ["gemma2", "gemma3"])
def test_gemma_counts_gains_from_one_and_scales_its_embedding(family: str) -> None:
    subject = varied(family)
    found = token_weights(subject, 2, NEURONS)
    model: Any = subject.model
    block, wte = block_of(subject, 2), model.model.embed_tokens.weight * 32**0.5
    assert found.gate is not None
    gain = 1 + block.pre_feedforward_layernorm.weight
    for row, n in enumerate(NEURONS):
        np.testing.assert_allclose(found.gate[row], wte @ (gain * block.mlp.gate_proj.weight[n]), atol=1e-3)
        x = wte / (wte.pow(2).mean(-1, keepdim=True) + model.config.rms_norm_eps).sqrt() * gain
        act = F.gelu(x @ block.mlp.gate_proj.weight[n], approximate="tanh")
        np.testing.assert_allclose(found.input[row], act * (x @ block.mlp.up_proj.weight[n]), atol=1e-3)
        written = block.mlp.down_proj.weight[:, n] * (1 + block.post_feedforward_layernorm.weight)
        out = model.lm_head.weight @ (written * (1 + model.model.norm.weight))
        np.testing.assert_allclose(found.output[row], out, atol=1e-3)


def test_the_gated_estimate_is_the_neuron_where_the_embedding_is_all_there_is() -> None:
    """Layer 0 of a model whose attention writes nothing reads the embedding alone."""
    subject = varied("llama")
    block_of(subject, 0).self_attn.o_proj.weight.zero_()
    kept: list[torch.Tensor] = []
    handle = subject.sites[0].output.register_forward_pre_hook(lambda _, args: kept.append(args[0]))
    ids = torch.arange(40, 60)
    with torch.inference_mode():
        subject.decoder(input_ids=ids[None])
    handle.remove()
    found = token_weights(subject, 0, NEURONS)
    np.testing.assert_allclose(found.input[:, ids], kept[0][0][:, NEURONS].T, atol=1e-4)


def test_chunks_make_one_table(monkeypatch: pytest.MonkeyPatch) -> None:
    subject = varied("llama")
    whole = token_weights(subject, 0, [1])
    monkeypatch.setattr(weights, "TOKENS_AT_ONCE", 37)
    np.testing.assert_allclose(token_weights(subject, 0, [1]).output, whole.output, atol=1e-6)


def test_what_cannot_be_asked_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    subject = small("gpt2")
    with pytest.raises(BadInput, match="no layer 9"):
        token_weights(subject, 9, [0])
    with pytest.raises(BadInput, match="no neuron 4000"):
        token_weights(subject, 0, [4000])
    monkeypatch.setattr(weights, "MOST_VALUES", 2 * len(subject.vocabulary))
    with pytest.raises(BadInput, match="ask for 2 at most"):
        token_weights(subject, 0, [0, 1, 2])
