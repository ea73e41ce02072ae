"""Load the subject model: a hub name, a folder in the Hugging Face format, or a GGUF file. No remote code, no pickle."""

import hashlib
import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer
from transformers.utils import logging as transformers_logging

from app.domain.collection import ModelCard
from app.domain.vocabulary import Vocabulary
from app.errors import ModelError
from app.subject.families import Family, MlpSite, activation_name, decoder, family_of, mlp_sites
from app.subject.gguf import LOAD_FAILURES, SOURCE_FILE, converted, one_line
from app.subject.vocabulary import default_bos, read_vocabulary

# What holds a tokenizer's pieces; tokenizer_config.json alone does not.
TOKENIZER_FILES = ("tokenizer.json", "tokenizer.model", "vocab.json", "spiece.model")


@dataclass(frozen=True, eq=False)
class Subject:
    """A loaded model with what is known of it."""

    model: nn.Module  # with its head, as the local simulator needs; collection calls `decoder` alone
    tokenizer: Any  # transformers tokenizer
    card: ModelCard
    vocabulary: Vocabulary
    device: torch.device
    family: Family

    @property
    def decoder(self) -> nn.Module:
        """The layers without the output head."""
        return decoder(self.model)

    @property
    def sites(self) -> list[MlpSite]:
        """Where the neurons of each layer pass by."""
        return mlp_sites(self.model, self.family)


def load(source: str, device: str, threads: int | None, cache_dir: Path, name: str = "") -> Subject:
    """Load `source` onto `device` (auto, cpu, cuda, cuda:1, mps) with so many CPU threads (all when None).

    It is called `name`, or as the source is where that is empty. A GGUF file is converted once into `cache_dir`. On the CPU weights are float32; elsewhere as they were saved.
    Raises ModelError in one line for whatever cannot be loaded.
    """
    if threads is not None:
        torch.set_num_threads(threads)
    transformers_logging.disable_progress_bar()  # type: ignore[no-untyped-call]  # jobs and the command line show their own
    place = find_device(device)
    folder = converted(Path(source), cache_dir) if source.lower().endswith(".gguf") else None
    where = str(folder) if folder else source
    if Path(where).is_dir():
        _refuse_pickle(Path(where))
    elif where.startswith((".", "/", "~")):
        raise ModelError(f"There is no model folder at {where}.")
    config = _from_pretrained(AutoConfig, where)
    family_of(config)  # refuses before the weights are read
    tokenizer = _tokenizer(where)
    dtype = torch.float32 if place.type == "cpu" else "auto"
    model = _from_pretrained(AutoModelForCausalLM, where, dtype=dtype, use_safetensors=True)
    revision = _revision(where, config)
    return assemble(
        model.to(place), tokenizer, name=name or model_name(source), source=source, revision=revision
    )


def assemble(model: Any, tokenizer: Any, *, name: str, source: str, revision: str) -> Subject:
    """A Subject from a model and tokenizer already in memory (eval mode is set, gradients are switched off)."""
    family = family_of(model.config)
    sites = mlp_sites(model, family)
    widths = {site.neurons for site in sites}
    if len(widths) != 1:
        raise ModelError(f"The layers of {name} differ in width ({sorted(widths)}), which is not supported.")
    model.eval()
    model.requires_grad_(False)
    parameter = next(model.parameters())
    card = ModelCard(
        name=name,
        slug=slug_of(name),
        source=source,
        revision=revision,
        family=family.name,
        layers=len(sites),
        neurons_per_layer=widths.pop(),
        gated=sites[0].gate is not None,
        activation=activation_name(family, model.config),
        bos=default_bos(tokenizer),
        parameters=sum(p.numel() for p in model.parameters()),
        dtype=str(parameter.dtype).removeprefix("torch."),
    )
    return Subject(model, tokenizer, card, read_vocabulary(tokenizer), parameter.device, family)


def find_device(device: str) -> torch.device:
    """The device named, `auto` being the best there is. ModelError when it is not there."""
    if device == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda")
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    try:
        place = torch.device(device)
    except RuntimeError as error:
        raise ModelError(f"“{device}” is no device; use auto, cpu, cuda, cuda:1 or mps.") from error
    count = torch.cuda.device_count() if place.type == "cuda" else 1
    missing = (place.index or 0) >= count or (place.type == "mps" and not torch.backends.mps.is_available())
    if missing or place.type not in ("cpu", "cuda", "mps"):
        raise ModelError(f"There is no device “{device}” on this machine; use cpu or auto.")
    return place


def model_name(source: str) -> str:
    """What people call the model: the last part of the path or hub name, without a GGUF file's quantisation."""
    name = (
        Path(source).expanduser().resolve().name if source.startswith((".", "/", "~")) else Path(source).name
    )
    if not name.lower().endswith(".gguf"):
        return name
    return re.sub(r"[.-](?:I?Q\d\w*|B?F(?:16|32)|fp16)$", "", name[:-5], flags=re.IGNORECASE) or name[:-5]


def slug_of(name: str) -> str:
    """The name in URLs: lower case, without the organisation, anything unusual as a hyphen."""
    slug = re.sub(r"[^a-z0-9._-]+", "-", name.rsplit("/", 1)[-1].lower()).strip("-.")
    if not slug:
        raise ModelError(f"The model's name “{name}” has no letter or digit to make an address from.")
    return slug


def _from_pretrained(auto: Any, where: str, **kwargs: Any) -> Any:
    """One of transformers' Auto classes with its many failures told in one line."""
    try:
        return auto.from_pretrained(where, trust_remote_code=False, **kwargs)
    except LOAD_FAILURES as error:
        raise ModelError(f"Cannot load the model {where}: {one_line(error)}") from error


def _tokenizer(where: str) -> Any:
    """The model's tokenizer. Raises ModelError where there is none: transformers makes an empty one of a bare config."""
    lacking = ModelError(
        f"The model {where} has no tokenizer: beside its weights belong tokenizer.json, tokenizer.model, or "
        "vocab.json with merges.txt."
    )
    if Path(where).is_dir() and not any((Path(where) / name).exists() for name in TOKENIZER_FILES):
        raise lacking
    tokenizer = _from_pretrained(AutoTokenizer, where)
    ids = tokenizer("The rain fell.", add_special_tokens=False).input_ids
    if set(ids) <= set(tokenizer.all_special_ids):
        raise lacking
    return tokenizer


def _refuse_pickle(folder: Path) -> None:
    """ModelError when the folder holds no safetensors weights; pickled weights can run code, so they are not read."""
    if any(folder.glob("*.safetensors")):
        return
    pickled = any(folder.glob("*.bin")) or any(folder.glob("*.pt"))
    advice = (
        "only pickled weights, which are not read because they can run code; save it with safe_serialization=True"
        if pickled
        else "no .safetensors weights"
    )
    raise ModelError(f"The model folder {folder} holds {advice}.")


def _revision(where: str, config: Any) -> str:
    """Hub commit, or sha256 of the weights (for a converted GGUF: of the GGUF file)."""
    folder = Path(where)
    if not folder.is_dir():
        return str(getattr(config, "_commit_hash", None) or "unknown")
    if (folder / SOURCE_FILE).exists():
        return str(json.loads((folder / SOURCE_FILE).read_text())["sha256"])
    digest = hashlib.sha256()
    for path in sorted(folder.glob("*.safetensors")):
        with path.open("rb") as file:
            while block := file.read(1 << 24):
                digest.update(block)
    return digest.hexdigest()
