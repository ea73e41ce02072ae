"""The explanations that a study still lacks, made by ordinary experiments over exactly those neurons and methods."""

from collections.abc import Sequence
from typing import NamedTuple

from app.domain.experiment_makers import MAKERS
from app.domain.experiments import REVISING_METHODS, WITHOUT_EXPLAINER, Definition, Rule, SampleRule
from app.domain.explanations import Method
from app.domain.neurons import NeuronRef
from app.domain.studies import StudyArm, StudyDefinition
from app.domain.written import NAME
from app.errors import BadInput
from app.jobs.experiment_service import Experiments
from app.settings import Endpoint
from app.store.experiment_rows import ExperimentRow
from app.study.material import Material


class Missing(NamedTuple):
    """What one arm lacks."""

    arm: StudyArm
    refs: tuple[NeuronRef, ...]


def missing(definition: StudyDefinition, found: Material) -> list[Missing]:
    """By arm, the neurons that it says nothing of, and those of which it said something from text that raters would see."""
    by_arm: dict[int, list[NeuronRef]] = {}
    for each in (*found.lacking, *found.exposed):
        by_arm.setdefault(each.arm, []).append(each.ref)
    return [Missing(definition.arms[arm], tuple(refs)) for arm, refs in sorted(by_arm.items())]


def experiments(
    definition: StudyDefinition, lacks: Sequence[Missing], endpoints: Sequence[Endpoint], explainer: str = ""
) -> list[Definition]:
    """The experiments that would make all of it: one for arms that lack the same neurons and ask the same endpoint.

    Whoever an arm names explains; `explainer` is the endpoint for arms that name nobody (empty: the first there is). BadInput with
    every arm that cannot be made here.
    """
    wrong: list[str] = []
    groups: dict[tuple[tuple[NeuronRef, ...], str], list[Method]] = {}
    for lack in lacks:
        try:
            method = _method(lack.arm)
            asks = method not in WITHOUT_EXPLAINER
            endpoint = _endpoint(lack.arm, endpoints, explainer) if asks else ""
        except BadInput as error:
            wrong.append(str(error))
            continue
        groups.setdefault((lack.refs, endpoint), []).append(method)
    if wrong:
        raise BadInput(" ".join(wrong))
    return [
        Definition(
            name=f"For the study {definition.name}"[:NAME].rstrip(),
            samples=(SampleRule(Rule.NEURONS, neurons=tuple(str(ref) for ref in refs)),),
            methods=tuple(dict.fromkeys(methods)),
            question="Explanations that a rating study is to show.",
            polarity=definition.polarity,
            explainers=(endpoint,) if endpoint else (),
        )
        for (refs, endpoint), methods in groups.items()
    ]


def begin(
    asked: Experiments, definition: StudyDefinition, found: Material, author: str, explainer: str = ""
) -> list[ExperimentRow]:
    """Put them into the queue. BadInput where nothing is lacking, or with everything that stands in the way: then none begins."""
    lacks = missing(definition, found)
    if not lacks:
        raise BadInput("No explanation is lacking: there is nothing to make.")
    wanted = experiments(definition, lacks, asked.jobs.endpoints(), explainer)
    for each in wanted:
        asked.plan(each)
    return [asked.begin(each, author) for each in wanted]


def _method(arm: StudyArm) -> Method:
    try:
        method = Method(arm.method)
    except ValueError:
        method = None
    if method not in MAKERS:
        raise BadInput(
            f"“{arm.label}”: explanations of method {arm.method} cannot be made here; import them, or leave the arm out."
        )
    if method in REVISING_METHODS:  # an experiment would make the statement that it begins from anew as well
        raise BadInput(
            f"“{arm.label}”: {method} begins from another explanation: make it by an experiment of its own (docs/experiments.md), or leave the arm out."
        )
    return method


def _endpoint(arm: StudyArm, endpoints: Sequence[Endpoint], usual: str) -> str:
    """Who explains for an arm."""
    names = [endpoint.name for endpoint in endpoints]
    if not names:
        raise BadInput(f"“{arm.label}”: no language model is configured that could explain.")
    if not arm.explainer:
        if usual and usual not in names:
            raise BadInput(f"There is no endpoint “{usual}”; there is {', '.join(names)}.")
        return usual or names[0]
    for endpoint in endpoints:
        if arm.explainer in (endpoint.name, endpoint.model, endpoint.title):
            return endpoint.name
    raise BadInput(
        f"“{arm.label}”: {arm.explainer} is none of the endpoints here ({', '.join(names)}); import what it said, or leave the arm out."
    )
