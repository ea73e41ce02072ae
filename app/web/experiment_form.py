"""The form that an experiment is made with: its fields become the tables of a file."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from app.domain import experiment_files
from app.domain.experiment_makers import MAKERS, SCORERS
from app.domain.experiments import ABOVE, REVISING_METHODS, WITHOUT_EXPLAINER, Contrast, Definition, Rule
from app.domain.explanations import (
    ASKING_SIMULATORS,
    PROMPTED_METHODS,
    Band,
    Method,
    Metric,
    Protocol,
    Sample,
    measured,
)
from app.domain.neurons import Polarity
from app.errors import BadInput
from app.settings import Endpoint
from app.web.formats import words

PROTOCOLS = (Protocol.HELDOUT_5_5, Protocol.HELDOUT_FULL, Protocol.POPULATION, Protocol.BILLS_5_5)
RULES = {
    Rule.RANDOM: "n at random of each layer",
    Rule.RANDOM_ABOVE: "n at random with a score above",
    Rule.RANDOM_ABOVE_PER_LAYER: "n at random of each layer with a score above",
    Rule.TOP_PER_LAYER: "the n best of each layer",
    Rule.TOP_OVERALL: "the n best of the model",
    Rule.LIST: "a list",
    Rule.NEURONS: "neurons named below",
}


class Choice(NamedTuple):
    """One option of a field."""

    value: str
    label: str
    chosen: bool


@dataclass(frozen=True)
class Form:
    """`experiment_new.html`: what can be chosen."""

    models: tuple[Choice, ...]
    rules: tuple[Choice, ...]
    lists: tuple[Choice, ...]
    measures: tuple[Choice, ...]
    methods: tuple[Choice, ...]
    revise_from: tuple[Choice, ...]
    explainers: tuple[Choice, ...]
    simulators: tuple[Choice, ...]
    judges: tuple[Choice, ...]
    protocols: tuple[Choice, ...]
    bands: tuple[Choice, ...]
    polarities: tuple[Choice, ...]
    against: tuple[Choice, ...]


def form(
    models: Sequence[str], lists: Sequence[tuple[str, str]], endpoints: Sequence[Endpoint], chosen_list: str
) -> Form:
    """The choices there are: models by slug, lists by (slug, name)."""
    names = [endpoint.name for endpoint in endpoints]
    simulators = [
        Choice("local", "local model", True),
        Choice("token_lookup", "token lookup (for the method of that name)", False),
    ]
    for simulator in ASKING_SIMULATORS:
        simulators += [
            Choice(f"{simulator}@{name}", f"{words(simulator)} by {name}", False) for name in names
        ]
    usual = (Method.SUMMARY, Method.ORIGINAL)
    rule = Rule.LIST if chosen_list else Rule.RANDOM
    return Form(
        models=tuple(Choice(slug, slug, i == 0) for i, slug in enumerate(models)),
        rules=rules(rule),
        lists=tuple(Choice(slug, name, slug == chosen_list) for slug, name in lists),
        measures=measures(),
        methods=tuple(Choice(method, words(method), method in usual) for method in MAKERS),
        revise_from=tuple(Choice(m, words(m), m is Method.ORIGINAL) for m in PROMPTED_METHODS),
        explainers=tuple(Choice(name, name, i == 0) for i, name in enumerate(names)),
        simulators=tuple(simulators),
        judges=tuple(Choice(f"{m}@{name}", f"{words(m)} by {name}", False) for m in SCORERS for name in names),
        protocols=tuple(Choice(p, p, p is Protocol.HELDOUT_5_5) for p in (*PROTOCOLS, Protocol.GENERATED)),
        bands=tuple(Choice(band, words(band), band is Band.TOP) for band in Band),
        polarities=tuple(Choice(p, words(p), p is Polarity.POSITIVE) for p in Polarity),
        against=(Choice("", "nothing", True), *(Choice(m, words(m), False) for m in MAKERS)),
    )  # fmt: skip


class Numbers:
    """Reads numbers of a filled form; what is none is added to `wrong`."""

    def __init__(self, fields: Mapping[str, str], wrong: list[str]) -> None:
        self._fields = fields
        self._wrong = wrong

    def __call__(self, name: str, kind: type[int] | type[float]) -> Any:
        """The number in a field; None for an empty one, and for what is no number."""
        text = self._fields.get(name, "").strip()
        if not text:
            return None
        try:
            return kind(text)
        except ValueError:
            self._wrong.append(f"{words(name)}: “{text[:30]}” is no {'whole ' if kind is int else ''}number.")
            return None


def sample_table(fields: Mapping[str, str], number: Numbers) -> dict[str, Any]:
    """The sample that a filled form asks for, as a table of a file."""
    rule = fields.get("rule", Rule.RANDOM.value)
    sample: dict[str, Any] = {"rule": rule}
    if rule == Rule.LIST:
        return {**sample, "list": fields.get("list", "")}
    if rule == Rule.NEURONS:
        return {**sample, "neurons": fields.get("neurons", "").split()}
    sample |= {"n": number("n", int) or 0, "seed": number("sample_seed", int) or 0}
    layers = fields.get("layers", "").replace(",", " ").split()
    if layers:
        sample["layers"] = layers
    if rule != Rule.RANDOM:
        sample |= dict(
            zip(("protocol", "sample", "metric"), fields.get("measure", "").split("."), strict=False)
        )
    if rule in ABOVE:
        sample["above"] = number("above", float) or 0.0
    return sample


def rules(chosen: Rule) -> tuple[Choice, ...]:
    """How neurons can be drawn."""
    return tuple(Choice(each, label, each is chosen) for each, label in RULES.items())


def measures() -> tuple[Choice, ...]:
    """The scores that neurons can be chosen by."""
    return tuple(
        Choice(
            f"{p}.{s}.{m}",
            f"{words(m)} ({p}, {s})",
            p is Protocol.HELDOUT_FULL and m is Metric.CORRELATION and s is Sample.TOP_AND_RANDOM,
        )
        for p in PROTOCOLS
        for s, m in measured(p)
    )


def definition(fields: Mapping[str, str], several: Mapping[str, Sequence[str]]) -> Definition:
    """The definition that a filled form asks for; `several` are the fields with boxes to tick. BadInput with all that is wrong."""
    wrong: list[str] = []
    number = Numbers(fields, wrong)
    sample = sample_table(fields, number)
    rule = sample["rule"]
    seeds = fields.get("seeds", "0").replace(",", " ").split()
    if not all(seed.isascii() and seed.isdigit() for seed in seeds):
        wrong.append("seeds: give whole numbers, such as 0 1 2.")
        seeds = ["0"]
    values: dict[str, Any] = {
        "name": fields.get("name", ""),
        "question": fields.get("question", "").replace("\r\n", "\n"),
        "polarity": fields.get("polarity", Polarity.POSITIVE.value),
        "samples": [sample],
        "evidence": [
            {
                "band": fields.get("band", Band.TOP.value),
                "excerpts": number("excerpts", int) or 0,
                "tokens": number("tokens", int) or 0,
            }
        ],
        "candidates": [number("candidates", int) or 1],
        "seeds": [int(seed[:12]) for seed in seeds],
        "simulators": [_asked("name", each) for each in several.get("simulators", ())],
        "judges": [_asked("metric", each) for each in several.get("judges", ())],
        "attempts": number("attempts", int) or 2,
        "fresh": fields.get("fresh") == "true",
        "budget_usd": number("budget_usd", float),
    }
    for name in ("models", "methods", "explainers", "protocols"):
        values[name] = list(several.get(name, ()))
    if rule in (Rule.LIST, Rule.NEURONS):
        values["models"] = []
    if set(values["methods"]) & set(REVISING_METHODS):
        values["revise_from"] = fields.get("revise_from", Method.ORIGINAL.value)
    if not set(values["methods"]) - set(WITHOUT_EXPLAINER):
        values["explainers"] = []
    if not values["simulators"] and not values["judges"]:
        wrong.append(
            "Nothing would be scored: tick a simulator or a judge. A file may leave both out, to explain and no more."
        )
    kept = {name: value for name, value in values.items() if value not in (None, [], "")}
    try:
        made = experiment_files.from_values(kept)
        return _compared(made, fields.get("against", ""), number("margin", float), wrong)
    except BadInput as error:
        raise BadInput(" ".join([*wrong, str(error)])) from None


def _compared(made: Definition, against: str, margin: float | None, wrong: Sequence[str]) -> Definition:
    """With contrasts of every arm against the one that differs by its method alone."""
    if wrong:
        raise BadInput("")
    if not against:
        return made
    names = [arm.name for arm in made.arms()]
    contrasts = []
    for arm in made.arms():
        other = arm.name.replace(arm.method.value, against, 1)
        if other in names and other != arm.name:
            contrasts.append(Contrast(arm.name, other))
    made = replace(made, contrasts=tuple(contrasts), margin=margin if contrasts else None)
    return experiment_files.from_values(experiment_files.to_values(made))


def _asked(key: str, text: str) -> dict[str, str]:
    name, _, endpoint = text.partition("@")
    return {key: name, "endpoint": endpoint} if endpoint else {key: name}
