"""`explain` and `score`."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from app import logs
from app.cli import app
from app.cli.common import neuron_ref, open_jobs, settings
from app.domain.candidates import MOST_CANDIDATES
from app.domain.explain_options import ASKING_METHODS, demand_sound, needs_weights
from app.domain.explanations import (
    ASKING_SIMULATORS,
    AskedMethod,
    Band,
    CutOff,
    ExplainOptions,
    Method,
    Metric,
    Protocol,
    Sample,
    ScaleMaximum,
    ScoreOptions,
    ShownOptions,
    SimulatorName,
    State,
    TokenSource,
    usual_protocol,
)
from app.domain.neurons import EXCERPT_TOKENS, Polarity
from app.domain.shown import MOST_EXCERPTS
from app.errors import BadInput
from app.jobs.endpoints import DEMO
from app.jobs.service import Jobs
from app.settings import Settings
from app.store.explanation_rows import ExplanationRow
from app.web.formats import plural, usd
from app.web.score_notes import beside, counted

if TYPE_CHECKING:
    from app.domain.token_weights import TokenWeights
    from app.jobs.neuron import Neuron

NOTHING_SENT = "--- Nothing was sent."
DataDir = Annotated[Path | None, typer.Option(help="Folder of the store.")]
Simulator = Annotated[
    SimulatorName | None, typer.Option("--score", help="Simulate and score with this simulator.")
]
Endpoint = Annotated[str, typer.Option(help="Language model that simulates; the explainer when not given.")]
ProtocolOption = Annotated[
    Protocol | None, typer.Option(help="Records to score on; by simulator when not given.")
]
Fresh = Annotated[
    bool, typer.Option("--fresh", help="Ask anew also what has been answered to an identical call.")
]
Seed = Annotated[int, typer.Option(min=0, max=2**31 - 1, help="Seed of the prompt and of the simulation.")]


@app.command()
def explain(
    neuron: Annotated[
        str, typer.Argument(help="MODEL/LAYER/INDEX, such as smollm2-135m-instruct/8-mlp/101.")
    ],
    method: Annotated[
        AskedMethod, typer.Option(help="How the neuron is shown to the explainer.")
    ] = AskedMethod.SUMMARY,
    explainer: Annotated[
        str, typer.Option(help="Language model that explains; the only one when not given.")
    ] = "",
    polarity: Annotated[Polarity, typer.Option(help="Which sign to explain.")] = Polarity.POSITIVE,
    cut_off: Annotated[CutOff, typer.Option(help="What counts as highly activating.")] = CutOff.TOKEN_Q99,
    scale_maximum: Annotated[
        ScaleMaximum, typer.Option(help="What is 10 on the scale.")
    ] = ScaleMaximum.SHOWN,
    candidates: Annotated[
        int,
        typer.Option(
            min=1, max=MOST_CANDIDATES, help="Statements made, of which the best on dev records is kept."
        ),
    ] = 1,
    shown_band: Annotated[Band, typer.Option(help="Which records are shown.")] = Band.TOP,
    shown_excerpts: Annotated[
        int,
        typer.Option(min=1, max=MOST_EXCERPTS, help="How many records are shown, where so many are there."),
    ] = 5,
    shown_tokens: Annotated[
        int,
        typer.Option(min=1, max=EXCERPT_TOKENS, help="Tokens of each that are shown, around its strongest."),
    ] = EXCERPT_TOKENS,
    token_source: Annotated[
        TokenSource, typer.Option(help="By what token_space finds the strongest tokens.")
    ] = TokenSource.ACTIVATION,
    score: Simulator = None,
    endpoint: Endpoint = "",
    protocol: ProtocolOption = None,
    seed: Seed = 0,
    fresh: Fresh = False,
    dry_run: Annotated[
        bool,
        typer.Option(
            "--dry-run", help="Show the prompt and its price, with --score the score's too; send nothing."
        ),
    ] = False,
    data_dir: DataDir = None,
) -> None:
    """Explain a neuron and, with --score, simulate and score the explanation."""
    logs.configure()
    ref = neuron_ref(neuron)
    with open_jobs(settings_for(data_dir, explainer, endpoint)) as jobs:
        if Method(method) in ASKING_METHODS:
            explainer = explainer or only_endpoint(jobs, "--explainer")
        shown = ShownOptions(shown_band, shown_excerpts, shown_tokens)
        options = ExplainOptions(
            Method(method),
            polarity,
            explainer,
            cut_off,
            scale_maximum,
            seed,
            shown,
            candidates,
            token_source,
        )
        scoring = None if score is None else score_options(jobs, score, endpoint or explainer, protocol, seed)
        if dry_run:
            from app.jobs.neuron import load_neuron

            loaded = load_neuron(jobs.store, ref)
            _preview_explaining(jobs, loaded, options, scoring)
            if scoring is not None:
                _preview_scoring(jobs, loaded, polarity, scoring)
            typer.echo(NOTHING_SENT)
            return
        finish(jobs, jobs.enqueue_explain(ref, options, scoring, author="cli", fresh=fresh))


@app.command()
def score(
    explanation: Annotated[int, typer.Argument(min=1, max=2**31 - 1, help="Number of a stored explanation.")],
    simulator: Annotated[
        SimulatorName, typer.Option(help="How activations are predicted.")
    ] = SimulatorName.LOCAL,
    endpoint: Endpoint = "",
    protocol: ProtocolOption = None,
    seed: Seed = 0,
    on: Annotated[
        int,
        typer.Option(
            min=0,
            max=2**31 - 1,
            help="A revision, by its number: score on the sentences that it kept, and on other records only with --protocol.",
        ),
    ] = 0,
    fresh: Fresh = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show what it would take, and the price; send nothing.")
    ] = False,
    data_dir: DataDir = None,
) -> None:
    """Simulate a neuron from a stored explanation and score that."""
    logs.configure()
    with open_jobs(settings_for(data_dir, endpoint)) as jobs:
        options = score_options(jobs, simulator, endpoint, protocol, seed, on)
        if dry_run:
            from app.jobs.neuron import load_neuron
            from app.store import explanations

            with jobs.store.session() as session:
                row = explanations.get(session, explanation)
            if not row.text:
                raise BadInput(f"Explanation {explanation} failed: there is no statement to score.")
            _preview_scoring(jobs, load_neuron(jobs.store, row.ref), row.polarity, options, row.text)
            typer.echo(NOTHING_SENT)
            return
        finish(jobs, jobs.enqueue_score(explanation, options, author="cli", fresh=fresh))


def score_options(
    jobs: Jobs,
    simulator: SimulatorName,
    endpoint: str,
    protocol: Protocol | None,
    seed: int,
    revision: int = 0,
) -> ScoreOptions:
    """Options with what was not said filled in."""
    name = (endpoint or only_endpoint(jobs, "--endpoint")) if simulator in ASKING_SIMULATORS else ""
    return ScoreOptions(simulator, name, protocol or usual_protocol(simulator, revision), seed, revision)


def settings_for(data_dir: Path | None, *asked: str) -> Settings:
    """The settings in force; whoever names the demo's model wants the demo's."""
    return settings(data_dir=data_dir, demo=True if DEMO in asked else None)


def only_endpoint(jobs: Jobs, option: str) -> str:
    """The one there is; `option` is what names another. Raises BadInput when there is none, or several to choose from."""
    there = jobs.endpoints()
    if len(there) == 1:
        return there[0].name
    if not there:
        raise BadInput(
            f"No language model is configured: add [[endpoints]] to neuronarium.toml, or name the demo's with {option} demo."
        )
    raise BadInput(f"Which language model? Say {option} with one of {', '.join(e.name for e in there)}.")


def _preview_explaining(
    jobs: Jobs, neuron: "Neuron", options: ExplainOptions, scoring: ScoreOptions | None
) -> None:
    from app.jobs import previews
    from app.jobs.endpoints import endpoint as find

    demand_sound(options)
    jobs.demand_weights(neuron.ref.model, options)
    if options.method not in ASKING_METHODS:
        typer.echo(
            f"--- {options.method} asks no language model: explaining sends nothing and costs nothing."
        )
        return
    asked = find(jobs.settings, options.explainer)
    seen = previews.explaining(neuron, options, asked, _weights(jobs, neuron, options))
    for message in seen.messages:
        typer.echo(f"--- {message.role}\n{message.content}")
    about = "" if seen.exact else "about "
    times = f"{options.candidates} candidates of " if options.candidates > 1 else ""
    typer.echo(
        f"--- Explaining: {times}{about}{plural(seen.tokens, 'token')} to {asked.name} ({asked.model}), "
        f"{about if seen.price_usd else ''}{usd(seen.price_usd)}."
    )
    if options.candidates > 1:
        chooser = scoring or ScoreOptions()
        by = find(jobs.settings, chooser.endpoint) if chooser.simulator in ASKING_SIMULATORS else None
        took = previews.choosing(neuron, options, chooser, by) if by is not None else None
        if by is None or took is None:
            typer.echo(f"--- Choosing by {chooser.simulator} on dev records sends nothing and costs nothing.")
        else:
            typer.echo(
                f"--- Choosing by {chooser.simulator} on dev records: {plural(took.calls, 'call')}, about "
                f"{plural(took.tokens_in + took.tokens_out, 'token')} to {by.name} ({by.model}), "
                f"{'about ' if took.price_usd else ''}{usd(took.price_usd)} at most."
            )


def _weights(jobs: Jobs, neuron: "Neuron", options: ExplainOptions) -> "TokenWeights | None":
    """The weights that a prompt needs, from the model, which is loaded for them in this process."""
    import asyncio

    from app.jobs.asking import weights_of
    from app.jobs.runtime import Runtime

    if not needs_weights(options):
        return None

    async def read() -> "TokenWeights":
        runtime = Runtime(jobs.settings, jobs.store, "dry run")
        try:
            return await weights_of(runtime, neuron.ref)
        finally:
            await runtime.close()

    return asyncio.run(read())


def _preview_scoring(
    jobs: Jobs, neuron: "Neuron", polarity: Polarity, options: ScoreOptions, explanation: str | None = None
) -> None:
    from app.jobs import previews
    from app.jobs.endpoints import endpoint as find
    from app.simulate.estimates import LIKELY

    if options.simulator not in ASKING_SIMULATORS:
        typer.echo(
            f"--- {options.simulator} asks no language model: scoring sends nothing and costs nothing."
        )
        return
    asked = find(jobs.settings, options.endpoint)
    seen = previews.scoring(neuron, polarity, options, asked, explanation or LIKELY)
    typer.echo(
        f"--- Scoring by {options.simulator} on {options.protocol}: {plural(seen.calls, 'call')}, about "
        f"{plural(seen.tokens_in + seen.tokens_out, 'token')} to {asked.name} ({asked.model}), "
        f"{'about ' if seen.price_usd else ''}{usd(seen.price_usd)} at most."
    )


def finish(jobs: Jobs, job_id: str) -> None:
    """Follow a job that explains or scores to its end, and print what it made."""
    from app.cli.follow import follow
    from app.store import explanations

    row = follow(jobs, job_id)
    with jobs.store.session() as session:
        explanation = explanations.get(session, json.loads(row.result_json)["explanation"])
    for line in report(explanation, job_id, row.cost_usd):
        typer.echo(line)


def report(explanation: ExplanationRow, job_id: str, cost_usd: float) -> list[str]:
    """An explanation with the scores that this job made, and where both come from."""
    made = explanation.provenance
    lines = [f"{explanation.ref}: {explanation.text}", ""]
    order = list(Metric), list(Sample)
    mine = [row for row in explanation.scores if row.job_id == job_id]
    for row in sorted(mine, key=lambda r: (order[0].index(r.value.metric), order[1].index(r.value.sample))):
        value = row.value
        if value.state is State.OK and value.value is not None:
            interval = (
                "" if value.low is None or value.high is None else f" [{value.low:+.3f}, {value.high:+.3f}]"
            )
            shown = f"{value.value:+.3f}{interval}{' indicative' if value.indicative else ''}{beside(value)}"
        else:
            shown = f"{value.state}: {value.reason}"
        lines.append(
            f"  {value.metric:<20} {value.protocol}, {value.sample:<15} {shown}  "
            f"({counted(value)}{row.simulator}{' by ' + row.simulator_model if row.simulator_model else ''})"
        )
    if lines[-1]:
        lines.append("")
    lines.append(
        f"Explanation {explanation.id}: {made.method}, {explanation.polarity}, by {made.explainer or 'none'}, "
        f"prompt {made.prompt_version or 'none'}, seed {made.seed}, {len(made.excerpts)} excerpts seen, "
        f"{made.usage.tokens_in}+{made.usage.tokens_out} tokens, job {job_id}, ${cost_usd:.4f} in all."
    )
    return lines
