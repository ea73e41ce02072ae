"""Experiments as files: TOML for people, JSON for programs. What is read back from what is written is the same definition.

Reading says everything that is wrong at once: where it is, what was found there, and what there could be.
"""

import json
from dataclasses import asdict, fields
from typing import Any

from app.domain.definition_files import FileKind, text_of, values_of
from app.domain.definition_values import Table
from app.domain.experiment_checks import problems
from app.domain.experiments import (
    ABOVE,
    BY_SCORE,
    Contrast,
    Definition,
    Judge,
    Measure,
    Primary,
    Rule,
    SampleRule,
    Simulator,
)
from app.domain.explanations import Band, Method, Metric, Protocol, Sample, ShownOptions, SimulatorName
from app.domain.neurons import Polarity
from app.domain.windows import WindowSource
from app.errors import BadInput

WHAT = "An experiment"
KEYS = tuple(f.name for f in fields(Definition))  # of a file, at its top


_PLACE = ("protocol", "sample", "metric")
_BY_SCORE = ("n", "seed", "layers", *_PLACE, "method")
_KEYS_OF_RULE: dict[Rule, tuple[str, ...]] = {
    Rule.RANDOM: ("n", "seed", "layers"),
    Rule.RANDOM_ABOVE: (*_BY_SCORE, "above"),
    Rule.RANDOM_ABOVE_PER_LAYER: (*_BY_SCORE, "above"),
    Rule.TOP_PER_LAYER: _BY_SCORE,
    Rule.TOP_OVERALL: _BY_SCORE,
    Rule.LIST: ("list", "digest"),
    Rule.NEURONS: ("neurons",),
}


def read(text: str, kind: FileKind) -> Definition:
    """The definition in a file. BadInput with everything that is wrong with it."""
    return from_values(values_of(text, kind, WHAT))


def read_kept(text: str) -> Definition:
    """The definition that `write` made JSON of, whatever this version would say of it now. BadInput where it is none."""
    wrong: list[str] = []
    found = _definition(Table("", values_of(text, FileKind.JSON, WHAT), wrong))
    if wrong:
        raise BadInput(f"The experiment is of a newer version of Neuronarium, or damaged: {' '.join(wrong)}")
    return found


def from_values(values: dict[str, Any]) -> Definition:
    """The definition in the tables of a file. BadInput with everything that is wrong with it."""
    wrong: list[str] = []
    found = _definition(Table("", values, wrong))
    if not wrong:
        wrong = problems(found)
    if wrong:
        raise BadInput(" ".join(wrong))
    return found


def write(definition: Definition, kind: FileKind) -> str:
    """The definition as a file that `read` gives back. What is as it would be without saying so is left out."""
    return text_of(to_values(definition), kind)


def to_values(definition: Definition) -> dict[str, Any]:
    """The definition as tables of plain values, as files hold it."""
    plain = json.loads(json.dumps(asdict(definition), allow_nan=False))
    values = {
        f.name: plain[f.name] for f in fields(Definition) if getattr(definition, f.name) != _default(f.name)
    }
    values["samples"] = [sample_values(rule) for rule in definition.samples]
    if "contrasts" in values:
        values["contrasts"] = [list(pair) for pair in definition.contrasts]
    for name in ("simulators", "judges"):
        if name in values:
            values[name] = [{k: v for k, v in row.items() if v != ""} for row in values[name]]
    if definition.primary is not None:
        values["primary"] = {
            **plain["primary"]["measure"],
            **({"scorer": definition.primary.scorer} if definition.primary.scorer else {}),
        }
    return values


def _default(name: str) -> object:
    found = next(f for f in fields(Definition) if f.name == name)
    return found.default


def sample_values(rule: SampleRule) -> dict[str, Any]:
    """One sample as a plain table, without what its rule does not use."""
    row = json.loads(json.dumps(asdict(rule), allow_nan=False))
    row = {**row, **row.pop("measure")}
    kept = {name: row[name] for name in _KEYS_OF_RULE[rule.rule]}
    empty = {name for name in ("layers", "list", "digest") if not row[name]}
    named = {"name": rule.name} if rule.name else {}
    return {"rule": rule.rule.value, **named, **{k: v for k, v in kept.items() if k not in empty}}


