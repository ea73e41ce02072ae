"""A tiny model of which one neuron is known: it fires on the digit 7 and on nothing else, whatever stands around it."""

from pathlib import Path
from typing import Any

TARGET = "7"
LAYER, NEURON = "0-mlp", 5


def save_planted(folder: Path) -> Path:
    """The model with its tokenizer, as Hugging Face saves them."""
    from tests.subject import tiny

    model, tokenizer = tiny.gpt2(), tiny.byte_level_tokenizer()
    plant(model, tokenizer.convert_tokens_to_ids(TARGET))
    place = folder / "tiny-planted"
    model.save_pretrained(place, safe_serialization=True)
    tokenizer.save_pretrained(place)
    return place


def plant(model: Any, token: int) -> None:
    """Make the neuron compare the token's own embedding with the target's: nothing else reaches its layer."""
    import torch

    with torch.no_grad():
        block = model.transformer.h[0]
        model.transformer.wpe.weight.zero_()
        block.attn.c_proj.weight.zero_()
        block.attn.c_proj.bias.zero_()
        block.ln_2.weight.fill_(1.0)
        block.ln_2.bias.zero_()
        read = block.ln_2(model.transformer.wte.weight)  # [V, width]
        likeness = read @ read[token]  # [V]
        top = likeness.topk(2).values
        gain = 8 / (top[0] - top[1])
        block.mlp.c_fc.weight[:, NEURON] = gain * read[token]
        block.mlp.c_fc.bias[NEURON] = -gain * top.mean()  # 4 on the target, -4 or less elsewhere
