"""Predictions with a neuron set by hand, against the model run by hand; a planted neuron."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from app.domain.ablation import calibration_of, jsd, replacements, score
from app.domain.calibration import Calibration
from app.domain.explanations import Protocol, Sample
from app.domain.neurons import Polarity, Records, Split
from app.errors import BadInput, ModelError
from app.subject import ablation
from app.subject.ablation import divergences, jensen_shannon
from app.subject.live import activations
from app.subject.load import Subject
from tests.domain.test_ablation import STATS
from tests.subject.small import small
from tests.subject.tiny import sentencepiece_tokenizer

POSITIVE = Polarity.POSITIVE


def texts(subject: Subject, rows: int = 3, length: int = 9) -> np.ndarray[Any, np.dtype[np.int32]]:
    return np.random.default_rng(5).integers(5, 150, (rows, length)).astype(np.int32)


def by_hand(subject: Subject, layer: int, neuron: int, ids: list[int], values: np.ndarray[Any, Any]) -> Any:
    """JSD at every token of one text, in float64 from the model's own logits."""
    bos = [] if subject.card.bos is None else [subject.card.bos]
    model: Any = subject.model

    def put(_: Any, args: Any) -> Any:
        changed = args[0].clone()
        for t, value in enumerate(values):
            if not np.isnan(value):
                changed[0, len(bos) + t, neuron] = float(value)
        return (changed,)

    def run() -> Any:
        with torch.inference_mode():
            logits = model(input_ids=torch.tensor([bos + ids])).logits[0, len(bos) :].double()
        return torch.softmax(logits, -1).numpy()

    intact = run()
    handle = subject.sites[layer].output.register_forward_pre_hook(put)
    changed = run()
    handle.remove()
    return jsd(intact, changed)


@pytest.mark.parametrize("family", ["gpt2", "llama", "gpt_neox", "gemma2", "bos"])
def test_equals_the_model_run_by_hand(family: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """In passes of several texts and few tokens' logits at a time; `bos` is a Llama with a BOS before every text."""
    subject = small("llama", sentencepiece_tokenizer()) if family == "bos" else small(family)
    assert (subject.card.bos is not None) == (family == "bos")
    monkeypatch.setattr(ablation, "BATCH_TOKENS", 20)
    monkeypatch.setattr(ablation, "LOGITS_AT_ONCE", 5 * len(subject.vocabulary))
    layer, tokens = 1, texts(subject)
    one = np.random.default_rng(0).normal(0, 3, tokens.shape).astype(np.float32)
    one[:, 0] = np.nan
    found = divergences(subject, layer, 7, tokens, [one, np.zeros_like(one)])
    assert found.shape == (2, *tokens.shape) and found.dtype == np.float32
    for k, values in enumerate((one, np.zeros_like(one))):
        for r, ids in enumerate(tokens.tolist()):
            np.testing.assert_allclose(
                found[k, r], by_hand(subject, layer, 7, ids, values[r]), rtol=1e-3, atol=1e-9
            )
    assert found[0, :, 1:].max() > 1e-6
    assert (found[0, :, 0] == 0).all()  # left as it is, and nothing before it was changed


@pytest.mark.parametrize("family", ["gpt2", "llama"])
def test_a_neuron_set_to_its_own_values_changes_nothing(family: str) -> None:
    subject = small(family)
    tokens = texts(subject)
    own = np.stack([values[:, 0] for values in activations(subject, 1, [7], tokens.tolist())])  # [R, T]
    found = divergences(
        subject, 1, 7, tokens, [own, np.full_like(own, np.nan), np.full_like(own, own.mean())]
    )
    assert found[0].max() < 1e-9 and (found[1] == 0).all()
    assert found[2].mean() > 1e3 * max(found[0].max(), 1e-12)


@pytest.mark.parametrize("family", ["gpt2", "llama"])
def test_of_a_planted_explanation_the_truth_scores_1_and_the_mean_0(family: str) -> None:
    """The truth on the 0-10 scale comes back through the calibration; half of it lies between, its reverse far below."""
    subject, neuron = small(family), 7
    tokens = texts(subject, 12, 16)
    own = np.stack([values[:, 0] for values in activations(subject, 1, [neuron], tokens.tolist())])  # [R, T]
    stats = replace(STATS, mean=float(own.mean()), token_q99=float(np.quantile(own, 0.9)))
    rows = np.arange(12, dtype=np.int32)
    kinds, splits = np.zeros(12, np.uint8), np.full(12, Split.SCORE, np.uint8)
    held = Records(rows, rows, kinds, splits, tokens, own, None)
    strata = (rows % 2).astype(np.int32)

    def scored(predicted: np.ndarray[Any, Any]) -> dict[Sample, float | None]:
        line = calibration_of(
            held, (10 * (own - own.min()) / np.ptp(own)).astype(np.float32), POSITIVE, stats
        )
        assert isinstance(line, Calibration)
        given, mean = replacements(predicted.astype(np.float32), line, POSITIVE, stats)
        found = divergences(subject, 1, neuron, tokens, [given, mean])
        protocol = Protocol.HELDOUT_FULL
        values = score(held, strata, found[0], found[1], protocol, POSITIVE, stats, 0, {})
        return {value.sample: value.value for value in values}

    truth = 10 * (own - own.min()) / np.ptp(own)
    for sample, value in scored(truth).items():
        assert value == pytest.approx(1, abs=1e-3), sample
    for sample, value in scored(np.full_like(truth, truth.mean())).items():
        assert value == pytest.approx(0, abs=1e-3), sample
    half = scored((truth + truth.mean()) / 2)[Sample.TOP_AND_RANDOM]
    reverse = scored(2 * truth.mean() - truth)[Sample.TOP_AND_RANDOM]
    assert half is not None and 0.5 < half < 0.9 and reverse is not None and reverse < -1


def test_small_differences_keep_their_digits_in_float32() -> None:
    """The plain formula in float32 loses everything here."""
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(4, 50_000, generator=generator, dtype=torch.float64) * 3
    for size in (1e-4, 1e-2, 1.0):
        other = logits + size * torch.randn(4, 50_000, generator=generator, dtype=torch.float64)
        p, q = torch.softmax(logits, -1), torch.softmax(other, -1)
        np.testing.assert_allclose(jensen_shannon(p.float(), q.float()), jsd(p.numpy(), q.numpy()), rtol=5e-3)
    apart = torch.tensor([[1.0, 0.0, 0.0], [0.5, 0.5, 0.0]]), torch.tensor([[0.0, 1.0, 0.0], [0.5, 0.5, 0.0]])
    np.testing.assert_allclose(jensen_shannon(*apart), [np.log(2), 0.0], rtol=1e-6)


def test_what_cannot_be_asked_is_said_in_a_sentence() -> None:
    subject = small("gpt2")
    tokens = texts(subject)
    values = np.zeros(tokens.shape, np.float32)
    with pytest.raises(BadInput, match="no layer 9"):
        divergences(subject, 9, 0, tokens, [values])
    with pytest.raises(BadInput, match="every token of every text"):
        divergences(subject, 0, 0, tokens, [values[:2]])
    with pytest.raises(BadInput, match="infinite"):
        divergences(subject, 0, 0, tokens, [values + np.inf])
    with pytest.raises(BadInput, match="vocabulary does not have"):
        divergences(subject, 0, 0, tokens + 10_000, [values])
    with pytest.raises(ModelError, match="cancelled"):
        divergences(subject, 0, 0, tokens, [values], lambda: True)