def _definition(t: Table) -> Definition:
    made = Definition(
        name=t.text("name", needed=True),
        question=t.text("question"),
        models=t.texts("models"),
        polarity=t.word("polarity", Polarity, Polarity.POSITIVE),
        methods=t.words("methods", Method),
        explainers=t.texts("explainers"),
        samples=tuple(read_sample(row) for row in t.tables("samples", needed=True)),
        evidence=tuple(_shown(row) for row in t.tables("evidence"))
        if t.has("evidence")
        else (ShownOptions(),),
        candidates=t.whole_numbers("candidates", (1,)),
        simulators=tuple(_simulator(row) for row in t.tables("simulators", short="name")),
        protocols=t.words("protocols", Protocol, (Protocol.HELDOUT_5_5,)),
        judges=tuple(_judge(row) for row in t.tables("judges", short="metric")),
        metrics=t.words("metrics", Metric, ()),
        seeds=t.whole_numbers("seeds", (0,)),
        revise_from=t.word("revise_from", Method, Method.ORIGINAL),
        contrasts=tuple(Contrast(*pair) for pair in t.pairs("contrasts")),
        margin=t.number("margin"),
        primary=_primary(t.table("primary")) if t.has("primary") else None,
        budget_usd=t.number("budget_usd"),
        attempts=t.whole("attempts", 2),
        fresh=t.yes("fresh"),
    )
    t.done()
    return made


def read_sample(t: Table) -> SampleRule:
    """One table of `samples`."""
    rule = t.word("rule", Rule, None)
    if rule is None:
        t.done(of="samples", only=("rule", "name", *dict.fromkeys(sum(_KEYS_OF_RULE.values(), ()))))
        return SampleRule(Rule.RANDOM)
    usual = SampleRule(rule)
    above = t.number("above", needed=rule in ABOVE)
    made = SampleRule(
        rule,
        name=t.text("name"),
        n=t.whole("n", 0, needed="n" in _KEYS_OF_RULE[rule]),
        seed=t.whole("seed", 0),
        layers=t.texts("layers"),
        measure=_measure(t),
        method=t.text("method", usual.method),
        above=0.0 if above is None else above,
        list=t.text("list"),
        digest=t.text("digest"),
        neurons=t.texts("neurons"),
    )
    t.done(of=f"rule “{rule}”", only=("rule", "name", *_KEYS_OF_RULE[rule]))
    # What the rule does not use is not part of the value, or two files that ask for the same would differ.
    if rule not in BY_SCORE:
        made = SampleRule(
            rule, made.name, made.n, made.seed, made.layers,
            list=made.list, digest=made.digest, neurons=made.neurons,
        )  # fmt: skip
    return made


def _measure(t: Table) -> Measure:
    usual = Measure()
    return Measure(
        t.word("protocol", Protocol, usual.protocol),
        t.word("sample", Sample, usual.sample),
        t.word("metric", Metric, usual.metric),
    )


def _shown(t: Table) -> ShownOptions:
    usual = ShownOptions()
    made = ShownOptions(
        t.word("band", Band, usual.band),
        t.whole("excerpts", usual.excerpts),
        t.whole("tokens", usual.tokens),
    )
    t.done()
    return made


def _simulator(t: Table) -> Simulator:
    made = Simulator(t.word("name", SimulatorName, SimulatorName.LOCAL, needed=True), t.text("endpoint"))
    t.done()
    return made


def _judge(t: Table) -> Judge:
    made = Judge(
        t.word("metric", Metric, Metric.DETECTION, needed=True),
        t.text("endpoint"),
        t.word("source", WindowSource, WindowSource.LIVE),
        t.text("reference"),
    )
    t.done()
    return made


def _primary(t: Table) -> Primary:
    made = Primary(_measure(t), t.text("scorer"))
    t.done()
    return made
