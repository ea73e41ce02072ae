"""The form that a study is made with: its fields become the tables of a file."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from app.domain import studies, study_files
from app.domain.experiment_makers import MAKERS
from app.domain.experiments import Measure, Rule
from app.domain.explanations import Metric, Protocol, Sample
from app.domain.neurons import Polarity
from app.domain.studies import GoldKind, StudyArm, StudyDefinition
from app.errors import BadInput
from app.store.study_material import Maker
from app.study.presets import LEE_METHODS, LEE_RATERS, LEE_SCORE, Design, lee
from app.web.experiment_form import Choice, Numbers, measures, rules, sample_table
from app.web.formats import count, words
from app.web.study_words import TASK_WORDS

SEVERAL = ("models", "arms", "tasks", "methods")
SPLIT = "|"  # between method and explainer in a field's value
_RULES = ("min_gold", "max_straight", "min_seconds", "min_consistency")
_CONSENT = ("text", "contact", "pay", "withdraw_until", "kept_until")


@dataclass(frozen=True)
class Form:
    """`study_new.html`: what can be chosen."""

    models: tuple[Choice, ...]
    rules: tuple[Choice, ...]
    lists: tuple[Choice, ...]
    measures: tuple[Choice, ...]
    polarities: tuple[Choice, ...]
    arms: tuple[Choice, ...]  # by method, whoever explains
    makers: tuple[Choice, ...]  # by method and explainer, as there are in the store
    tasks: tuple[Choice, ...]
    against: tuple[Choice, ...]
    # of LEE's study
    lee_methods: tuple[Choice, ...]
    explainers: tuple[Choice, ...]
    chosen_by: tuple[Choice, ...]
    lee_measures: tuple[Choice, ...]
    designs: tuple[Choice, ...]
    raters: int = LEE_RATERS
    above: float = LEE_SCORE
    statement: str = studies.STATEMENT
    best_question: str = studies.BEST_QUESTION
    title: str = StudyDefinition.title


def form(
    models: Sequence[str], lists: Sequence[tuple[str, str]], makers: Sequence[Maker], chosen_list: str
) -> Form:
    """The choices there are: models by slug, lists by (slug, name)."""
    said = list(dict.fromkeys(each.method for each in makers))
    methods = list(dict.fromkeys([*(m.value for m in MAKERS), *said]))
    pairs = [StudyArm(each.method, each.explainer) for each in makers]
    explainers = list(dict.fromkeys(each.explainer for each in makers if each.method in set(LEE_METHODS)))
    return Form(
        models=tuple(Choice(slug, slug, i == 0) for i, slug in enumerate(models)),
        rules=rules(Rule.LIST if chosen_list else Rule.RANDOM),
        lists=tuple(Choice(slug, name, slug == chosen_list) for slug, name in lists),
        measures=_measures(),
        polarities=tuple(Choice(p, words(p), p is Polarity.POSITIVE) for p in Polarity),
        arms=tuple(Choice(method, words(method), False) for method in methods),
        makers=tuple(
            Choice(f"{each.method}{SPLIT}{each.explainer}", f"{words(each.method)} by {each.explainer} ({count(each.explanations)})", False)
            for each in makers
        ),
        tasks=tuple(Choice(task, said, task in StudyDefinition.tasks) for task, said in TASK_WORDS.items()),
        against=(
            Choice("", "nothing", True),
            *(Choice(method, words(method), False) for method in methods),
            *(Choice(arm.label, f"{words(arm.method)} by {arm.explainer}", False) for arm in pairs),
        ),
        lee_methods=tuple(Choice(m, words(m), True) for m in LEE_METHODS),
        explainers=(Choice("", "whoever it was", True), *(Choice(name, name, False) for name in explainers)),
        chosen_by=(
            Choice("token_lookup", "token lookup", True),
            Choice("", "the best of any method", False),
            *(Choice(method, words(method), False) for method in said if method != "token_lookup"),
        ),
        lee_measures=_measures(),
        designs=(
            Choice(Design.CROSSED, "crossed: one neuron a layer, and every rater sees all", True),
            Choice(Design.NESTED, "nested: as many a layer as raters, and nobody shares one", False),
        ),
    )  # fmt: skip


def preset(fields: Mapping[str, str], several: Mapping[str, Sequence[str]]) -> StudyDefinition:
    """LEE's study as a filled form asks for it. BadInput with what is wrong."""
    wrong: list[str] = []
    number = Numbers(fields, wrong)
    explainer = fields.get("explainer", "")
    raters, above, seed = number("raters", int), number("above", float), number("seed", int)
    try:
        design = Design(fields.get("design", Design.CROSSED.value))
        measure = _measure(fields.get("measure", ""))
    except ValueError:
        wrong.append("Choose a design and a score of those that the form offers.")
    if wrong:
        raise BadInput(" ".join(wrong))
    made = lee(
        tuple(several.get("models", ())),
        tuple(StudyArm(m, explainer, m if explainer else "") for m in several.get("methods", ())),
        design=design,
        raters=LEE_RATERS if raters is None else raters,
        above=LEE_SCORE if above is None else above,
        measure=measure,
        chosen_by=fields.get("chosen_by", ""),
        seed=seed or 0,
    )
    return _checked(made)


