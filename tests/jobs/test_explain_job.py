"""Explain-and-score jobs through real workers, a real store and a scripted language model."""

import json
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import select, update

from app.domain.costs import CostsBy
from app.domain.explanations import (
    ExplainOptions,
    Method,
    Metric,
    Protocol,
    ScoreOptions,
    SimulatorName,
    State,
)
from app.domain.ledger import Outcome
from app.domain.neurons import Kind, NeuronRef, Polarity, Split
from app.errors import BadInput, Conflict, NotFound, Refused
from app.store import costs, explanations, ledger, simulations, tables
from app.store.excerpts import ExcerptCache
from app.store.rows import JobState
from tests.jobs.world import World, model_answers, tokens_of, wait_for
from tests.scripted_server import ScriptedServer, chat, down_endpoint, held, refusal

REF = NeuronRef("tiny-gpt2", "1-mlp", 7)
EXPLAIN = ExplainOptions(Method.SUMMARY, Polarity.POSITIVE, "scripted")
SCORE = ScoreOptions(SimulatorName.CHAT_JSON, "scripted", Protocol.HELDOUT_5_5)
Make = Callable[..., World]


def stored(world: World) -> list[explanations.ExplanationRow]:
    """The neuron's explanations, the collection's own token lookup left out."""
    with world.store.session() as session:
        return [
            e for e in explanations.of_neuron(session, REF) if e.job_id and e.job_id.startswith("explain-")
        ]


def test_a_job_explains_simulates_and_scores(world: Make, collected: Path) -> None:
    with ScriptedServer(model_answers) as server:
        here = world(data=collected, endpoints=[server.endpoint()])
        here.worker()
        job = here.jobs.enqueue_explain(REF, EXPLAIN, SCORE, author="a person")
        row = here.ended(job)
        assert row.state is JobState.DONE, row.reason
        assert (row.done, row.total, row.unit) == (row.total, row.total, "excerpts") and row.total >= 15
    [explanation] = stored(here)
    assert explanation.text == "words about rain and stone bridges"
    assert explanation.provenance.author == "a person"
    assert explanation.provenance.explainer == "scripted / scripted-model"
    assert len(explanation.provenance.excerpts) == 5
    values = {(s.value.metric, s.value.sample): s.value for s in explanation.scores}
    correlation = values[Metric.CORRELATION, "top-and-random"]
    assert correlation.state is State.OK and correlation.protocol is Protocol.HELDOUT_5_5
    assert correlation.value is not None and -1 <= correlation.value <= 1 and correlation.n_records == 10
    assert (
        values[Metric.R_SQUARED, "top-and-random"].state is not State.NO_CALIBRATION
    )  # dev records were simulated too
    with here.store.session() as session:
        [simulation] = simulations.of_explanation(session, explanation.id)
    assert simulation.simulated is not None and len(simulation.simulated.excerpts) == row.total
    assert len(set(simulation.simulated.excerpts.tolist())) == row.total  # each excerpt once


@pytest.mark.parametrize("answered", [0, 1, 6])
def test_a_killed_worker_s_job_is_finished_with_no_recorded_call_made_again(
    world: Make, collected: Path, answered: int
) -> None:
    with ScriptedServer(model_answers) as server:
        server.script(*[model_answers] * answered)
        here = world(data=collected, endpoints=[server.endpoint(concurrency=1)])
        server.default = lambda request: held(model_answers(request))
        first = here.worker()
        job = here.jobs.enqueue_explain(REF, EXPLAIN, SCORE)
        assert server.wait_for_calls(answered + 1)
        here.kill(first)
        recorded = answered_keys(here, job)
        assert len(recorded) == answered
        server.default = model_answers
        server.release()
        here.worker()
        row = here.ended(job)
        assert row.state is JobState.DONE, row.reason
        assert row.attempts == 2
        calls = Counter(json.dumps(r.body, sort_keys=True) for r in server.requests)
    assert len(stored(here)) == 1
    assert max(answered_keys(here, job).values()) == 1
    # Only the call in flight was made twice.
    assert sorted(calls.values()) == [1] * (len(calls) - 1) + [2]
    assert calls[json.dumps(server.requests[answered].body, sort_keys=True)] == 2


