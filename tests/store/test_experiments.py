"""Experiments in the store, on both databases: samples drawn and frozen, units taken and ended, results read."""

from dataclasses import replace

import pytest

from app.domain.costs import CostsBy
from app.domain.experiments import Definition, Measure, Rule, SampleRule, Simulator, definition_hash
from app.domain.explanations import (
    Method,
    Metric,
    Protocol,
    Sample,
    ScoreValue,
    SimulatorName,
    State,
    Usage,
)
from app.domain.neurons import NeuronRef, Polarity
from app.errors import BadInput, Conflict, NotFound
from app.store import (
    costs,
    experiment_ends,
    experiment_results,
    experiment_samples,
    experiment_units,
    experiments,
    explanations,
    jobs,
    ledger,
    list_items,
    lists,
    scores,
    simulations,
)
from app.store.excerpts import ExcerptCache
from app.store.experiment_rows import Ended, ExperimentState, Unit, UnitState
from app.store.experiments import Chosen
from app.store.rows import JobState
from app.store.session import Session
from tests import factories
from tests.conftest import Full
from tests.store.test_ledger import entry

PLAN = Definition(
    name="Two formats",
    samples=(SampleRule(Rule.RANDOM, n=2),),
    methods=(Method.SUMMARY, Method.ORIGINAL),
    models=(factories.SLUG,),
    explainers=("scripted",),
    simulators=(Simulator(SimulatorName.CHAT_JSON, "scripted"),),
    seeds=(0, 1),
)
TITLES = {"scripted": "scripted / test-model"}


def made(s: Session, definition: Definition = PLAN, job: str = "experiment-a") -> int:
    sample, notes, wrong = experiment_samples.draw(s, definition.samples, definition.models)
    assert not wrong
    found = experiments.create(s, definition, sample, job, titles=TITLES, notes=notes, author="a person")
    jobs.add(s, job, "experiment", "Two formats", "{}")
    while experiment_units.plan(s, experiments.get(s, found)):
        continue
    return found


def test_an_experiment_is_kept_with_its_sample_frozen(full: Full) -> None:
    with full.store.session() as s:
        id_ = made(s)
        row = experiments.get(s, id_)
        assert row.definition == PLAN and row.definition_hash == definition_hash(PLAN)
        assert (row.neurons, row.units) == (4, 4 * 2 * 2 * 2)
        assert (row.state, row.author, row.titles) == (ExperimentState.RUNNING, "a person", TITLES)
        sample = experiments.sample(s, id_)
        assert len({chosen.ref for chosen in sample}) == 4
        assert [chosen.ref.layer for chosen in sample] == ["0-mlp", "0-mlp", "1-mlp", "1-mlp"]
        [group] = experiments.groups(s, row)
        assert group.name == "random 2 a layer" and group.refs == tuple(chosen.ref for chosen in sample)
        assert experiments.of_job(s, "experiment-a").id == id_ and experiments.jobs_of(s, id_) == [
            "experiment-a"
        ]
        second = made(s, job="experiment-b")
        page = experiments.page(s, limit=1)
        assert [each.id for each in page.items] == [second] and page.total == 2
        assert [each.id for each in experiments.page(s, page.next, 1).items] == [id_]
        assert experiments.page(s, experiments.page(s, page.next, 1).previous, 1).items == page.items
        with pytest.raises(NotFound, match=f"the newest is {second}"):
            experiments.get(s, 99)
        with pytest.raises(BadInput, match="empty"):
            experiments.create(s, PLAN, [], "experiment-c", titles={})


