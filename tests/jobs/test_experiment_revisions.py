"""Experiments whose arms begin from another arm's statement: a planted model, a scripted explainer, a worker that is killed."""

import json
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import update

from app.domain.experiments import Definition, Rule, SampleRule, Simulator
from app.domain.explanations import Band, Method, Metric, Protocol, Sample, ShownOptions, SimulatorName, State
from app.domain.live_texts import SENTENCE, Role, from_step
from app.errors import AnswerError, BadInput, Refused
from app.jobs.experiment_dry_run import dry_run
from app.jobs.experiment_runtime import UnitRuntime
from app.jobs.live_tries import ends
from app.jobs.runtime import Runtime
from app.store import Store, experiment_results, explanations, tables
from app.store.experiment_rows import ExperimentState
from app.store.rows import JobState
from tests.jobs.experiment_world import PLAN, Lab
from tests.jobs.test_probe_job import GUESSES, believed, texts
from tests.jobs.test_revise_job import BROAD, REF, RIGHT
from tests.jobs.test_revise_job import explainer as reviser
from tests.jobs.world import World, tokens_of
from tests.scripted_server import Recorded, Reply, ScriptedServer, chat, held

METHODS = (Method.ORIGINAL, Method.REVISION, Method.REVISION_RANDOM, Method.RE_EXPLANATION, Method.PROBING)
REVISING = Definition(
    name="Is it revision, or only asking again?",
    samples=(SampleRule(Rule.NEURONS, neurons=(str(REF),)),),
    methods=METHODS,
    explainers=("scripted",),
    evidence=(ShownOptions(Band.TOP, 3),),
    simulators=(Simulator(SimulatorName.CHAT_JSON, "scripted"),),
    protocols=(Protocol.HELDOUT_5_5, Protocol.GENERATED),
)


def explainer(request: Recorded) -> Reply:
    """Writes sentences, probes, and learns from both."""
    if "active" in json.dumps(request.body.get("response_format")) and tokens_of(request) is None:
        rounds = request.text.count("foretold active") // 4
        parts = [json.loads(texts(believed(request), 2 * rounds + i).body) for i in (0, 1)]
        both = [json.loads(part["choices"][0]["message"]["content"]) for part in parts]
        return chat(json.dumps({kind: both[0][kind] + both[1][kind] for kind in both[0]}))
    if "Hypothesis that failed" in request.text:
        return chat(GUESSES[request.text.count("foretold active") // 4])
    return reviser(request)


def bodies(requests: list[Recorded]) -> Counter[str]:
    return Counter(json.dumps(r.body, sort_keys=True) for r in requests)


def test_they_begin_from_the_same_statement_and_a_killed_worker_asks_nothing_again(
    world: Callable[..., World], collected_planted: Path
) -> None:
    with ScriptedServer(explainer) as server:
        here = world(data=collected_planted, endpoints=[server.endpoint(concurrency=1)])
        lab = Lab(here.store, here.settings.data_dir, here.endpoints)
        server.script(*[explainer] * 6)
        server.default = lambda request: held(explainer(request))
        first = here.worker()
        id = lab.begin(REVISING)
        assert server.wait_for_calls(7, 60)
        here.kill(first)
        answered = bodies(server.requests[:6])
        before = len(server.requests)
        server.default = explainer
        server.release()
        here.worker()
        row = here.ended(lab.experiments.standing(id).row.job_id)
        assert row.state is JobState.DONE and row.attempts == 2, row.reason
        assert answered.keys().isdisjoint(bodies(server.requests[before:]))
    standing = lab.experiments.standing(id)
    assert standing.row.state is ExperimentState.DONE and not standing.failures
    with here.store.session() as s:
        found = experiment_results.results(s, id)
        made = {r.arm: explanations.get(s, r.explanation_id or 0) for r in found}
        kept = [
            sentence
            for step in explanations.steps_of(s, made["revision"].id)
            if step.kind == SENTENCE and (sentence := from_step(step)).role is Role.KEPT
        ]
        mine = [e for e in explanations.of_neuron(s, REF) if e.job_id == row.id]
    source = made.pop("original")
    assert source.text == BROAD and len(mine) == 5  # each arm's statement once, and no other
    for method, statement in made.items():
        assert (statement.method, statement.text, statement.source_id) == (method, RIGHT, source.id)
        shown = [e for e in statement.provenance.excerpts if e in source.provenance.excerpts]
        assert len(shown) == 3  # the evidence of the experiment, not the usual one
    assert len(kept) == 5
    # Every statement is scored on the original records and, beside them, on the sentences that the revision kept.
    values = {
        (r.arm, r.protocol): r.value
        for r in found
        if r.metric is Metric.CORRELATION and r.sample in (Sample.TOP_AND_RANDOM, Sample.GENERATED)
    }
    assert len(values) == 10 and all(r.state is not State.FAILED for r in found)
    generated = {arm: values[arm, Protocol.GENERATED] or 0.0 for arm in METHODS}
    assert all(generated[arm] > 0.9 > generated[Method.ORIGINAL] for arm in made)


def test_what_they_need_is_said_before_anything_runs(tiny_store: Store, tmp_path: Path) -> None:
    with ScriptedServer(reviser) as server:
        lab = Lab(tiny_store, tmp_path, [server.endpoint(price_in=1.0)])
        usual = replace(PLAN, methods=(Method.ORIGINAL, Method.REVISION))
        for change, words in (
            ({"methods": (Method.SUMMARY, Method.REVISION)}, "add original, or name another"),
            ({"methods": (Method.SUMMARY,), "revise_from": Method.SUMMARY}, "holds none of them"),
            ({"revise_from": Method.TOKEN_LOOKUP}, "nothing can begin from token_lookup"),
            ({"evidence": (ShownOptions(tokens=32),)}, "leave tokens at 64"),
            ({"methods": (Method.ORIGINAL,), "protocols": (Protocol.GENERATED,)}, "add the method revision"),
        ):
            with pytest.raises(BadInput, match=words):
                lab.begin(replace(usual, **change))  # type: ignore[arg-type]
        dry = dry_run(lab.settings, tiny_store, lab.experiments.plan(usual))
        original, revision = (line.explaining for line in dry.arms)
        statements = dry.arms[0].explanations
        assert (original.calls, revision.calls) == (statements, 2 * statements)
        assert revision.most_usd == pytest.approx(
            3 * revision.tokens_in / 1e6
        )  # every call as often as it may be asked
        with tiny_store.session() as s:  # nobody knows where it was loaded from
            s.execute(update(tables.models).values(source=""))
        with pytest.raises(BadInput, match=r"methods: revision: .* was imported"):
            lab.begin(usual)
        assert server.calls == 0


def test_a_cap_in_the_middle_of_a_revision_leaves_it_open(tiny_store: Store, tmp_path: Path) -> None:
    """In a job of its own what it tried would be stored as a failure; a unit goes on from it within a larger budget."""
    runtime = Runtime(Lab(tiny_store, tmp_path, []).settings, tiny_store, "worker-1")
    unit = UnitRuntime(runtime, "experiment-1", 1.0, 0.0)
    cap, answer = Refused("over the cap"), AnswerError("no sentences")
    assert ends(runtime, cap, tried=True) and not ends(runtime, cap, tried=False)
    assert not ends(unit, cap, tried=True) and ends(unit, answer, tried=False)
