"""Experiments through the job's own code, a real store and a scripted language model; killed and resumed in real workers."""

import json
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from app.domain.experiment_units import EXPLANATION
from app.domain.experiments import Judge, Rule, SampleRule, Simulator
from app.domain.explanations import Method, Metric, Protocol, SimulatorName, State
from app.domain.neurons import Polarity
from app.domain.windows import WindowSource
from app.errors import BadInput, Conflict
from app.store import Store, experiment_results, experiments, explanations
from app.store.experiment_rows import ExperimentState, UnitState
from app.store.rows import JobState
from tests import factories
from tests.jobs.experiment_world import PLAN, Lab, answers, counted
from tests.jobs.world import World, tokens_of, wait_for
from tests.scripted_server import Recorded, Reply, ScriptedServer, down_endpoint, held, refusal, server_error

Make = Callable[..., Lab]


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    with ScriptedServer(answers) as made:
        yield made


@pytest.fixture
def lab(tiny_store: Store, tmp_path: Path, server: ScriptedServer) -> Make:
    def make(**endpoint: object) -> Lab:
        return Lab(tiny_store, tmp_path, [server.endpoint(**endpoint)])

    return make


def test_an_experiment_makes_ordinary_explanations_and_scores(lab: Make, server: ScriptedServer) -> None:
    here = lab(price_in=10.0, concurrency=3)
    definition = replace(PLAN, methods=(Method.SUMMARY, Method.TOKEN_LOOKUP), seeds=(0, 5))
    id = here.begin(definition)
    done = here.run(id)
    assert (done.row.state, done.row.reason, done.failures) == (ExperimentState.DONE, "", ())
    assert counted(done) == {(EXPLANATION, UnitState.OK): 8, (0, UnitState.OK): 8}
    assert done.ended == done.row.units == 16 == done.job.done
    assert server.most_at_once <= 3
    with here.store.session() as s:
        found = experiment_results.results(s, id)
        made = {r.explanation_id for r in found if r.arm == "summary"}
        looked_up = [explanations.get(s, r.explanation_id or 0) for r in found if r.arm == "token_lookup"]
        row = explanations.get(s, found[0].explanation_id or 0)
        spent = experiments.spent(s, id)
    assert row.job_id == done.row.job_id and row.provenance.author == "a person"
    assert len(made) == 4  # two neurons with two seeds
    assert {r.seed for r in found} == {0, 5}
    assert all(each.job_id == "job-collect" for each in looked_up)  # as the collection brought them
    gives = len(definition.scorers()[0].gives())
    assert len(found) == 8 * gives and all(r.value is None or r.state is State.OK for r in found)
    # What the rows say that they cost is what the ledger has.
    assert spent == pytest.approx(server.calls * 100 * 10 / 1e6) == pytest.approx(done.spent_usd)
    assert sum(r.cost_usd for r in found) / gives == pytest.approx(spent)


def test_every_endpoint_is_kept_at_its_own_bound(tiny_store: Store, tmp_path: Path) -> None:
    with ScriptedServer(lambda r: held(answers(r))) as slow, ScriptedServer(answers) as quick:
        endpoints = [slow.endpoint(name="slow", concurrency=2), quick.endpoint(name="quick", concurrency=4)]
        here = Lab(tiny_store, tmp_path, endpoints)
        id = here.begin(
            replace(
                PLAN, explainers=("slow", "quick"), simulators=(Simulator(SimulatorName.CHAT_JSON, "quick"),)
            )
        )

        def beside() -> None:
            # While one endpoint keeps its callers waiting, all that does not need it is done.
            wait_for(lambda: here.units(id, UnitState.OK) == 8, "the quick endpoint to have done its work")
            assert slow.calls == 2  # its bound, and no more
            slow.release()

        done = here.run(id, beside)
    assert done.row.state is ExperimentState.DONE and here.units(id, UnitState.OK) == 16


def test_what_fails_for_some_neurons_fails_with_its_reason_and_the_rest_goes_on(
    lab: Make, server: ScriptedServer
) -> None:
    first: list[str] = []

    def answer(request: Recorded) -> Reply:
        if tokens_of(request) is None:
            first.append(request.text)
            if request.text == first[0]:  # whatever it is asked of this neuron in this format
                return refusal()
        return answers(request)

    server.default = answer
    here = lab(concurrency=1)
    id = here.begin()
    done = here.run(id)
    assert done.row.state is ExperimentState.DONE
    failed = 1
    assert counted(done)[EXPLANATION, UnitState.FAILED] == counted(done)[0, UnitState.SKIPPED] == failed
    with here.store.session() as s:
        found = experiment_results.results(s, id)
    gives = len(PLAN.scorers()[0].gives())
    missing = [r for r in found if r.state is State.FAILED]
    assert len(found) == 4 * gives and len(missing) == failed * gives
    assert all(r.value is None and "no usable explanation" in r.reason for r in missing)

    # What failed is tried again, with the scores that waited for it, and nothing else.
    server.default = answers
    calls = server.calls
    assert here.experiments.retry_failed(id).state is ExperimentState.RUNNING
    again = here.run(id)
    assert again.row.state is ExperimentState.DONE and not again.failures
    assert server.calls - calls <= failed * 25
    with here.store.session() as s:
        assert all(r.state is not State.FAILED for r in experiment_results.results(s, id))
        assert len(experiments.jobs_of(s, id)) == 2
    with pytest.raises(Conflict, match="Nothing failed"):
        here.experiments.retry_failed(id)
    with pytest.raises(Conflict, match="is done"):
        here.experiments.resume(id)