def test_samples_are_drawn_by_score_by_list_and_by_name(full: Full) -> None:
    slug, explained = full.tiny.slug, full.tiny.explained
    with full.store.session() as s:
        lists.create(s, "Mine", "", "me")
        for index in (5, 3):
            list_items.add(s, "mine", NeuronRef(slug, "0-mlp", index), "", "me")
        by_score = SampleRule(Rule.TOP_OVERALL, n=5)
        rules = (
            by_score,
            SampleRule(Rule.LIST, list="mine"),
            SampleRule(Rule.NEURONS, neurons=(str(explained), f"{slug}/0-mlp/5")),
        )
        sample, notes, wrong = experiment_samples.draw(s, rules, PLAN.models)
        assert (notes, wrong) == ([], [])
        groups = {chosen.ref: chosen.groups for chosen in sample}
        assert sum(bits & 1 for bits in groups.values()) == 5
        assert groups[NeuronRef(slug, "0-mlp", 5)] & 6 == 6 and groups[explained] & 4
        scored = [
            (row.value.value, ref)
            for layer in factories.LAYERS
            for ref in (NeuronRef(slug, layer, i) for i in range(factories.NEURONS))
            for each in explanations.of_neuron(s, ref)
            if each.method == Method.TOKEN_LOOKUP
            for row in each.scores
            if (row.value.protocol, row.value.sample, row.value.metric)
            == (Protocol.HELDOUT_FULL, Sample.TOP_AND_RANDOM, Metric.CORRELATION)
            and row.value.value is not None
        ]
        best = {ref for _, ref in sorted(scored, key=lambda each: -each[0])[:5]}
        assert {ref for ref, bits in groups.items() if bits & 1} == best


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        (SampleRule(Rule.RANDOM_ABOVE, n=3, above=5.0), "is empty: no neuron meets its rule"),
        (SampleRule(Rule.LIST, list="nothing"), "there is no list"),
        (SampleRule(Rule.NEURONS, neurons=("tiny-random/9-mlp/0",)), "no layer"),
        (SampleRule(Rule.NEURONS, neurons=("nonsense",)), "write model/layer/index"),
        (SampleRule(Rule.RANDOM, n=1, layers=("7-mlp",)), "it has 0-mlp, 1-mlp"),
        (SampleRule(Rule.TOP_OVERALL, n=1, measure=Measure(Protocol.BILLS_5_5)), "is empty"),
    ],
)
def test_what_a_sample_lacks_is_said(shared: Full, rule: SampleRule, words: str) -> None:
    with shared.store.session() as s:
        _, _, [said] = experiment_samples.draw(s, (rule,), PLAN.models)
    assert words in said and rule.label in said


def test_units_are_taken_in_order_and_scores_wait_for_their_explanation(full: Full) -> None:
    with full.store.session() as s:
        id_ = made(s)
        first = experiment_units.take(s, id_, 2, 3)
        assert [(u.ordinal, u.arm, u.seed, u.scorer) for u in first] == [
            (0, 0, 0, -1),
            (0, 0, 1, -1),
            (0, 1, 0, -1),
        ]
        assert first[0].key(id_) == f"experiment-{id_}/0/0/0#0"
        experiment_ends.end(s, experiments.get(s, id_), [Ended(first[0].id, UnitState.OK, explanation_id=full.tiny.explanation, usage=Usage(5, 1, 0.5, 1.0, 1))]
        )  # fmt: skip
        experiment_ends.end(
            s,
            experiments.get(s, id_),
            [Ended(first[1].id, UnitState.FAILED, "the sea was rough", final=True)],
        )
        experiment_ends.end(
            s, experiments.get(s, id_), [Ended(first[2].id, UnitState.FAILED, "again", salt=1)]
        )
        [score, *_] = taken = experiment_units.take(s, id_, 2, 100)
        assert score.scorer == 0 and score.explanation_id == full.tiny.explanation
        assert (taken[-1].arm, taken[-1].attempts, taken[-1].key(id_)) == (1, 1, f"experiment-{id_}/0/1/0#1")
        assert len(taken) == 16 - 3 + 1 + 1  # the one behind the failure is skipped, the others wait
        counted = {(c.scorer, c.state): 0 for c in experiment_units.counts(s, id_)}
        for c in experiment_units.counts(s, id_):
            counted[c.scorer, c.state] += c.units
        assert counted[-1, UnitState.FAILED] == counted[0, UnitState.SKIPPED] == 1
        assert experiment_units.ended_count(s, id_) == 3
        reasons = {(f.scorer, f.reason) for f in experiment_units.failures(s, id_)}
        assert (-1, "the sea was rough") in reasons
        assert (0, "there is no explanation to score: the sea was rough") in reasons
        # The worker dies here: what was under way is to be done; then the failure is tried again with what waited for it.
        experiment_units.put_back(s, id_)
        assert experiment_ends.retry_failed(s, experiments.get(s, id_)) == 2
        again = experiment_units.take(s, id_, 2, 100)
        assert len(again) == 16
        page = experiment_units.page(s, id_, scorer=0, state=UnitState.PENDING, limit=4)
        assert page.total == 15 and len(page.items) == 4
        assert experiment_units.page(s, id_, scorer=0, state=UnitState.PENDING, cursor=page.next).items


