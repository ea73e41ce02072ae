"""Probing through a real worker and a planted model: it converges where the explainer learns, and ends where it does not."""

import json
import shutil
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from app.domain.explanations import ExplainOptions, Method, Protocol, ScoreOptions, SimulatorName, State
from app.domain.ledger import Outcome
from app.domain.probing import Probe, probe_of, verdict_of
from app.domain.revising import ProbeOptions
from app.errors import BadInput
from app.explain.probe import texts_schema
from app.jobs.requests import ProbeRequest
from app.llm.pricing import most_tokens
from app.store import explanations, ledger
from app.store.rows import JobRow, JobState
from tests.jobs.test_revise_job import BROAD, EXPLAIN, REF, RIGHT, levels
from tests.jobs.world import World
from tests.scripted_server import Recorded, Reply, ScriptedServer, chat, held

WORDS = ["one", "two", "six", "ten", "red", "low", "old", "new", "far", "big", "dry", "wet"]
GUESSES = [BROAD, "odd digits", RIGHT]
SCORE = ScoreOptions(SimulatorName.CHAT_JSON, "scripted", Protocol.HELDOUT_5_5)


def texts(hypothesis: str, number: int) -> Reply:
    """Two texts that fit the hypothesis and two that do not, new in every round: what a fair explainer would write."""
    word, other = WORDS[2 * number], WORDS[2 * number + 1]
    fit = {BROAD: ("7", "4"), "odd digits": ("7", "5"), RIGHT: ("7", "7")}[hypothesis]
    miss = {BROAD: ("x", "y"), "odd digits": ("2", "8"), RIGHT: ("5", "9")}[hypothesis]
    return chat(
        json.dumps(
            {
                "active": [f"There were {fit[0]} {word} cats.", f"We sold {fit[1]} {other} ships."],
                "silent": [f"It was {miss[0]} {word} dogs.", f"I saw {miss[1]} {other} trees."],
            }
        )
    )


def learner(request: Recorded) -> Reply:
    """Narrows its guess each time it was wrong."""
    predicted = levels(request)
    if predicted is not None:
        return predicted
    rounds = request.text.count("foretold active") // 2
    if "response_format" in request.body:
        return texts(believed(request), rounds)
    return chat(GUESSES[min(rounds, len(GUESSES) - 1)] if rounds else BROAD)


