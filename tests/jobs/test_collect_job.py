"""Collections through the real command and real workers."""

import json
import os
import shutil
import signal
import sqlite3
import subprocess
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from app.domain.neurons import NeuronRef
from app.errors import Conflict
from app.jobs import engine
from app.jobs.requests import CollectRequest
from app.store import collections, explanations, jobs, models, neurons
from app.store.excerpts import ExcerptCache
from app.store.rows import JobState
from tests.conftest import Postgres
from tests.jobs.test_lifecycle import away
from tests.jobs.world import World, wait_for

Make = Callable[..., World]
EXCERPTS = 4 * 256 + 40  # five shards


def request(materials: Path, **changes: object) -> CollectRequest:
    values = {
        "model": str(materials / "tiny-llama"),
        "corpus": (str(materials / "corpus.jsonl"),),
        "excerpts": EXCERPTS,
    }
    return CollectRequest(**{**values, **changes})  # type: ignore[arg-type]


def contents(world: World, slug: str = "tiny-llama") -> dict[str, object]:
    """Everything that a collection stored, as plain values."""
    with world.store.session() as session:
        excerpts = ExcerptCache.get(world.store, slug)
        found: dict[str, object] = {"tokens": excerpts.tokens.tolist(), "splits": excerpts.splits.tolist()}
        for layer in models.layers(session, slug):
            for index in range(layer.neurons):
                ref = NeuronRef(slug, layer.slug, index)
                records = neurons.records(session, excerpts, ref)
                said = explanations.of_neuron(session, ref)
                found[str(ref)] = (
                    records.excerpts.tolist(),
                    records.activations.tolist(),
                    None if records.gates is None else records.gates.tolist(),
                    neurons.statistics(session, ref),
                    neurons.histogram(session, ref).counts.tolist(),
                    [(e.text, [s.value for s in e.scores]) for e in said],
                )
    return found


@pytest.fixture(scope="session")
def undisturbed(tmp_path_factory: pytest.TempPathFactory, materials: Path) -> dict[str, object]:
    """What a collection gives that nobody killed."""
    made = World(tmp_path_factory.mktemp("undisturbed"))
    try:
        made.worker()
        row = made.ended(made.jobs.enqueue_collect(request(materials)))
        assert row.state is JobState.DONE, row.reason
        return contents(made)
    finally:
        made.close()


def test_every_neuron_is_there_with_records_and_a_scored_token_lookup(undisturbed: dict[str, object]) -> None:
    assert len(undisturbed) == 2 + 2 * 28
    for ref, value in undisturbed.items():
        if "/" in ref:
            excerpts, _, gates, statistics, histogram, said = value  # type: ignore[misc]
            assert 55 <= len(excerpts) <= 64 and gates is not None and sum(histogram) == statistics.n_sampled
            assert len(said) == 1 and said[0][0].startswith(("the token", "no token")) and said[0][1]


@pytest.mark.parametrize("moment", ["first", "middle", "writing"])
def test_a_collection_that_was_killed_goes_on_with_the_same_result(
    world: Make, materials: Path, undisturbed: dict[str, object], moment: str
) -> None:
    here = world()
    worker = here.worker()
    job = here.jobs.enqueue_collect(request(materials))
    done = {
        "first": lambda: here.job(job).done > 0,
        "middle": lambda: here.job(job).done > 300,
        "writing": lambda: here.job(job).note.startswith("writing"),
    }[moment]
    wait_for(done, f"the collection to be at its {moment}")
    here.kill(worker)
    assert not here.job(job).state.ended, "killed too late to prove anything"
    with here.store.session() as session:
        assert models.layers(session, "tiny-llama") == []  # nothing half-written is to be seen
    here.worker()
    row = here.ended(job)
    assert (row.state, row.attempts, row.done) == (JobState.DONE, 2, EXCERPTS), row.reason
    assert contents(here) == undisturbed
    assert queue_of(here, job) == engine.COLLECT  # it took none of the places of explanations
    assert not here.scratch(job).exists()


