"""Embedding jobs through real workers: a scripted endpoint, the real local model, kills in between."""

import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from app.domain.embeddings import text_hash, unit
from app.domain.ledger import Outcome
from app.embed import local
from app.errors import AppError, BadInput, Conflict, EndpointError, NotFound
from app.jobs import embedders
from app.settings import Endpoint
from app.store import Store, embeddings, ledger, semantic
from app.store.rows import JobState
from tests import factories
from tests.conftest import Postgres
from tests.jobs.world import World, wait_for
from tests.scripted_server import Recorded, Reply, ScriptedServer, held, server_error, slow
from tests.scripted_server import embeddings as reply
from tests.store.test_embeddings import add

Make = Callable[..., World]
D = 6
TEXTS = [f"statement number {i}" for i in range(20)]
needs_model = pytest.mark.skipif(local.embedder() is None, reason=f"{local.PACKAGE} is not installed")


def vector_of(text: str) -> np.ndarray:
    seed = int.from_bytes(text_hash(text)[:8], "little")
    return unit(np.random.default_rng(seed).standard_normal((1, D)))[0]


def answers(request: Recorded) -> Reply:
    """What a good endpoint says, a vector of another length and of other size than ours."""
    return reply([(5 * vector_of(text)).astype(float).tolist() for text in request.body["input"]])


def fill(store: Store) -> dict[int, str]:
    """The small computed store and twenty statements, four of them said of two neurons; texts by id."""
    tiny = factories.fill(store)
    with store.session() as s:
        said = {add(s, text, i): text for i, text in enumerate(TEXTS)}
        said |= {add(s, f" {text}\n", 25, f"again {text}"): text for text in TEXTS[:4]}
        newest = embeddings.newest(s, slug=tiny.slug)
        waiting = embeddings.waiting(s, tiny.slug, embedders.Embedder("nobody", ""), newest)
    return {id_: text.strip() for id_, text in waiting}


@pytest.fixture
def filled(tmp_path: Path) -> tuple[Path, dict[int, str]]:
    """A data folder with a small store, and the texts in it that are to be embedded, by id."""
    folder = tmp_path / "filled"
    folder.mkdir()
    store = Store.open(f"sqlite:///{folder / 'neuronarium.sqlite'}")
    said = fill(store)
    store.close()
    return folder, said


def stored(world: World) -> dict[int, np.ndarray]:
    """The vector of every explanation that has one; each explanation once, each text once."""
    by = embedders.embedder(world.settings)
    with world.store.session() as s:
        there = embeddings.space(s, factories.SLUG, by)
        if there is None:
            return {}
        vectors: list[np.ndarray] = []
        found: dict[int, np.ndarray] = {}
        for chunk in embeddings.chunks(s, there, -1):
            vectors += list(chunk.vectors)
            for id_, number in zip(chunk.explanations.tolist(), chunk.vector_numbers.tolist(), strict=True):
                assert id_ not in found
                found[id_] = vectors[number]
        assert len(embeddings.known_texts(s, there)) == len(vectors)
    return found


def check(world: World, said: dict[int, str]) -> None:
    """All of these are stored, with the vectors of their texts."""
    found = stored(world)
    assert found.keys() == said.keys()
    for id_, text in said.items():
        assert np.array_equal(found[id_], vector_of(text).astype(np.float16)), text


def asked(server: ScriptedServer) -> Counter[str]:
    return Counter(text for request in server.requests for text in request.body["input"])


def with_endpoint(world: Make, data: Path | None, server: ScriptedServer, **more: object) -> World:
    endpoint = server.endpoint(concurrency=1, attempts=2, price_in=1.0, chat=False, completions=False)
    return world(data=data, endpoints=[endpoint], embedding_endpoint="scripted", embedding_batch=3, **more)


def test_a_job_embeds_every_statement_once(world: Make, filled: tuple[Path, dict[int, str]]) -> None:
    data, said = filled
    with ScriptedServer(answers) as server:
        here = with_endpoint(world, data, server)
        here.worker()
        row = here.ended(here.jobs.enqueue_embed(factories.SLUG))
        assert row.state is JobState.DONE, row.reason
        assert (row.done, row.total, row.unit) == (len(said), len(said), "explanations")
        assert asked(server) == Counter(set(said.values()))
        assert json.loads(row.result_json) == {"explanations": len(said), "vectors": len(set(said.values()))}
        assert row.cost_usd > 0
        check(here, said)
        with here.store.session() as s:
            entries = ledger.of_job(s, row.id)
        assert len(entries) == server.calls and all(len(e.answer_json) < 200 for e in entries)  # vectors once
        # The next run asks for what is new alone: other words once, known words not at all.
        with here.store.session() as s:
            said |= {
                add(s, "quite new", 3): "quite new",
                add(s, "statement number 5", 30): "statement number 5",
            }
        calls = server.calls
        again = here.ended(here.jobs.enqueue_embed(factories.SLUG))
        assert (again.state, again.done, again.total) == (JobState.DONE, 2, 2)
        assert server.calls == calls + 1 and server.requests[-1].body["input"] == ["quite new"]
        check(here, said)
        nothing = here.ended(here.jobs.enqueue_embed(factories.SLUG))
        assert nothing.state is JobState.DONE and json.loads(nothing.result_json)["explanations"] == 0
        assert server.calls == calls + 1
    query = vector_of("statement number 7")
    by = embedders.embedder(here.settings)
    best, *_ = semantic.search(here.store, factories.SLUG, query, 3, by)
    assert said[best.explanation_id] == "statement number 7" and best.similarity > 0.999