def answered_keys(world: World, job: str) -> Counter[str]:
    with world.store.session() as session:
        return Counter(e.request_key for e in ledger.of_job(session, job) if e.outcome is Outcome.OK)


def test_another_worker_that_is_running_already_takes_a_dead_one_s_job(world: Make, collected: Path) -> None:
    with ScriptedServer(lambda request: held(model_answers(request))) as server:
        here = world(data=collected, endpoints=[server.endpoint()])
        first = here.worker()
        job = here.jobs.enqueue_explain(REF, EXPLAIN, None)
        assert server.wait_for_calls(1)
        here.worker()
        here.kill(first)
        server.release()
        row = here.ended(job)
        assert (row.state, row.attempts) == (JobState.DONE, 2)
    assert len(stored(here)) == 1


def test_a_job_that_kills_its_workers_is_given_up(world: Make, collected: Path) -> None:
    with ScriptedServer(lambda request: held(model_answers(request))) as server:
        here = world(data=collected, endpoints=[server.endpoint()])
        job = here.jobs.enqueue_explain(REF, EXPLAIN, None)
        for death in range(4):
            worker = here.worker()
            assert server.wait_for_calls(death + 1), here.output(worker)
            here.kill(worker)
        here.worker()
        row = here.ended(job)
    assert row.state is JobState.FAILED and "4 workers died" in row.reason
    assert stored(here) == []


def test_an_endpoint_that_is_down_leaves_a_failed_explanation_that_can_be_retried(
    world: Make, collected: Path
) -> None:
    here = world(data=collected, endpoints=[down_endpoint(name="scripted", attempts=2)])
    worker = here.worker()
    job = here.jobs.enqueue_explain(REF, EXPLAIN, SCORE)
    row = here.ended(job)
    assert row.state is JobState.FAILED and "scripted" in row.reason and "Traceback" not in row.reason
    [failed] = stored(here)
    assert (failed.state, failed.reason, failed.text) == (State.FAILED, row.reason, "")
    with ScriptedServer(model_answers) as server:
        here.kill(worker)
        here.endpoints[:] = [server.endpoint()]
        here.worker()
        again = here.jobs.retry(job)
        assert here.ended(again).state is JobState.DONE
        assert json.loads(here.job(again).parameters_json)["retry_of"] == job
    assert [e.state for e in stored(here)] == [State.OK, State.FAILED]
    with pytest.raises(Conflict, match="done"):
        here.jobs.retry(again)


def test_a_refusing_model_is_a_failure_and_no_explanation(world: Make, collected: Path) -> None:
    with ScriptedServer(refusal()) as server:
        here = world(data=collected, endpoints=[server.endpoint(price_in=1.0)])
        here.worker()
        row = here.ended(here.jobs.enqueue_explain(REF, EXPLAIN, None))
    assert row.state is JobState.FAILED
    [failed] = stored(here)
    assert failed.state is State.FAILED
    usage = failed.provenance.usage
    assert usage.calls == server.calls == 3
    assert usage.cost_usd == pytest.approx(row.cost_usd) and usage.tokens_in > 0 < usage.seconds


def test_a_simulation_of_wrong_length_is_a_failed_score_and_never_a_number(
    world: Make, collected: Path
) -> None:
    def short(request):  # type: ignore[no-untyped-def]
        tokens = tokens_of(request)
        if tokens is None:
            return model_answers(request)
        return chat(json.dumps({"activations": [{"token": tokens[0], "activation": 1}]}))

    with ScriptedServer(short) as server:
        here = world(data=collected, endpoints=[server.endpoint(price_in=1.0)])
        here.worker()
        row = here.ended(here.jobs.enqueue_explain(REF, EXPLAIN, SCORE))
    assert row.state is JobState.FAILED
    [explanation] = stored(here)
    assert explanation.state is State.OK
    assert explanation.scores and {s.value.state for s in explanation.scores} == {State.FAILED}
    assert {s.value.value for s in explanation.scores} == {None}
    assert {s.value.reason for s in explanation.scores} == {row.reason}
    with here.store.session() as session:
        [simulation] = simulations.of_explanation(session, explanation.id)
    assert (simulation.state, simulation.reason) == (State.FAILED, row.reason)
    assert simulation.usage.calls > 0
    paid = simulation.usage.cost_usd + explanation.provenance.usage.cost_usd
    assert paid == pytest.approx(row.cost_usd)


