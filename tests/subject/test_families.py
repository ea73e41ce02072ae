"""Every family's neurons are what enters the output projection, wherever the family keeps it."""

from typing import Any

import pytest
import torch
import transformers as hf
from torch import Tensor
from torch.nn import functional as F

from app.errors import ModelError
from app.subject.families import activation_name, decoder, family_of, input_width, mlp_sites

SIZES: dict[str, Any] = {
    "vocab_size": 300,
    "hidden_size": 16,
    "intermediate_size": 24,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "bos_token_id": 1,
    "eos_token_id": 2,
    "pad_token_id": 0,
}
GROUPED = {**SIZES, "num_key_value_heads": 1, "head_dim": 8}
VISION = {
    "hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2,
    "image_size": 28, "patch_size": 14,
}  # fmt: skip
GATED = {
    "llama": hf.LlamaConfig(**GROUPED),
    "mistral": hf.MistralConfig(**GROUPED),
    "qwen2": hf.Qwen2Config(**{k: v for k, v in GROUPED.items() if k != "head_dim"}),
    "qwen3": hf.Qwen3Config(**GROUPED),
    "smollm3": hf.SmolLM3Config(**GROUPED),
    "gemma": hf.GemmaConfig(**GROUPED),
    "gemma2": hf.Gemma2Config(**GROUPED),
    "gemma3_text": hf.Gemma3TextConfig(**GROUPED),
    "gemma3": hf.Gemma3Config(text_config=GROUPED, vision_config=VISION),
}
UNGATED = {
    "gpt2": hf.GPT2Config(
        vocab_size=300, n_embd=16, n_inner=24, n_layer=2, n_head=2, bos_token_id=0, eos_token_id=0
    ),
    "gpt_neox": hf.GPTNeoXConfig(**SIZES),
}


def build(config: Any) -> Any:
    torch.manual_seed(0)
    return hf.AutoModelForCausalLM.from_config(config).eval()


def watch(model: Any) -> tuple[list[Tensor], list[Tensor], list[Tensor]]:
    """Inputs of each layer's MLP, what entered its output projection, and its gate."""
    inputs: list[Tensor] = []
    neurons: list[Tensor] = []
    gates: list[Tensor] = []
    family = family_of(model.config)
    for block, site in zip(getattr(decoder(model), family.blocks), mlp_sites(model, family), strict=True):
        block.mlp.register_forward_pre_hook(lambda _, args: inputs.append(args[0]))
        site.output.register_forward_pre_hook(lambda _, args: neurons.append(args[0]))
        if site.gate is not None:
            site.gate.register_forward_hook(lambda _, __, out: gates.append(out))
    with torch.no_grad():
        decoder(model)(input_ids=torch.arange(3, 13)[None], use_cache=False)
    return inputs, neurons, gates


@pytest.mark.parametrize("kind", GATED)
def test_gated_neurons(kind: str) -> None:
    model = build(GATED[kind])
    inputs, neurons, gates = watch(model)
    family = family_of(model.config)
    assert len(neurons) == len(gates) == 2
    name = activation_name(family, model.config)
    assert name == ("gelu_pytorch_tanh" if kind.startswith("gemma") else "silu")
    for layer, block in enumerate(getattr(decoder(model), family.blocks)):
        gate = inputs[layer] @ block.mlp.gate_proj.weight.T
        act = F.silu(gate) if name == "silu" else F.gelu(gate, approximate="tanh")
        expected = act * (inputs[layer] @ block.mlp.up_proj.weight.T)
        torch.testing.assert_close(neurons[layer], expected)
        torch.testing.assert_close(gates[layer], gate)
        assert neurons[layer].shape == (1, 10, 24)


@pytest.mark.parametrize(
    ("kind", "approximate", "name"), [("gpt2", "tanh", "gelu_new"), ("gpt_neox", "none", "gelu")]
)
def test_ungated_neurons(kind: str, approximate: str, name: str) -> None:
    model = build(UNGATED[kind])
    inputs, neurons, gates = watch(model)
    assert not gates
    assert activation_name(family_of(model.config), model.config) == name
    for layer, block in enumerate(getattr(decoder(model), family_of(model.config).blocks)):
        first = block.mlp.c_fc if kind == "gpt2" else block.mlp.dense_h_to_4h
        expected = F.gelu(first(inputs[layer]), approximate=approximate)
        torch.testing.assert_close(neurons[layer], expected)


@pytest.mark.parametrize("kind", [*GATED, *UNGATED])
def test_widths_and_no_head(kind: str) -> None:
    model = build({**GATED, **UNGATED}[kind])
    sites = mlp_sites(model, family_of(model.config))
    assert [site.neurons for site in sites] == [24, 24]
    assert all(input_width(site.gate) == 16 for site in sites if site.gate is not None)
    assert not any("lm_head" in name for name, _ in decoder(model).named_modules())


def test_another_family_is_refused_by_name() -> None:
    with pytest.raises(ModelError, match=r"“opt” are not supported.*GPT-2.*Pythia.*Llama.*Gemma"):
        family_of(hf.OPTConfig())


def test_a_model_built_otherwise_is_refused() -> None:
    model = build(UNGATED["gpt2"])
    with pytest.raises(ModelError, match="built otherwise"):
        mlp_sites(model, family_of(GATED["llama"]))
