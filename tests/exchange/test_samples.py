"""The published samples, whole, where they are at hand: they have no licence to be part of this repository."""

import json
import os
from pathlib import Path

import numpy as np
import pytest

from app.domain.explanations import Metric, Protocol, Sample
from app.domain.neurons import NeuronRef
from app.domain.puzzles import LAYER
from app.exchange import exporting, puzzles
from app.exchange.columns import Wishes
from app.exchange.exporting import Format
from app.exchange.importing import Asked, run
from app.store import Store, explanations, neurons, published_reading, relations, scores, simulations
from app.store.excerpts import ExcerptCache

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


def test_ten_puzzles_with_their_sentences(store: Store) -> None:
    file = SAMPLES / "neuron-puzzles-ten.json"
    made = puzzles.import_file(store, file)
    assert (made.slug, made.added.new) == ("neuron-puzzles-ten", 10)
    for number, puzzle in enumerate(json.loads(file.read_text()).values()):
        with store.session() as s:
            (found,) = relations.of(s, NeuronRef("neuron-puzzles-ten", LAYER, number))
        again = [
            [[t, v] if v else t for t, v in zip(each["tokens"], each["activations"], strict=True)]
            for each in json.loads(found.data)
        ]
        assert again == puzzle["sentences"]


def test_six_neurons_with_their_sequences(store: Store) -> None:
    file = SAMPLES / "gpt2-xl-six-neurons.json"
    given = json.loads(file.read_text())
    asked = Asked(file, "gpt2-xl", wishes=Wishes("original", "gpt-4", protocol=Protocol.BILLS_5_5))
    report = run(store, asked)
    assert (report.added, report.records, report.simulations, report.noted) == (6, 6 * 8, 6, 0)
    for row in given:
        ref = NeuronRef("gpt2-xl", f"{row['layer']}-mlp", row["neuron"])
        held = ExcerptCache.get(store, "gpt2-xl")
        with store.session() as s:
            words = published_reading.words(s, "gpt2-xl")
            records = neurons.records(s, held, ref)
            (said,) = explanations.of_neuron(s, ref)
            (simulated,) = simulations.of_explanation(s, said.id)
        assert simulated.simulated is not None
        sequences = row["explain_sequences"] + row["score_sequences"]
        for i, each in enumerate(sequences):
            assert [words[t] for t in records.tokens[i].tolist()] == [t["token"] for t in each["actual"]]
            values = np.array([t["strength"] for t in each["actual"]])
            assert np.array_equal(np.round(records.activations[i].astype(np.float64), 4), values)
        expected = [[t["strength"] for t in each["simulated"]] for each in row["score_sequences"]]
        assert np.array_equal(simulated.simulated.expected, np.array(expected, np.float32))
    again = run(store, asked)
    assert (again.added, again.records, again.simulations, again.noted) == (0, 0, 0, 0)
