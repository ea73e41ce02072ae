"""What a neuron's weights alone say of single tokens."""

from dataclasses import dataclass

import numpy as np

from app.domain.neurons import Float32, Int32


@dataclass(frozen=True, eq=False)
class TokenWeights:
    """N neurons by the V tokens of the vocabulary (BILLS, "Token-weight-based" lookups and baselines).

    Ungated: `input` is `wte[t] . diag(ln.g) . W_in[:, n]`, linear in the embedding and without bias or division by its norm;
    `gate` and `up` are None. Gated MLPs have two input weights and no published counterpart: `gate` and `up` are the same
    linear products with each of them, and `input` is an estimate of ours, `act(x_t . gate_n) * (x_t . up_n)` with x_t the
    token's embedding after the MLP's norm: what the neuron would give were the embedding all that its layer reads. Neither
    sees attention, positions or what earlier layers write.

    `output` is `W_out[n] . diag(ln_f.g) . unembedding[t]`: how much each logit rises per unit of the neuron, before
    the final norm's division. Where a norm follows the MLP (Gemma 2 and 3), its gain is part of it.
    """

    input: Float32  # [N, V]
    output: Float32  # [N, V]
    gate: Float32 | None = None  # [N, V]
    up: Float32 | None = None  # [N, V]

    @property
    def ids(self) -> Int32:
        """Vocabulary ids [V] of the columns."""
        return np.arange(self.input.shape[1], dtype=np.int32)

    @property
    def input_kind(self) -> str:
        """What `input` is, as provenances say it."""
        return (
            "estimate for gated MLPs: act(x_t . gate) * (x_t . up)"
            if self.gated
            else "linear: wte[t] . diag(ln.g) . W_in"
        )

    @property
    def gated(self) -> bool:
        """Whether `input` is the estimate for gated MLPs and not a linear weight."""
        return self.gate is not None
