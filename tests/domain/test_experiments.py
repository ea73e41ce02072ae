"""Definitions of experiments: what they cross, what is wrong with them, and their files."""

import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.domain.definition_files import FileKind, kind_of
from app.domain.experiment_checks import problems
from app.domain.experiment_files import read, read_kept, to_values, write
from app.domain.experiment_sampling import LayerPool, draw
from app.domain.experiment_units import EXPLANATION, FIRST_ENDPOINT, LOCAL_MODEL, PROCESSOR, units_of_neuron
from app.domain.experiments import (
    ABOVE,
    BY_NAME,
    BY_SCORE,
    Contrast,
    Definition,
    Judge,
    Measure,
    Primary,
    Rule,
    SampleRule,
    Simulator,
    definition_hash,
)
from app.domain.explanations import Band, Method, Metric, Protocol, Sample, ShownOptions, SimulatorName
from app.domain.neurons import NeuronRef, Polarity
from app.errors import BadInput

SOUND = Definition(
    name="Which format?",
    samples=(SampleRule(Rule.RANDOM, n=2),),
    methods=(Method.SUMMARY, Method.ORIGINAL, Method.TOKEN_LOOKUP),
    models=("tiny-random",),
    explainers=("scripted",),
    simulators=(Simulator(SimulatorName.LOCAL),),
)

words = st.text(st.characters(codec="utf-8", categories=["L", "N", "P", "S"]), min_size=1, max_size=12)
names = st.from_regex(r"[a-z0-9-]{1,10}", fullmatch=True)
seeds = st.integers(0, 2**31 - 1)
finite = st.floats(-2, 2, allow_nan=False)
measures = st.builds(
    Measure,
    st.just(Protocol.HELDOUT_FULL),
    st.sampled_from([Sample.TOP_AND_RANDOM, Sample.RANDOM_ONLY]),
    st.sampled_from([Metric.CORRELATION, Metric.R_SQUARED]),
)


@st.composite
def rules(draw_: st.DrawFn) -> SampleRule:
    rule = draw_(st.sampled_from(list(Rule)))
    made = SampleRule(rule, name=draw_(st.just("") | words))
    if rule is Rule.LIST:
        return (
            replace(made, list=draw_(names)) if draw_(st.booleans()) else replace(made, digest=draw_(names))
        )
    if rule is Rule.NEURONS:
        refs = draw_(
            st.lists(st.builds("m/{}/{}".format, names, st.integers(0, 99)), min_size=1, unique=True)
        )
        return replace(made, neurons=tuple(refs))
    made = replace(
        made,
        n=draw_(st.integers(1, 1000)),
        seed=draw_(seeds),
        layers=tuple(draw_(st.lists(names, unique=True, max_size=3))),
    )
    if rule in BY_SCORE:
        made = replace(made, measure=draw_(measures), method=draw_(names))
    return replace(made, above=draw_(finite)) if rule in ABOVE else made


def several(values: st.SearchStrategy[object], least: int = 1, most: int = 3) -> st.SearchStrategy[tuple]:  # type: ignore[type-arg]
    return st.lists(values, min_size=least, max_size=most, unique=True).map(tuple)


