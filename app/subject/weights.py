"""A neuron's weights against every token: which tokens switch it on, and which it promotes.

BILLS, "Neuron-neuron and token-neuron connections": token in `wte[t] . diag(ln_2.g) . W_in[:, n]`, token out
`W_out[n] . diag(ln_f.g) . wte[t]`, the unembedding where it is not tied. The meaning of each array is with
`TokenWeights`.
"""

from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor, nn

from app.domain.neurons import Float32
from app.domain.token_weights import TokenWeights
from app.errors import BadInput, ModelError
from app.subject.families import MlpPath, mlp_path
from app.subject.live import check_neurons
from app.subject.load import Subject

TOKENS_AT_ONCE = 8192  # of the vocabulary, as float32 embeddings
MOST_VALUES = 1 << 27  # neurons x tokens in one answer: half a gigabyte an array


def token_weights(
    subject: Subject,
    layer: int,
    neurons: Sequence[int],
    cancelled: Callable[[], bool] = lambda: False,
) -> TokenWeights:
    """Every token's weights, as `SubjectService.token_weights` says. V is the length of the vocabulary."""
    check_neurons(subject, layer, neurons)
    size = len(subject.vocabulary)
    if len(neurons) * size > MOST_VALUES:
        raise BadInput(
            f"{len(neurons)} neurons by {size} tokens are too many at once; ask for {MOST_VALUES // size} at most."
        )
    path = mlp_path(subject.model, subject.family, layer)
    table, head = _embeddings(subject)
    one = subject.family.gain_from_one
    into = _columns(path.input, neurons)  # [N, D]
    gate = None if path.gate is None else _columns(path.gate, neurons)  # [N, D]
    reads = _gain(path.before, one)  # [D]
    writes = _rows(path.output, neurons)  # [N, D]
    if path.after is not None:
        writes = writes * _gain(path.after, one)  # [N, D]
    writes = writes * _gain(path.final, one)  # [N, D]
    parts: list[tuple[Tensor, ...]] = []
    with torch.inference_mode():
        for start in range(0, size, TOKENS_AT_ONCE):
            if cancelled():
                raise ModelError("The request was cancelled.")
            ids = torch.arange(start, min(start + TOKENS_AT_ONCE, size), device=subject.device)  # [C]
            embedded = table(ids)  # [C, D] as the first layer reads it
            linear = (embedded.float() * reads) @ into.T  # [C, N]
            out = head[ids].float() @ writes.T  # [C, N]
            if gate is None:
                parts.append((linear, out))
            else:
                estimate = _gated(path, embedded, neurons)  # [C, N]
                parts.append((estimate, out, (embedded.float() * reads) @ gate.T, linear))
    arrays = [_whole(column) for column in zip(*parts, strict=True)]
    if not all(np.isfinite(array).all() for array in arrays):
        raise ModelError(f"The weights of {subject.card.name} give values that are not finite.")
    return TokenWeights(*arrays)


def _gated(path: MlpPath, embedded: Tensor, neurons: Sequence[int]) -> Tensor:
    """act(x . gate) * (x . up) [C, N] with x the normalised embedding [C, D], biases included where there are any."""
    assert path.gate is not None
    x = path.before(embedded).float()  # [C, D]
    gate = x @ _columns(path.gate, neurons).T + _bias(path.gate, neurons)  # [C, N]
    up = x @ _columns(path.input, neurons).T + _bias(path.input, neurons)  # [C, N]
    result: Tensor = path.function(gate) * up  # [C, N]
    return result


def _embeddings(subject: Subject) -> tuple[nn.Module, Tensor]:
    """The embedding, called with ids (Gemma's scales what it gives), and the unembedding matrix [V, D]."""
    model = subject.model
    table = model.get_input_embeddings()  # type: ignore[operator]
    head = model.get_output_embeddings()  # type: ignore[operator]
    if head is None:
        raise ModelError(f"{subject.card.name} has no output head, so that its neurons promote no tokens.")
    rows = min(len(table.weight), len(head.weight))
    if rows < len(subject.vocabulary):
        raise ModelError(
            f"The tokenizer of {subject.card.name} has {len(subject.vocabulary)} tokens, its embedding only {rows}."
        )
    return table, head.weight


def _columns(projection: nn.Module, neurons: Sequence[int]) -> Tensor:
    """What each neuron reads, float32 [N, D]: nn.Linear stores [out, in], GPT-2's Conv1D [in, out]."""
    weight: Tensor = projection.weight  # type: ignore[assignment]
    picked = weight[list(neurons)] if isinstance(projection, nn.Linear) else weight[:, list(neurons)].T
    return picked.float()


def _rows(projection: nn.Module, neurons: Sequence[int]) -> Tensor:
    """What each neuron writes, float32 [N, D]."""
    weight: Tensor = projection.weight  # type: ignore[assignment]
    picked = weight[:, list(neurons)].T if isinstance(projection, nn.Linear) else weight[list(neurons)]
    return picked.float()


def _bias(projection: nn.Module, neurons: Sequence[int]) -> Tensor | float:
    bias: Tensor | None = getattr(projection, "bias", None)
    return 0.0 if bias is None else bias[list(neurons)].float()  # [N]


def _gain(norm: nn.Module, from_one: bool) -> Tensor:
    """What a norm multiplies by, float32 [D]; its division and its bias are left out, as published."""
    weight: Tensor = norm.weight  # type: ignore[assignment]
    return weight.float() + (1.0 if from_one else 0.0)


def _whole(chunks: Sequence[Tensor]) -> Float32:
    """Chunks [C, N] of the vocabulary as one float32 [N, V]."""
    whole: Float32 = torch.cat([chunk.cpu() for chunk in chunks]).T.contiguous().numpy()
    return whole
