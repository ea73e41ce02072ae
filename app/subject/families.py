"""Where each family of models keeps its MLP neurons.

A neuron is the value that enters the MLP's output projection (DESIGN section 2), so one forward pre-hook on that
module sees it in every family; in gated MLPs a forward hook on the gate projection sees the gate's sign.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

from torch import nn

from app.errors import ModelError


class MlpSite(NamedTuple):
    """One layer's MLP: where its neurons pass by."""

    output: nn.Module  # its input [B, S, N] is the neurons
    gate: (
        nn.Module | None
    )  # its output [B, S, N] is the gate before the activation function, None when ungated
    neurons: int


class MlpPath(NamedTuple):
    """One layer's MLP as it lies between the embedding and the output head: what weights are read from."""

    before: nn.Module  # the norm that the MLP reads the residual stream through
    input: nn.Module  # [B, S, D] -> [B, S, N]; in gated MLPs the factor beside the gate
    gate: nn.Module | None  # [B, S, D] -> [B, S, N]
    function: nn.Module  # the activation function
    output: nn.Module  # [B, S, N] -> [B, S, D]
    after: nn.Module | None  # the norm of what the MLP writes
    final: nn.Module  # the norm before the output head


class Family(NamedTuple):
    """How to find the parts of one family."""

    name: str  # as in the model card
    kinds: tuple[str, ...]  # transformers' `model_type`s
    blocks: str  # attribute of the decoder that lists the layers
    output: str  # attribute of the layer's `mlp`: output projection
    gate: str | None
    activation: str  # attribute of the config that names the activation function
    input: str  # attribute of the layer's `mlp`: input projection, beside the gate where there is one
    function: str  # attribute of the layer's `mlp`: the activation function itself
    before: tuple[
        str, ...
    ]  # attributes of the layer, the first that is there: the norm that the MLP reads through
    final: str  # attribute of the decoder: the norm before the output head
    gain_from_one: bool = False  # the norm multiplies by 1 + weight
    after: str | None = None  # attribute of the layer, where it is there: a norm of what the MLP writes


FAMILIES = (
    Family("gpt2", ("gpt2",), "h", "c_proj", None, "activation_function", "c_fc", "act", ("ln_2",), "ln_f"),
    Family(
        "gpt_neox",
        ("gpt_neox",),
        "layers",
        "dense_4h_to_h",
        None,
        "hidden_act",
        "dense_h_to_4h",
        "act",
        ("post_attention_layernorm",),
        "final_layer_norm",
    ),
    Family(
        "llama",
        ("llama", "mistral", "qwen2", "qwen3", "smollm3"),
        "layers",
        "down_proj",
        "gate_proj",
        "hidden_act",
        "up_proj",
        "act_fn",
        ("post_attention_layernorm",),
        "norm",
    ),
    Family(
        "gemma",
        ("gemma", "gemma2", "gemma3", "gemma3_text"),
        "layers",
        "down_proj",
        "gate_proj",
        "hidden_activation",
        "up_proj",
        "act_fn",
        ("pre_feedforward_layernorm", "post_attention_layernorm"),
        "norm",
        gain_from_one=True,
        after="post_feedforward_layernorm",
    ),
)
KNOWN = "GPT-2, GPT-NeoX/Pythia, Llama/Mistral/Qwen2/Qwen3/SmolLM, Gemma 1/2/3"


def family_of(config: Any) -> Family:
    """The family that a transformers config belongs to; ModelError that names the families for any other."""
    kind = str(getattr(config, "model_type", ""))
    for family in FAMILIES:
        if kind in family.kinds:
            return family
    raise ModelError(f"Models of type “{kind}” are not supported; supported families are {KNOWN}.")


def text_config(config: Any) -> Any:
    """The part of a config that describes the language model (Gemma 3 nests it beside a vision part)."""
    return config.get_text_config(decoder=True)


def decoder(model: nn.Module) -> nn.Module:
    """The stack of layers without the output head: calling it costs no lm_head."""
    get: Callable[[], nn.Module] = model.get_decoder  # type: ignore[assignment]
    return get()


def activation_name(family: Family, config: Any) -> str:
    """The name of the MLP's activation function, such as gelu_new or silu."""
    own = text_config(config)
    name = getattr(own, family.activation, None) or getattr(own, "hidden_act", None)
    if not isinstance(name, str):
        raise ModelError(f"The config of this {family.name} model does not name its activation function.")
    return name


def mlp_sites(model: nn.Module, family: Family) -> list[MlpSite]:
    """The MLPs of all layers in order. Raises ModelError when the model is not built as its family is."""
    sites: list[MlpSite] = []
    try:
        for block in getattr(decoder(model), family.blocks):
            output = getattr(block.mlp, family.output)
            gate = None if family.gate is None else getattr(block.mlp, family.gate)
            sites.append(MlpSite(output, gate, input_width(output)))
    except AttributeError as error:
        raise ModelError(
            f"This model says that it is {family.name}, but its layers are built otherwise ({error})."
        ) from error
    return sites


def mlp_path(model: nn.Module, family: Family, layer: int) -> MlpPath:
    """The path through one layer's MLP. Raises ModelError when the model is not built as its family is."""
    try:
        stack = decoder(model)
        block = getattr(stack, family.blocks)[layer]
        before = next(name for name in family.before if hasattr(block, name))
        return MlpPath(
            getattr(block, before),
            getattr(block.mlp, family.input),
            None if family.gate is None else getattr(block.mlp, family.gate),
            getattr(block.mlp, family.function),
            getattr(block.mlp, family.output),
            None if family.after is None else getattr(block, family.after, None),
            getattr(stack, family.final),
        )
    except (AttributeError, StopIteration) as error:
        raise ModelError(
            f"This model says that it is {family.name}, but its layers are built otherwise ({error})."
        ) from error


def input_width(projection: nn.Module) -> int:
    """How many values enter a projection: nn.Linear stores [out, in], GPT-2's Conv1D [in, out]."""
    if isinstance(projection, nn.Linear):
        return projection.in_features
    weight = projection.weight
    assert isinstance(weight, nn.Parameter)
    return int(weight.shape[0])