@st.composite
def definitions(draw_: st.DrawFn) -> Definition:
    samples = draw_(st.lists(rules(), min_size=1, max_size=3, unique_by=lambda rule: rule.label))
    asked = (Method.SUMMARY, Method.ORIGINAL, Method.AVHS)
    made = Definition(
        name=draw_(words),
        question=draw_(st.just("") | words),
        samples=tuple(samples),
        methods=draw_(several(st.sampled_from(asked))),
        models=draw_(several(names)),
        polarity=draw_(st.sampled_from(list(Polarity))),
        explainers=draw_(several(names)),
        evidence=draw_(
            several(
                st.builds(
                    ShownOptions,
                    st.sampled_from([Band.TOP, Band.RANDOM, Band.MIXED]),
                    st.integers(1, 20),
                    st.integers(1, 64) | st.just(64),
                )
            )
        ),
        candidates=draw_(several(st.integers(1, 20))),
        simulators=(Simulator(SimulatorName.LOCAL), Simulator(SimulatorName.CHAT_JSON, draw_(names))),
        protocols=draw_(several(st.sampled_from([Protocol.HELDOUT_5_5, Protocol.HELDOUT_FULL]))),
        judges=draw_(
            several(st.builds(Judge, st.sampled_from([Metric.DETECTION, Metric.FUZZING]), names), 0)
        ),
        metrics=draw_(several(st.sampled_from(list(Metric)), 0)),
        seeds=draw_(several(seeds)),
        budget_usd=draw_(st.none() | st.floats(0.01, 1e6)),
        attempts=draw_(st.integers(1, 10)),
        fresh=draw_(st.booleans()),
    )
    if made.methods[0] is not Method.AVHS and all(shown.tokens == 64 for shown in made.evidence):
        revising = (*made.methods, Method.REVISION, Method.PROBING)
        made = replace(made, methods=revising, revise_from=made.methods[0])
    arms = [arm.name for arm in made.arms()]
    if len(arms) > 1:
        made = replace(
            made, contrasts=(Contrast(arms[0], arms[1]),), margin=draw_(st.none() | st.floats(1e-3, 1))
        )
    if draw_(st.booleans()):
        first = made.scorers()[0]
        measure = Measure(first.protocol, Sample.RANDOM_ONLY, Metric.R_SQUARED)
        made = replace(made, primary=Primary(measure, draw_(st.sampled_from(["", first.label]))))
    return made


@settings(max_examples=30)
@given(definitions(), st.sampled_from(list(FileKind)))
def test_what_is_written_reads_back_the_same(made: Definition, kind: FileKind) -> None:
    text = write(made, kind)
    again = read(text, kind)
    assert again == made
    assert definition_hash(again) == definition_hash(made)
    assert kind_of(text) is kind
    assert read_kept(write(made, FileKind.JSON)) == made


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.floats() | st.text(), lambda v: st.lists(v) | st.dictionaries(st.sampled_from([*to_values(SOUND), "x"]), v), max_leaves=8))  # fmt: skip
def test_whatever_a_file_holds_is_a_definition_or_said_to_be_none(values: object) -> None:
    with pytest.raises(BadInput):
        read(json.dumps(values), FileKind.JSON)


@given(st.text())
def test_no_text_breaks_the_reading(text: str) -> None:
    for kind in FileKind:
        with pytest.raises(BadInput):
            read(text, kind)


def test_arms_hold_what_tells_them_apart_and_no_language_model_where_none_is_asked() -> None:
    made = replace(
        SOUND,
        explainers=("a", "b"),
        evidence=(ShownOptions(), ShownOptions(Band.MIXED, 8, 16)),
        candidates=(1, 4),
    )
    found = [arm.name for arm in made.arms()]
    assert found[:3] == [
        "summary · a · top 5 x 64 · best of 1",
        "summary · a · top 5 x 64 · best of 4",
        "summary · a · mixed 8 x 16 · best of 1",
    ]
    assert found[-1] == "token_lookup" and len(found) == len(set(found)) == 2 * 2 * 2 * 2 + 1
    assert [arm.name for arm in SOUND.arms()] == ["summary", "original", "token_lookup"]


def test_an_experiment_may_explain_and_no_more() -> None:
    made = replace(SOUND, simulators=())
    assert problems(made) == []
    assert {unit.scorer for unit in units_of_neuron(made)} == {EXPLANATION}
    with pytest.raises(LookupError):
        made.decided_by()


