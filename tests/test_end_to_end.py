"""The whole way on the real SmolLM2: collect, explain by the demo's own server, simulate locally, score, read the result."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from app.domain.explanations import Metric, Protocol, Sample, State
from app.domain.neurons import NeuronRef, Split
from app.jobs.endpoints import demo_gguf
from app.settings import Settings
from app.store import Store, explanations, ledger, models, neurons, scores, simulations
from app.store.excerpts import ExcerptCache, documents
from app.store.rows import NeuronSort

pytestmark = [pytest.mark.slow, pytest.mark.timeout(800)]

SLUG = "smollm2-135m-instruct"
TRIES = 5  # of the demo's explainer, which is weak: most of its answers pass the checks, not all


def neuronarium(data: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """One command as a person types it, with nothing configured."""
    env = {name: value for name, value in os.environ.items() if not name.startswith("NEURONARIUM_")}
    env |= {"NEURONARIUM_DATA_DIR": str(data), "NEURONARIUM_THREADS": "2"}
    return subprocess.run(
        [sys.executable, "-m", "app.cli", *arguments], env=env, capture_output=True, text=True, timeout=700
    )


def test_from_weights_to_a_score(tmp_path: Path, converted_models: Path) -> None:
    converted_models.mkdir(exist_ok=True)
    (tmp_path / "models").symlink_to(converted_models)
    gguf = demo_gguf()
    corpora = [
        Settings().npm_dir / "@stdlib" / name / "data" for name in ("datasets-sotu", "datasets-moby-dick")
    ]
    assert gguf is not None and all(folder.is_dir() for folder in corpora), "`make setup` installs these"
    sources = [part for folder in corpora for part in ("--corpus", str(folder))]
    made = neuronarium(
        tmp_path, "collect", "--model", str(gguf), *sources, "--excerpts", "320", "--layers", "7-8"
    )
    assert made.returncode == 0, made.stdout + made.stderr

    store = Store.open(f"sqlite:///{tmp_path}/neuronarium.sqlite")
    with store.session() as session:
        assert [layer.slug for layer in models.layers(session, SLUG)] == ["7-mlp", "8-mlp"]
        best = neurons.page(session, SLUG, "8-mlp", NeuronSort.SCORE, descending=True, limit=5).items
        assert all(row.best is not None and row.best.value is not None for row in best)
        assert best[0].best.value > 0.5, "token lookup predicts some neuron of 1,536 well"
        # The neuron of the sketch: it fires on substitution, whatever the excerpts.
        ref = NeuronRef(SLUG, "8-mlp", 101)
        table = ExcerptCache.get(store, SLUG)
        records = neurons.records(session, table, ref)
        assert len(documents(session, SLUG)) > 90
    assert 60 <= len(records) <= 64, "64, but for a rare band that is empty in a small corpus"
    assert records.gates is not None
    assert 3 < records.activations.max() < 30

    dry = neuronarium(
        tmp_path, "explain", str(ref), "--method", "summary", "--explainer", "demo", "--dry-run"
    )
    assert dry.returncode == 0 and "the main thing this neuron does is find" in dry.stdout, dry.stderr
    for seed in range(TRIES):
        asked = neuronarium(
            tmp_path, "explain", str(ref), "--method", "summary", "--explainer", "demo",
            "--score", "local", "--protocol", "heldout-5+5", "--seed", str(seed),
        )  # fmt: skip
        if asked.returncode == 0:
            break
    assert asked.returncode == 0, asked.stdout + asked.stderr

    with store.session() as session:
        rows = [row for row in explanations.of_neuron(session, ref) if row.method == "summary"]
        row = next(row for row in rows if row.state is State.OK)
        failed = [each for each in rows if each.state is State.FAILED]
        whole = explanations.get(session, row.id)
        [simulation] = simulations.of_explanation(session, row.id)
        values = {(s.value.metric, s.value.sample): s.value for s in scores.of_explanation(session, row.id)}
        seen = set(scores.seen_documents(session, row.id).documents)
        calls = ledger.of_job(session, row.job_id or "")
    assert row.text in asked.stdout and "local by SmolLM2-135M-Instruct" in asked.stdout
    assert "demo / SmolLM2-135M-Instruct" in whole.provenance.explainer
    assert json.loads(whole.provenance.messages_json) and all(each.reason for each in failed)
    assert calls and all(call.endpoint == "demo" for call in calls)
    correlation = values[Metric.CORRELATION, Sample.TOP_AND_RANDOM]
    assert (correlation.protocol, correlation.state) == (Protocol.HELDOUT_5_5, State.OK)
    assert correlation.low is not None and correlation.low <= (correlation.value or 0) <= (
        correlation.high or 0
    )
    scored = records.where(splits=(Split.SCORE,))
    assert simulation.simulated is not None
    held_out = set(scored.documents.tolist())
    assert not held_out & seen
    assert (simulation.simulated.expected >= 0).all() and (simulation.simulated.expected <= 10).all()
    assert simulation.simulated.expected.std() > 0
    store.close()
