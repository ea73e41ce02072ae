"""The live model: what chosen neurons of one layer do on texts that nobody stored."""

from collections.abc import Callable, Sequence
from contextlib import suppress

import torch
from torch import Tensor, nn

from app.domain.neurons import Float32
from app.errors import BadInput, ModelError
from app.subject.families import text_config
from app.subject.load import Subject

BATCH_TOKENS = 4096  # of padded texts in one forward pass


class _Enough(Exception):
    """The layer has given its neurons; what the model would do next is of no use."""


def activations(
    subject: Subject,
    layer: int,
    neurons: Sequence[int],
    tokens: Sequence[Sequence[int]],
    cancelled: Callable[[], bool] = lambda: False,
) -> list[Float32]:
    """Float32 [T, N] for each text of T tokens, as `SubjectService.activations` says.

    Texts of like length share a pass; shorter ones are padded at their end, which causal attention does not see.
    """
    check_neurons(subject, layer, neurons)
    site = subject.sites[layer].output
    longest = context_length(subject)
    for i, ids in enumerate(tokens):
        check_text(i, ids, longest, len(subject.vocabulary.pieces))
    order = sorted(range(len(tokens)), key=lambda i: len(tokens[i]))
    found: dict[int, Float32] = {}
    for batch in _batches([len(tokens[i]) for i in order]):
        if cancelled():
            raise ModelError("The request was cancelled.")
        members = [order[i] for i in batch]
        values = (
            _run(subject, site, [tokens[i] for i in members])[..., list(neurons)].cpu().numpy()
        )  # [B, T, N]
        for row, i in enumerate(members):
            found[i] = values[row, : len(tokens[i])].copy()
    return [found[i] for i in range(len(tokens))]


def context_length(subject: Subject) -> int:
    """How many tokens of a text the model can read, its BOS not counted."""
    config = text_config(subject.model.config)
    longest = getattr(config, "max_position_embeddings", None) or getattr(config, "n_positions", None)
    return (int(longest) if longest else 1 << 20) - (subject.card.bos is not None)


def check_neurons(subject: Subject, layer: int, neurons: Sequence[int]) -> None:
    """BadInput for a layer or neurons that the model does not have, or for no neurons."""
    sites = subject.sites
    if not 0 <= layer < len(sites):
        raise BadInput(f"{subject.card.name} has layers 0 to {len(sites) - 1}, and no layer {layer}.")
    width = sites[layer].neurons
    wrong = [n for n in neurons if not 0 <= n < width]
    if wrong or not neurons:
        said = f"no neuron {wrong[0]}" if wrong else "none were named"
        raise BadInput(f"Layer {layer} of {subject.card.name} has neurons 0 to {width - 1}: {said}.")


def check_text(i: int, ids: Sequence[int], longest: int, vocabulary: int) -> None:
    """BadInput for a text that the model cannot read; `i` counts texts from 0."""
    if not ids:
        raise BadInput(f"Text {i + 1} is empty: the model has nothing to read.")
    if len(ids) > longest:
        raise BadInput(f"Text {i + 1} has {len(ids)} tokens; the model reads {longest} at most.")
    if not 0 <= min(ids) <= max(ids) < vocabulary:
        raise BadInput(f"Text {i + 1} holds a token that the model's vocabulary does not have.")


def _batches(lengths: Sequence[int]) -> list[range]:
    """Runs of texts in rising order of length, each of at most BATCH_TOKENS when padded to its longest."""
    found: list[range] = []
    start = 0
    for i, length in enumerate(lengths):
        if i > start and (i + 1 - start) * length > BATCH_TOKENS:
            found.append(range(start, i))
            start = i
    return [*found, range(start, len(lengths))] if lengths else found


def _run(subject: Subject, site: nn.Module, texts: Sequence[Sequence[int]]) -> Tensor:
    """All neurons of the site, float32 [B, T, width], without the BOS; what lies behind a text's end means nothing."""
    skip = 0 if subject.card.bos is None else 1
    longest = max(len(ids) for ids in texts)
    ids = torch.zeros(len(texts), skip + longest, dtype=torch.long)  # [B, skip + T]
    if subject.card.bos is not None:
        ids[:, 0] = subject.card.bos
    for row, text in enumerate(texts):
        ids[row, skip : skip + len(text)] = torch.tensor(text)
    kept: list[Tensor] = []

    def keep(_: nn.Module, args: tuple[Tensor, ...]) -> None:
        kept.append(args[0][:, skip:].float())  # [B, T, width]
        raise _Enough

    handle = site.register_forward_pre_hook(keep)
    try:
        with torch.inference_mode(), suppress(_Enough):
            subject.decoder(input_ids=ids.to(subject.device), use_cache=False)
    finally:
        handle.remove()
    if not kept or not torch.isfinite(kept[0]).all():
        raise ModelError(f"{subject.card.name} gave values that are not finite.")
    return kept[0]