def test_units_are_a_statement_and_then_its_scores_where_they_fit() -> None:
    made = replace(
        SOUND,
        simulators=(
            Simulator(SimulatorName.LOCAL),
            Simulator(SimulatorName.TOKEN_LOOKUP),
            Simulator(SimulatorName.CHAT_JSON, "judge"),
        ),
        seeds=(0, 7),
    )
    units = units_of_neuron(made)
    assert [(u.arm, u.scorer, u.lane) for u in units if u.seed == 7] == [
        (0, EXPLANATION, FIRST_ENDPOINT), (0, 0, LOCAL_MODEL), (0, 2, FIRST_ENDPOINT + 1),
        (1, EXPLANATION, FIRST_ENDPOINT), (1, 0, LOCAL_MODEL), (1, 2, FIRST_ENDPOINT + 1),
        (2, EXPLANATION, PROCESSOR), (2, 0, LOCAL_MODEL), (2, 1, PROCESSOR), (2, 2, FIRST_ENDPOINT + 1),
    ]  # fmt: skip
    assert len(units) == 20


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"samples": ()}, "samples is empty"),
        ({"methods": ()}, "methods is empty"),
        ({"methods": (Method.SUMMARY, Method.SUMMARY)}, "methods holds “summary” twice"),
        ({"methods": (Method.HUMAN,)}, "nothing that an experiment can ask for"),
        ({"explainers": ()}, "summary asks a language model"),
        ({"simulators": (), "metrics": (Metric.CORRELATION,)}, "nothing would be scored, and metrics goes by"),
        ({"simulators": (), "candidates": (4,)}, "nothing would be scored, and candidates goes by"),
        ({"simulators": (Simulator(SimulatorName.CHAT_JSON),)}, "name its endpoint"),
        ({"simulators": (Simulator(SimulatorName.TOKEN_LOOKUP),)}, "nothing would score summary, original"),
        ({"judges": (Judge(Metric.FUZZING),)}, "fuzzing asks a language model"),
        ({"judges": (Judge(Metric.EMBEDDING),)}, "name the method of it as reference"),
        ({"judges": (Judge(Metric.ABLATION, "x"),)}, "ablation asks no endpoint"),
        ({"judges": (Judge(Metric.ABLATION),), "simulators": ()}, "name a simulator"),
        ({"judges": (Judge(Metric.CORRELATION),)}, "comes with every simulation"),
        ({"protocols": (Protocol.WINDOWS,)}, "nothing can be simulated on windows"),
        ({"budget_usd": 0.0}, "a budget of zero buys nothing"),
        ({"margin": 0.1}, "there are none"),
        ({"contrasts": (Contrast("summary", "hs"),)}, "there is no arm “hs”; there is summary, original"),
        ({"contrasts": (Contrast("summary", "summary"),)}, "set against itself"),
        ({"attempts": 0}, "not between 1 and 10"),
        ({"candidates": (0,)}, "1 to 20 candidates"),
        ({"evidence": (ShownOptions(tokens=65),)}, "with 1 to 64 tokens"),
        ({"primary": Primary(Measure(Protocol.BILLS_5_5))}, "no scorer gives correlation"),
        ({"primary": Primary(Measure(), "nobody")}, "by “nobody”"),
        ({"samples": (SampleRule(Rule.RANDOM),)}, "the sample would be empty"),
        ({"samples": (SampleRule(Rule.LIST),)}, "name a list by its slug"),
        ({"samples": (SampleRule(Rule.NEURONS),)}, "neurons is empty"),
        ({"samples": (SampleRule(Rule.TOP_OVERALL, n=1, measure=Measure(sample=Sample.POPULATION)),)}, "has no"),
        ({"samples": (SampleRule(Rule.RANDOM, n=1), SampleRule(Rule.RANDOM, n=1, seed=3))}, "the names of samples"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said(change: dict[str, object], words: str) -> None:
    assert problems(SOUND) == []
    [said] = problems(replace(SOUND, **change))  # type: ignore[arg-type]
    assert words in said


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (('n = 2', 'm = 2'), "samples 1, m: unknown key; the keys of rule “random” here are rule, name, n, seed, layers"),
        (('n = 2', ''), "samples 1, n: it is missing"),
        (('n = 2', 'n = true'), "samples 1, n: it is true or false (True); a whole number is wanted"),
        (('seed = 0', 'colour = "red"'), "samples 1, colour: unknown key"),
        (('"local"', '"locale"'), "there is no “locale”; there is local, chat_json"),
        (('models = ["tiny-random"]', 'models = "tiny-random"'), "models: it is text (tiny-random); a list of texts is wanted"),
        (('models = ["tiny-random"]', 'models = []'), "models: it is empty"),
        (('models = ["tiny-random"]', 'models = ["m"]\nmodel = "m"'), "model: unknown key; the keys here are name, question"),
        (('name = "Which', 'name = Which'), "This is no TOML"),
    ],
)  # fmt: skip
def test_files_say_where_they_are_wrong(change: tuple[str, str], words: str) -> None:
    text = write(SOUND, FileKind.TOML)
    assert change[0] in text
    with pytest.raises(BadInput) as caught:
        read(text.replace(*change), FileKind.TOML)
    assert words in str(caught.value)


