"""A GGUF file turned once into safetensors: converting takes a quarter of a minute, loading the result half a second."""

import hashlib
import json
import logging
import os
import re
import shutil
import socket
import struct
from pathlib import Path
from typing import Any

import psutil  # type: ignore[import-untyped]
import torch
from safetensors import SafetensorError
from transformers import AutoModelForCausalLM, AutoTokenizer

from app.errors import ModelError, StoreError

log = logging.getLogger(__name__)

# What transformers and safetensors raise for files and configs that are damaged, missing or of a kind unknown to them.
LOAD_FAILURES = (
    OSError, ValueError, LookupError, ImportError, RuntimeError, AttributeError, TypeError, struct.error, SafetensorError
)  # fmt: skip
SOURCE_FILE = "neuronarium-source.json"  # beside the weights: which GGUF they were made of


def converted(path: Path, cache_dir: Path) -> Path:
    """The folder with `path` as float32 safetensors, made on first use.

    The folder's name holds the file's sha256, and it appears whole or not at all (temporary folder, then rename).
    Raises ModelError when the file cannot be read as GGUF, StoreError when the disk is full.
    """
    if not path.is_file():
        raise ModelError(f"There is no GGUF file at {path}.")
    digest = _sha256(path)
    folder = cache_dir / f"{path.stem}-{digest[:16]}"
    if folder.is_dir():
        return folder
    temporary = cache_dir / f".{folder.name}.{os.getpid()}@{socket.gethostname()}"
    _sweep(cache_dir)
    try:
        cache_dir.mkdir(parents=True, exist_ok=True)
        _save(*_read(path), temporary)
        (temporary / SOURCE_FILE).write_text(json.dumps({"file": path.name, "sha256": digest}))
        try:
            temporary.rename(folder)
        except OSError:
            if not folder.is_dir():  # another process was first: its folder is as good
                raise
    except (OSError, SafetensorError) as error:  # safetensors wraps what the disk says
        reason = (isinstance(error, OSError) and error.strerror) or one_line(error)
        raise StoreError(
            f"Cannot write the converted model to {cache_dir} ({reason}): free some space, or mend its permissions."
        ) from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return folder


def _sweep(cache_dir: Path) -> None:
    """Remove what processes of this machine left that were killed in the middle: gigabytes each."""
    for left in cache_dir.glob(".*") if cache_dir.is_dir() else []:
        found = re.fullmatch(r"\..*-[0-9a-f]{16}\.(\d+)@(.+)", left.name)
        if found and found[2] == socket.gethostname():
            owner = int(found[1])
            if owner == os.getpid() or not psutil.pid_exists(owner):
                log.info("removing %s, which a killed process left", left)
                shutil.rmtree(left, ignore_errors=True)


def _read(path: Path) -> tuple[Any, Any]:
    """Model and tokenizer of a GGUF file."""
    try:
        model = AutoModelForCausalLM.from_pretrained(
            path.parent, gguf_file=path.name, dtype=torch.float32, trust_remote_code=False
        )
        tokenizer = AutoTokenizer.from_pretrained(path.parent, gguf_file=path.name, trust_remote_code=False)
    except LOAD_FAILURES as error:
        raise ModelError(f"Cannot read {path.name} as a GGUF model: {one_line(error)}") from error
    # The weights are plain float32 now; without this, saving and loading would treat them as quantised.
    for name, plain in ("hf_quantizer", None), ("is_quantized", False):
        setattr(model, name, plain)
    if hasattr(model.config, "quantization_config"):
        del model.config.quantization_config
    return model, tokenizer


def _save(model: Any, tokenizer: Any, out: Path) -> None:
    model.save_pretrained(out)
    tokenizer.save_pretrained(out)


def one_line(error: Exception) -> str:
    """The first line of an error's text, for people."""
    return next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)[
        :300
    ]


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 24):
            digest.update(block)
    return digest.hexdigest()