def test_a_dead_endpoint_pauses_the_experiment_and_uses_up_no_unit(
    lab: Make, server: ScriptedServer, tiny_store: Store, tmp_path: Path
) -> None:
    here = lab()
    many = replace(PLAN, samples=(SampleRule(Rule.RANDOM, n=4),))
    id = here.begin(many)
    down = Lab(tiny_store, tmp_path, [down_endpoint(name="scripted", attempts=1)])
    paused = down.run(id)
    assert paused.row.state is ExperimentState.PAUSED
    assert "scripted failed" in paused.row.reason and "mend it, then resume" in paused.row.reason
    assert counted(paused) == {(EXPLANATION, UnitState.PENDING): 16, (0, UnitState.PENDING): 16}


def test_the_budget_ends_it_before_it_is_passed_and_a_larger_one_goes_on(
    lab: Make, server: ScriptedServer
) -> None:
    here = lab(price_in=1000.0, concurrency=4)
    id = here.begin(replace(PLAN, budget_usd=20.0))
    stopped = here.run(id)
    assert stopped.row.state is ExperimentState.OVER_BUDGET and "$20.00" in stopped.row.reason
    assert 0 < stopped.spent_usd <= 20.0
    assert not stopped.failures and UnitState.RUNNING not in {c.state for c in stopped.counts}
    with pytest.raises(BadInput, match="spent already"):
        here.experiments.resume(id, budget_usd=stopped.spent_usd / 2)
    calls = server.calls
    assert here.experiments.resume(id, budget_usd=1000.0).budget_usd == 1000.0
    done = here.run(id)
    assert done.row.state is ExperimentState.DONE
    bodies = Counter(json.dumps(r.body, sort_keys=True) for r in server.requests)
    assert max(bodies.values()) == 1 and server.calls > calls  # nothing that was answered is asked again


def test_paused_it_ends_what_is_under_way_and_resumed_it_does_the_rest(
    lab: Make, server: ScriptedServer
) -> None:
    here = lab(concurrency=1)
    server.script(*[answers] * 3)
    server.default = lambda request: held(answers(request))
    # More statements than are taken at once, so that some are held that nobody has begun when it is paused.
    id = here.begin(replace(PLAN, samples=(SampleRule(Rule.RANDOM, n=4),), methods=(Method.SUMMARY,)))

    def beside() -> None:
        assert server.wait_for_calls(4)
        assert here.experiments.pause(id).pausing
        server.release()

    paused = here.run(id, beside)
    assert (paused.row.state, paused.row.reason) == (ExperimentState.PAUSED, "Paused.")
    assert 0 < paused.ended < paused.row.units and paused.job.state is JobState.DONE
    assert UnitState.RUNNING not in {c.state for c in paused.counts}
    with pytest.raises(Conflict, match="nothing to pause"):
        here.experiments.pause(id)
    server.default = answers
    here.experiments.resume(id)
    with pytest.raises(Conflict, match="is running"):
        here.experiments.resume(id)
    assert here.run(id).row.state is ExperimentState.DONE
    assert max(Counter(json.dumps(r.body, sort_keys=True) for r in server.requests).values()) == 1


def test_an_identical_call_of_another_experiment_is_served_and_a_fresh_one_is_not(
    lab: Make, server: ScriptedServer
) -> None:
    here = lab()
    one = replace(PLAN, methods=(Method.SUMMARY,), samples=(SampleRule(Rule.RANDOM, n=1, layers=("0-mlp",)),))
    here.run(here.begin(one))
    calls = server.calls
    here.run(here.begin(one))
    assert server.calls == calls
    done = here.run(here.begin(replace(one, fresh=True)))
    assert server.calls == 2 * calls and done.row.state is ExperimentState.DONE


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"explainers": ("nobody",)}, "No endpoint is called “nobody”. There is: scripted"),
        ({"models": ("gpt5",)}, "there is no model “gpt5”"),
        ({"budget_usd": 0.0}, "a budget of zero"),
        ({"methods": (Method.TRANSFER,)}, "nothing that an experiment can ask for"),
        ({"methods": (Method.TOKEN_LOOKUP,), "polarity": Polarity.NEGATIVE}, "both signs at once"),
        ({"protocols": (Protocol.BILLS_5_5,)}, "bills-5+5 is for imported data"),
        ({"samples": (SampleRule(Rule.RANDOM_ABOVE, n=3, above=9.0),)}, "is empty"),
        ({"judges": (Judge(Metric.DETECTION, "nobody"),)}, "No endpoint is called “nobody”"),
    ],
)
def test_what_can_be_known_is_said_before_anything_runs(
    lab: Make, change: dict[str, object], words: str
) -> None:
    here = lab()
    with pytest.raises(BadInput) as caught:
        here.begin(replace(PLAN, **change))  # type: ignore[arg-type]
    assert words in str(caught.value)
    with here.store.session() as s:
        assert experiments.page(s).total == 0