def test_a_collection_may_be_stopped_with_its_server_as_often_as_people_like(
    world: Make, materials: Path, undisturbed: dict[str, object]
) -> None:
    here = world()
    job = here.jobs.enqueue_collect(request(materials))
    for stops in range(1, 5):
        worker = here.worker()
        wait_for(lambda n=stops: here.job(job).attempts == n, "the collection to be taken up")  # type: ignore[misc]
        wait_for(lambda: here.job(job).done > 0, "the collection to run")
        worker.terminate()
        worker.wait(30)
        row = here.job(job)
        assert (row.state, row.worker, row.resumptions) == (JobState.QUEUED, "", 0), row.reason
    here.worker()
    row = here.ended(job)
    assert (row.state, row.attempts) == (JobState.DONE, 5), row.reason
    assert contents(here) == undisturbed


def test_a_worker_on_another_machine_finishes_a_dead_one_s_collection(
    world: Make, materials: Path, undisturbed: dict[str, object], postgres: Postgres
) -> None:
    """It has neither the dead one's excerpts nor its shards: nothing but the store is shared."""
    url = postgres.migrated()
    here, there = world("here", database_url=url), world("there", database_url=url)
    worker = here.worker()
    job = here.jobs.enqueue_collect(request(materials))
    wait_for(lambda: here.job(job).done > 300, "the second shard to be under way")
    here.kill(worker)
    there.worker()
    row = there.ended(job)
    assert (row.state, row.attempts) == (JobState.DONE, 2), row.reason
    assert contents(there) == undisturbed


def test_a_corpus_that_has_changed_under_a_collection_is_named(world: Make, materials: Path) -> None:
    here = world()
    corpus = here.folder / "corpus.jsonl"
    lines = (materials / "corpus.jsonl").read_text("utf-8").splitlines(keepends=True)
    corpus.write_text("".join(lines), "utf-8")
    worker = here.worker()
    job = here.jobs.enqueue_collect(request(materials, corpus=(str(corpus),)))
    wait_for(lambda: here.job(job).done > 300, "the second shard to be under way")
    here.kill(worker)
    shutil.rmtree(here.scratch(job))
    corpus.write_text("".join(lines[:-1]), "utf-8")
    here.worker()
    row = here.ended(job)
    assert row.state is JobState.FAILED and "a file was changed" in row.reason
    with here.store.session() as session:
        assert collections.of_model(session, "tiny-llama") == []


def queue_of(world: World, job: str) -> str:
    """The queue that the engine has a job in, from its own table."""
    with closing(sqlite3.connect(world.settings.data_dir / "jobs.sqlite")) as connection:
        query = "SELECT queue_name FROM workflow_status WHERE workflow_uuid = ?"
        return str(connection.execute(query, (job,)).fetchone()[0])


def test_the_command_run_again_after_a_kill_goes_on(
    world: Make, materials: Path, undisturbed: dict[str, object]
) -> None:
    here = world()
    command = [
        "collect", "--model", str(materials / "tiny-llama"), "--corpus", str(materials / "corpus.jsonl"),
        "--excerpts", str(EXCERPTS),
    ]  # fmt: skip
    first = here.start(*command)
    job = wait_for(
        lambda: next((row.id for row in unended(here) if row.done > 0), None), "the collection to run"
    )
    [worker] = here.workers()
    here.kill(first)
    os.kill(worker.pid, signal.SIGKILL)
    again = here.run(*command)
    assert again.returncode == 0, again.stderr
    assert f"Going on with job {job}" in again.stderr and "/m/tiny-llama" in again.stdout
    with here.store.session() as session:
        assert [row.id for row in jobs.list_jobs(session)] == [job]
    assert contents(here) == undisturbed


def test_a_command_s_own_worker_ends_with_it(world: Make, materials: Path) -> None:
    here = world()
    first = here.start(
        "collect", "--model", str(materials / "tiny-llama"), "--corpus", str(materials / "corpus.jsonl"),
        "--excerpts", "100000",
    )  # fmt: skip
    wait_for(lambda: bool(here.workers()), "a worker")
    here.kill(first)
    wait_for(lambda: not here.workers(), "the worker to sign off")


def unended(world: World) -> list[jobs.JobRow]:
    with world.store.session() as session:
        return jobs.list_jobs(session, JobState.QUEUED, JobState.RUNNING)