@pytest.mark.parametrize("answered", [0, 1, 4])
def test_a_killed_worker_s_job_is_finished_with_no_recorded_call_made_again(
    world: Make, filled: tuple[Path, dict[int, str]], answered: int
) -> None:
    data, said = filled
    with ScriptedServer(answers) as server:
        server.script(*[answers] * answered)
        server.default = lambda request: held(answers(request))
        here = with_endpoint(world, data, server)
        first = here.worker()
        job = here.jobs.enqueue_embed(factories.SLUG)
        assert server.wait_for_calls(answered + 1)
        here.kill(first)
        assert len({tuple(v.tolist()) for v in stored(here).values()}) == 3 * answered
        in_flight = server.requests[answered].body["input"]
        server.default = answers
        server.release()
        here.worker()
        row = here.ended(job)
        assert (row.state, row.attempts) == (JobState.DONE, 2), row.reason
        assert (row.done, row.total) == (len(said), len(said))  # what was done before the kill counts
        calls = asked(server)
    check(here, said)
    assert calls == Counter(set(said.values())) + Counter(in_flight)
    with here.store.session() as s:
        recorded = Counter(e.request_key for e in ledger.of_job(s, job) if e.outcome is Outcome.OK)
    assert max(recorded.values()) == 1
    assert json.loads(row.result_json) == {"explanations": len(said), "vectors": len(set(said.values()))}


def test_on_postgresql_too(world: Make, postgres: Postgres) -> None:
    url = postgres.migrated()
    store = Store.open(url)
    said = fill(store)
    store.close()
    with ScriptedServer(answers) as server:
        server.script(answers, answers)
        server.default = lambda request: held(answers(request))
        here = with_endpoint(world, None, server, database_url=url)
        first = here.worker()
        job = here.jobs.enqueue_embed(factories.SLUG)
        assert server.wait_for_calls(3)
        here.kill(first)
        server.default = answers
        server.release()
        here.worker()
        row = here.ended(job)
        assert row.state is JobState.DONE, row.reason
        assert sorted(asked(server).values()) == [1] * (len(set(said.values())) - 3) + [2] * 3
    check(here, said)


def test_a_failing_endpoint_fails_the_job_and_a_retry_goes_on(
    world: Make, filled: tuple[Path, dict[int, str]]
) -> None:
    data, said = filled
    with ScriptedServer(server_error()) as server:
        server.script(answers, answers)
        here = with_endpoint(world, data, server)
        here.worker()
        job = here.jobs.enqueue_embed(factories.SLUG)
        row = here.ended(job)
        assert row.state is JobState.FAILED and "HTTP 500 (the model runner crashed)" in row.reason
        kept = stored(here)
        assert 6 <= len(kept) < len(said)
        server.default = answers
        again = here.ended(here.jobs.retry(job))
        assert (again.state, again.done) == (JobState.DONE, len(said) - len(kept)), again.reason
        assert max(asked(server).values()) <= 3  # two tries of the failed one, and the one that was answered
    check(here, said)


def test_an_endpoint_whose_model_changed_is_found_out(
    world: Make, filled: tuple[Path, dict[int, str]]
) -> None:
    data, _ = filled
    with ScriptedServer(answers) as server:
        here = with_endpoint(world, data, server)
        here.worker()
        assert here.ended(here.jobs.enqueue_embed(factories.SLUG)).state is JobState.DONE
        with here.store.session() as s:
            add(s, "one more", 1)
        server.default = lambda request: reply([[1.0, 2.0]] * len(request.body["input"]))
        row = here.ended(here.jobs.enqueue_embed(factories.SLUG))
        with pytest.raises(EndpointError, match="2 values where 6 are stored"):
            embedders.query_vector(here.settings, here.store, "a question")
    assert row.state is JobState.FAILED and "2 values where 6 are stored" in row.reason


def test_a_cancelled_job_keeps_what_it_stored(world: Make, filled: tuple[Path, dict[int, str]]) -> None:
    data, said = filled
    with ScriptedServer(answers) as server:
        server.script(answers, answers)
        server.default = lambda request: held(answers(request))
        here = with_endpoint(world, data, server)
        here.worker()
        job = here.jobs.enqueue_embed(factories.SLUG)
        assert server.wait_for_calls(3)
        with pytest.raises(Conflict, match=f"embedded already by job {job}"):
            here.jobs.enqueue_embed(factories.SLUG)
        here.jobs.cancel(job)
        assert here.ended(job).state is JobState.CANCELLED
        kept = stored(here)
        assert 0 < len(kept) < len(said)
        server.release()
        server.default = answers
        again = wait_for(lambda: here.jobs.enqueue_embed(factories.SLUG), "a second job")
        assert here.ended(again).state is JobState.DONE
    check(here, said)


