"""Studies as files: TOML for people, JSON for programs. What is read back from what is written is the same definition."""

import json
from dataclasses import asdict, fields
from typing import Any

from app.domain import studies
from app.domain.definition_files import FileKind, text_of, values_of
from app.domain.definition_values import Table
from app.domain.experiment_files import read_sample, sample_values
from app.domain.neurons import Polarity
from app.domain.studies import (
    Codes,
    Consent,
    Gold,
    GoldKind,
    ShownRecords,
    StudyArm,
    StudyContrast,
    StudyDefinition,
    Task,
)
from app.domain.study_checks import problems
from app.domain.study_quality import Exclusions
from app.errors import BadInput

WHAT = "A study"
KEYS = tuple(f.name for f in fields(StudyDefinition))  # of a file, at its top
_TABLES = ("evidence", "consent", "codes", "exclusions")


def read(text: str, kind: FileKind) -> StudyDefinition:
    """The definition in a file. BadInput with everything that is wrong with it."""
    return from_values(values_of(text, kind, WHAT))


def from_values(values: dict[str, Any]) -> StudyDefinition:
    """The definition in the tables of a file. BadInput with everything that is wrong with it."""
    wrong: list[str] = []
    found = _definition(Table("", values, wrong))
    if not wrong:
        wrong = problems(found)
    if wrong:
        raise BadInput(" ".join(wrong))
    return found


def read_kept(text: str) -> StudyDefinition:
    """The definition that `write` made JSON of, whatever this version would say of it now. BadInput where it is none."""
    wrong: list[str] = []
    found = _definition(Table("", values_of(text, FileKind.JSON, WHAT), wrong))
    if wrong:
        raise BadInput(f"The study is of a newer version of Neuronarium, or damaged: {' '.join(wrong)}")
    return found


def write(definition: StudyDefinition, kind: FileKind) -> str:
    """The definition as a file that `read` gives back. What is as it would be without saying so is left out."""
    return text_of(to_values(definition), kind)


def to_values(definition: StudyDefinition) -> dict[str, Any]:
    """The definition as tables of plain values, as files hold it."""
    usual = StudyDefinition("", ())
    plain = json.loads(json.dumps(asdict(definition), allow_nan=False))
    values = {
        f.name: plain[f.name]
        for f in fields(StudyDefinition)
        if getattr(definition, f.name) != getattr(usual, f.name)
    }
    values["samples"] = [sample_values(rule) for rule in definition.samples]
    for name in _TABLES:
        if name in values:
            values[name] = {key: value for key, value in values[name].items() if value not in (None, "")}
    for name in ("arms", "gold"):
        if name in values:
            values[name] = [{k: v for k, v in row.items() if v not in ("", [])} for row in values[name]]
    if "contrasts" in values:
        values["contrasts"] = [list(pair) for pair in definition.contrasts]
    return values


def _definition(t: Table) -> StudyDefinition:
    made = StudyDefinition(
        name=t.text("name", needed=True),
        title=t.text("title", StudyDefinition.title),
        question=t.text("question"),
        instructions=t.text("instructions"),
        statement=t.text("statement", studies.STATEMENT),
        best_question=t.text("best_question", studies.BEST_QUESTION),
        models=t.texts("models"),
        polarity=t.word("polarity", Polarity, Polarity.POSITIVE),
        samples=tuple(read_sample(row) for row in t.tables("samples", needed=True)),
        arms=tuple(_arm(row) for row in t.tables("arms", short="method")),
        tasks=t.words("tasks", Task, StudyDefinition.tasks),
        evidence=_evidence(t.table("evidence")),
        name_neuron=t.yes("name_neuron"),
        raters=t.whole("raters", StudyDefinition.raters),
        raters_per_item=t.whole("raters_per_item", 0),
        gold=tuple(_gold(row) for row in t.tables("gold")),
        repeats=t.whole("repeats", 0),
        practice=t.whole("practice", StudyDefinition.practice),
        consent=_consent(t.table("consent")),
        codes=_codes(t.table("codes")),
        contrasts=tuple(StudyContrast(*pair) for pair in t.pairs("contrasts")),
        exclusions=_exclusions(t.table("exclusions")),
        stopping=t.text("stopping"),
        timeout_hours=_or(t.number("timeout_hours"), StudyDefinition.timeout_hours),
        seed=t.whole("seed", 0),
    )
    t.done()
    return made


def _arm(t: Table) -> StudyArm:
    made = StudyArm(t.text("method", needed=True), t.text("explainer"), t.text("name"))
    t.done()
    return made


def _evidence(t: Table) -> ShownRecords:
    made = ShownRecords(t.whole("top", ShownRecords.top), t.whole("random", ShownRecords.random))
    t.done()
    return made


def _gold(t: Table) -> Gold:
    made = Gold(
        t.word("kind", GoldKind, GoldKind.PUZZLES, needed=True),
        t.whole("n", 1),
        t.text("neuron"),
        t.text("right"),
        t.texts("wrong"),
    )
    t.done()
    return made


def _consent(t: Table) -> Consent:
    made = Consent(
        t.text("text"), t.text("contact"), t.text("pay"), t.text("withdraw_until"), t.text("kept_until")
    )
    t.done()
    return made


def _codes(t: Table) -> Codes:
    made = Codes(t.text("completed"), t.text("screened_out"))
    t.done()
    return made


def _exclusions(t: Table) -> Exclusions:
    rules = {f.name: t.number(f.name) for f in fields(Exclusions)}
    t.done()
    return Exclusions(**rules)


def _or(value: float | None, usual: float) -> float:
    return usual if value is None else value
