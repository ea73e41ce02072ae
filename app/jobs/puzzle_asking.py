"""What can be known of a run over puzzles before it begins: whether all that it needs is there."""

from dataclasses import replace
from typing import TYPE_CHECKING

from app.domain.explanations import PROMPTED_METHODS, ExplainOptions, SimulatorName
from app.domain.neurons import Polarity
from app.domain.puzzles import Judge
from app.errors import BadInput
from app.jobs import embedders, endpoints
from app.jobs.requests import PuzzlesRequest
from app.settings import Endpoint, Settings
from app.store import Session, models, puzzle_runs, puzzles

if TYPE_CHECKING:
    from app.store.puzzles import StoredPuzzle

SIMULATORS = (SimulatorName.LOCAL, SimulatorName.CHAT_JSON)


def checked(s: Session, settings: Settings, request: PuzzlesRequest) -> tuple[PuzzlesRequest, list[Endpoint]]:
    """The request as the job takes it, its gaps filled, and the language models that it will ask.

    Raises NotFound for an unknown set, run or endpoint, BadInput for what cannot be: nothing to do, a method without a prompt,
    no model to simulate with.
    """
    if request.run:
        request = _going_on(s, request)
    there = puzzles.of_set(s, request.model)
    _demand_puzzles(request, there)
    asked = []
    if request.explain is not None:
        demand_options(request.explain)
        asked.append(endpoints.endpoint(settings, request.explain.explainer))
    if request.revise_with is not None and request.explain is None:
        raise BadInput("A second round needs a first one: name an explainer.")
    if request.explain is None and request.rank_with is None and not (request.run and request.judge):
        raise BadInput("There is nothing to do: name an explainer, or a simulator to rank with.")
    if request.judge is Judge.SIMILARITY:
        embedders.embedder(settings)
        if settings.embedding_endpoint is not None:
            asked.append(endpoints.endpoint(settings, settings.embedding_endpoint))
    if request.judge is Judge.MODEL:
        asked.append(endpoints.endpoint(settings, request.judge_endpoint))
    simulators = {each for each in (request.revise_with, request.rank_with) if each is not None}
    if not simulators <= set(SIMULATORS):
        raise BadInput(f"Puzzles are simulated by {' or '.join(SIMULATORS)}.")
    if SimulatorName.CHAT_JSON in simulators:
        asked.append(endpoints.endpoint(settings, request.simulator_endpoint))
    if SimulatorName.LOCAL in simulators:
        request = replace(request, simulator_model=_local(s, settings, request.simulator_model))
    return request, asked


def demand_options(options: ExplainOptions) -> None:
    """BadInput for what no puzzle can be explained by."""
    if options.method not in PROMPTED_METHODS:
        raise BadInput(f"A puzzle is explained by {', '.join(PROMPTED_METHODS)}: not by {options.method}.")
    if options.polarity is not Polarity.POSITIVE:
        raise BadInput("A puzzle has no negative side: ask for the positive polarity.")
    if options.candidates != 1:
        raise BadInput("Candidates are chosen by a score on held-out text, which a puzzle does not have.")


def indices(request: PuzzlesRequest, there: "list[StoredPuzzle]") -> tuple[int, ...]:
    """The puzzles that a request is about, by their neuron indices."""
    return request.puzzles or tuple(each.ref.index for each in there)


def title(request: PuzzlesRequest) -> str:
    """What a job is called."""
    which = f"{request.model}/puzzles/{request.puzzles[0]}" if len(request.puzzles) == 1 else request.model
    if request.explain is not None:
        verb = "Go on with" if request.run else "Explain"
        return f"{verb} {which} by {request.explain.method}"
    return (
        f"Judge answers to {which}" if request.rank_with is None else f"Rank truth and falsehood of {which}"
    )


def _going_on(s: Session, request: PuzzlesRequest) -> PuzzlesRequest:
    """A run has one explainer, one method, one seed: a request that names another one of these is another run."""
    run = puzzle_runs.get(s, request.run)
    if puzzles.get_set(s, request.model).layer_id != run.layer_id:
        raise BadInput(f"The run {run.id} is over another set of puzzles.")
    if request.explain is not None and (request.explain.method, request.explain.seed) != (
        run.method,
        run.seed,
    ):
        raise BadInput(
            f"The run {run.id} is by {run.method or 'no method'} with seed {run.seed}: begin another one."
        )
    return replace(request, puzzles=request.puzzles or run.neurons)


def _demand_puzzles(request: PuzzlesRequest, there: "list[StoredPuzzle]") -> None:
    known = {each.ref.index for each in there}
    missing = next((i for i in request.puzzles if i not in known), None)
    if missing is not None:
        raise BadInput(f"“{request.model}” has no puzzle {missing}; it has 0 to {len(there) - 1}.")


def _local(s: Session, settings: Settings, wanted: str) -> str:
    """The slug of the model whose weights simulate; empty for the one of the settings."""
    if settings.simulator_model is not None:
        return ""
    own = [each.card.slug for each in models.models(s) if each.collection and not each.collection.imported]
    if wanted:
        if wanted not in own:
            raise BadInput(
                f"“{wanted}” has no weights here to simulate with. There is: {', '.join(own) or 'no model'}."
            )
        return wanted
    if len(own) != 1:
        raise BadInput(
            f"Which model is to simulate? There is: {', '.join(own)}."
            if own
            else "The local simulator needs a model: collect one, or set NEURONARIUM_SIMULATOR_MODEL."
        )
    return own[0]