def test_what_cannot_begin_says_so(
    world: Make, filled: tuple[Path, dict[int, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    here = world(data=filled[0])
    monkeypatch.setattr(local, "embedder", lambda: None)
    with pytest.raises(BadInput, match=r"not set up: .*neuronarium\[search\].*embedding_endpoint"):
        here.jobs.enqueue_embed(factories.SLUG)
    assert embedders.not_set_up(here.settings).startswith("Search by meaning is not set up: install")
    monkeypatch.undo()
    monkeypatch.setattr(local, "embedder", lambda: embedders.Embedder("local", "r"))
    assert embedders.not_set_up(here.settings) == ""
    with pytest.raises(NotFound, match="no model “nobody”"):
        here.jobs.enqueue_embed("nobody")


def test_a_question_is_embedded_once(world: Make, filled: tuple[Path, dict[int, str]]) -> None:
    with ScriptedServer(answers) as server:
        here = with_endpoint(world, filled[0], server)
        first = embedders.query_vector(here.settings, here.store, "  ships \n")
        assert np.allclose(first, vector_of("ships"), atol=1e-6)
        assert np.array_equal(embedders.query_vector(here.settings, here.store, "ships"), first)
        assert server.calls == 1
        for wrong in ("", " \n", "x" * 2001):
            with pytest.raises(BadInput):
                embedders.query_vector(here.settings, here.store, wrong)


def test_nobody_waits_long_for_a_question(
    world: Make, filled: tuple[Path, dict[int, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embedders, "PATIENCE_SECONDS", 0.4)
    with ScriptedServer(slow(20)) as server:
        here = with_endpoint(world, filled[0], server)
        with pytest.raises(AppError, match="scripted"):
            embedders.query_vector(here.settings, here.store, "ships")
        server.default = server_error()
        with pytest.raises(EndpointError):
            embedders.query_vector(here.settings, here.store, "boats")


def test_an_endpoint_is_another_embedder_when_its_model_or_request_changes() -> None:
    def of(**changes: object) -> embedders.Embedder:
        values = {"name": "e", "base_url": "http://127.0.0.1:1/v1", "model": "m", **changes}
        endpoint = Endpoint.model_validate(values)
        return embedders.embedder(embedders.Settings(endpoints=[endpoint], embedding_endpoint="e"))

    assert of() == of(base_url="http://127.0.0.1:2/v1", timeout_s=1.0)
    assert len({of(), of(model="n"), of(extra={"dimensions": 64}), of(name="e")}) == 3


@needs_model
def test_the_local_model_through_the_command_line(world: Make, filled: tuple[Path, dict[int, str]]) -> None:
    data, said = filled
    here = world(data=data)
    done = here.run("embed", factories.SLUG)
    assert done.returncode == 0, done.stderr
    assert (
        f"{len(said)} explanations embedded by all-MiniLM-L6-v2 ({len(set(said.values()))} different texts"
        in done.stdout
    )
    model = local.load()
    found = stored(here)
    assert found.keys() == said.keys()
    for id_, text in said.items():
        assert np.abs(found[id_].astype(np.float32) - model.embed([text])[0]).max() < 1e-3
    query = embedders.query_vector(here.settings, here.store, "statement number 7")
    best, *_ = semantic.search(here.store, factories.SLUG, query, 3, embedders.embedder(here.settings))
    assert said[best.explanation_id] == "statement number 7"
    lists = here.run("embed", factories.SLUG, "--token-lookup")
    assert lists.returncode == 0 and f"{2 * factories.NEURONS} explanations embedded" in lists.stdout
    assert here.run("embed", "nobody").returncode == 1


@needs_model
def test_a_killed_local_job_goes_on_where_it_was(world: Make, filled: tuple[Path, dict[int, str]]) -> None:
    data, said = filled
    here = world(data=data)
    with here.store.session() as s:
        rng = np.random.default_rng(0)
        for i in range(1200):
            text = " ".join(f"word{n}" for n in rng.integers(0, 5000, 6))
            said[add(s, text, i % 32, f"long {i}")] = text
    first = here.worker()
    job = here.jobs.enqueue_embed(factories.SLUG)
    wait_for(lambda: stored(here), "the first chunk")
    here.kill(first)
    kept = stored(here)
    assert 0 < len(kept) < len(said)
    here.worker()
    row = here.ended(job, 200)
    assert (row.state, row.attempts, row.done) == (JobState.DONE, 2, len(said)), row.reason
    found = stored(here)
    assert found.keys() == said.keys()
    assert all(np.array_equal(found[id_], kept[id_]) for id_ in kept)
