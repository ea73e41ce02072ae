"""The published samples, whole, where they are at hand: they have no licence to be part of this repository."""

import json
import os
from pathlib import Path

import pytest

from app.domain.explanations import Metric, Protocol, Sample
from app.exchange import exporting
from app.exchange.columns import Wishes
from app.exchange.exporting import Format
from app.exchange.importing import Asked, run
from app.store import Store, scores

SAMPLES = Path(os.environ.get("NEURONARIUM_SAMPLES") or Path(__file__).parents[3] / "shared" / "data")
pytestmark = pytest.mark.skipif(
    not (SAMPLES / "gpt2-xl-explanations.jsonl").exists(), reason=f"no published samples in {SAMPLES}"
)
MEASURE = (Protocol.BILLS_5_5, Sample.TOP_AND_RANDOM, Metric.CORRELATION)


def test_published_explanations_with_their_scores(store: Store) -> None:
    file = SAMPLES / "gpt2-xl-explanations.jsonl"
    given = [json.loads(line) for line in file.read_text().splitlines()]
    report = run(
        store, Asked(file, "gpt2-xl", wishes=Wishes("original", "gpt-4", protocol=Protocol.BILLS_5_5))
    )
    distinct = {(row["layer"], row["neuron"], row["explanation"]) for row in given}
    assert (report.read, report.added, report.skipped) == (len(given), len(distinct), 0)
    lines = b"".join(exporting.explanations(store, "gpt2-xl", Format.JSONL)).splitlines()
    rows = [json.loads(line) for line in lines]
    assert {(int(r["layer"][:-4]), r["neuron"], r["explanation"]) for r in rows} == distinct
    assert sorted(x["value"] for r in rows for x in r["scores"]) == sorted(row["score"] for row in given)
    with store.session() as s:
        layers = scores.by_layer(s, "gpt2-xl", *MEASURE)
    assert sum(layer.defined for layer in layers) == len({(row["layer"], row["neuron"]) for row in given})


def test_five_methods_of_960_neurons(store: Store) -> None:
    file = SAMPLES / "five-methods-random-interpretable-gpt35.csv"
    report = run(store, Asked(file, "gpt2-xl", wishes=Wishes(explainer="gpt-3.5-turbo")))
    assert (report.form, report.added, report.skipped) == ("lee", 5 * 960, 0)


def test_ten_puzzles(store: Store) -> None:
    report = run(store, Asked(SAMPLES / "neuron-puzzles-ten.json"))
    assert (report.form, report.model, report.skipped) == ("puzzle", "neuron-puzzles-ten", 0)
