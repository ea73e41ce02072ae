"""Putting an explanation to the test from its page: each form starts a job, and leads to it."""

from typing import Annotated, Literal

from fastapi import APIRouter, Form, Request
from starlette.responses import Response

from app.domain.explanations import Protocol, SimulatorName
from app.domain.neurons import NeuronRef, Polarity
from app.errors import BadInput
from app.jobs.live_requests import USUAL_EXCERPTS
from app.web.dependencies import JobsDep
from app.web.pages.jobs import back
from app.web.pages.neuron_actions import Seed, score_options

router = APIRouter(include_in_schema=False)

MOST_DIGITS = 8  # a layer has 16.7 million neurons at most


def neuron_named(text: str) -> NeuronRef:
    """A neuron as people write it: MODEL/LAYER/INDEX, or the address of its page. BadInput for anything else."""
    parts = text.strip().partition("?")[0].partition("#")[0].rstrip("/").split("/")
    if len(parts) > 3 and parts[-4] == "m":
        parts = parts[-3:]
    if len(parts) != 3 or not all(parts) or not parts[2].isascii() or not parts[2].isdecimal():
        raise BadInput(
            f"“{text.strip()[:80]}” is no neuron: write it as MODEL/LAYER/INDEX, such as smollm2-135m-instruct/8-mlp/101."
        )
    if len(parts[2]) > MOST_DIGITS:
        raise BadInput(f"No layer has a neuron {parts[2][:20]}….")
    return NeuronRef(parts[0], parts[1], int(parts[2]))


@router.post("/explanations/{explanation}/ablation")
def ablate(
    request: Request, explanation: int, jobs_: JobsDep, simulation: Annotated[int, Form(ge=0)] = 0
) -> Response:
    """Scores a simulation by putting it in the neuron's place in the live model."""
    return back(request, jobs_.enqueue_ablation(explanation, simulation or None, author="web"))


@router.post("/explanations/{explanation}/false-positives")
def search(
    request: Request,
    explanation: int,
    jobs_: JobsDep,
    excerpts: Annotated[int, Form()] = USUAL_EXCERPTS,
    seed: Seed = 0,
) -> Response:
    """Looks for held-out text where the explanation predicts the neuron and it is silent."""
    return back(request, jobs_.enqueue_false_positives(explanation, excerpts, seed, author="web"))


@router.post("/explanations/{explanation}/transfer")
def transfer(
    request: Request,
    explanation: int,
    jobs_: JobsDep,
    neuron: Annotated[str, Form(max_length=500)],
    polarity: Annotated[Polarity | Literal[""], Form()] = "",
    simulator: Annotated[str, Form(max_length=40)] = SimulatorName.LOCAL,
    endpoint: Annotated[str, Form(max_length=200)] = "",
    protocol: Annotated[Protocol | Literal[""], Form()] = "",
    seed: Seed = 0,
) -> Response:
    """Scores the statement on another neuron."""
    options = score_options(simulator, endpoint, protocol, seed)
    job = jobs_.enqueue_transfer(explanation, neuron_named(neuron), options, polarity or None, author="web")
    return back(request, job)
