"""`ablate`, `false-positives` and `transfer`: explanations against the live model."""

from pathlib import Path
from typing import Annotated

import typer

from app import logs
from app.cli import app
from app.cli.ask import Endpoint, ProtocolOption, finish, score_options
from app.cli.common import neuron_ref, open_jobs, settings
from app.domain.explanations import SimulatorName
from app.domain.neurons import Polarity
from app.jobs.endpoints import DEMO
from app.jobs.live_requests import MOST_EXCERPTS, USUAL_EXCERPTS
from app.jobs.service import Jobs
from app.web.formats import plural

DataDir = Annotated[Path | None, typer.Option(help="Folder of the store.")]
Explanation = Annotated[int, typer.Argument(min=1, max=2**31 - 1, help="Number of a stored explanation.")]
Seed = Annotated[int, typer.Option(min=0, max=2**31 - 1, help="Seed of the sample and of the simulation.")]


@app.command()
def ablate(
    explanation: Explanation,
    simulation: Annotated[
        int, typer.Option(min=0, max=2**31 - 1, help="Which simulation; the newest when not given.")
    ] = 0,
    data_dir: DataDir = None,
) -> None:
    """Score a simulation by putting it in the neuron's place in the live model."""
    logs.configure()
    with open_jobs(settings(data_dir=data_dir)) as jobs:
        finish(jobs, jobs.enqueue_ablation(explanation, simulation or None, author="cli"))


@app.command(name="false-positives")
def false_positives(
    explanation: Explanation,
    excerpts: Annotated[
        int, typer.Option(min=1, max=MOST_EXCERPTS, help="Held-out excerpts to examine.")
    ] = USUAL_EXCERPTS,
    seed: Seed = 0,
    data_dir: DataDir = None,
) -> None:
    """Find where the local simulator predicts the neuron from an explanation, and the neuron is silent."""
    from app.cli.follow import follow

    logs.configure()
    with open_jobs(settings(data_dir=data_dir)) as jobs:
        job = jobs.enqueue_false_positives(explanation, excerpts, seed, author="cli")
        follow(jobs, job)
        for line in _found(jobs, explanation, job):
            typer.echo(line)


@app.command()
def transfer(
    explanation: Explanation,
    neuron: Annotated[
        str, typer.Argument(help="MODEL/LAYER/INDEX of the other neuron, which must be collected.")
    ],
    polarity: Annotated[
        Polarity | None, typer.Option(help="Which sign of it; the explanation's own when not given.")
    ] = None,
    score: Annotated[
        SimulatorName, typer.Option("--score", help="How activations are predicted.")
    ] = SimulatorName.LOCAL,
    endpoint: Endpoint = "",
    protocol: ProtocolOption = None,
    seed: Seed = 0,
    data_dir: DataDir = None,
) -> None:
    """Score an explanation on another neuron, of this model or of another one."""
    logs.configure()
    ref = neuron_ref(neuron)
    with open_jobs(settings(data_dir=data_dir, demo=True if endpoint == DEMO else None)) as jobs:
        options = score_options(jobs, score, endpoint, protocol, seed)
        finish(jobs, jobs.enqueue_transfer(explanation, ref, options, polarity, author="cli"))


def _found(jobs: Jobs, explanation_id: int, job_id: str) -> list[str]:
    """What a search found, the worst first, the token in question between arrows."""
    from app.store import explanations, false_positives, models
    from app.store.excerpts import ExcerptCache
    from app.web.false_positive_lines import described, found, marked

    with jobs.store.session() as session:
        row = explanations.get(session, explanation_id)
        search = next(
            s for s in false_positives.of_explanation(session, explanation_id) if s.job_id == job_id
        )
    held = ExcerptCache.get(jobs.store, row.ref.model)
    vocabulary = models.cached_vocabulary(jobs.store, row.ref.model)
    said = described(search)
    lines = [f"{row.ref}: {row.text}", "", *said.sentences, ""]
    if said.warning:
        lines += [said.warning, ""]
    for i, each in enumerate(found(search, row.polarity, said)):
        text = marked(vocabulary, held.tokens[each.excerpt], each.token)
        there = float(search.actual[i, each.token])
        elsewhere = "" if each.active else ", silent throughout"
        lines.append(f"  {each.prediction or 0:5.2f} predicted, {there:+.3f} there{elsewhere}: {text}")
    return [*lines, "", f"{plural(len(search.excerpts), 'excerpt')} shown, job {job_id}."]