def definition(fields: Mapping[str, str], several: Mapping[str, Sequence[str]]) -> StudyDefinition:
    """The definition that a filled form asks for; `several` are the fields with boxes to tick. BadInput with all that is wrong."""
    wrong: list[str] = []
    number = Numbers(fields, wrong)

    def text(name: str) -> str:
        return fields.get(name, "").replace("\r\n", "\n").strip()

    def whole(name: str, usual: int) -> int:
        found = number(name, int)
        return usual if found is None else int(found)

    arms = [_arm(each) for each in several.get("arms", ())]
    labels = [StudyArm(arm["method"], arm.get("explainer", "")).label for arm in arms]
    against = fields.get("against", "")
    if against and against not in labels:
        wrong.append(f"“{against}” is to be compared with, and is not among the ticked ways of explaining.")
    sample = sample_table(fields, number)
    usual = StudyDefinition("", ())
    values: dict[str, Any] = {
        **{name: text(name) for name in ("name", "title", "question", "instructions", "statement", "best_question", "stopping")},
        "polarity": fields.get("polarity", Polarity.POSITIVE.value),
        "samples": [sample],
        "models": [] if sample["rule"] in (Rule.LIST, Rule.NEURONS) else list(several.get("models", ())),
        "arms": arms,
        "tasks": list(several.get("tasks", ())),
        "evidence": {"top": whole("top", usual.evidence.top), "random": whole("random", usual.evidence.random)},
        "name_neuron": fields.get("name_neuron") == "true",
        "raters": whole("raters", usual.raters),
        "raters_per_item": whole("raters_per_item", 0),
        "gold": _gold(fields, number),
        "repeats": whole("repeats", 0),
        "practice": whole("practice", usual.practice),
        "consent": {name: text(f"consent_{name}") for name in _CONSENT},
        "codes": {name: text(f"code_{name}") for name in ("completed", "screened_out")},
        "contrasts": [[label, against] for label in labels if against and label != against],
        "exclusions": {name: value for name in _RULES if (value := number(name, float)) is not None},
        "timeout_hours": number("timeout_hours", float),
        "seed": whole("seed", 0),
    }  # fmt: skip
    kept = {name: value for name, value in values.items() if value not in (None, [], "", {})}
    try:
        made = study_files.from_values(kept)
    except BadInput as error:
        raise BadInput(" ".join([*wrong, str(error)])) from None
    if wrong:
        raise BadInput(" ".join(wrong))
    return made


def _checked(made: StudyDefinition) -> StudyDefinition:
    return study_files.from_values(study_files.to_values(made))


def _arm(value: str) -> dict[str, str]:
    method, _, explainer = value.partition(SPLIT)
    return {"method": method, "explainer": explainer} if explainer else {"method": method}


def _gold(fields: Mapping[str, str], number: Numbers) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for kind in (GoldKind.PUZZLES, GoldKind.FALSE):
        n = number(f"gold_{kind}", int)
        if n:
            found.append({"kind": kind.value, "n": n})
    neuron = fields.get("gold_neuron", "").strip()
    if neuron:
        wrong = [line.strip() for line in fields.get("gold_wrong", "").splitlines()]
        right = fields.get("gold_right", "").strip()
        found.append(
            {"kind": GoldKind.GIVEN.value, "neuron": neuron, "right": right, "wrong": [w for w in wrong if w] or [""]}
        )  # fmt: skip
    return found


def _measures() -> tuple[Choice, ...]:
    """Beside those that are computed here, what may have come with other people's explanations."""
    as_imported = f"{Protocol.AS_IMPORTED}.{Sample.AS_IMPORTED}.{Metric.CORRELATION}"
    return (*measures(), Choice(as_imported, "correlation, as imported", False))


def _measure(value: str) -> Measure:
    protocol, sample, metric = value.split(".")
    return Measure(Protocol(protocol), Sample(sample), Metric(metric))
