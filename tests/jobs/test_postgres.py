"""The same jobs on PostgreSQL, where several workers share them."""

from collections.abc import Callable
from pathlib import Path

from app.domain.explanations import ExplainOptions, Method
from app.domain.neurons import NeuronRef, Polarity
from app.store import explanations
from app.store.rows import JobState
from tests.conftest import Postgres
from tests.jobs.world import World, model_answers
from tests.scripted_server import ScriptedServer, held

Make = Callable[..., World]


def test_a_dead_worker_s_job_is_finished_by_another(world: Make, materials: Path, postgres: Postgres) -> None:
    with ScriptedServer(lambda request: held(model_answers(request))) as model:
        address = "postgres:" + postgres.migrated().partition(":")[2]  # as hosts of databases hand it out
        here = world(endpoints=[model.endpoint()], database_url=address)
        done = here.run(
            "collect", "--model", str(materials / "tiny-gpt2"), "--corpus", str(materials / "corpus.jsonl"),
            "--excerpts", "200",
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        assert not (here.settings.data_dir / "jobs.sqlite").exists()  # which each worker would have to itself
        first, other = here.worker(), here.worker()
        ref = NeuronRef("tiny-gpt2", "0-mlp", 1)
        asked = [
            here.jobs.enqueue_explain(
                ref, ExplainOptions(Method.HS, Polarity.POSITIVE, "scripted", seed=seed), None
            )
            for seed in range(4)
        ]
        assert model.wait_for_calls(4)
        here.kill(first)
        model.release()
        rows = [here.ended(job) for job in asked]
    assert {row.state for row in rows} == {JobState.DONE}
    assert sum(row.resumptions for row in rows) <= 4 and other.poll() is None
    with here.store.session() as session:
        stored = [e.job_id for e in explanations.of_neuron(session, ref) if e.job_id in asked]
    assert sorted(stored) == sorted(asked)  # one each