def stubborn(request: Recorded) -> Reply:
    """Never learns."""
    predicted = levels(request)
    if predicted is not None:
        return predicted
    if "response_format" in request.body:
        return texts(BROAD, request.text.count("foretold active") // 2)
    return chat(BROAD)


def believed(request: Recorded) -> str:
    asked = request.text.rpartition("Hypothesis: ")[2]
    return next(guess for guess in reversed(GUESSES) if guess in asked)


class Here:
    """One installation with a worker, and an explanation that is too broad."""

    def __init__(self, world: World, server: ScriptedServer) -> None:
        self.world, self.server = world, server
        self.source = json.loads(world.ended(world.jobs.enqueue_explain(REF, EXPLAIN, None)).result_json)[
            "explanation"
        ]

    def probe(
        self, explain: ExplainOptions | None = None, score: ScoreOptions | None = None, **more: object
    ) -> JobRow:
        options = replace(ProbeOptions("scripted", texts=2), **more)  # type: ignore[arg-type]
        begin = {"first": explain} if explain else {"explanation_id": self.source}
        request = ProbeRequest(REF, options, score=score, fresh=True, **begin)  # type: ignore[arg-type]
        return self.world.ended(self.world.jobs.enqueue_probe(request), 240)

    def newest(self) -> explanations.ExplanationRow:
        with self.world.store.session() as session:
            return explanations.get(session, explanations.of_neuron(session, REF)[0].id)

    def steps(self, explanation: int) -> list[tuple[str, dict[str, object]]]:
        with self.world.store.session() as session:
            found = explanations.steps_of(session, explanation)
        return [(step.kind, json.loads(step.data_json)) for step in found]

    def probes(self, explanation: int) -> list[Probe]:
        with self.world.store.session() as session:
            return [probe_of(s) for s in explanations.steps_of(session, explanation) if s.kind == "probe"]


@pytest.fixture(scope="module")
def shared_here(tmp_path_factory: pytest.TempPathFactory, collected_planted: Path) -> Iterator[Here]:
    folder = tmp_path_factory.mktemp("probe")
    shutil.copytree(collected_planted, folder / "data")
    with ScriptedServer(learner) as server:
        made = World(folder, [server.endpoint(price_in=1.0, price_out=1.0)])
        try:
            made.worker()
            yield Here(made, server)
        finally:
            made.close()


@pytest.fixture
def here(shared_here: Here) -> Iterator[Here]:
    shared_here.server.default = learner
    shared_here.server.requests.clear()
    yield shared_here


def test_it_converges_on_what_the_neuron_does(here: Here) -> None:
    done = here.probe(score=SCORE)
    assert done.state is JobState.DONE, done.reason
    found = json.loads(done.result_json)
    assert (found["held"], found["rounds"], found["source"]) == (True, 3, here.source)
    row = here.newest()
    assert (row.id, row.text, row.method, row.source_id) == (
        found["explanation"],
        RIGHT,
        Method.PROBING,
        here.source,
    )
    said = json.loads(row.provenance.parameters_json)
    assert (said["held"], said["rounds"], said["right"], said["texts"]) == (True, 3, 4, 4)
    probes = here.probes(row.id)
    assert [(p.round, p.expected, p.active) for p in probes] == [
        (1, True, True), (1, True, False), (1, False, False), (1, False, False),
        (2, True, True), (2, True, False), (2, False, False), (2, False, False),
        (3, True, True), (3, True, True), (3, False, False), (3, False, False),
    ]  # fmt: skip
    kinds = [kind for kind, _ in here.steps(row.id)]
    assert kinds == ["hypothesis", *["probe"] * 4, "verdict"] * 3
    verdicts = [data for kind, data in here.steps(row.id) if kind == "verdict"]
    assert [(v["right"], v["texts"], v["held"]) for v in verdicts] == [
        (3, 4, False),
        (3, 4, False),
        (4, 4, True),
    ]
    assert len({p.live.text for p in probes}) == 12  # fresh texts each time
    rethought = [r for r in here.server.requests if "Hypothesis that failed" in r.text]
    assert len(rethought) == 2 and "(foretold active, was silent)" in rethought[0].text
    assert "[7]" in rethought[0].text and "7\t10" in rethought[0].text
    assert (
        json.loads(row.provenance.messages_json) == rethought[1].messages
    )  # the prompt that this statement answers
    assert row.provenance.usage.calls == 5
    assert any(s.value.state is State.OK for s in row.scores)


def test_one_that_never_learns_ends_at_its_budget_and_says_so(here: Here) -> None:
    here.server.default = stubborn
    done = here.probe(rounds=2)
    assert done.state is JobState.DONE, done.reason
    row = here.newest()
    said = json.loads(row.provenance.parameters_json)
    assert (row.text, said["held"], said["rounds"], said["ended_by"]) == (BROAD, False, 2, "2 rounds")
    assert (said["right"], said["texts"]) == (3, 4)


@pytest.mark.parametrize(("calls", "tested"), [(1, 1), (2, 1), (3, 2)])
def test_no_more_calls_are_made_than_allowed(here: Here, calls: int, tested: int) -> None:
    done = here.probe(calls=calls)
    assert done.state is JobState.DONE, done.reason
    assert here.server.calls == calls
    said = json.loads(here.newest().provenance.parameters_json)
    assert (said["held"], said["rounds"]) == (False, tested) and "call" in said["ended_by"]


def test_no_more_dollars_are_spent_than_allowed(here: Here) -> None:
    here.probe(calls=1)
    body = here.server.requests[0].body
    schema = texts_schema(2)
    most = most_tokens(schema, *(m["role"] + m["content"] for m in body["messages"])) + body["max_tokens"]
    here.server.requests.clear()
    # Enough for the first round's texts and another hypothesis, whose answer is short; not for texts once more.
    done = here.probe(usd=most / 1e6)
    said = json.loads(here.newest().provenance.parameters_json)
    assert (done.state, said["held"], said["rounds"]) == (JobState.DONE, False, 1)
    assert said["ended_by"].startswith("$") and here.server.calls == 2
    assert 0 < done.cost_usd <= most / 1e6
    here.server.requests.clear()
    done = here.probe(usd=0.9 * most / 1e6)
    assert done.state is JobState.FAILED and "before any hypothesis was tested" in done.reason
    assert here.server.calls == 0


def test_a_first_hypothesis_is_made_on_the_spot(here: Here) -> None:
    done = here.probe(EXPLAIN)
    assert done.state is JobState.DONE, done.reason
    assert json.loads(done.result_json)["source"] != here.source and here.newest().text == RIGHT


def test_garbled_texts_are_a_failure_that_keeps_every_step(here: Here) -> None:
    here.server.script(learner, learner, *[chat('{"active": ["only one"], "silent": []}')] * 3)
    done = here.probe()
    assert done.state is JobState.FAILED and "1 texts under “active” instead of 2" in done.reason
    row = here.newest()
    assert (row.state, row.method, row.text) == (State.FAILED, Method.PROBING, "")
    assert [k for k, _ in here.steps(row.id)] == [
        "hypothesis", *["probe"] * 4, "verdict", "hypothesis", *["rejected"] * 3
    ]  # fmt: skip


def test_a_text_that_was_tried_before_is_no_test(here: Here) -> None:
    def again(request: Recorded) -> Reply:
        fresh = "response_format" in request.body and levels(request) is None
        return texts(BROAD, 0) if fresh else learner(request)

    here.server.default = again
    done = here.probe()
    assert done.state is JobState.FAILED and "repeats an earlier one" in done.reason


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"rounds": 0}, "0 rounds"),
        ({"calls": 0}, "0 calls"),
        ({"texts": 0}, "0 texts"),
        ({"usd": 0.0}, "no dollars"),
        ({"usd": -1.0}, "no dollars"),
        ({"usd": float("nan")}, "no dollars"),
        ({"rounds": 10**6}, "1000000 rounds"),
    ],
)
def test_a_budget_of_nothing_is_refused_before_it_begins(
    here: Here, options: dict[str, float], said: str
) -> None:
    with pytest.raises(BadInput, match=said):
        here.probe(**options)
    assert here.server.calls == 0


