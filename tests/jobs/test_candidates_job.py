"""Best of n through real workers: the best on dev wins, what failed is shown, and a killed worker repeats nothing paid."""

import json
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from app.domain.explanations import ExplainOptions, Method, Protocol, ScoreOptions, SimulatorName, State
from app.domain.ledger import Outcome
from app.domain.neurons import NeuronRef, Polarity
from app.domain.protocols import dev_records, explain_records
from app.jobs.neuron import load_neuron
from app.simulate.prompts import fields
from app.store import explanations, ledger, simulations
from app.store.rows import JobState
from tests.jobs.world import World, tokens_of
from tests.scripted_server import Recorded, Reply, ScriptedServer, chat, held, refusal

REF = NeuronRef("tiny-gpt2", "1-mlp", 7)
EXPLAIN = ExplainOptions(Method.SUMMARY, Polarity.POSITIVE, "scripted", candidates=4)
SCORE = ScoreOptions(SimulatorName.CHAT_JSON, "scripted", Protocol.HELDOUT_5_5)
Make = Callable[..., World]
GOOD, BAD, FLAT = "words that fit", "words that do not fit", "words that say nothing"


class Oracle:
    """A language model that knows the dev records: it predicts them rightly, the wrong way round, or not at all.

    What it answers to the n-th candidate is `statements[n]`: a text, or None for a refusal.
    """

    def __init__(self, world: World, statements: list[str | None]) -> None:
        self.statements = statements
        neuron = load_neuron(world.store, REF)
        dev = dev_records(neuron.records, Polarity.POSITIVE)
        self.dev = {
            fields([neuron.vocabulary.pieces[i] for i in tokens]): values
            for tokens, values in zip(dev.tokens.tolist(), dev.activations, strict=True)
        }
        self.top = float(np.abs(dev.activations).max())

    def __call__(self, request: Recorded) -> Reply:
        tokens = tokens_of(request)
        if tokens is None:
            text = self.statements[request.body["seed"] // 3]
            return refusal() if text is None else chat(text)
        values = self.dev.get(tuple(tokens), np.arange(len(tokens)) % 3)
        levels = 10 * np.clip((values / self.top + 1) / 2, 0, 1)
        asked = json.loads(request.messages[-1]["content"])["neuron"]
        if BAD in asked:
            levels = 10 - levels
        if FLAT in asked:
            levels = np.zeros(len(tokens))
        pairs = zip(tokens, levels.tolist(), strict=True)
        return chat(json.dumps({"activations": [{"token": t, "activation": level} for t, level in pairs]}))


def made(world: World) -> tuple[explanations.ExplanationRow, list[dict[str, Any]]]:
    """The neuron's one explanation that was asked for, and what was tried."""
    with world.store.session() as session:
        [row] = [
            e for e in explanations.of_neuron(session, REF) if e.job_id and e.job_id.startswith("explain-")
        ]
        return row, [json.loads(step.data_json) for step in explanations.steps_of(session, row.id)]


def test_the_best_on_dev_is_kept_and_the_failed_ones_are_told(world: Make, collected: Path) -> None:
    with ScriptedServer() as server:
        here = world(data=collected, endpoints=[server.endpoint(price_in=1.0)])
        server.default = Oracle(here, [BAD, None, GOOD, FLAT])
        here.worker()
        row = here.ended(here.jobs.enqueue_explain(REF, EXPLAIN, SCORE, author="a person"))
        assert row.state is JobState.DONE, row.reason
    kept, steps = made(here)
    assert (kept.text, kept.method) == (GOOD, "summary_best_of_4")
    assert kept.provenance.author == "a person"
    assert len(kept.provenance.excerpts) == 5
    parameters = json.loads(kept.provenance.parameters_json)
    assert (parameters["candidates"], parameters["candidate"]) == (4, 3)
    assert parameters["chosen_by"] == "correlation on dev"
    assert parameters["sent_seed"] == 6
    assert [step["text"] for step in steps] == [BAD, None, GOOD, FLAT]
    assert [step["kept"] for step in steps] == [False, False, True, False]
    assert steps[0]["dev"]["value"] == pytest.approx(-steps[2]["dev"]["value"])
    assert steps[2]["dev"]["value"] > 0.99
    assert "refused" in steps[1]["reason"] and steps[1]["dev"] is None
    assert (steps[3]["dev"]["state"], steps[3]["dev"]["value"]) == ("constant_prediction", None)
    assert {step["dev"]["simulator_model"] for step in steps if step["dev"]} == {"scripted / scripted-model"}
    # What choosing cost is the explanation's, what scoring cost is the simulation's, and nothing is counted twice.
    with here.store.session() as session:
        [simulation] = simulations.of_explanation(session, kept.id)
        calls = Counter(entry.purpose for entry in ledger.of_job(session, row.id))
    assert calls["simulate"] == 10  # the dev records had been asked for already
    assert simulation.usage.calls == 20
    assert kept.provenance.usage.calls == calls["explain"] + calls["choose"] - 10
    assert kept.provenance.usage.cost_usd + simulation.usage.cost_usd == pytest.approx(row.cost_usd)
    # Calibrated on dev all the same.
    assert all(s.value.state is not State.NO_CALIBRATION for s in kept.scores)


def test_without_any_defined_score_the_first_is_kept_and_it_says_so(world: Make, collected: Path) -> None:
    with ScriptedServer() as server:
        here = world(data=collected, endpoints=[server.endpoint()])
        server.default = Oracle(here, [FLAT, f"{FLAT} either", FLAT, FLAT])
        here.worker()
        row = here.ended(here.jobs.enqueue_explain(REF, EXPLAIN, SCORE))
        assert row.state is JobState.DONE, row.reason
    kept, steps = made(here)
    assert kept.text == FLAT and [step["kept"] for step in steps] == [True, False, False, False]
    assert "no candidate has a defined score" in json.loads(kept.provenance.parameters_json)["chosen_by"]


def test_a_chooser_that_fails_is_no_score(world: Make, collected: Path) -> None:
    with ScriptedServer() as server:
        here = world(data=collected, endpoints=[server.endpoint()])
        oracle = Oracle(here, [GOOD, BAD])

        def nonsense(request: Recorded) -> Reply:
            return chat("no JSON") if GOOD in request.messages[-1]["content"] else oracle(request)

        server.default = nonsense
        here.worker()
        row = here.ended(here.jobs.enqueue_explain(REF, replace(EXPLAIN, candidates=2), SCORE))
        assert row.state is JobState.DONE, row.reason
    kept, steps = made(here)
    assert kept.text == BAD
    assert (steps[0]["dev"]["state"], steps[0]["dev"]["value"]) == ("failed", None)
    assert "no usable levels" in steps[0]["dev"]["reason"]


def test_where_no_statement_came_about_the_failure_is_stored_with_what_was_tried(
    world: Make, collected: Path
) -> None:
    with ScriptedServer(refusal()) as server:
        here = world(data=collected, endpoints=[server.endpoint(price_in=1.0)])
        here.worker()
        row = here.ended(here.jobs.enqueue_explain(REF, replace(EXPLAIN, candidates=2), SCORE))
    assert row.state is JobState.FAILED and "None of 2 candidates came about" in row.reason
    failed, steps = made(here)
    assert (failed.state, failed.text, failed.method) == (State.FAILED, "", "summary_best_of_2")
    assert len(steps) == 2 and all("refused" in step["reason"] for step in steps)
    assert failed.provenance.usage.cost_usd == pytest.approx(row.cost_usd)


@pytest.mark.parametrize("answered", [1, 6])
def test_a_killed_worker_s_candidates_are_not_asked_for_again(
    world: Make, collected: Path, answered: int
) -> None:
    with ScriptedServer() as server:
        here = world(data=collected, endpoints=[server.endpoint(concurrency=1)])
        oracle = Oracle(here, [BAD, GOOD])
        server.script(*[oracle] * answered)
        server.default = lambda request: held(oracle(request))
        first = here.worker()
        job = here.jobs.enqueue_explain(REF, replace(EXPLAIN, candidates=2), SCORE)
        assert server.wait_for_calls(answered + 1)
        here.kill(first)
        server.default = oracle
        server.release()
        here.worker()
        row = here.ended(job)
        assert row.state is JobState.DONE, row.reason
        calls = Counter(json.dumps(r.body, sort_keys=True) for r in server.requests)
    assert sorted(calls.values()) == [1] * (len(calls) - 1) + [2]  # the one in flight
    kept, steps = made(here)
    assert kept.text == GOOD and len(steps) == 2
    with here.store.session() as session:
        assert (
            max(
                Counter(
                    e.request_key for e in ledger.of_job(session, job) if e.outcome is Outcome.OK
                ).values()
            )
            == 1
        )


def test_the_prompt_shows_what_was_chosen_and_the_provenance_tells(world: Make, collected: Path) -> None:
    from app.domain.explanations import Band, ShownOptions

    shown = ShownOptions(Band.MIXED, 9, 12)
    with ScriptedServer(chat("words about rain")) as server:
        here = world(data=collected, endpoints=[server.endpoint()])
        here.worker()
        options = replace(EXPLAIN, candidates=1, shown=shown)
        row = here.ended(here.jobs.enqueue_explain(REF, options, None))
        assert row.state is JobState.DONE, row.reason
    kept, steps = made(here)
    assert (kept.method, steps) == ("summary", [])
    wanted = explain_records(load_neuron(here.store, REF).records, Polarity.POSITIVE, shown).excerpts.tolist()
    assert list(kept.provenance.excerpts) == wanted and len(wanted) == 9
    told = json.loads(kept.provenance.parameters_json)["shown"]
    assert told == {"band": "mixed", "excerpts": 9, "tokens": 12, "excerpts_there": 9}