def test_records_that_allow_no_score_are_said_so_before_anything_is_simulated(
    world: Make, collected: Path
) -> None:
    with ScriptedServer(model_answers) as server:
        here = world(data=collected, endpoints=[server.endpoint()])
        with here.store.session() as session:  # no record is left in a band that holds excerpts
            for part in session.execute(select(tables.parts.c.id, tables.parts.c.kinds)).all():
                kinds = part.kinds.replace(bytes([Kind.Q1]), bytes([Kind.Q2]))
                session.execute(update(tables.parts).where(tables.parts.c.id == part.id).values(kinds=kinds))
        here.worker()
        score = replace(SCORE, protocol=Protocol.POPULATION)
        row = here.ended(here.jobs.enqueue_explain(REF, EXPLAIN, score))
        assert row.state is JobState.FAILED and "no record" in row.reason
        assert server.calls == 1  # the explanation's
    [explanation] = stored(here)
    assert explanation.state is State.OK
    assert {s.value.state for s in explanation.scores} == {State.TOO_FEW_RECORDS}
    assert {s.simulator for s in explanation.scores} == {"chat_json"}
    with here.store.session() as session:
        [simulation] = simulations.of_explanation(session, explanation.id)
    assert (simulation.state, simulation.simulated) == (State.TOO_FEW_RECORDS, None)


def test_the_whole_population_is_scored(world: Make, collected: Path) -> None:
    with ScriptedServer(model_answers) as server:
        here = world(data=collected, endpoints=[server.endpoint()])
        here.worker()
        row = here.ended(
            here.jobs.enqueue_explain(REF, EXPLAIN, replace(SCORE, protocol=Protocol.POPULATION))
        )
        assert row.state is JobState.DONE, row.reason
    [explanation] = stored(here)
    [value] = [s.value for s in explanation.scores if s.value.metric is Metric.CORRELATION]
    assert value.state is State.OK and value.value is not None
    in_score = int((ExcerptCache.get(here.store, REF.model).splits == Split.SCORE).sum())
    assert sum(json.loads(value.parameters_json)["stratum_excerpts"]) == in_score


def test_a_running_job_is_cancelled_promptly_and_the_worker_goes_on(world: Make, collected: Path) -> None:
    with ScriptedServer(held(chat("words about the sea"))) as server:
        here = world(data=collected, endpoints=[server.endpoint()])
        worker = here.worker()
        job = here.jobs.enqueue_explain(REF, EXPLAIN, None)
        assert server.wait_for_calls(1)
        assert here.jobs.cancel(job).state is JobState.CANCELLED
        wait_for(lambda: f"{job}: cancelled" in here.output(worker), "the worker to cancel", 10)
        server.default = model_answers
        other = here.jobs.enqueue_explain(REF, EXPLAIN, None)
        assert here.ended(other).state is JobState.DONE
        server.release()
    assert here.job(job).state is JobState.CANCELLED
    assert [e.job_id for e in stored(here)] == [other]


def test_a_job_cancelled_before_any_worker_came_is_never_begun(world: Make, collected: Path) -> None:
    with ScriptedServer(model_answers) as server:
        here = world(data=collected, endpoints=[server.endpoint()])
        job = here.jobs.enqueue_explain(REF, EXPLAIN, None)
        here.jobs.cancel(job)
        here.worker()
        other = here.jobs.enqueue_explain(REF, EXPLAIN, None)
        assert here.ended(other).state is JobState.DONE
        assert server.calls == 1
    assert here.job(job).state is JobState.CANCELLED


def test_the_cap_refuses_before_anything_is_sent(world: Make, collected: Path) -> None:
    with ScriptedServer(model_answers) as server:
        here = world(
            data=collected, endpoints=[server.endpoint(price_in=1e6, price_out=1e6)], spending_cap_usd=1.0
        )
        here.worker()
        job = here.jobs.enqueue_explain(
            REF, EXPLAIN, None
        )  # nothing is spent yet, but this call would pass the cap
        row = here.ended(job)
        assert row.state is JobState.FAILED and "cap" in row.reason.lower()
        assert server.calls == 0
    assert stored(here) == []  # refused: nothing was tried, so nothing failed


