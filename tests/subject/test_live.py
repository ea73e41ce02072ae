"""The live model: neurons on texts that nobody stored."""

import numpy as np
import pytest
import torch

from app.errors import BadInput
from app.subject import live
from app.subject.live import activations, context_length
from tests.subject.small import small


@pytest.mark.parametrize("family", ["gpt2", "llama", "gpt_neox", "gemma2"])
def test_every_text_gives_what_it_gives_alone(family: str, monkeypatch: pytest.MonkeyPatch) -> None:
    subject = small(family)
    rng = np.random.default_rng(0)
    texts = [rng.integers(5, 200, n).tolist() for n in (7, 1, 30, 7, 12)]
    layer = len(subject.sites) - 1
    monkeypatch.setattr(live, "BATCH_TOKENS", 24)  # texts of different lengths share passes, and need several
    found = activations(subject, layer, [3, 0], texts)
    for text, values in zip(texts, found, strict=True):
        kept: list[torch.Tensor] = []
        handle = subject.sites[layer].output.register_forward_pre_hook(
            lambda _, args, k=kept: k.append(args[0])
        )
        bos = [] if subject.card.bos is None else [subject.card.bos]
        with torch.inference_mode():
            subject.model(input_ids=torch.tensor([bos + text]))
        handle.remove()
        expected = kept[0][0, len(bos) :, [3, 0]].numpy()
        assert values.shape == (len(text), 2)
        np.testing.assert_allclose(values, expected, atol=1e-5)


def test_what_cannot_be_asked_is_said_in_a_sentence() -> None:
    subject = small("llama")
    with pytest.raises(BadInput, match=r"Text 2 is empty"):
        activations(subject, 0, [0], [[5], []])
    with pytest.raises(BadInput, match=r"no layer 99"):
        activations(subject, 99, [0], [[5]])
    with pytest.raises(BadInput, match=r"no neuron -1"):
        activations(subject, 0, [-1], [[5]])
    with pytest.raises(BadInput, match=r"vocabulary does not have"):
        activations(subject, 0, [0], [[10_000_000]])
    with pytest.raises(BadInput, match=r"reads \d+ at most"):
        activations(subject, 0, [0], [[5] * (context_length(subject) + 1)])
    assert activations(subject, 0, [0], []) == []