def test_what_begins_from_a_statement_or_is_scored_on_a_revision_waits_for_it(full: Full) -> None:
    """Skipped with what it waits for, and open again with it."""
    revising = replace(
        PLAN,
        samples=(SampleRule(Rule.NEURONS, neurons=(str(full.tiny.explained),)),),
        methods=(Method.ORIGINAL, Method.REVISION, Method.RE_EXPLANATION),
        protocols=(Protocol.HELDOUT_5_5, Protocol.GENERATED),
        seeds=(0,),
    )
    records, sentences = 0, 1  # scorers
    with full.store.session() as s:
        id_ = made(s, revising)
        row = experiments.get(s, id_)

        def taken() -> dict[tuple[int, int], Unit]:
            return {(u.arm, u.scorer): u for u in experiment_units.take(s, id_, 2, 99)}

        def end(unit: Unit, state: UnitState, explanation: int | None = None) -> int:
            ended = Ended(unit.id, state, "no words came", explanation_id=explanation, final=True)
            return experiment_ends.end(s, row, [ended])

        source = taken()
        assert set(source) == {(0, -1)}
        # It fails: all else is over with it, and says why. Tried again, all else is open again.
        assert end(source[0, -1], UnitState.FAILED) == 9
        reasons = {f.reason for f in experiment_units.failures(s, id_)}
        assert "there is no statement to begin from: no words came" in reasons and len(reasons) == 5
        assert experiment_ends.retry_failed(s, row) == 9
        source = taken()
        assert set(source) == {(0, -1)}
        assert end(source[0, -1], UnitState.OK, full.tiny.explanation) == 1
        ready = taken()
        assert set(ready) == {(0, records), (1, -1), (2, -1)}  # not yet the score on sentences
        assert experiment_units.statement(s, id_, ready[1, -1], 0) == full.tiny.explanation
        # The control is there before the revision, whose failure costs it the score on sentences alone.
        assert end(ready[2, -1], UnitState.OK, full.tiny.explanation) == 1
        assert set(taken()) == {(2, records)}
        assert end(ready[1, -1], UnitState.FAILED) == 5
        assert "there is no revision whose sentences" in " ".join(
            f.reason for f in experiment_units.failures(s, id_)
        )
        assert experiment_ends.forgive(s, row, [ready[1, -1].id]) == 5
        again = taken()
        assert set(again) == {(1, -1)}
        assert end(again[1, -1], UnitState.OK, full.tiny.explanation) == 1
        assert set(taken()) == {(0, sentences), (1, records), (1, sentences), (2, sentences)}


def test_a_job_that_ends_by_itself_is_the_experiment_s_end(full: Full) -> None:
    with full.store.session() as s:
        id_ = made(s)
        experiments.pause(s, id_)
        assert experiments.get(s, id_).pausing
        jobs.set_state(s, "experiment-a", JobState.FAILED, reason="4 workers died")
        row = experiments.get(s, id_)
        assert (row.state, row.reason, row.pausing) == (ExperimentState.FAILED, "4 workers died", False)
        with pytest.raises(Conflict, match="nothing to pause"):
            experiments.pause(s, id_)
        jobs.add(s, "experiment-a2", "experiment", "again", "{}")
        experiments.begin_again(s, id_, "experiment-a2", 3.5)
        assert experiments.get(s, id_).state is ExperimentState.RUNNING
        assert experiments.jobs_of(s, id_) == ["experiment-a", "experiment-a2"]
        experiments.set_state(s, id_, ExperimentState.OVER_BUDGET, "enough")
        assert experiments.get(s, id_).state.goes_on


