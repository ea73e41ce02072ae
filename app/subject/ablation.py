"""What becomes of the model's predictions when one neuron is given other values.

BILLS, "Scoring explanations by ablating the neuron": the neuron's value is set at every position of a text, and the
next-token distributions are held against those of the model as it is by their Jensen-Shannon divergence.
"""

from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor, nn

from app.domain.neurons import Float32, Int32
from app.errors import BadInput, ModelError
from app.subject.families import text_config
from app.subject.live import check_neurons, check_text, context_length
from app.subject.load import Subject

BATCH_TOKENS = 2048  # of texts in one forward pass
LOGITS_AT_ONCE = 1 << 23  # tokens x vocabulary: 32 MB a tensor, of which five are alive at once
_SMALL = 0.05  # below it the series loses no digit that float32 has


def divergences(
    subject: Subject,
    layer: int,
    neuron: int,
    tokens: Int32,
    replacements: Sequence[Float32],
    cancelled: Callable[[], bool] = lambda: False,
) -> Float32:
    """Float32 [K, R, T] for texts [R, T] and K replacements [R, T], as `SubjectService.divergences` says."""
    check_neurons(subject, layer, [neuron])
    if tokens.ndim != 2 or any(values.shape != tokens.shape for values in replacements):
        raise BadInput("A replacement needs a value for every token of every text.")
    if any(np.isinf(values).any() for values in replacements):
        raise BadInput("A neuron cannot be set to an infinite value.")
    for i, ids in enumerate(tokens.tolist()):
        check_text(i, ids, context_length(subject), len(subject.vocabulary))
    found = np.zeros((len(replacements), *tokens.shape), np.float32)  # [K, R, T]
    if not len(replacements):
        return found
    head = _Head(subject)
    rows = max(1, BATCH_TOKENS // max(1, tokens.shape[1]))
    for start in range(0, len(tokens), rows):
        here = slice(start, start + rows)
        _go_on(cancelled)
        runs = []  # K + 1 of [B, T, D], the model as it is first
        for values in (None, *replacements):
            _go_on(cancelled)
            given = None if values is None else values[here]
            runs.append(_hidden(subject, layer, neuron, tokens[here], given))
        found[:, here] = head.divergences(torch.stack(runs), cancelled)
    return found


def jensen_shannon(p: Tensor, q: Tensor) -> Tensor:
    """Jensen-Shannon divergence in nats of distributions [..., V] -> [...], exact to float32 also where they hardly differ.

    With m = (p + q) / 2 and x = (p - q) / (p + q) it is sum(m * ((1 + x) ln(1 + x) + (1 - x) ln(1 - x))) / 2, in which no
    term is negative, so that nothing cancels; near 0 a term is x^2 + x^4 / 6 + x^6 / 15 + ...
    """
    total = p + q  # [..., V]
    x = torch.where(total > 0, (p - q) / total, 0.0)  # [..., V] in -1..1
    squared = x * x
    near = squared * (1 + squared / 6 + squared * squared / 15)
    far = torch.xlogy(1 + x, 1 + x) + torch.xlogy(1 - x, 1 - x)
    return (total * torch.where(x.abs() < _SMALL, near, far)).sum(-1) / 4


class _Head:
    """From hidden states after the last norm to next-token distributions, a few tokens at a time."""

    def __init__(self, subject: Subject) -> None:
        head = subject.model.get_output_embeddings()  # type: ignore[operator]
        if head is None:
            raise ModelError(f"{subject.card.name} has no output head: it predicts nothing to compare.")
        self.name = subject.card.name
        # In half precision the divergences of a single neuron would be lost.
        self.weight: Tensor = head.weight.float()  # [V, D]
        bias = getattr(head, "bias", None)
        self.bias: Tensor | None = None if bias is None else bias.float()  # [V]
        # Gemma 2 squeezes its logits into ±cap.
        self.cap: float | None = getattr(text_config(subject.model.config), "final_logit_softcapping", None)

    def divergences(self, runs: Tensor, cancelled: Callable[[], bool]) -> Float32:
        """Float32 [K, B, T] of each but the first from the first: hidden states [K + 1, B, T, D]."""
        k, b, t, width = runs.shape
        flat = runs.reshape(k, b * t, width)  # [K + 1, B * T, D]
        step = max(1, LOGITS_AT_ONCE // len(self.weight))
        parts: list[Tensor] = []
        with torch.inference_mode():
            for start in range(0, b * t, step):
                _go_on(cancelled)
                p = self._softmax(flat[0, start : start + step])  # [C, V]
                each = [jensen_shannon(p, self._softmax(run[start : start + step])) for run in flat[1:]]
                parts.append(torch.stack(each).cpu())  # [K, C]
        values: Float32 = torch.cat(parts, 1).reshape(k - 1, b, t).numpy()
        if not np.isfinite(values).all():
            raise ModelError(f"{self.name} gave predictions that are not finite.")
        return values

    def _softmax(self, hidden: Tensor) -> Tensor:
        logits = nn.functional.linear(hidden.float(), self.weight, self.bias)  # [C, V]
        if self.cap:
            logits = torch.tanh(logits / self.cap) * self.cap
        return torch.softmax(logits, -1)


def _hidden(subject: Subject, layer: int, neuron: int, tokens: Int32, values: Float32 | None) -> Tensor:
    """Hidden states [B, T, D] after the last norm, with the neuron set to values [B, T] where they are no NaN."""
    skip = 0 if subject.card.bos is None else 1
    ids = torch.from_numpy(tokens.astype(np.int64))  # [B, T]
    if subject.card.bos is not None:
        ids = torch.cat([torch.full((len(ids), 1), subject.card.bos), ids], 1)  # [B, 1 + T]
    given = None if values is None else torch.from_numpy(values).to(subject.device)  # [B, T]

    def put(_: nn.Module, args: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        assert given is not None
        neurons = args[0].clone()  # [B, skip + T, N]
        own = neurons[:, skip:, neuron]  # [B, T]
        neurons[:, skip:, neuron] = torch.where(given.isnan(), own, given.to(own.dtype))
        return (neurons, *args[1:])

    handle = None if given is None else subject.sites[layer].output.register_forward_pre_hook(put)
    try:
        with torch.inference_mode():
            out = subject.decoder(input_ids=ids.to(subject.device), use_cache=False)
    finally:
        if handle is not None:
            handle.remove()
    hidden: Tensor = out.last_hidden_state[:, skip:]  # [B, T, D]
    return hidden


def _go_on(cancelled: Callable[[], bool]) -> None:
    if cancelled():
        raise ModelError("The request was cancelled.")
