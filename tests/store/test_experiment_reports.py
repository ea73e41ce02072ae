"""What reports read of an experiment, on both databases."""

import pytest

from app.domain.explanations import Metric, Protocol, Sample, State
from app.errors import NotFound
from app.report.build import build
from app.store import experiment_reports, experiments, neurons
from tests import stored_experiment
from tests.conftest import Full
from tests.web import puzzle_world


def test_an_experiment_is_read_with_its_plan_and_facts(full: Full, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(puzzle_world, "EXPLAINER", stored_experiment.TITLES["scripted"])
    puzzle_world.fill(full.store)
    id_ = stored_experiment.filled(full.store, stored_experiment.definition(2))
    with full.store.session() as s:
        plan, facts, results = experiment_reports.material(s, id_)
        row = experiments.get(s, id_)
        density = {ref: neurons.statistics(s, ref).density for ref in {each.ref for each in results}}
    assert (plan.name, plan.definition_hash) == (row.name, row.definition_hash)
    assert plan.arms == ("original", "summary", "token_lookup")
    assert plan.primary == (
        Protocol.HELDOUT_FULL,
        Sample.TOP_AND_RANDOM,
        Metric.CORRELATION,
        ("chat_json / scripted / test-model",),
    )
    assert [(each.arm, each.against) for each in plan.contrasts] == [
        ("summary", "original"),
        ("token_lookup", "original"),
    ]
    [group] = plan.groups
    assert group.name == "random 2 a layer" and group.refs == density.keys() and plan.neurons == 4
    assert (
        len(results) == plan.expected == 4 * 3 * 2 * 9
    )  # neurons, arms, seeds; 2 protocols x 2 x 2 and similarity
    assert facts.density == {ref: pytest.approx(value) for ref, value in density.items()}
    [subject] = facts.subjects
    assert subject.slug == full.tiny.slug and subject.step is None
    floors = {(each.metric, each.floor) for each in results if each.state is State.OK}
    assert floors == {(Metric.CORRELATION, None), (Metric.AUPRC, 0.02), (Metric.EMBEDDING, 0.2)}
    costs = {each.arm: each.explain_cost_usd for each in results if each.explanation_id is not None}
    assert costs == {"original": 0.01, "summary": 0.01, "token_lookup": 0.0}
    report = build(plan, results, facts)
    assert report.heading.complete and all(table.rows for table in report.tables)
    assert {(run.method, run.explainer) for run in facts.puzzles} == {("summary", "scripted / test-model")}


def test_how_far_it_is_changes_with_every_unit(full: Full) -> None:
    id_ = stored_experiment.made(full.store, stored_experiment.definition(1, seeds=(0,)))
    seen = set()
    for _ in range(3):
        with full.store.session() as s:
            standing = experiment_reports.standing(s, id_)
            plan, _, results = experiment_reports.material(s, id_)
        assert standing.running and len(results) < plan.expected
        seen.add(standing.version)
        assert stored_experiment.go_on(full.store, id_, 2) == 2
    assert len(seen) == 3
    stored_experiment.go_on(full.store, id_)
    with full.store.session() as s:
        assert not experiment_reports.standing(s, id_).running
        with pytest.raises(NotFound, match="no experiment 99"):
            experiment_reports.standing(s, 99)
        with pytest.raises(NotFound, match="no experiment 99"):
            experiment_reports.material(s, 99)
