"""What can be known of an experiment before it runs: its neurons, and everything that stands in its way, said at once."""

from collections.abc import Iterator
from dataclasses import dataclass

from app.domain.experiment_checks import problems
from app.domain.experiment_makers import MAKERS, SCORERS
from app.domain.experiment_units import MOST_UNITS, units_of_neuron
from app.domain.experiments import Definition, Scorer
from app.domain.explanations import Method, Metric, ScoreOptions, SimulatorName
from app.domain.neurons import Polarity
from app.errors import AppError, BadInput
from app.jobs import endpoints
from app.jobs.caps import demand_room
from app.jobs.service import Jobs
from app.settings import Endpoint, Settings
from app.store import Session, experiment_samples, models
from app.store.experiment_results import LOCAL_TITLE
from app.store.experiments import Chosen


@dataclass(frozen=True)
class Plan:
    """An experiment that can run."""

    definition: Definition
    sample: tuple[Chosen, ...]
    notes: tuple[str, ...]  # what is less than asked for, in words
    titles: dict[str, str]  # of endpoints, and of the local simulator
    units: int


def plan(asked: Jobs, s: Session, definition: Definition) -> Plan:
    """Draw the sample and check all that can be checked. BadInput with everything that is wrong.

    `s` must be a session that may write: a list is frozen as it is drawn.
    """
    wrong = problems(definition)
    if wrong:
        raise BadInput(" ".join(wrong))
    settings = asked.settings
    wrong += _methods(definition)
    titles: dict[str, str] = {LOCAL_TITLE: settings.simulator_model or ""}
    for name in definition.endpoints():
        try:
            endpoint = endpoints.endpoint(settings, name)
            titles[name] = endpoint.title
            wrong += _endpoint(settings, s, definition, endpoint)
        except AppError as error:
            wrong.append(error.sentence)
    sample, notes, lacking = experiment_samples.draw(s, definition)
    wrong += lacking
    for slug in sorted({chosen.ref.model for chosen in sample}):
        for scorer in definition.scorers():
            wrong += _scorer(asked, s, definition, slug, scorer)
    units = len(sample) * len(units_of_neuron(definition))
    if units > MOST_UNITS:
        wrong.append(
            f"This would be {units:,} units, and an experiment has at most {MOST_UNITS:,}: take fewer neurons, or split it."
        )
    if wrong:
        raise BadInput(" ".join(dict.fromkeys(wrong)))
    return Plan(definition, tuple(sample), tuple(notes), titles, units)


def _methods(d: Definition) -> Iterator[str]:
    for method in d.methods:
        if method not in MAKERS:
            yield f"methods: {method} cannot be made by an experiment yet; there is {', '.join(MAKERS)}."
        elif method is Method.TOKEN_LOOKUP and d.polarity is Polarity.NEGATIVE:
            yield "methods: token_lookup speaks of both signs at once: leave it out, or take the positive polarity."
    for judge in d.judges:
        if judge.metric not in SCORERS:
            yield f"judges: {judge.metric} cannot be scored by an experiment yet."


def _endpoint(settings: Settings, s: Session, d: Definition, endpoint: Endpoint) -> Iterator[str]:
    if endpoint.name in d.explainers and not endpoint.chat:
        yield f"explainers: “{endpoint.name}” serves no chats (chat = false in the settings)."
    for simulator in d.simulators:
        if simulator.endpoint != endpoint.name:
            continue
        if simulator.name is SimulatorName.LOGPROBS and not endpoint.completions:
            yield f"simulators: logprobs needs completions, and “{endpoint.name}” is not set up for them."
        if simulator.name is SimulatorName.CHAT_JSON and not endpoint.chat:
            yield f"simulators: chat_json needs chats, and “{endpoint.name}” serves none."
    if not endpoint.api_key():
        yield (
            f"Endpoint “{endpoint.name}” needs a key, and the environment variable {endpoint.api_key_env} is empty."
        )
    try:
        demand_room(s, settings, endpoint)
    except AppError as error:
        yield error.sentence


def _scorer(asked: Jobs, s: Session, d: Definition, slug: str, scorer: Scorer) -> Iterator[str]:
    collection = models.model(s, slug).collection
    imported = collection is not None and collection.imported
    local = scorer.simulator is SimulatorName.LOCAL and asked.settings.simulator_model is None
    if imported and (local or scorer.metric is Metric.ABLATION):
        yield (
            f"{slug} was imported and cannot be loaded: {scorer.label} needs a model (set NEURONARIUM_SIMULATOR_MODEL for the"
            " simulator local, or take another one)."
        )
    if scorer.simulator is None:
        return
    for arm in d.arms():
        if scorer.fits(arm):
            try:
                options = ScoreOptions(scorer.simulator, scorer.endpoint, scorer.protocol)
                asked.check_score(s, slug, arm.method, options)
            except AppError as error:
                yield f"{slug}: {error.sentence}"
