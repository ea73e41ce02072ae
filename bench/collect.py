"""The whole collection against a bare forward pass over the same batches, on the real SmolLM2; what token lookup adds.

After every batch that the collection reads, a twin of the model without hooks reads the same batch, so both sides
meet the same moments of a busy machine; the twin's seconds are taken off the collection's. The collection's clock
runs from its making to the last layer merged. In two layers an extra hook keeps every excerpt's extremes, from which
the strongest and weakest records are found again by sorting; its seconds are taken off too, for it is the bench's own.
"""

import copy
import tempfile
import time
from pathlib import Path

import numpy as np
import torch

from app.domain.collection import ExcerptTable, LayerResult
from app.domain.layer_lookup import lookup_layer
from app.domain.neurons import Kind, Profile
from app.errors import BadInput
from app.jobs.endpoints import demo_gguf
from app.settings import Settings
from app.subject.collect import Collector
from app.subject.corpus import read_corpus
from app.subject.excerpts import build_excerpts
from app.subject.load import Subject, load
from bench.report import Figure, figure

CORPORA = ("datasets-sotu", "datasets-moby-dick")
WATCHED = (1, 17)  # layers found again by sorting
THREADS = 2


class _Watch:
    """Every excerpt's extremes in one layer, the plain way: [B, N] a batch."""

    def __init__(self, subject: Subject, layer: int) -> None:
        self.peaks: list[torch.Tensor] = []
        self.rests: list[torch.Tensor] = []
        self.seconds = 0.0
        self.handle = subject.sites[layer].output.register_forward_pre_hook(self._keep)

    def _keep(self, _: torch.nn.Module, args: tuple[torch.Tensor, ...]) -> None:
        before = time.perf_counter()
        self.peaks.append(torch.stack([args[0].amax(1), args[0].amin(1)]))
        self.rests.append(torch.stack([args[0][:, 1:].amax(1), args[0][:, 1:].amin(1)]))
        self.seconds += time.perf_counter() - before

    def agreement(self, result: LayerResult, table: ExcerptTable, order: np.ndarray) -> tuple[int, int]:  # type: ignore[type-arg]
        """(equal, all) of the top and bottom slots."""
        back = np.argsort(order)
        every = torch.cat(self.peaks, 1).numpy()[:, back]  # [2, E, N]
        rest = torch.cat(self.rests, 1).numpy()[:, back]
        values = np.where(result.position0, rest, every)
        equal = total = 0
        for kind, sign in ((Kind.TOP, -1), (Kind.BOTTOM, 1)):
            for split in range(3):
                slots = (result.kinds == kind) & (result.splits == split)
                mine = np.flatnonzero(table.splits == split)
                ranked = mine[
                    np.argsort(sign * values[0 if kind is Kind.TOP else 1][mine], axis=0, kind="stable")
                ]
                wanted = ranked[: slots.sum()].T  # [N, k]
                equal += int((result.excerpts[:, slots] == wanted).sum())
                total += wanted.size
        return equal, total


def run(quick: bool) -> list[Figure]:
    """`of_bare_forward`, `top_k_equal` and `lookup_share`."""
    excerpts, target = (1024, 1.25) if quick else (8192, 1.10)
    settings = Settings()
    gguf = demo_gguf()
    corpora = [settings.npm_dir / "@stdlib" / name for name in CORPORA]
    if gguf is None or not all(folder.is_dir() for folder in corpora):
        raise BadInput("bench collect needs the demo's model and corpora: `make run` sets them up.")
    subject = load(str(gguf), "cpu", settings.threads or THREADS, settings.data_dir / "models")
    _, table = build_excerpts(read_corpus(map(str, corpora)), subject.tokenizer, excerpts, 0)
    return measure(subject, table, target, settings.data_dir)


def measure(subject: Subject, table: ExcerptTable, target: float, folder: Path) -> list[Figure]:
    """All figures over these excerpts; partials go into a temporary folder below `folder`."""
    twin = copy.deepcopy(subject.decoder)
    watches = {layer: _Watch(subject, layer) for layer in WATCHED if layer < subject.card.layers}
    bare = 0.0
    batches: list[torch.Tensor] = []

    def read(at: int) -> None:
        nonlocal bare
        before = time.perf_counter()
        with torch.inference_mode():
            twin(input_ids=batches[at], use_cache=False)
        bare += time.perf_counter() - before

    started = time.perf_counter()
    collector = Collector(subject, table, Profile(), range(subject.card.layers), 0)
    aside = time.perf_counter()
    order = collector.batches()
    batches = [torch.from_numpy(table.tokens[batch].astype(np.int64)) for batch in order]
    for _ in range(2):  # warm
        read(0)
    bare, at = 0.0, 0
    started += time.perf_counter() - aside

    def progress(_: int) -> None:
        nonlocal at
        read(at)
        at += 1

    results: dict[int, LayerResult] = {}
    lookups = 0.0
    with tempfile.TemporaryDirectory(dir=folder) as shards:
        collector.run(Path(shards), progress, lambda: False)
        for result in collector.merge(Path(shards)):
            before = time.perf_counter()
            lookup_layer(result, table, 0)
            lookups += time.perf_counter() - before
            if result.layer in watches:
                results[result.layer] = result
    whole = time.perf_counter() - started - bare - lookups - sum(watch.seconds for watch in watches.values())
    found = [
        watch.agreement(results[layer], table, np.concatenate(order)) for layer, watch in watches.items()
    ]
    for watch in watches.values():
        watch.handle.remove()
    count = len(table.tokens)
    neurons = subject.card.layers * subject.card.neurons_per_layer
    detail = f"{count} excerpts, {whole:.1f} s against {bare:.1f} s, {count * table.tokens.shape[1] / bare:.0f} tokens/s"
    share = sum(equal for equal, _ in found) / sum(total for _, total in found)
    return [
        figure("collect", "of_bare_forward", whole / bare, "<=", target, detail),
        figure(
            "collect",
            "top_k_equal",
            share,
            ">=",
            1.0,
            f"top and bottom slots of layers {', '.join(map(str, watches))}",
        ),
        figure(
            "collect",
            "lookup_share",
            lookups / whole,
            "<=",
            0.20,
            f"{lookups:.1f} s for token lookup and its scores on {neurons:,} neurons, on top of {whole:.1f} s",
        ),
    ]