def test_a_cancelled_collection_leaves_nothing_and_can_be_retried(world: Make, materials: Path) -> None:
    here = world()
    here.worker()
    job = here.jobs.enqueue_collect(request(materials, excerpts=1100))
    wait_for(lambda: here.job(job).done > 0, "the collection to run")
    assert here.jobs.cancel(job).state is JobState.CANCELLED
    wait_for(lambda: not here.scratch(job).exists(), "its files to go", 15)

    def no_collection() -> bool:
        with here.store.session() as session:
            return collections.of_model(session, "tiny-llama") == []

    wait_for(no_collection, "its rows to go", 15)
    again = here.jobs.retry(job)
    assert here.ended(again).state is JobState.DONE
    assert here.job(job).state is JobState.CANCELLED


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest) -> str | None:
    """A database of its own for a world; None for its file."""
    return request.getfixturevalue("postgres").migrated() if request.param == "postgresql" else None


def test_a_store_that_fails_costs_a_collection_nothing_that_it_has_read(
    world: Make, materials: Path, undisturbed: dict[str, object], database_url: str | None
) -> None:
    here = world(database_url=database_url)
    worker = here.worker()
    job = here.jobs.enqueue_collect(request(materials))
    first = here.scratch(job) / "shards" / "shard-00000.safetensors"
    wait_for(first.exists, "the first shard")
    read = first.stat()
    with away(here.store):
        wait_for(lambda: f"job {job}: failed" in here.output(worker), "the collection to fail")
    row = here.ended(job)
    assert row.state is JobState.FAILED and "the store failed" in row.reason
    with here.store.session() as session:
        assert collections.of_model(session, "tiny-llama") == []
    here.kill(worker)
    here.worker()  # which clears up when it starts
    again = here.jobs.retry(job)
    taken = here.scratch(again) / "shards" / "shard-00000.safetensors"
    found = wait_for(
        lambda: taken.stat() if taken.exists() else None, "the first shard in the retry's folder"
    )
    assert (found.st_ino, found.st_mtime_ns) == (read.st_ino, read.st_mtime_ns)
    assert here.ended(again).state is JobState.DONE
    assert contents(here) == undisturbed
    assert not any(here.scratch(again).parent.iterdir())


def test_a_collection_cancelled_while_no_worker_was_alive_is_cleaned_up_by_the_next(
    world: Make, materials: Path
) -> None:
    here = world()
    worker = here.worker()
    job = here.jobs.enqueue_collect(request(materials))
    wait_for(lambda: here.job(job).done > 0, "the collection to run")
    here.kill(worker)
    here.jobs.cancel(job)
    assert here.scratch(job).exists()
    here.worker()
    wait_for(lambda: not here.scratch(job).exists(), "its files to go", 15)
    with here.store.session() as session:
        assert collections.of_model(session, "tiny-llama") == []


def test_a_collection_cancelled_while_its_corpus_is_read_stops_there(world: Make, materials: Path) -> None:
    here = world()
    corpus = here.folder / "large.jsonl"
    texts = [json.loads(line)["text"] for line in (materials / "corpus.jsonl").open(encoding="utf-8")]
    with corpus.open("w", encoding="utf-8") as file:
        for i in range(40):
            file.writelines(json.dumps({"text": f"{i} {text}"}) + "\n" for text in texts)
    here.worker()
    job = here.jobs.enqueue_collect(request(materials, corpus=(str(corpus),)))
    wait_for(lambda: here.job(job).note == "reading the corpus", "the corpus to be read")
    here.jobs.cancel(job)
    other = request(materials, model=str(materials / "tiny-gpt2"), excerpts=40)
    assert (
        here.ended(here.jobs.enqueue_collect(other)).state is JobState.DONE
    )  # it waited for the cancelled one's end
    with here.store.session() as session:
        assert [model.slug for model in models.models(session)] == [
            "tiny-gpt2"
        ]  # the other never came to begin
        assert collections.under_way(session) == []
    assert not here.scratch(job).exists()


def test_a_second_collection_of_the_same_model_is_refused(world: Make, materials: Path) -> None:
    here = world()
    job = here.jobs.enqueue_collect(request(materials))
    with pytest.raises(Conflict, match=job):
        here.jobs.enqueue_collect(request(materials, seed=1))
    refused = here.run(
        "collect", "--model", str(materials / "tiny-llama"), "--corpus", str(materials / "corpus.jsonl"),
        "--excerpts", "77",
    )  # fmt: skip
    assert refused.returncode == 1
    assert one_line(refused) and job in refused.stderr