def test_everything_that_is_wrong_with_a_file_is_said_at_once() -> None:
    with pytest.raises(BadInput) as caught:
        read('name = 3\nfoo = 1\n[[samples]]\nrule = "sometimes"\n', FileKind.TOML)
    for words in ("name: it is a whole number", "foo: unknown", "no “sometimes”", "methods: it is missing"):
        assert words in str(caught.value)


def pools(layers: int = 3, neurons: int = 50) -> list[LayerPool]:
    rng = np.random.default_rng(0)
    return [
        LayerPool("m", f"{i}-mlp", i, np.arange(neurons), np.where(rng.random(neurons) < 0.2, np.nan, rng.random(neurons)))
        for i in range(layers)
    ]  # fmt: skip


def test_random_neurons_are_the_seed_s_whatever_else_is_there() -> None:
    rule = SampleRule(Rule.RANDOM, n=4, seed=9)
    found = draw(rule, pools()).neurons
    assert [ref.layer for ref in found] == ["0-mlp"] * 4 + ["1-mlp"] * 4 + ["2-mlp"] * 4
    assert found == draw(rule, pools()).neurons
    assert found[4:8] == draw(rule, pools()[1:2]).neurons
    assert found != draw(replace(rule, seed=10), pools()).neurons
    # Of those of a smaller sample, all are in a larger one.
    assert set(found) < set(draw(replace(rule, n=8), pools()).neurons)


def test_top_and_above_go_by_scores_and_leave_out_what_has_none() -> None:
    there = {NeuronRef(p.model, p.layer, int(i)): p.scores[i] for p in pools() for i in p.neurons}
    best = sorted((value for value in there.values() if not np.isnan(value)), reverse=True)
    overall = draw(SampleRule(Rule.TOP_OVERALL, n=7), pools()).neurons
    assert sorted((there[ref] for ref in overall), reverse=True) == best[:7]
    layer = [value for ref, value in there.items() if ref.layer == "1-mlp" and not np.isnan(value)]
    top = draw(SampleRule(Rule.TOP_PER_LAYER, n=2), pools()).neurons
    assert [there[ref] for ref in top if ref.layer == "1-mlp"] == sorted(layer, reverse=True)[:2]
    above = draw(SampleRule(Rule.RANDOM_ABOVE, n=5, above=0.8), pools())
    assert len(above.neurons) == 5 and all(there[ref] > 0.8 for ref in above.neurons) and not above.short
    each = draw(SampleRule(Rule.RANDOM_ABOVE_PER_LAYER, n=2, above=0.8), pools())
    assert [ref.layer for ref in each.neurons] == ["0-mlp", "0-mlp", "1-mlp", "1-mlp", "2-mlp", "2-mlp"]
    by = {(pool.layer, int(i)): pool.scores[k] for pool in pools() for k, i in enumerate(pool.neurons)}
    assert all(by[ref.layer, ref.index] > 0.8 for ref in each.neurons) and each.short == ()
    none = draw(SampleRule(Rule.RANDOM_ABOVE_PER_LAYER, n=1, above=2.0), pools())
    assert none.neurons == () and "in 3 layers" in none.short[0]
    few = draw(SampleRule(Rule.RANDOM_ABOVE, n=500, above=0.8), pools())
    assert "only" in few.short[0] and len(few.neurons) == sum(value > 0.8 for value in best)


def test_every_rule_is_drawn_or_named() -> None:
    for rule in Rule:
        if rule not in BY_NAME:
            assert draw(SampleRule(rule, n=1), pools()).neurons
