"""Jobs on a model that is collected anew before them or while they run: evidence of two collections never mixes."""

import hashlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from app.domain.explanations import ExplainOptions, Method, Protocol, ScoreOptions, SimulatorName
from app.domain.neurons import NeuronRef, Polarity, Split, Statistics
from app.errors import Conflict
from app.jobs.neuron import load_neuron
from app.jobs.requests import Kind, ScoreRequest, dumps
from app.jobs.runtime import Runtime, use
from app.jobs.score import score
from app.settings import Settings
from app.store import Session, Store, explanations, jobs, neurons, scores, simulations
from app.store.excerpts import ExcerptCache
from app.store.rows import JobRow, JobState
from tests import factories
from tests.jobs.world import World, model_answers, tokens_of
from tests.recollection import collect_again
from tests.scripted_server import Recorded, Reply, ScriptedServer, held

REF = NeuronRef(factories.SLUG, "1-mlp", 11)
EXPLAIN = ExplainOptions(Method.SUMMARY, Polarity.POSITIVE, "scripted")
SCORE = ScoreOptions(SimulatorName.CHAT_JSON, "scripted", Protocol.HELDOUT_5_5)
Make = Callable[..., World]


@pytest.fixture
def small(tmp_path: Path, tiny_store: Store) -> Path:
    """A data folder that holds the small store."""
    tiny_store.close()
    folder = tmp_path / "small"
    folder.mkdir()
    (tmp_path / "store.sqlite").rename(folder / "neuronarium.sqlite")
    return folder


def anew(here: World, **changes: object) -> None:
    with here.store.session() as session:
        collect_again(session, **changes)  # type: ignore[arg-type]


def explained(here: World, score: ScoreOptions | None = None) -> JobRow:
    return here.ended(here.jobs.enqueue_explain(REF, EXPLAIN, score))


def test_an_explanation_of_what_is_held_out_now_is_refused_before_anything_is_paid(
    world: Make, small: Path
) -> None:
    with ScriptedServer(model_answers) as server:
        here = world(data=small, endpoints=[server.endpoint()])
        here.worker()
        assert explained(here).state is JobState.DONE
        with here.store.session() as session:
            [row, *_] = explanations.of_neuron(session, REF)
            records = neurons.records(session, ExcerptCache.get(here.store, REF.model), REF)
        seen = int(row.provenance.excerpts[0]) // 2
        # Whatever is held out now counts as a copy of what was seen then.
        text = factories.corpus()[0][seen].text_hash
        other = hashlib.sha256(b"another text").hexdigest()
        held_out = set(records.where(splits=(Split.SCORE,)).documents.tolist())
        anew(
            here,
            seed=0,
            changes={seen: {"text_hash": other, "cluster": other}}
            | {d: {"cluster": text} for d in held_out}
            | {min(held_out): {"cluster": text, "text_hash": text}},
        )
        calls = server.calls
        refused = here.ended(here.jobs.enqueue_score(row.id, SCORE))
        assert refused.state is JobState.FAILED
        assert "not held out" in refused.reason and "explain the neuron anew" in refused.reason
        assert server.calls == calls
        with here.store.session() as session:
            assert simulations.of_explanation(session, row.id) == []


def test_a_neuron_is_read_from_one_collection_even_while_another_ends(
    tiny_store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = load_neuron(tiny_store, REF)
    read = neurons.statistics
    ended: list[int] = []

    def in_between(session: Session, ref: NeuronRef) -> Statistics:
        if not ended:
            ended.append(0)
            with tiny_store.session() as other:
                ended[0] = collect_again(other)
        return read(session, ref)

    monkeypatch.setattr(neurons, "statistics", in_between)
    found = load_neuron(tiny_store, REF)
    assert found.collection_id == ended[0] != before.collection_id
    monkeypatch.undo()
    after = load_neuron(tiny_store, REF)
    assert found.statistics == after.statistics != before.statistics
    np.testing.assert_array_equal(found.records.excerpts, after.records.excerpts)
    np.testing.assert_array_equal(found.records.activations, after.records.activations)


def asks_to_simulate(request: Recorded) -> bool:
    return tokens_of(request) is not None


@pytest.mark.parametrize("simulating", [False, True])
def test_a_job_during_which_the_model_is_collected_anew_fails_and_can_be_retried(
    world: Make, small: Path, simulating: bool
) -> None:
    def answer(request: Recorded) -> Reply:
        reply = model_answers(request)
        return held(reply) if asks_to_simulate(request) is simulating else reply

    with ScriptedServer(answer) as server:
        here = world(data=small, endpoints=[server.endpoint()])
        here.worker()
        job = here.jobs.enqueue_explain(REF, EXPLAIN, SCORE)
        assert server.wait_for_calls(2 if simulating else 1)
        anew(here)
        server.release()
        row = here.ended(job)
        assert row.state is JobState.FAILED and "collected anew" in row.reason
        with here.store.session() as session:
            made = [e for e in explanations.of_neuron(session, REF) if e.job_id == job]
            assert len(made) == simulating
            assert [simulations.of_explanation(session, e.id) for e in made] == [[]] * simulating
        again = here.jobs.retry(job)
        assert here.ended(again).state is JobState.DONE, here.job(again).reason


async def test_a_simulation_is_scored_on_its_own_collection_only(tmp_path: Path, tiny_store: Store) -> None:
    request = ScoreRequest(0, ScoreOptions(SimulatorName.LOCAL, protocol=Protocol.HELDOUT_FULL))
    with tiny_store.session() as session:
        jobs.add(session, "job", Kind.SCORE, "Score", dumps(request))
        explanation = explanations.get(session, simulations.get(session, 1).explanation_id)
        before = len(scores.of_explanation(session, explanation.id))
        collect_again(session)
    use(Runtime(Settings(data_dir=tmp_path), tiny_store, "worker"))
    try:
        with pytest.raises(Conflict, match="collected anew"):
            await score("job", explanation.id, 1)
    finally:
        use(None)
    with tiny_store.session() as session:
        assert len(scores.of_explanation(session, explanation.id)) == before