@pytest.mark.parametrize("answered", [1, 3])
def test_a_killed_worker_s_probing_goes_on_to_the_same_end(
    world: Callable[..., World], collected_planted: Path, answered: int
) -> None:
    with ScriptedServer(learner) as server:
        here = world(data=collected_planted, endpoints=[server.endpoint()])
        first = here.worker()
        source = json.loads(here.ended(here.jobs.enqueue_explain(REF, EXPLAIN, None)).result_json)[
            "explanation"
        ]
        server.requests.clear()
        server.script(*[learner] * answered)
        server.default = lambda request: held(learner(request))
        job = here.jobs.enqueue_probe(
            ProbeRequest(REF, ProbeOptions("scripted", texts=2), explanation_id=source)
        )
        assert server.wait_for_calls(answered + 1, 120)
        here.kill(first)
        server.default = learner
        server.release()
        here.worker()
        row = here.ended(job, 240)
        assert row.state is JobState.DONE, row.reason
        calls = Counter(json.dumps(r.body, sort_keys=True) for r in server.requests)
        with here.store.session() as session:
            keys = Counter(e.request_key for e in ledger.of_job(session, job) if e.outcome is Outcome.OK)
            mine = [e for e in explanations.of_neuron(session, REF) if e.job_id == job]
            steps = explanations.steps_of(session, mine[0].id)
    assert sorted(calls.values()) == [1, 1, 1, 1, 2] and set(keys.values()) == {1} and len(keys) == 5
    assert [e.text for e in mine] == [RIGHT]
    assert [verdict_of(s).right for s in steps if s.kind == "verdict"] == [3, 3, 4]