def test_a_cap_that_is_reached_refuses_the_job_itself(world: Make, collected: Path) -> None:
    with ScriptedServer(model_answers) as server:
        here = world(data=collected, endpoints=[server.endpoint(price_in=1.0)], spending_cap_usd=0.0)
        with pytest.raises(Refused, match="cap"):
            here.jobs.enqueue_explain(REF, EXPLAIN, None)


def test_token_lookup_needs_no_language_model(world: Make, collected: Path) -> None:
    here = world(data=collected)
    here.worker()
    options = ExplainOptions(Method.TOKEN_LOOKUP)
    row = here.ended(here.jobs.enqueue_explain(REF, options, ScoreOptions(SimulatorName.TOKEN_LOOKUP)))
    assert row.state is JobState.DONE, row.reason
    [explanation] = stored(here)
    assert explanation.text.startswith("the token") and explanation.scores
    with here.store.session() as session:
        bulk = [e for e in explanations.of_neuron(session, REF) if e.id != explanation.id]
    assert bulk[0].text == explanation.text  # what the collection wrote for the whole layer
    mine = {(s.value.metric, s.value.sample): s.value for s in explanation.scores}
    theirs = {
        (s.value.metric, s.value.sample): s.value
        for s in bulk[0].scores
        if s.value.protocol == "heldout-full"
    }
    for key, value in theirs.items():
        assert mine[key].value == pytest.approx(value.value, abs=2e-3), key


def test_a_stored_explanation_is_scored_again(world: Make, collected: Path) -> None:
    with ScriptedServer(model_answers) as server:
        here = world(data=collected, endpoints=[server.endpoint()])
        here.worker()
        here.ended(here.jobs.enqueue_explain(REF, EXPLAIN, None))
        [explanation] = stored(here)
        row = here.ended(here.jobs.enqueue_score(explanation.id, SCORE))
        assert row.state is JobState.DONE, row.reason
    [explanation] = stored(here)
    assert {s.job_id for s in explanation.scores} == {row.id}


def test_what_does_not_fit_is_refused_when_asked(world: Make, collected: Path) -> None:
    with ScriptedServer(model_answers) as server:
        here = world(data=collected, endpoints=[server.endpoint()])
        ask = here.jobs.enqueue_explain
        with pytest.raises(NotFound, match="tiny-gpt2"):
            ask(replace(REF, model="nobody"), EXPLAIN, None)
        with pytest.raises(NotFound):
            ask(replace(REF, index=99999), EXPLAIN, None)
        with pytest.raises(NotFound, match="scripted"):
            ask(REF, ExplainOptions(explainer="gpt-9"), None)
        with pytest.raises(BadInput, match="token_lookup"):
            ask(REF, EXPLAIN, ScoreOptions(SimulatorName.TOKEN_LOOKUP))
        with pytest.raises(BadInput, match="imported"):
            ask(REF, EXPLAIN, ScoreOptions(SimulatorName.CHAT_JSON, "scripted", Protocol.BILLS_5_5))
        with here.store.session() as session:
            from app.store import jobs

            assert jobs.list_jobs(session, JobState.QUEUED, JobState.RUNNING) == []


def test_an_identical_call_is_served_and_a_fresh_sample_is_asked(world: Make, collected: Path) -> None:
    with ScriptedServer(model_answers) as server:
        here = world(data=collected, endpoints=[server.endpoint()])
        here.worker()
        assert here.ended(here.jobs.enqueue_explain(REF, EXPLAIN, SCORE)).state is JobState.DONE
        asked = server.calls
        again = here.jobs.enqueue_explain(REF, EXPLAIN, SCORE)
        assert here.ended(again).state is JobState.DONE
        assert server.calls == asked
        with here.store.session() as session:
            [line] = [line for line in costs.lines(session, CostsBy.JOB) if line.key == again]
            assert (line.calls, line.served) == (0, asked)
            assert ledger.of_job(session, again) == []
        other = replace(EXPLAIN, seed=1)
        assert here.ended(here.jobs.enqueue_explain(REF, other, None)).state is JobState.DONE
        assert server.calls == asked + 1
        assert here.ended(here.jobs.enqueue_explain(REF, EXPLAIN, None, fresh=True)).state is JobState.DONE
        assert server.calls == asked + 2
    assert len(stored(here)) == 4
