"""Small random models of several families with real tokenizers, for tests of the simulator."""

from typing import Any

import torch
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers
from transformers import (
    Gemma2Config,
    Gemma2ForCausalLM,
    Gemma3ForCausalLM,
    Gemma3TextConfig,
    GPT2Config,
    GPT2LMHeadModel,
    GPTNeoXConfig,
    GPTNeoXForCausalLM,
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedTokenizerFast,
    Qwen3Config,
    Qwen3ForCausalLM,
)

from app.domain.simulation_examples import simulation_examples
from app.subject.load import Subject, assemble

TEXT = [
    *(excerpt.text for example in simulation_examples(0) for excerpt in example.excerpts),
    *(example.explanation for example in simulation_examples(0)),
    "the main thing this neuron does is find unknown levels from 0-10,10:10\t10\n\t10\n\tunknown\n\tunknown\n",
    "A neuron of a language model answers to something in the text that the model reads, a token a line.",
]
CONTEXT = 8192


def byte_level(split_digits: bool = False) -> Any:
    """Byte-level BPE as in GPT-2 (writes 10 as one token) or, with split digits, as in SmolLM2 and Qwen."""
    tokenizer = Tokenizer(models.BPE())
    level = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.pre_tokenizer = (
        pre_tokenizers.Sequence([pre_tokenizers.Digits(individual_digits=True), level])
        if split_digits
        else level
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=600,
        special_tokens=["<|end|>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(TEXT * 3, trainer)
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, bos_token="<|end|>", eos_token="<|end|>")


def sentencepiece_like(
    letters: str = "abcdefghijklmnopqrstuvwxyzN0123456789:", byte_tokens: bool = True
) -> Any:
    """As Llama 2 does it: a space is put before every text, unknown characters become byte tokens."""
    names = ["<unk>", "<s>"] + [f"<0x{b:02X}>" for b in range(256) if byte_tokens] + ["\u2581", *letters]
    merges = [("u", "n"), ("k", "n"), ("\u2581", "t"), ("\u2581", "un"), ("un", "kn")]
    names += [a + b for a, b in merges]
    vocabulary = {name: i for i, name in enumerate(names)}
    tokenizer = Tokenizer(
        models.BPE(vocabulary, merges, unk_token="<unk>", byte_fallback=byte_tokens, fuse_unk=True)
    )
    tokenizer.normalizer = normalizers.Sequence(
        [normalizers.Prepend("\u2581"), normalizers.Replace(" ", "\u2581")]
    )
    tokenizer.decoder = decoders.Sequence(
        [decoders.Replace("\u2581", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    )
    tokenizer.add_special_tokens(["<unk>", "<s>"])
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, bos_token="<s>", unk_token="<unk>")


def _llama(vocabulary: int, context: int) -> Any:
    return LlamaForCausalLM(
        LlamaConfig(
            vocab_size=vocabulary, hidden_size=32, intermediate_size=48, num_hidden_layers=3,
            num_attention_heads=4, num_key_value_heads=2, max_position_embeddings=context, initializer_range=0.4,
        )
    )  # fmt: skip


def _gpt2(vocabulary: int, context: int) -> Any:
    return GPT2LMHeadModel(
        GPT2Config(
            vocab_size=vocabulary, n_embd=32, n_layer=3, n_head=4, n_positions=context, initializer_range=0.3
        )
    )


def _gpt_neox(vocabulary: int, context: int) -> Any:
    return GPTNeoXForCausalLM(
        GPTNeoXConfig(
            vocab_size=vocabulary, hidden_size=32, intermediate_size=48, num_hidden_layers=2,
            num_attention_heads=4, max_position_embeddings=context, initializer_range=0.3,
        )
    )  # fmt: skip


def _qwen3(vocabulary: int, context: int) -> Any:
    return Qwen3ForCausalLM(
        Qwen3Config(
            vocab_size=vocabulary, hidden_size=32, intermediate_size=48, num_hidden_layers=2, head_dim=8,
            num_attention_heads=4, num_key_value_heads=2, max_position_embeddings=context, initializer_range=0.3,
        )
    )  # fmt: skip


def _gemma2(vocabulary: int, context: int) -> Any:
    """With squeezed logits, and a window much shorter than the prompt in every other layer."""
    return Gemma2ForCausalLM(
        Gemma2Config(
            vocab_size=vocabulary, hidden_size=32, intermediate_size=48, num_hidden_layers=4, head_dim=8,
            num_attention_heads=4, num_key_value_heads=2, max_position_embeddings=context, initializer_range=0.3,
            sliding_window=48, final_logit_softcapping=3.0, attn_implementation="eager",
        )
    )  # fmt: skip


def _gemma3(vocabulary: int, context: int) -> Any:
    return Gemma3ForCausalLM(
        Gemma3TextConfig(
            vocab_size=vocabulary, hidden_size=32, intermediate_size=48, num_hidden_layers=6, head_dim=8,
            num_attention_heads=4, num_key_value_heads=1, max_position_embeddings=context, initializer_range=0.3,
            sliding_window=48,
        )
    )  # fmt: skip


MODELS = {
    "llama": _llama,
    "gpt2": _gpt2,
    "gpt_neox": _gpt_neox,
    "qwen3": _qwen3,
    "gemma2": _gemma2,
    "gemma3": _gemma3,
}


def small(family: str, tokenizer: Any = None, context: int = CONTEXT) -> Subject:
    """A random model of this family in float32, the same one every time."""
    torch.manual_seed(7)
    tokenizer = tokenizer or byte_level()
    model = MODELS[family](len(tokenizer), context)
    return assemble(model, tokenizer, name=f"random-{family}", source="random", revision="seed 7")
