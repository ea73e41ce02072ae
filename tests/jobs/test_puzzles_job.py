"""Runs over puzzles through real workers: a scripted explainer, judge, embedder and simulator, and kills in between."""

import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from app.domain.explanations import ExplainOptions, Method, SimulatorName, State
from app.domain.puzzle_tallies import Counted
from app.domain.puzzles import OWN_SET, Judge
from app.errors import BadInput, NotFound
from app.jobs.requests import PuzzlesRequest
from app.store import explanations, puzzle_results
from app.store.puzzle_results import RunResult
from app.store.rows import JobState
from tests.jobs.puzzle_oracle import RUBBISH, asked, oracle, own, put
from tests.jobs.world import World
from tests.scripted_server import Recorded, Reply, ScriptedServer, chat, held

Make = Callable[..., World]
EXPLAIN = ExplainOptions(Method.SUMMARY, explainer="scripted", seed=3)
FIVE = (0, 1, 2, 3, 4)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with the built-in set."""
    folder = tmp_path_factory.mktemp("puzzles") / "data"
    put(folder)
    return folder


def said(number: int) -> str:
    """The truth of puzzles 0 and 1, a false statement of 2, and rubbish of the rest."""
    if number in (0, 1):
        return own()[number].truth
    return own()[number].false[0] if number == 2 else RUBBISH


def only(here: World) -> RunResult:
    with here.store.session() as s:
        [found] = puzzle_results.results(s, OWN_SET)
    return found


def request(**more: Any) -> PuzzlesRequest:
    return PuzzlesRequest(**{"model": OWN_SET, "puzzles": FIVE, "explain": EXPLAIN, **more})


def test_every_judge_counts_truth_falsehood_and_rubbish_exactly(world: Make, data: Path) -> None:
    with ScriptedServer(oracle(said)) as server:
        here = world(
            data=data, endpoints=[server.endpoint()], embedding_endpoint="scripted", embedding_batch=100
        )
        here.worker()
        job = here.jobs.enqueue_puzzles(request(judge=Judge.SIMILARITY))
        row = here.ended(job)
        assert row.state is JobState.DONE, row.reason
        assert (row.done, row.total, row.unit) == (10, 10, "steps")
        again = here.ended(
            here.jobs.enqueue_puzzles(request(judge=Judge.MODEL, judge_endpoint="scripted", run=job))
        )
        assert again.state is JobState.DONE, again.reason
        explained = Counter(asked(r)[0] for r in server.requests)["explain"]
    assert explained == 5  # going on with a run explains nothing again
    found = only(here)
    assert (found.run.id, found.puzzles, found.explained, found.failures) == (job, 5, 5, ())
    tallies = {each.judge: each for each in found.judges}
    assert {judge: each.first for judge, each in tallies.items()} == {
        Judge.SIMILARITY: Counted(2, 5),
        Judge.MODEL: Counted(2, 5),
    }
    assert tallies[Judge.MODEL].name == "scripted / scripted-model"
    assert tallies[Judge.SIMILARITY].chance == pytest.approx(sum(1 / (1 + len(own()[n].false)) for n in FIVE))
    assert all(each.final is None for each in tallies.values())
    with here.store.session() as s:
        [made] = explanations.of_neuron(s, found.lines[2].puzzle.ref)
    assert made.text == own()[2].false[0] and made.provenance.prompt_version == "summary-2/puzzle-1"
    assert made.provenance.excerpts == () and made.provenance.seed == 3


def test_a_second_round_shows_what_the_first_statement_got_wrong(world: Make, data: Path) -> None:
    def second(number: int) -> str:
        return own()[number].truth if number != 4 else RUBBISH

    with ScriptedServer(oracle(said, second)) as server:
        here = world(data=data, endpoints=[server.endpoint()])
        here.worker()
        job = here.jobs.enqueue_puzzles(
            request(
                judge=Judge.MODEL,
                judge_endpoint="scripted",
                revise_with=SimulatorName.CHAT_JSON,
                simulator_endpoint="scripted",
                puzzles=(0, 2, 3, 4),
            )
        )
        row = here.ended(job)
        assert row.state is JobState.DONE, row.reason
        revisions = [r for r in server.requests if asked(r)[0] == "revise"]
    found = only(here)
    # The truth is simulated exactly: nothing to revise in puzzle 0. Puzzle 4 stays wrong.
    assert (found.revised, found.nothing_to_revise) == (3, 1)
    [tally] = found.judges
    assert (tally.first, tally.final, tally.better, tally.worse) == (Counted(1, 4), Counted(3, 4), 2, 0)
    of_two = next(r for r in revisions if asked(r)[1] == {"puzzle": 2})
    question = of_two.messages[-1]["content"]
    puzzle = own()[2]
    assert of_two.messages[-2]["content"] == puzzle.false[0]
    assert "Tokens predicted to be active:It\n" in question  # the scripted simulator expects first tokens
    assert "Active tokens: very\n" in question
    silent = [i for i, row in enumerate(puzzle.active) if not any(row)]
    assert any(
        f"Excerpt {i + 1}: {puzzle.sentences[i].text}\nActive tokens: (none)" in question for i in silent
    )
    with here.store.session() as s:
        revised, first = explanations.of_neuron(s, found.lines[1].puzzle.ref)
    assert (revised.method, revised.source_id, first.method) == ("revision", first.id, "summary")
    assert json.loads(revised.provenance.parameters_json)["simulator"] == "chat_json"


def test_truth_and_falsehood_are_ranked_by_what_is_simulated_from_them(world: Make, data: Path) -> None:
    def simulated(puzzle: Any, statement: str, sentence: int) -> list[float]:
        """Exact for the truth of puzzle 0; of puzzle 1 one false statement does better; of puzzle 2 nothing is predicted."""
        levels = list(puzzle.levels[sentence])
        blurred = [x / 2 + (i % 3) for i, x in enumerate(levels)]
        others = [float(i == 0) for i in range(len(levels))]
        if puzzle == own()[0]:
            return levels if statement == puzzle.truth else others
        if puzzle == own()[1]:
            return (
                blurred if statement == puzzle.truth else levels if statement == puzzle.false[1] else others
            )
        return [0.0] * len(levels)

    with ScriptedServer(oracle(said, simulated=simulated)) as server:
        here = world(data=data, endpoints=[server.endpoint()])
        here.worker()
        job = here.jobs.enqueue_puzzles(
            PuzzlesRequest(
                OWN_SET, (0, 1, 2), rank_with=SimulatorName.CHAT_JSON, simulator_endpoint="scripted"
            )
        )
        row = here.ended(job)
        assert row.state is JobState.DONE, row.reason
    found = only(here)
    [tally] = found.rankings
    assert (tally.ranked, tally.first, tally.top_two) == (2, 1, 2)
    assert tally.undefined == (("the simulation from the true statement is the same everywhere", 1),)
    assert (tally.simulator, tally.model) == ("chat_json", "scripted / scripted-model")
    [best] = found.lines[0].rankings
    assert best.statements[0].truth and best.statements[0].correlation == pytest.approx(1)
    assert found.lines[2].rankings[0].state is State.CONSTANT_PREDICTION


def test_a_puzzle_that_fails_is_stored_and_a_retry_does_it_alone(world: Make, data: Path) -> None:
    good = oracle(said)
    broken = {1, 3}

    def answers(request: Recorded) -> Reply:
        kind, what = asked(request)
        return chat("1. this\n2. that") if kind == "explain" and what["puzzle"] in broken else good(request)

    with ScriptedServer(answers) as server:
        here = world(data=data, endpoints=[server.endpoint()])
        here.worker()
        first = here.jobs.enqueue_puzzles(request(judge=Judge.MODEL, judge_endpoint="scripted"))
        row = here.ended(first)
        assert row.state is JobState.FAILED and row.reason.startswith("Of 5 puzzles 2 steps came to nothing:")
        found = only(here)
        [tally] = found.judges
        assert (found.explained, tally.first) == (3, Counted(1, 3))
        assert [n for _, n in found.failures] == [2]
        broken.clear()
        before = server.calls
        retried = here.ended(here.jobs.retry(first))
        assert retried.state is JobState.DONE, retried.reason
        kinds = Counter(asked(r)[0] for r in server.requests[before:])
    assert kinds == {"explain": 2, "judge": 2}
    found = only(here)
    [tally] = found.judges
    assert (found.run.id, found.explained, tally.first, found.failures) == (first, 5, Counted(2, 5), ())
    with here.store.session() as s:
        states = [e.state for e in explanations.of_neuron(s, found.lines[1].puzzle.ref)]
    assert states == [State.OK, State.FAILED]  # the failure stays, with its reason and what it took


@pytest.mark.parametrize("answered", [7])  # two of its verdicts are there
def test_a_killed_worker_s_run_is_finished_with_no_recorded_call_made_again(
    world: Make, data: Path, answered: int
) -> None:
    good = oracle(said)
    with ScriptedServer(good) as server:
        server.script(*[good] * answered)
        here = world(data=data, endpoints=[server.endpoint(concurrency=1)])
        server.default = lambda request: held(good(request))
        worker = here.worker()
        job = here.jobs.enqueue_puzzles(request(judge=Judge.MODEL, judge_endpoint="scripted"))
        assert server.wait_for_calls(answered + 1)
        here.kill(worker)
        server.default = good
        server.release()
        here.worker()
        row = here.ended(job)
        assert row.state is JobState.DONE and row.attempts == 2, row.reason
        calls = Counter(json.dumps(r.body, sort_keys=True) for r in server.requests)
    assert sorted(calls.values()) == [1] * 9 + [2]  # only the call in flight was made twice
    [tally] = only(here).judges
    assert tally.first == Counted(2, 5)


def test_one_puzzle_is_explained_from_its_page_like_a_neuron(world: Make, data: Path) -> None:
    with ScriptedServer(oracle(said)) as server:
        here = world(data=data, endpoints=[server.endpoint()])
        here.worker()
        ref = only_ref(here)
        row = here.ended(here.jobs.enqueue_explain(ref, EXPLAIN, None, "somebody"))
        assert row.state is JobState.DONE, row.reason
    with here.store.session() as s:
        made = explanations.get(s, json.loads(row.result_json)["explanation"])
    assert (made.ref, made.text, made.provenance.author) == (ref, own()[1].truth, "somebody")


def only_ref(here: World) -> Any:
    from app.store import puzzles

    with here.store.session() as s:
        return puzzles.of_set(s, OWN_SET)[1].ref


def test_what_cannot_be_is_said_before_anything_is_asked(world: Make, data: Path) -> None:
    with ScriptedServer() as server:
        here = world(data=data, endpoints=[server.endpoint()])
        ask = here.jobs.enqueue_puzzles
        with pytest.raises(BadInput, match="nothing to do"):
            ask(PuzzlesRequest(OWN_SET))
        with pytest.raises(NotFound, match=r"no set of puzzles “none”; there is neuron-puzzles"):
            ask(request(model="none"))
        with pytest.raises(BadInput, match="no puzzle 99"):
            ask(request(puzzles=(99,)))
        with pytest.raises(BadInput, match="not by token_lookup"):
            ask(request(explain=ExplainOptions(Method.TOKEN_LOOKUP)))
        with pytest.raises(BadInput, match="local simulator needs a model"):
            ask(request(rank_with=SimulatorName.LOCAL))
        with pytest.raises(NotFound, match="No endpoint"):
            ask(request(judge=Judge.MODEL, judge_endpoint="nobody"))
        with pytest.raises(NotFound, match="no run"):
            ask(request(run="puzzles-000"))
        with pytest.raises(BadInput, match="chat_json"):
            ask(request(rank_with=SimulatorName.LOGPROBS))
        assert server.calls == 0
