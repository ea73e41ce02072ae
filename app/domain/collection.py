"""What a collection hands to the store."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from app.domain.neurons import Bool, Float32, Float64, Int32, UInt8


@dataclass(frozen=True)
class Document:
    """One document of a corpus."""

    ordinal: int
    name: str  # shown to people, such as "SOTU 1862, Abraham Lincoln"
    source: str  # package, file or data set it came from
    text_hash: str  # sha256 of its UTF-8 text
    cluster: str  # hash of the text of its near-duplicate cluster
    split: int  # Split


@dataclass(frozen=True, eq=False)
class ExcerptTable:
    """All excerpts of one model's corpus, in ordinal order. E excerpts of T tokens."""

    tokens: Int32  # [E, T]
    documents: Int32  # [E] ordinal of the document
    splits: UInt8  # [E] Split
    starts: Int32  # [E] index of the first token within its document


@dataclass(frozen=True)
class ModelCard:
    """The subject model, as found."""

    name: str  # as people call it, such as "SmolLM2-135M-Instruct"
    slug: str
    source: str  # hub name, folder or package it came from
    revision: str  # hub commit, or sha256 of the weights file
    family: str  # gpt2, gpt_neox, llama, gemma…
    layers: int
    neurons_per_layer: int
    gated: bool
    activation: str  # gelu_new, silu…
    bos: int | None  # token id prepended to every excerpt, or None
    parameters: int
    dtype: str


@dataclass(frozen=True, eq=False)
class LayerResult:
    """Everything that one collection learnt of one layer. N neurons, R slots, T tokens, B bins.

    Slots follow `Profile.slots()`; an unfilled slot has excerpt -1 and zero activations.
    """

    layer: int
    slug: str  # such as "8-mlp"
    kinds: UInt8  # [R]
    splits: UInt8  # [R]
    excerpts: Int32  # [N, R] excerpt ordinals, -1 unfilled
    activations: Float32 | NDArray[np.float16]  # [N, R, T]
    gates: UInt8 | None  # [N, R, T/8] packed bits, big-endian as np.packbits: 1 = gate positive
    mean: Float64  # [N]
    variance: Float64  # [N]
    skewness: Float64  # [N]
    kurtosis: Float64  # [N]
    maximum: Float32  # [N]
    minimum: Float32  # [N]
    density: Float32  # [N]
    explain_maximum: Float32  # [N]
    explain_minimum: Float32  # [N]
    token_q99: Float32  # [N]
    token_q01: Float32  # [N]
    excerpt_max_q99: Float32  # [N]
    histogram_low: Float32  # [N]
    histogram_high: Float32  # [N]
    histogram: NDArray[np.uint32]  # [N, B]
    sign_shares: Float32 | None  # [N, 4] shares of (gate,input) ++ +- -+ --
    position0: Bool  # [N] True where position 0 was found an outlier and left out
    band_excerpts: NDArray[np.uint32]  # [N, 4] excerpts of the score split whose maximum lies in Q1..Q4
    n_tokens: int
    n_sampled: int

    @property
    def neurons(self) -> int:
        return len(self.mean)
