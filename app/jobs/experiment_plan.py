"""What can be known of an experiment before it runs: its neurons, and everything that stands in its way, said at once."""

from collections.abc import Iterator
from dataclasses import dataclass

from app.domain.experiment_checks import problems
from app.domain.experiment_makers import MAKERS, SCORERS
from app.domain.experiment_units import MOST_UNITS, units_of_neuron
from app.domain.experiments import REVISING_METHODS, Definition, Scorer, behind
from app.domain.explain_options import needs_weights
from app.domain.explanations import Metric, ScoreOptions, SimulatorName
from app.errors import AppError, BadInput
from app.jobs import embedders, endpoints
from app.jobs.caps import demand_room
from app.jobs.experiment_options import explain_options
from app.jobs.live_run import demand_live
from app.jobs.service import Jobs
from app.settings import Endpoint, Settings
from app.store import Session, experiment_samples, models
from app.store.experiment_results import EMBEDDER_TITLE, LOCAL_TITLE
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
    sample, notes, lacking = experiment_samples.draw(s, definition.samples, definition.models)
    wrong += lacking
    if any(judge.metric is Metric.EMBEDDING for judge in definition.judges):
        try:
            titles[EMBEDDER_TITLE] = embedders.embedder(settings).name
        except AppError as error:
            wrong.append(error.sentence)
    for slug in sorted({chosen.ref.model for chosen in sample}):
        wrong += _weights(s, definition, slug)
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
    for judge in d.judges:
        if judge.metric not in SCORERS:
            yield f"judges: {judge.metric} cannot be scored by an experiment yet."
        elif judge.metric is Metric.ABLATION and all(
            behind(d, each) is None for each in d.scorers() if each.judge == judge
        ):
            yield "judges: ablation puts a simulation in the neuron's place, and no simulator here predicts from statements."


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


def _weights(s: Session, d: Definition, slug: str) -> Iterator[str]:
    revising = [method for method in d.methods if method in REVISING_METHODS]
    if revising:
        try:
            demand_live(s, slug)
        except BadInput as error:
            yield f"methods: {', '.join(revising)}: {error.sentence}"
    collection = models.model(s, slug).collection
    if collection is None or not collection.imported:
        return
    for arm in d.arms():
        if needs_weights(explain_options(arm, d, 0)):
            yield f"{slug} was imported and cannot be loaded: {arm.name} reads the model's weights."


def _scorer(asked: Jobs, s: Session, d: Definition, slug: str, scorer: Scorer) -> Iterator[str]:
    collection = models.model(s, slug).collection
    imported = collection is not None and collection.imported
    local = scorer.simulator is SimulatorName.LOCAL and asked.settings.simulator_model is None
    if imported and (local or scorer.metric is Metric.ABLATION):
        yield (
            f"{slug} was imported and cannot be loaded: {scorer.label} needs a model (set NEURONARIUM_SIMULATOR_MODEL for the"
            " simulator local, or take another one)."
        )
    if scorer.judge is not None and scorer.endpoint:
        own = collection is not None and not imported and sum(collection.documents_per_split[:3]) > 0
        if not own:
            yield f"{slug}: imported data has no documents to hold out, so that {scorer.metric} has nothing to judge."
        elif collection is not None and collection.too_few_documents:
            yield f"{slug}: {collection.too_few_documents}"
    if scorer.simulator is None:
        return
    for arm in d.arms():
        if scorer.fits(arm):
            try:
                options = ScoreOptions(scorer.simulator, scorer.endpoint, scorer.protocol)
                asked.check_score(s, slug, arm.method, options)
            except AppError as error:
                yield f"{slug}: {error.sentence}"
