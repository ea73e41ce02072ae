"""The numpy MiniLM beside the one that it must equal, and without torch."""

import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from app.embed import local, minilm
from app.errors import BadInput, ModelError

needs_model = pytest.mark.skipif(local.embedder() is None, reason=f"{local.PACKAGE} is not installed")

TEXTS = (
    "words about rain and stone bridges",
    " references to the Canadian province of Ontario ",
    "a",
    "",
    "Déjà vu: naïve café, señor",
    "日本語のテキスト and 🧠",
    "<script>alert(1)</script>\u202e\u200b",
    "token " * 700,  # longer than is read
    "phrases related to legal proceedings, court rulings, and judges' decisions in criminal cases",
    "\x00\x01",
)


@pytest.fixture(scope="module")
def model() -> minilm.MiniLM:
    return local.load()


@needs_model
def test_it_equals_the_model_on_torch(model: minilm.MiniLM) -> None:
    """As sentence-transformers computes it: mean over the attention mask, then length 1, at most 256 tokens."""
    import torch
    from transformers import AutoModel, AutoTokenizer

    recorded = local._recorded()
    assert recorded is not None
    folder = str(recorded[0].parent)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    theirs = AutoModel.from_pretrained(folder).eval()
    said = tokenizer(
        [text.strip() for text in TEXTS], padding=True, truncation=True, max_length=256, return_tensors="pt"
    )
    with torch.no_grad():
        hidden = theirs(**said).last_hidden_state
    mask = said["attention_mask"][..., None].float()
    mean = (hidden * mask).sum(1) / mask.sum(1)
    expected = torch.nn.functional.normalize(mean, dim=1).numpy()
    mine = model.embed(TEXTS)
    assert mine.shape == (len(TEXTS), minilm.DIMENSION) and mine.dtype == np.float32
    assert np.abs(mine - expected).max() < 1e-5  # 2e-7 when this was written
    assert np.allclose(np.linalg.norm(mine, axis=1), 1, atol=1e-6)


@needs_model
def test_a_text_s_vector_is_its_own_whatever_it_is_embedded_with(model: minilm.MiniLM) -> None:
    together = model.embed(TEXTS * 3)
    for at, text in enumerate(TEXTS):
        assert np.abs(model.embed([text])[0] - together[at]).max() < 1e-6
    assert np.abs(together[: len(TEXTS)] - together[-len(TEXTS) :]).max() < 1e-6
    assert model.embed([]).shape == (0, minilm.DIMENSION)


@needs_model
def test_meaning_is_what_it_finds(model: minilm.MiniLM) -> None:
    a, b, c = model.embed(["vessels that sail", "words about ships and boats", "closing parentheses in code"])
    assert a @ b > 0.4 > 0.2 > a @ c


@needs_model
def test_several_threads_at_once(model: minilm.MiniLM) -> None:
    with ThreadPoolExecutor(3) as pool:
        found = list(pool.map(lambda _: model.embed(TEXTS[:4]), range(6)))
    assert all(np.array_equal(each, found[0]) or np.abs(each - found[0]).max() < 1e-6 for each in found)


@needs_model
def test_it_stops_when_asked(model: minilm.MiniLM) -> None:
    with pytest.raises(InterruptedError):
        model.embed(TEXTS, lambda: True)


@needs_model
def test_neither_torch_nor_transformers_is_loaded() -> None:
    code = (
        "import sys; from app.embed import local; local.load().embed(['a ship']);"
        "import json; print(json.dumps([m for m in ('torch', 'transformers', 'sentence_transformers') if m in sys.modules]))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == []


@needs_model
def test_damaged_weights_are_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    damaged = tmp_path / "model.safetensors"
    damaged.write_bytes(b"not what was packed")
    monkeypatch.setattr(local, "_recorded", lambda: (damaged, "0" * 64))
    monkeypatch.setattr(local, "_loaded", None)
    with pytest.raises(ModelError, match=r"not those that .* brought: pip install"):
        local.load()


def test_without_the_wheel_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(local, "PACKAGE", "no-such-package")
    monkeypatch.setattr(local, "_loaded", None)
    local.embedder.cache_clear()
    try:
        assert local.embedder() is None
        with pytest.raises(BadInput, match=r"not set up: .*pip install .*embedding_endpoint"):
            local.load()
    finally:
        monkeypatch.undo()
        local.embedder.cache_clear()


def test_gelu_is_that_of_the_error_function() -> None:
    from math import erf

    x = np.concatenate([np.linspace(-12, 12, 4001), [0.0, -0.0, 1e-30, -1e-30]]).astype(np.float32)
    expected = np.array([v * 0.5 * (1 + erf(v / 2**0.5)) for v in x.astype(np.float64).tolist()])
    mine = x[None, :].repeat(130, axis=0)  # more rows than one block
    minilm._gelu(mine)
    assert (mine == mine[0]).all()
    assert (np.abs(mine[0] - expected) <= 6e-7 * np.maximum(1, np.abs(expected))).all()