def test_a_smaller_collection_takes_the_place_of_a_larger_one_only_if_told_to(
    world: Make, materials: Path, collected: Path
) -> None:
    here = world(data=collected)
    here.worker()  # for all of the commands
    short = here.folder / "short.jsonl"
    lines = (materials / "corpus.jsonl").read_text("utf-8").splitlines(keepends=True)
    short.write_text("".join(lines[:20]), "utf-8")

    def collect(corpus: Path, *options: str) -> subprocess.CompletedProcess[str]:
        return here.run("collect", "--model", str(materials / "tiny-gpt2"), "--corpus", str(corpus), *options)

    def there() -> tuple[int, list[str]]:
        with here.store.session() as session:
            found = [layer.slug for layer in models.layers(session, "tiny-gpt2")]
        return len(ExcerptCache.get(here.store, "tiny-gpt2").splits), found

    refused = collect(materials / "corpus.jsonl", "--excerpts", "60", "--layers", "1")
    assert refused.returncode == 1 and "only 60 excerpts and no 0-mlp" in one_line(refused)
    with here.store.session() as session:
        assert len(jobs.list_jobs(session)) == 1  # nothing was begun
    refused = collect(short, "--excerpts", "400")
    assert refused.returncode == 1 and "--replace" in one_line(refused)  # it turned out to be too short
    assert there() == (400, ["0-mlp", "1-mlp"])
    again = collect(materials / "corpus.jsonl", "--excerpts", "400")
    assert again.returncode == 0, again.stderr
    told = collect(materials / "corpus.jsonl", "--excerpts", "60", "--layers", "1", "--replace")
    assert told.returncode == 0, told.stderr
    assert there() == (60, ["1-mlp"])


def one_line(done: subprocess.CompletedProcess[str]) -> str:
    """The error as shown: one line by us, and no traceback anywhere."""
    assert "Traceback" not in done.stdout + done.stderr
    [line] = [line for line in done.stderr.splitlines() if line.startswith("neuronarium: ")]
    return line


NOT_COLLECTED = (
    ("tiny-nobody", "corpus.jsonl", "all", "tiny-nobody"),
    ("empty", "corpus.jsonl", "all", "safetensors"),
    ("tiny-llama", "empty", "all", "no text"),
    ("tiny-llama", "nowhere.txt", "all", "nowhere.txt"),
    ("tiny-llama", "corpus.jsonl", "7", "layers 0 to 1"),
)


def test_what_cannot_be_collected_is_one_line_and_leaves_nothing(world: Make, materials: Path) -> None:
    (materials / "empty").mkdir(exist_ok=True)
    here = world()
    here.worker()  # one for all of them
    for count, (model, corpus, layers, words) in enumerate(NOT_COLLECTED, 1):
        done = here.run(
            "collect", "--model", str(materials / model), "--corpus", str(materials / corpus), "--layers", layers,
            "--excerpts", "50",
        )  # fmt: skip
        assert done.returncode == 1
        assert words in one_line(done)
        with here.store.session() as session:
            rows = jobs.list_jobs(session)
            assert len(rows) == count
            assert rows[0].state is JobState.FAILED and words in rows[0].reason
            assert [m.collection or m.collecting for m in models.models(session)] in ([], [None])
        assert not list((here.settings.data_dir / "jobs").glob("*/*"))


def test_a_failed_job_is_retried_with_the_same_parameters(world: Make, materials: Path) -> None:
    here = world()
    here.worker()
    late = materials / "late.jsonl"
    late.unlink(missing_ok=True)
    job = here.jobs.enqueue_collect(request(materials, corpus=(str(late),), excerpts=20))
    assert here.ended(job).state is JobState.FAILED
    late.write_bytes((materials / "corpus.jsonl").read_bytes())
    again = here.jobs.retry(job)
    row = here.ended(again)
    assert row.state is JobState.DONE, row.reason
    kept = json.loads(row.parameters_json)
    assert kept["retry_of"] == job and kept["corpus"] == [str(late)]
    with here.store.session() as session:
        assert models.model(session, "tiny-llama").neurons == 56


def test_some_layers_only(world: Make, materials: Path) -> None:
    here = world()
    done = here.run(
        "collect", "--model", str(materials / "tiny-gpt2"), "--corpus", str(materials / "corpus.jsonl"),
        "--layers", "1", "--excerpts", "64",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    with here.store.session() as session:
        assert [layer.slug for layer in models.layers(session, "tiny-gpt2")] == ["1-mlp"]
        assert len(ExcerptCache.get(here.store, "tiny-gpt2").splits) == 64
    assert "64 excerpts of" in done.stdout and "too few documents to score on" in done.stderr
