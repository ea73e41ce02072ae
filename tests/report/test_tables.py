"""Tables and figures of made-up experiments: what they say, what they leave out, and that every number leads to what is behind it."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.domain.explanations import Metric, Protocol, Sample, State
from app.domain.neurons import NeuronRef
from app.domain.report_plan import Facts, NeuronGroup, Preference, Primary, PuzzleRun, Subject
from app.domain.report_selection import Selection, select
from app.report.build import FIGURES, TABLES, Report, build
from app.report.figures import MOST_POINTS
from app.report.files import records
from tests.experiment_results import (
    ARMS,
    LOCAL,
    RANDOM,
    TOP,
    TOP_EVALUATION,
    experiment,
    plan,
    result,
)

HALF = (Protocol.HELDOUT_5_5, Sample.TOP_AND_RANDOM, Metric.CORRELATION)
POPULATION = (Protocol.POPULATION, Sample.POPULATION, Metric.CORRELATION)
SIMILAR = (Protocol.REFERENCE, Sample.REFERENCE, Metric.EMBEDDING)
MEASURES = (TOP, RANDOM, HALF, POPULATION, SIMILAR)
OTHER = "other-model"
FACTS = Facts(
    subjects=(Subject("tiny-random", "Tiny", 1_000, "gelu", False, 1000), Subject(OTHER, "Other", 9_000, "relu", False, 2000)),
    sizes={"paid / big": 7_000_000_000, LOCAL: 135_000_000},
    density={NeuronRef("tiny-random", f"{i % 3}-mlp", i): 0.001 * (i + 1) for i in range(12)},
    puzzles=(PuzzleRun("summary", "paid / big", "similarity", 20, right=13, judged=19),),
    preferences=(Preference(0.0, 0.2, 10, 6),),
)  # fmt: skip


@pytest.fixture(scope="module")
def report() -> Report:
    made = experiment(measures=MEASURES, models=("tiny-random", OTHER))
    group = NeuronGroup("easy", frozenset(each.ref for each in made[:400]))
    rest = NeuronGroup("all drawn", frozenset(each.ref for each in made))
    return build(plan(groups=(group, rest)), made, FACTS)


def table(report: Report, key: str) -> list[dict[str, Any]]:
    [found] = [each for each in report.tables if each.key == key]
    return records(found)


def one(rows: list[dict[str, Any]], **wanted: object) -> dict[str, Any]:
    [found] = [row for row in rows if all(row[name] == value for name, value in wanted.items())]
    return found


def test_every_table_and_figure_says_something_with_results_and_what_it_needs_without(report: Report) -> None:
    for made in report.tables:
        assert made.rows, made.key
        assert made.how and made.title
        assert all(len(row) == len(made.columns) for row in made.rows)
    nothing = build(plan(), [])
    assert nothing.evaluations == () and len(nothing.tables) == len(TABLES)
    assert all(not made.rows and made.needs.endswith(".") for made in nothing.tables)
    for key in FIGURES:
        assert report.figure(key, report.evaluations[0]).needs.startswith("Needs")
        assert not nothing.figure(key, TOP_EVALUATION).points
    drawn = {key for key in FIGURES if report.figure(key, report.evaluations[0]).points}
    assert set(FIGURES) - drawn == {"explainer-size", "simulator-size"}


def test_no_line_of_scores_mixes_models_protocols_records_or_metrics(report: Report) -> None:
    rows = table(report, "scores")
    keys = [tuple(list(row.values())[:8]) for row in rows]
    assert len(keys) == len(set(keys)) == 4 * (3 + 2) * len(ARMS)  # one model has no easy neurons
    row = one(rows, model=OTHER, protocol="heldout-5+5", arm="hs", group="all")
    own = [
        each
        for each in report.material.columns.results
        if each.ref.model == OTHER and each.protocol is Protocol.HELDOUT_5_5 and each.arm == "hs"
    ]
    by_neuron: dict[NeuronRef, list[float]] = {}
    for each in own:
        if each.value is not None:
            by_neuron.setdefault(each.ref, []).append(each.value)
    assert row["mean"] == pytest.approx(np.mean([np.mean(values) for values in by_neuron.values()]))
    assert row["n"] == len(by_neuron) and row["asked"] == 12
    assert row["failures"] == sum(each.state is not State.OK for each in own)


def test_a_sample_of_neurons_has_its_own_line(report: Report) -> None:
    rows = table(report, "scores")
    easy = one(
        rows, model="tiny-random", protocol="heldout-full", sample="random-only", arm="hs", group="easy"
    )
    assert easy["asked"] < 12 and easy["mean"] is not None
    assert report.figure("means", TOP_EVALUATION).series == ("easy", "all drawn", "all")


def test_the_numbers_that_lead_somewhere_lead_to_as_many_neurons(report: Report) -> None:
    """Every count of neurons, and every n of a mean, is the length of the list that it links to."""
    counted = {"n", "asked", "at_least_7", "at_least_9", "neurons"}
    checked = 0
    material = report.material
    for made in report.tables:
        for row in made.rows:
            for column, entry in zip(made.columns, row, strict=True):
                if entry.where is None or column.key not in counted:
                    continue
                found = select(material.columns, material.plan, material.facts, entry.where)
                assert found.neurons == entry.value, (made.key, column.key, entry.where)
                checked += 1
    assert checked > 300
    for key in FIGURES:
        for point in report.figure(key, TOP_EVALUATION).points:
            if point.where is not None:
                found = select(material.columns, material.plan, material.facts, point.where)
                assert found.neurons == point.n, (key, point)


def test_a_failure_leads_to_the_results_that_failed(report: Report) -> None:
    rows = [row for made in report.tables if made.key == "failures" for row in made.rows]
    for row in rows:
        where = row[-1].where
        assert where is not None and where.state is not None
        found = select(report.material.columns, report.material.plan, report.material.facts, where)
        behind = [
            report.material.columns.results[at]
            for line in found.lines("neuron", True, 0, 10_000)
            for at in line.results
        ]
        assert sum(each.state is where.state for each in behind) == row[-1].value
    total = sum(int(str(row[-1].value)) for row in rows)
    assert total == sum(each.state is not State.OK for each in report.material.columns.results)


def test_contrasts_are_those_of_the_definition_by_the_primary_measure(report: Report) -> None:
    rows = table(report, "contrasts")
    assert len(rows) == 2 * 4  # two models, four contrasts, one family
    assert {(row["protocol"], row["sample"]) for row in rows} == {("heldout-full", "top-and-random")}
    assert all(row["p_holm"] >= row["p"] for row in rows)
    best = one(rows, model="tiny-random", arm="hs")
    assert best["difference"] == pytest.approx(best["first"] - best["second"])
    assert best["low"] < best["difference"] < best["high"]
    assert best["non_inferior"] is True and best["margin"] == 0.05
    [unplanned] = [each for each in build(plan(contrasts=()), experiment()).tables if each.key == "contrasts"]
    assert not unplanned.rows and "chance" in unplanned.needs
    [elsewhere] = [
        each
        for each in build(plan(primary=Primary(*TOP, ("nobody here",))), experiment()).tables
        if each.key == "contrasts"
    ]
    assert not elsewhere.rows and "nobody here" in elsewhere.needs


def test_a_report_with_other_draws_is_the_same(report: Report) -> None:
    again = build(report.material.plan, report.material.columns.results, FACTS)
    assert [records(each) for each in again.tables] == [records(each) for each in report.tables]


def test_similarity_stands_beside_its_floor(report: Report) -> None:
    row = one(table(report, "similarity"), model="tiny-random", arm="summary", group="all")
    assert row["floor"] == pytest.approx(0.1) and row["above_floor"] == pytest.approx(row["mean"] - 0.1)
    told_nothing = build(plan(), [each._replace(floor=None) for each in experiment(measures=(SIMILAR,))])
    assert one(table(told_nothing, "similarity"), arm="hs")["above_floor"] is None


def test_prompts_are_counted_once_an_explanation_and_set_beside_the_original_format() -> None:
    made = [*experiment(4, measures=MEASURES), result(9, "summary", None, explanation_id=None)]
    rows = table(build(plan(), made), "prompt-tokens")
    assert one(rows, arm="summary")["ratio"] == pytest.approx(2300 / 950)
    assert one(rows, arm="summary")["n"] == 4  # the one that failed had no answer
    assert one(rows, arm="original")["ratio"] == 1.0
    free = one(rows, arm="token_lookup")
    assert (free["mean"], free["n"], free["ratio"]) == (None, 0, None)


def test_costs_are_counted_once_for_all_metrics_of_one_asking() -> None:
    made = experiment(4, measures=(TOP, RANDOM), seeds=3)
    row = one(table(build(plan(), made), "costs"), arm="hs")
    assert row["usd"] == pytest.approx(10.0) and row["explain_usd"] is None
    assert (row["explain_seconds"], row["score_seconds"]) == (pytest.approx(2000), pytest.approx(1000))
    assert (row["asked"], row["neurons"]) == (12, 4)
    told = build(plan(), [each._replace(explain_cost_usd=0.004) for each in made])
    assert one(table(told, "costs"), arm="hs")["explain_usd"] == pytest.approx(4.0)


def test_thresholds_count_what_is_on_them() -> None:
    made = [result(i, "summary", value) for i, value in enumerate((0.9, 0.7, 0.69, 0.2))] + [
        result(4, "summary", None)
    ]
    row = one(table(build(plan(), made), "counts"), arm="summary")
    assert (row["at_least_7"], row["at_least_9"], row["n"], row["undefined"]) == (2, 1, 4, 1)
    assert row["share_7"] == 0.5


def test_two_protocols_are_compared_on_the_same_records_or_each_on_its_own(report: Report) -> None:
    rows = table(report, "protocol-gap")
    pairs = {(row["protocol"], row["sample"], row["second_protocol"], row["second_sample"]) for row in rows}
    assert ("heldout-full", "top-and-random", "heldout-5+5", "top-and-random") in pairs
    assert ("heldout-full", "random-only", "population", "population") in pairs
    assert not any("random-only" in pair and "top-and-random" in pair for pair in pairs)
    assert all(-1 <= row["correlation"] <= 1 for row in rows if row["correlation"] is not None)


def test_puzzles_say_who_judged_and_out_of_how_many(report: Report) -> None:
    [row] = table(report, "puzzles")
    assert (row["judge"], row["right"], row["judged"], row["puzzles"]) == ("similarity", 13, 19, 20)


def test_sizes_are_numbers_where_all_are_known_and_names_otherwise() -> None:
    made = experiment(5)
    bigger = [each._replace(explainer="other / bigger", arm=f"{each.arm}@bigger") for each in made]
    weak = [each._replace(simulator="local / weak") for each in made]
    report = build(plan(), [*made, *bigger, *weak], FACTS)
    explainers, simulators = (
        report.figure(key, TOP_EVALUATION) for key in ("explainer-size", "simulator-size")
    )
    assert explainers.axis == "name" and {point.x for point in explainers.points} == {
        "paid / big",
        "other / bigger",
    }
    assert "none" not in {point.x for point in explainers.points}
    assert simulators.axis == "name" and {point.x for point in simulators.points} == {LOCAL, "local / weak"}
    known = Facts(sizes={**FACTS.sizes, "other / bigger": 70_000_000_000, "local / weak": 1_000})
    report = build(plan(), [*made, *bigger, *weak], known)
    assert report.figure("explainer-size", TOP_EVALUATION).axis == "log"
    assert {point.x for point in report.figure("simulator-size", TOP_EVALUATION).points} == {1e3, 1.35e8}


def test_many_neurons_make_no_more_marks_than_a_chart_may_have() -> None:
    made = experiment(900, seeds=1, layers=40)
    report = build(plan(), made)
    material = report.material
    for key in FIGURES:
        assert len(report.figure(key, TOP_EVALUATION).points) <= MOST_POINTS, key
    cloud = report.figure("top-and-random", TOP_EVALUATION)
    defined = sum(point.n for point in cloud.points)
    assert any(point.n > 1 for point in cloud.points) and defined > 3000
    for point in cloud.points[::25]:
        assert point.where is not None
        found = select(material.columns, material.plan, material.facts, point.where)
        assert found.neurons == point.n


@settings(max_examples=60)
@given(
    low=st.one_of(st.none(), st.floats(-2, 2)),
    arm=st.one_of(st.none(), st.sampled_from([*ARMS, "no such", "with & = ?"])),
    state=st.one_of(st.none(), st.sampled_from(State)),
    sample=st.one_of(st.none(), st.sampled_from(Sample)),
    simulator=st.one_of(st.none(), st.just(""), st.text(max_size=20)),
)
def test_a_selection_survives_its_address(
    low: float | None, arm: str | None, state: State | None, sample: Sample | None, simulator: str | None
) -> None:
    wanted = Selection(arm=arm, state=state, sample=sample, low=low, simulator=simulator)
    assert Selection.parse(wanted.query()) == wanted


@pytest.mark.parametrize(
    "query", [{"low": "x"}, {"low": "nan"}, {"state": "fine"}, {"layer": "1.5"}, {"metric": ""}]
)
def test_an_address_that_is_wrong_is_said_to_be(query: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="is no "):
        Selection.parse(query)


def test_lines_are_sorted_with_what_is_undefined_last() -> None:
    made = [result(i, "summary", value) for i, value in enumerate((0.2, None, 0.9, 0.4))]
    material = build(plan(), made).material
    found = select(material.columns, material.plan, material.facts, Selection())
    values = [line.value for line in found.lines("value", True, 0, 9)]
    assert values == [0.9, 0.4, 0.2, None]
    assert [line.value for line in found.lines("value", False, 0, 9)] == [0.2, 0.4, 0.9, None]
    assert [line.explained.ref.index for line in found.lines("neuron", False, 1, 2)] == [1, 2]
    assert found.lines("value", True, 9, 9) == ()