def test_results_hold_a_row_for_every_value_asked_for_and_never_a_number_for_a_failure(full: Full) -> None:
    one = replace(PLAN, samples=(SampleRule(Rule.NEURONS, neurons=(str(full.tiny.explained),)),), seeds=(0,))
    table = ExcerptCache.get(full.store, full.tiny.slug)
    with full.store.session() as s:
        id_ = made(s, one)
        statement, other = experiment_units.take(s, id_, 2, 9)
        said = explanations.get(s, full.tiny.explanation)
        own = explanations.add(
            s, said.ref, "words", Polarity.POSITIVE, said.provenance, State.OK, "", "experiment-a", statement.key(id_)
        )  # fmt: skip
        experiment_ends.end(
            s,
            experiments.get(s, id_),
            [Ended(statement.id, UnitState.OK, explanation_id=own, usage=Usage(100, 9, 0.1, 1.0, 1))],
        )
        experiment_ends.end(
            s, experiments.get(s, id_), [Ended(other.id, UnitState.FAILED, "no words came", final=True)]
        )
        assert [r.arm for r in experiment_results.results(s, id_)] == ["original"] * len(
            PLAN.scorers()[0].gives()
        )
        [score] = experiment_units.take(s, id_, 2, 9)
        stored = simulations.get(s, full.tiny.simulation)
        simulation = simulations.add(
            s, own, "chat_json", TITLES["scripted"], "{}", 0, stored.simulated, State.OK, "", "experiment-a", score.key(id_)
        )  # fmt: skip
        values = [
            ScoreValue(Metric.CORRELATION, Protocol.HELDOUT_5_5, Sample.TOP_AND_RANDOM, State.OK, 0.25),
            ScoreValue(
                Metric.CORRELATION,
                Protocol.HELDOUT_5_5,
                Sample.RANDOM_ONLY,
                State.TOO_FEW_ACTIVE,
                reason="silent",
            ),
        ]
        scores.add(s, own, simulation, values, "experiment-a", f"{score.key(id_)}/scores")
        # Somebody else's score of the same statement is none of the experiment's.
        scores.add(s, own, simulation, values[:1], "score-x", "score-x/scores")
        done = Ended(score.id, UnitState.OK, simulation_id=simulation, usage=Usage(50, 5, 0.2, 2.0, 3))
        experiment_ends.end(s, experiments.get(s, id_), [done])
        found = experiment_results.results(s, id_)
    mine = [r for r in found if r.arm == "summary"]
    assert [(r.sample, r.state, r.value, r.reason) for r in mine] == [
        (Sample.TOP_AND_RANDOM, State.OK, 0.25, ""),
        (Sample.RANDOM_ONLY, State.TOO_FEW_ACTIVE, None, "silent"),
    ]
    [first, _] = mine
    assert (first.ref, first.layer, first.explanation_id, first.text) == (
        full.tiny.explained,
        1,
        own,
        "words",
    )
    assert (first.explainer, first.simulator) == (TITLES["scripted"], f"chat_json / {TITLES['scripted']}")
    assert (first.tokens_in, first.tokens_out, first.cost_usd) == (150, 14, pytest.approx(0.3))
    assert (first.explain_seconds, first.score_seconds, first.evidence) == (1.0, 2.0, "top 5 x 64")
    assert first.prompt_tokens == said.provenance.usage.tokens_in
    failed = [r for r in found if r.arm == "original"]
    assert {(r.sample, r.metric) for r in failed} == set(PLAN.scorers()[0].gives())
    assert all(r.value is None and r.state is State.FAILED and "no words came" in r.reason for r in failed)
    assert table.collection_id


def test_a_chosen_neuron_of_an_unknown_layer_is_refused(full: Full) -> None:
    with full.store.session() as s, pytest.raises(NotFound, match="no layer"):
        experiments.create(s, PLAN, [Chosen(NeuronRef(full.tiny.slug, "8-mlp", 0), 1)], "j", titles={})


def test_costs_are_added_up_by_experiment_whatever_jobs_it_had(full: Full) -> None:
    with full.store.session() as s:
        id_ = made(s)
        experiments.begin_again(s, id_, "experiment-a2", None)
        for job, cost in (("experiment-a", 0.25), ("experiment-a2", 0.5), ("explain-x", 2.0)):
            ledger.record(s, replace(entry(), job_id=job, request_key=job, cost_usd=cost))
        assert experiments.spent(s, id_) == 0.75
        found = {
            line.key: (line.title, line.cost_usd, line.calls) for line in costs.lines(s, CostsBy.EXPERIMENT)
        }
    assert found == {str(id_): ("Two formats", 0.75, 2), "": ("", 2.0, 1)}
