"""Explanations beside reference explanations: single scores by a job, and the table of a model."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from app.domain.embeddings import text_hash, unit
from app.domain.explanations import Metric, Protocol, State
from app.domain.neurons import Polarity
from app.domain.text_similarity import FEWEST_OTHERS, SimilarityOptions
from app.errors import BadInput, NotFound
from app.jobs import embedders, similarity_table
from app.settings import Endpoint, Settings
from app.store import Store, embeddings, scores, statements
from app.store.rows import JobState
from app.store.statements import Maker
from app.web import similarity_files
from tests import factories
from tests.conftest import Full
from tests.jobs.world import World
from tests.scripted_server import Recorded, Reply, ScriptedServer, server_error
from tests.scripted_server import embeddings as reply
from tests.store.test_statements import REFERENCE, A, B, say

Make = Callable[..., World]
D = 6
OTHERS = 14


def vector_of(text: str) -> np.ndarray:
    """Statements that begin with the same word point nearly the same way."""
    word = text.strip().split()[0]
    rng = np.random.default_rng(int.from_bytes(text_hash(word)[:8], "little"))
    noise = np.random.default_rng(int.from_bytes(text_hash(text)[:8], "little"))
    return unit((rng.standard_normal(D) + 0.1 * noise.standard_normal(D))[None])[0]


def answers(request: Recorded) -> Reply:
    return reply([(3 * vector_of(text)).astype(float).tolist() for text in request.body["input"]])


def fill(store: Store) -> tuple[int, int]:
    """References of 15 neurons, and one statement of the first by A; (that one's id, its reference's)."""
    factories.fill(store)
    with store.session() as s:
        references = [say(s, REFERENCE, i, f"thing{i} in a text") for i in range(OTHERS + 1)]
        return say(s, A, 0, "thing0 and more"), references[0]


@pytest.fixture
def filled(tmp_path: Path) -> tuple[Path, int, int]:
    folder = tmp_path / "filled"
    folder.mkdir()
    store = Store.open(f"sqlite:///{folder / 'neuronarium.sqlite'}")
    ids = fill(store)
    store.close()
    return folder, *ids


def with_endpoint(world: Make, data: Path, server: ScriptedServer) -> World:
    endpoint = server.endpoint(attempts=1, chat=False, completions=False, price_in=1.0)
    return world(data=data, endpoints=[endpoint], embedding_endpoint="scripted", embedding_batch=5)


def test_a_job_compares_two_statements_beside_the_floor(world: Make, filled: tuple[Path, int, int]) -> None:
    data, mine, reference = filled
    with ScriptedServer(server_error()) as server:
        here = with_endpoint(world, data, server)
        here.worker()
        ask = SimilarityOptions(reference, 3)
        failed = here.ended(here.jobs.enqueue_similarity(mine, ask))
        assert failed.state is JobState.FAILED and "HTTP 500" in failed.reason
        server.default, before = answers, server.calls
        row = here.ended(here.jobs.retry(failed.id))
        assert row.state is JobState.DONE, row.reason
        texts = [text for r in server.requests[before:] for text in r.body["input"]]
        assert len(texts) == len(set(texts)) == OTHERS + 2
        again = here.ended(here.jobs.enqueue_similarity(mine, ask))
        assert again.state is JobState.DONE
    with here.store.session() as s:
        newest, _, first = scores.of_explanation(s, mine)
    assert (first.value.state, first.value.reason) == (State.FAILED, failed.reason)
    value = newest.value
    assert (value.metric, value.protocol, value.state) == (Metric.EMBEDDING, Protocol.REFERENCE, State.OK)
    assert (newest.simulator, newest.simulator_model, newest.seed) == (
        "embedder",
        "scripted / scripted-model",
        3,
    )
    said = json.loads(value.parameters_json)
    own = vector_of("thing0 and more")
    assert value.value == pytest.approx(float(own @ vector_of("thing0 in a text")), abs=1e-5)
    expected = np.mean([own @ vector_of(f"thing{i} in a text") for i in range(1, OTHERS + 1)])
    assert said["chance_floor"] == pytest.approx(float(expected), abs=1e-5)
    assert (said["others"], said["reference"]) == (OTHERS, reference)
    assert said["reference_method"] == REFERENCE.method and said["reference_explainer"] == REFERENCE.explainer


def test_without_enough_other_neurons_there_is_no_similarity(
    world: Make, filled: tuple[Path, int, int]
) -> None:
    data, mine, _ = filled
    with ScriptedServer(answers) as server:
        here = with_endpoint(world, data, server)
        here.worker()
        with here.store.session() as s:
            lonely = say(s, Maker("human", "x"), 0, "thing0 says a person")
        row = here.ended(here.jobs.enqueue_similarity(mine, SimilarityOptions(lonely)))
        assert row.state is JobState.DONE and server.calls == 0
    with here.store.session() as s:
        [score] = scores.of_explanation(s, mine)
    assert score.value.state is State.TOO_FEW_RECORDS and f"{FEWEST_OTHERS} are needed" in score.value.reason


def test_what_cannot_be_compared_is_refused_when_asked(world: Make, filled: tuple[Path, int, int]) -> None:
    data, mine, reference = filled
    with ScriptedServer(answers) as server:
        here = with_endpoint(world, data, server)
        with here.store.session() as s:
            negative = say(s, A, 0, "thing0 the other way", polarity=Polarity.NEGATIVE)
        ask = here.jobs.enqueue_similarity
        for other, said in ((mine, "like itself"), (reference + 1, "same neuron"), (negative, "same neuron")):
            with pytest.raises(BadInput, match=said):
                ask(mine, SimilarityOptions(other))
        with pytest.raises(NotFound):
            ask(mine, SimilarityOptions(10**6))


def embed_all(store: Store, settings: Settings, leave: tuple[int, ...] = ()) -> None:
    by = embedders.embedder(settings)
    with store.session() as s:
        rows = embeddings.waiting(s, factories.SLUG, by, embeddings.newest(s, slug=factories.SLUG))
        rows = [(id_, text) for id_, text in rows if id_ not in leave]
        embeddings.register(s, by, D)
        there = embeddings.space(s, factories.SLUG, by)
        assert there is not None
        hashes = [text_hash(text) for _, text in rows]
        vectors = np.stack([vector_of(text) for _, text in rows])
        ids = [id_ for id_, _ in rows]
        embeddings.append(s, there, ids, [-1 - i for i in range(len(rows))], hashes, vectors, None, 0)


@pytest.fixture
def embedding_settings(tmp_path: Path) -> Settings:
    endpoint = Endpoint(name="scripted", base_url="http://127.0.0.1:9/v1", model="m")
    return Settings(data_dir=tmp_path, endpoints=[endpoint], embedding_endpoint="scripted")


def test_the_table_is_what_loops_give(full: Full, embedding_settings: Settings) -> None:
    store, n = full.store, 20
    with store.session() as s:
        for i in range(n):
            say(s, REFERENCE, i, f"thing{i} in a text")
            say(s, A, i, f"thing{i} seen again")
            say(s, B, i, f"thing{i + 1} seen wrongly")
        say(s, A, 0, "thing0 a second time")
        say(s, A, 30, "no reference of this one")
        left = say(s, B, 31, "thing31 alone")
        say(s, REFERENCE, 31, "thing31 in a text")
    embed_all(store, embedding_settings, (left,))
    with store.session() as s:
        made = statements.makers(s, factories.SLUG)
    reference = similarity_table.one(made, "published")
    found = similarity_table.table(
        store,
        embedding_settings,
        factories.SLUG,
        reference,
        [*similarity_table.find(made, "summary"), reference],
    )
    lines = {line.maker: line for line in found.lines}
    assert set(lines) == {A, B, *(m for m in lines if m.explainer not in ("vllm / a", "vllm / b"))}
    references = {i: vector_of(f"thing{i} in a text") for i in range(n)}
    said: dict[Maker, list[tuple[int, str]]] = {
        A: [(i, f"thing{i} seen again") for i in range(n)] + [(0, "thing0 a second time")],
        B: [(i, f"thing{i + 1} seen wrongly") for i in range(n)],
    }
    for maker, statements_ in said.items():
        line = lines[maker]
        similarity = {i: [] for i in range(n)}  # type: ignore[var-annotated]
        floor = {i: [] for i in range(n)}  # type: ignore[var-annotated]
        for i, text in statements_:
            vector = vector_of(text)
            similarity[i].append(vector @ references[i])
            floor[i].append(np.mean([vector @ references[j] for j in range(n) if j != i]))
        assert line.summary is not None and line.summary.neurons == n
        assert line.summary.similarity == pytest.approx(
            np.mean([np.mean(v) for v in similarity.values()]), abs=2e-3
        )
        assert line.summary.floor == pytest.approx(np.mean([np.mean(v) for v in floor.values()]), abs=2e-3)
        assert line.summary.difference == pytest.approx(line.summary.similarity - line.summary.floor)
        assert line.explanations == len(statements_)
    good, bad = lines[A].summary, lines[B].summary
    assert good is not None and bad is not None and good.low is not None and bad.high is not None
    assert good.low > 0.5 > bad.high
    assert (lines[A].left_out, lines[A].not_embedded) == (1, 0)
    assert (lines[B].left_out, lines[B].not_embedded) == (0, 1) and found.not_embedded == 1
    assert (found.references, found.several) == (n + 1, 0)
    written = similarity_files.text(found)
    assert "summary:vllm / a" in written and "summary:vllm / b 1 neurons" in written
    cells = similarity_files.csv_text(found).splitlines()
    assert len(cells) == 1 + len(found.lines) and cells[0].startswith("method,explainer,neurons")
    value = json.loads(similarity_files.json_text(found))
    assert {line["explainer"] for line in value["lines"]} >= {"vllm / a", "vllm / b"}


def test_names_of_makers_are_found_or_said(full: Full) -> None:
    with full.store.session() as s:
        say(s, A, 0, "a")
        say(s, B, 0, "b")
        made = statements.makers(s, factories.SLUG)
    assert set(similarity_table.find(made, "summary")) >= {A, B}
    assert similarity_table.one(made, "summary:vllm / b") == B
    with pytest.raises(BadInput, match=r"several explainers.*summary:vllm / a"):
        similarity_table.one(made, "summary")
    with pytest.raises(BadInput, match=r"Nobody explained.*nobody.*token_lookup"):
        similarity_table.find(made, "nobody")


def test_few_neurons_have_no_floor_and_nothing_embedded_no_line(
    full: Full, embedding_settings: Settings
) -> None:
    with full.store.session() as s:
        for i in range(FEWEST_OTHERS):
            say(s, REFERENCE, i, f"thing{i} in a text")
            say(s, A, i, f"thing{i} seen again")
    [line] = similarity_table.table(full.store, embedding_settings, factories.SLUG, REFERENCE, [A]).lines
    assert line.summary is None and line.not_embedded == FEWEST_OTHERS and "0 neurons" in line.why
    embed_all(full.store, embedding_settings)
    [line] = similarity_table.table(full.store, embedding_settings, factories.SLUG, REFERENCE, [A]).lines
    assert line.summary is None and f"{FEWEST_OTHERS} neurons to compare" in line.why


def test_the_command_line(world: Make, filled: tuple[Path, int, int]) -> None:
    data, mine, reference = filled
    with ScriptedServer(answers) as server:
        here = with_endpoint(world, data, server)
        here.worker()
        with here.store.session() as s:
            for i in range(1, OTHERS + 1):
                say(s, A, i, f"thing{i} and more")
        single = here.run("similarity", str(mine), "--reference", str(reference))
        assert single.returncode == 0, single.stderr
        assert "chance floor" in single.stdout and "embedder by scripted" in single.stdout
        table = here.run(
            "similarity",
            factories.SLUG,
            "--reference",
            "published",
            "--methods",
            "summary",
            "--format",
            "csv",
        )
        assert table.returncode == 0, table.stderr
        assert "embedding them" in table.stderr
        lines = [line for line in table.stdout.splitlines() if line.startswith("summary,vllm / a,")]
        assert len(lines) == 1 and lines[0].split(",")[2] == str(OTHERS + 1)