def test_all_that_stands_in_the_way_is_said_at_once(lab: Make) -> None:
    with pytest.raises(BadInput) as caught:
        lab(chat=False).begin(
            replace(
                PLAN,
                explainers=("scripted", "nobody"),
                simulators=(Simulator(SimulatorName.CHAT_JSON, "scripted"),),
                samples=(SampleRule(Rule.LIST, list="none"), SampleRule(Rule.NEURONS, neurons=("x/y/1",))),
            )
        )
    for words in ("serves no chats", "“nobody”", "no list", "no model “x”", "chat_json needs chats"):
        assert words in str(caught.value)


def test_judges_and_comparisons_are_units_like_any_other(
    lab: Make, server: ScriptedServer, tiny: factories.Tiny
) -> None:
    here = lab()
    named = SampleRule(Rule.NEURONS, neurons=(str(tiny.explained), str(tiny.plain)))
    judges = (
        Judge(Metric.DETECTION, "scripted", WindowSource.STORED),
        Judge(Metric.EMBEDDING, reference=Method.SUMMARY.value),
        Judge(Metric.ABLATION),
    )
    definition = replace(PLAN, samples=(named,), methods=(Method.SUMMARY,), judges=judges)
    done = here.run(here.begin(definition))
    assert done.row.state is ExperimentState.DONE
    with here.store.session() as s:
        found = experiment_results.results(s, done.row.id)
    by_metric = {
        metric: [r for r in found if r.metric is metric] for metric in (judge.metric for judge in judges)
    }
    detected = by_metric[Metric.DETECTION]
    # Who says yes to everything is right half the time; where too few windows fire, there is no number.
    assert detected and all(r.value == 0.5 if r.state is State.OK else r.value is None for r in detected)
    assert {r.simulator for r in detected} == {"scripted / scripted-model"} and {
        r.protocol for r in detected
    } == {Protocol.WINDOWS}
    # One neuron has no earlier statement to be compared with; the other has too few neighbours for a chance floor.
    assert {r.ref for r in by_metric[Metric.EMBEDDING]} == {tiny.explained, tiny.plain}
    assert all(r.value is None and r.reason for r in by_metric[Metric.EMBEDDING])
    assert any("no earlier statement by summary" in r.reason for r in by_metric[Metric.EMBEDDING])
    # The made-up model cannot be loaded: the reason stands where the number would.
    ablated = by_metric[Metric.ABLATION]
    assert ablated and all(r.value is None and r.reason and "chat_json" in r.simulator for r in ablated)


def test_a_killed_worker_s_experiment_goes_on_and_asks_nothing_twice_that_was_answered(
    tmp_path: Path,
) -> None:
    with ScriptedServer(answers) as server:
        here = World(tmp_path, [server.endpoint(concurrency=2)])
        factories.fill(here.store)
        lab = Lab(here.store, here.settings.data_dir, here.endpoints)
        server.script(*[answers] * 9)
        server.default = lambda request: held(answers(request))
        try:
            first = here.worker()
            id = lab.begin()
            assert server.wait_for_calls(11)
            here.kill(first)
            answered = len(server.requests) - 2
            server.default = answers
            server.release()
            here.worker()
            row = here.ended(lab.experiments.standing(id).row.job_id)
        finally:
            here.close()
        assert row.state is JobState.DONE and row.attempts == 2, row.reason
        bodies = Counter(json.dumps(r.body, sort_keys=True) for r in server.requests)
        twice = sum(n - 1 for n in bodies.values())
        assert twice <= 2 and answered == 9  # those that were under way
    store = Store.open(here.settings.store_url)
    done = Lab(store, tmp_path, here.endpoints)
    assert done.state(id) is ExperimentState.DONE and done.units(id, UnitState.OK) == 8
    with store.session() as s:
        made = [r.explanation_id for r in experiment_results.results(s, id)]
    assert len(set(made)) == 4  # each statement once
    store.close()


def test_an_endpoint_s_error_is_tried_again_within_the_units_tries(lab: Make, server: ScriptedServer) -> None:
    server.script(server_error(), server_error())
    here = lab(attempts=1, concurrency=1)
    done = here.run(here.begin(replace(PLAN, methods=(Method.SUMMARY,))))
    assert done.row.state is ExperimentState.DONE and not done.failures
