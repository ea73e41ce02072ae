"""Small random models, tokenizers and corpora, made on the spot: nothing is downloaded."""

import random
from typing import Any

import numpy as np
import torch
from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors
from transformers import AutoModelForCausalLM, GPT2Config, LlamaConfig, PreTrainedTokenizerFast

from app.domain.collection import ExcerptTable
from app.domain.neurons import Split
from app.subject.load import Subject, assemble
from app.subject.vocabulary import byte_of_char

WORDS = (
    "the",
    "cat",
    "sat",
    "on",
    "a",
    "mat",
    "while",
    "two",
    "dogs",
    "ran",
    "over",
    "some",
    "old",
    "bridge",
    "in",
)


def byte_level_tokenizer() -> PreTrainedTokenizerFast:
    """GPT-2's scheme: 256 byte tokens, a few merges, a special token that is named as BOS but not prepended."""
    vocab = {char: i for i, char in enumerate(sorted(byte_of_char(), key=lambda c: byte_of_char()[c]))}
    merges: list[tuple[str, str]] = []
    for left, right in [
        ("t", "h"),
        ("th", "e"),
        ("\u0120", "the"),
        ("a", "n"),
        ("an", "d"),
        ("\u00c3", "\u00a9"),
    ]:
        vocab[left + right] = len(vocab)
        merges.append((left, right))
    core = Tokenizer(models.BPE(vocab=vocab, merges=merges))
    core.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    core.decoder = decoders.ByteLevel()
    core.add_special_tokens([AddedToken("<|endoftext|>", special=True)])
    core.add_tokens([AddedToken("\n\n\u00e9", special=False)])
    return PreTrainedTokenizerFast(
        tokenizer_object=core, bos_token="<|endoftext|>", eos_token="<|endoftext|>"
    )


def sentencepiece_tokenizer(bos: bool = True) -> PreTrainedTokenizerFast:
    """Llama 2's and Gemma's scheme: spaces as U+2581, byte fallback, BOS added by the tokenizer itself."""
    tokens = ["<unk>", "<s>", "</s>", *(f"<0x{b:02X}>" for b in range(256))]
    tokens += ["\u2581", *"abcdefghijklmnopqrstuvwxyz", "\u2581t", "\u2581th", "\u2581the", "\u00e9"]
    vocab = {token: i for i, token in enumerate(tokens)}
    merges = [("\u2581", "t"), ("\u2581t", "h"), ("\u2581th", "e")]
    core = Tokenizer(
        models.BPE(vocab=vocab, merges=merges, unk_token="<unk>", byte_fallback=True, fuse_unk=True)
    )
    core.normalizer = normalizers.Replace(" ", "\u2581")
    core.decoder = decoders.Sequence(
        [decoders.Replace("\u2581", " "), decoders.ByteFallback(), decoders.Fuse()]
    )
    core.add_special_tokens([AddedToken(t, special=True) for t in ("<unk>", "<s>", "</s>")])
    core.add_tokens([AddedToken("\u2581\u2581\u2581", special=False, normalized=True)])
    if bos:
        core.post_processor = processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 1)])
    return PreTrainedTokenizerFast(
        tokenizer_object=core, bos_token="<s>", eos_token="</s>", unk_token="<unk>"
    )


def gpt2(seed: int = 0) -> Any:
    """Two layers of 32 neurons, GELU."""
    torch.manual_seed(seed)
    sizes = {"vocab_size": 300, "n_embd": 16, "n_inner": 32, "n_layer": 2, "n_head": 2, "n_positions": 128}
    model = AutoModelForCausalLM.from_config(GPT2Config(**sizes, bos_token_id=0, eos_token_id=0))
    return spread(model)


def llama(seed: int = 0) -> Any:
    """Two layers of 28 neurons (not a multiple of 8), gated."""
    torch.manual_seed(seed)
    sizes = {"vocab_size": 320, "hidden_size": 16, "intermediate_size": 28, "num_hidden_layers": 2}
    heads = {"num_attention_heads": 2, "num_key_value_heads": 1}
    return spread(AutoModelForCausalLM.from_config(LlamaConfig(**sizes, **heads)))


def spread(model: Any) -> Any:
    """Random weights large enough that neurons differ."""
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if parameter.dim() == 2:
                parameter.normal_(0, 0.5 if "emb" not in name and "wte" not in name else 1.0)
    return model.eval()


def subject(kind: str, seed: int = 0) -> Subject:
    """`gpt2` without BOS, `llama` with one."""
    made = (
        (gpt2(seed), byte_level_tokenizer()) if kind == "gpt2" else (llama(seed), sentencepiece_tokenizer())
    )
    return assemble(*made, name=f"tiny-{kind}", source=f"tests:{kind}", revision="0")


def table(excerpts: int, seed: int = 0, tokens: int = 64, vocabulary: int = 256) -> ExcerptTable:
    """Random excerpts, three a document, with one text repeated in every split so that maxima tie."""
    rng = np.random.default_rng(seed)
    ids = rng.integers(3, vocabulary, (excerpts, tokens)).astype(np.int32)
    documents = (np.arange(excerpts) // 3).astype(np.int32)
    choices = np.array([Split.EXPLAIN, Split.EXPLAIN, Split.DEV, Split.SCORE], np.uint8)
    splits = choices[rng.integers(0, 4, documents[-1] + 1)][documents]
    ids[rng.integers(0, excerpts, excerpts // 6)] = ids[0]
    starts = (np.arange(excerpts) % 3 * tokens).astype(np.int32)
    return ExcerptTable(ids, documents, splits, starts)


def prose(words: int, seed: int) -> str:
    """Text of so many words."""
    rng = random.Random(seed)
    return " ".join(
        rng.choice(WORDS) + (str(rng.randrange(9999)) if rng.random() < 0.1 else "") for _ in range(words)
    )
