"""The real neurons that a full-size store repeats: SmolLM2 collected over the demo's corpus, kept once made.

As published data has them: 20 strongest and 20 random records of all excerpts alike, no splits. Five layers of the model's 30
have 7,680 neurons, a fortieth of GPT-2 XL's, and 1,500 excerpts are a fortieth of its 60,000.
"""

import hashlib
import tempfile
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import numpy as np

from app.domain.collection import LayerResult
from app.domain.neurons import Int32, Profile, Quota, Split
from app.domain.statements import token_lookup_text
from app.domain.token_lookup import TOP_TOKENS, token_means
from app.domain.vocabulary import Vocabulary, visible
from app.errors import BadInput
from app.settings import Settings
from app.store import packing

VERSION = 1  # raised when what is kept must be collected anew
CORPORA = ("datasets-sotu", "datasets-moby-dick")
LAYERS = (2, 8, 14, 20, 26)
EXCERPTS = 1500
PROFILE = Profile(Quota(20, 0, 0, 20), Quota(0, 0, 0, 0), Quota(0, 0, 0, 0))  # explain alone


@dataclass(frozen=True, eq=False)
class Source:
    """Real neurons in one run, of whatever layer. N neurons, 40 records, E excerpts, T tokens."""

    said: str  # what they are, for people
    result: LayerResult  # [N, …]; excerpts within [0, E)
    tokens: Int32  # [E, T]
    top_ids: Int32  # [N, 8] top tokens, -1 where there are fewer
    top_means: np.ndarray[Any, np.dtype[np.float32]]  # [N, 8]
    top_counts: Int32  # [N, 8]
    vocabulary: Vocabulary

    def statements(self) -> list[str]:
        """What token lookup says of every neuron: explanations where no better ones are at hand."""
        shown: dict[int, str] = {}
        for token in np.unique(self.top_ids[self.top_ids >= 0]).tolist():
            shown[token] = visible(self.vocabulary.pieces[token])
        texts = []
        for ids, means in zip(self.top_ids.tolist(), self.top_means.tolist(), strict=True):
            known = [(shown[token], mean) for token, mean in zip(ids, means, strict=True) if token >= 0]
            texts.append(token_lookup_text([piece for piece, _ in known], [mean for _, mean in known]))
        return texts


def source(settings: Settings, excerpts: int = EXCERPTS) -> Source:
    """The neurons, from the data folder or collected now (some minutes). BadInput without the demo's model and corpora."""
    from app.jobs.endpoints import demo_gguf

    gguf = demo_gguf()
    corpora = [settings.npm_dir / "@stdlib" / name for name in CORPORA]
    if gguf is None or not all(folder.is_dir() for folder in corpora):
        raise BadInput("bench.scale needs the demo's model and corpora: `make run` sets them up.")
    made_of = (VERSION, gguf.name, gguf.stat().st_size, CORPORA, LAYERS, excerpts, PROFILE)
    key = hashlib.sha256(repr(made_of).encode()).hexdigest()[:16]
    file = settings.data_dir / "bench" / f"scale-source-{key}.npz"
    if not file.exists():
        file.parent.mkdir(parents=True, exist_ok=True)
        _save(_collect(gguf, corpora, settings, excerpts), file)
    return _read(file)


def _collect(gguf: Path, corpora: list[Path], settings: Settings, count: int) -> Source:
    from app.subject.collect import Collector
    from app.subject.corpus import read_corpus
    from app.subject.excerpts import build_excerpts
    from app.subject.load import load

    subject = load(str(gguf), "cpu", settings.threads or 2, settings.data_dir / "models")
    _, table = build_excerpts(read_corpus(map(str, corpora)), subject.tokenizer, count, 0)
    # One split for all, as published: then the 20 strongest are those of all excerpts.
    table = replace(table, splits=np.full(len(table.tokens), Split.EXPLAIN, np.uint8))
    collector = Collector(subject, table, PROFILE, LAYERS, 0)
    done = 0

    def progress(_: int) -> None:
        nonlocal done
        done += 1
        if done % 10 == 0:
            print(f"collecting the neurons to repeat: batch {done} of {len(collector.batches())}", flush=True)

    with tempfile.TemporaryDirectory(dir=settings.data_dir) as shards:
        collector.run(Path(shards), progress, lambda: False)
        results = list(collector.merge(Path(shards)))
    result = joined(results)
    ids, means, counts = top_tokens(result, table.tokens)
    return Source(
        said=f"{subject.card.name}, layers {', '.join(map(str, LAYERS))}, over {len(table.tokens):,} excerpts of {', '.join(CORPORA)}",
        result=result,
        tokens=table.tokens,
        top_ids=ids,
        top_means=means,
        top_counts=counts,
        vocabulary=subject.vocabulary,
    )


def top_tokens(
    result: LayerResult, tokens: Int32
) -> tuple[Int32, np.ndarray[Any, np.dtype[np.float32]], Int32]:
    """(ids, means, counts), each [N, 8]: the tokens with the highest means over all of a neuron's records, -1 where fewer."""
    ids = np.full((result.neurons, TOP_TOKENS), -1, np.int32)
    means, counts = np.zeros(ids.shape, np.float32), np.zeros(ids.shape, np.int32)
    for i in range(result.neurons):
        held = result.excerpts[i] >= 0
        values = result.activations[i, held].astype(np.float32)
        found = token_means(
            tokens[result.excerpts[i, held]], values, position0=bool(result.position0[i])
        ).top()
        n = len(found.ids)
        ids[i, :n], means[i, :n], counts[i, :n] = found.ids, found.means, found.counts
    return ids, means, counts


def joined(results: list[LayerResult]) -> LayerResult:
    """Layers of the same slots as one run of neurons, without gates: the shape of a model that has none."""
    first = results[0]
    single = ("layer", "slug", "kinds", "splits", "gates", "sign_shares", "n_tokens", "n_sampled")
    many = {
        name: np.concatenate([getattr(each, name) for each in results])
        for name in (field.name for field in fields(LayerResult))
        if name not in single
    }
    return replace(first, layer=0, slug="source", gates=None, sign_shares=None, **many)


def _save(made: Source, file: Path) -> None:
    arrays = {f"result_{f.name}": getattr(made.result, f.name) for f in fields(LayerResult)}
    arrays = {name: value for name, value in arrays.items() if value is not None}
    packed = packing.pack_vocabulary(made.vocabulary.pieces, made.vocabulary.special)
    part = file.with_suffix(".part")
    with part.open("wb") as to:
        np.savez(
            to,
            said=made.said,
            tokens=made.tokens,
            top_ids=made.top_ids,
            top_means=made.top_means,
            top_counts=made.top_counts,
            vocabulary=np.frombuffer(packed, np.uint8),
            **arrays,
        )
    part.replace(file)


def _read(file: Path) -> Source:
    with np.load(file) as held:
        found: dict[str, Any] = {name: held[name] for name in held.files}
    values: dict[str, Any] = dict.fromkeys((f.name for f in fields(LayerResult)), None)
    for name, value in found.items():
        if name.startswith("result_"):
            values[name.removeprefix("result_")] = value[()] if value.ndim == 0 else value
    values |= {name: int(values[name]) for name in ("layer", "n_tokens", "n_sampled")}
    values["slug"] = str(values["slug"])
    return Source(
        said=str(found["said"]),
        result=LayerResult(**values),
        tokens=found["tokens"],
        top_ids=found["top_ids"],
        top_means=found["top_means"],
        top_counts=found["top_counts"],
        vocabulary=Vocabulary(*packing.unpack_vocabulary(found["vocabulary"].tobytes())),
    )
