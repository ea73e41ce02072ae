"""`revise`, `probe` and `revisions`."""

from typing import TYPE_CHECKING, Annotated

import typer

from app import logs
from app.cli import app
from app.cli.ask import (
    NOTHING_SENT,
    DataDir,
    Endpoint,
    Fresh,
    ProtocolOption,
    Seed,
    Simulator,
    finish,
    only_endpoint,
    score_options,
    settings_for,
)
from app.cli.common import neuron_ref, open_jobs
from app.domain.explanations import PROMPTED_METHODS, AskedMethod, ExplainOptions, Method, ScoreOptions
from app.domain.neurons import Polarity
from app.domain.revising import MOST_CALLS, MOST_ROUNDS, MOST_TEXTS, ProbeOptions, ReviseOptions
from app.errors import BadInput
from app.web.formats import percent, plural, usd

if TYPE_CHECKING:
    from app.jobs.live_previews import LivePreview
    from app.jobs.service import Jobs

CONTROLS = {"": Method.REVISION, "random": Method.REVISION_RANDOM, "re-explain": Method.RE_EXPLANATION}
Explainer = Annotated[str, typer.Option(help="Language model that explains; the only one when not given.")]
DryRun = Annotated[
    bool, typer.Option("--dry-run", help="Show calls, tokens and price at most; send nothing.")
]


@app.command()
def revise(
    explanation: Annotated[int, typer.Argument(min=1, max=2**31 - 1, help="Number of a stored explanation.")],
    control: Annotated[
        str, typer.Option(help="A control instead: random, sentences of the corpus; re-explain, nothing new.")
    ] = "",
    explainer: Explainer = "",
    score: Simulator = None,
    endpoint: Endpoint = "",
    protocol: ProtocolOption = None,
    on: Annotated[
        int, typer.Option(min=0, help="For a control: the revision whose kept sentences it is scored on.")
    ] = 0,
    seed: Seed = 0,
    fresh: Fresh = False,
    dry_run: DryRun = False,
    data_dir: DataDir = None,
) -> None:
    """Revise an explanation: test sentences, the live model's answer to them, a better statement; both scored."""
    logs.configure()
    if control not in CONTROLS:
        raise typer.BadParameter("write random or re-explain", param_hint="--control")
    with open_jobs(settings_for(data_dir, explainer, endpoint)) as jobs:
        from app.jobs.requests import ReviseRequest
        from app.store import explanations

        explainer = explainer or only_endpoint(jobs, "--explainer")
        options = ReviseOptions(explainer, CONTROLS[control], seed)
        scoring = None
        if score is not None:
            asked = score_options(jobs, score, endpoint or explainer, protocol, seed)
            scoring = ScoreOptions(asked.simulator, asked.endpoint, asked.protocol, asked.seed, on)
        with jobs.store.session() as session:
            row = explanations.get(session, explanation)
        if dry_run:
            from app.jobs import live_previews
            from app.jobs.neuron import load_neuron

            if not row.text:
                raise BadInput(f"Explanation {explanation} failed: there is no statement to revise.")
            neuron = load_neuron(jobs.store, row.ref)
            begun = live_previews.begin(neuron, row)
            asked_of, scorer = _endpoints(jobs, explainer, scoring)
            _show(
                live_previews.revising(neuron, begun, options, asked_of, scoring, scorer), explainer, scoring
            )
            return
        finish(
            jobs,
            jobs.enqueue_revise(
                ReviseRequest(row.ref, options, row.id, score=scoring, author="cli", fresh=fresh)
            ),
        )


@app.command()
def probe(
    neuron: Annotated[
        str, typer.Argument(help="MODEL/LAYER/INDEX, such as smollm2-135m-instruct/8-mlp/101.")
    ],
    explainer: Explainer = "",
    explanation: Annotated[
        int,
        typer.Option(min=0, help="Number of the explanation to begin from; a first one is made otherwise."),
    ] = 0,
    method: Annotated[AskedMethod, typer.Option(help="How a first one is made.")] = AskedMethod.SUMMARY,
    polarity: Annotated[Polarity, typer.Option(help="Which sign a first one explains.")] = Polarity.POSITIVE,
    rounds: Annotated[int, typer.Option(help=f"Rounds at most, 1 to {MOST_ROUNDS}.")] = 4,
    texts: Annotated[int, typer.Option(help=f"Texts of each kind in a round, 1 to {MOST_TEXTS}.")] = 4,
    calls: Annotated[int, typer.Option(help=f"Calls of the explainer at most, 1 to {MOST_CALLS}.")] = 20,
    dollars: Annotated[float | None, typer.Option(help="Dollars at most; no bound when not given.")] = None,
    score: Simulator = None,
    endpoint: Endpoint = "",
    protocol: ProtocolOption = None,
    seed: Seed = 0,
    fresh: Fresh = False,
    dry_run: DryRun = False,
    data_dir: DataDir = None,
) -> None:
    """Probe a neuron: the explainer tests its hypotheses on the live model until one holds or the budget ends."""
    logs.configure()
    ref = neuron_ref(neuron)
    with open_jobs(settings_for(data_dir, explainer, endpoint)) as jobs:
        from app.jobs.requests import ProbeRequest
        from app.store import explanations

        explainer = explainer or only_endpoint(jobs, "--explainer")
        options = ProbeOptions(explainer, polarity, rounds, texts, calls, dollars, seed)
        options.check()
        scoring = None if score is None else score_options(jobs, score, endpoint or explainer, protocol, seed)
        first = None
        if not explanation:
            if Method(method) not in PROMPTED_METHODS:
                raise BadInput(f"A first explanation is made by one of {', '.join(PROMPTED_METHODS)}.")
            first = ExplainOptions(Method(method), polarity, explainer, seed=seed)
        if dry_run:
            from app.jobs import live_previews
            from app.jobs.neuron import load_neuron

            shown = load_neuron(jobs.store, ref)
            begun = live_previews.begin_anew(shown, polarity)
            if explanation:
                with jobs.store.session() as session:
                    begun = live_previews.begin(shown, explanations.get(session, explanation))
            asked_of, scorer = _endpoints(jobs, explainer, scoring)
            _show(live_previews.probing(shown, begun, options, asked_of, scoring, scorer), explainer, scoring)
            return
        finish(
            jobs,
            jobs.enqueue_probe(
                ProbeRequest(ref, options, explanation, first, scoring, author="cli", fresh=fresh)
            ),
        )


@app.command()
def revisions(
    model: Annotated[str, typer.Argument(help="The model's slug.")], data_dir: DataDir = None
) -> None:
    """How often explainers were wrong about their own test sentences, over all revisions of a model's neurons."""
    with open_jobs(settings_for(data_dir)) as jobs:
        from app.store import revisions as stored

        with jobs.store.session() as session:
            found = stored.false_positives(session, model)
    if found.share is None or found.neuron_share is None:
        typer.echo(f"No explanation of {model} has been revised.")
        return
    typer.echo(
        f"{plural(found.wrong, 'false positive')} among {plural(found.sentences, 'test sentence')} ({percent(found.share)}); "
        f"{found.neurons_with} of {plural(found.neurons, 'neuron')} with at least one ({percent(found.neuron_share)})."
    )


def _endpoints(jobs: "Jobs", explainer: str, scoring: ScoreOptions | None):  # type: ignore[no-untyped-def]
    from app.domain.explanations import ASKING_SIMULATORS
    from app.jobs.endpoints import endpoint as find

    asks = scoring is not None and scoring.simulator in ASKING_SIMULATORS
    return find(jobs.settings, explainer), find(jobs.settings, scoring.endpoint) if scoring and asks else None


def _show(seen: "LivePreview", explainer: str, scoring: ScoreOptions | None) -> None:
    typer.echo(
        f"--- {plural(seen.calls, 'call')} to {explainer}, {seen.most_calls} with every one repeated: about "
        f"{plural(seen.tokens_in + seen.tokens_out, 'token')}, {usd(seen.price_usd)} at most; the model reads "
        f"{plural(seen.texts, 'text')}."
    )
    if seen.scoring is not None and scoring is not None:
        typer.echo(
            f"--- Scoring by {scoring.simulator}: {plural(seen.scoring.calls, 'call')}, about "
            f"{plural(seen.scoring.tokens_in + seen.scoring.tokens_out, 'token')} to {scoring.endpoint}, "
            f"{usd(seen.scoring.price_usd)} at most."
        )
    elif scoring is not None:
        typer.echo(
            f"--- {scoring.simulator} asks no language model: scoring sends nothing and costs nothing."
        )
    typer.echo(NOTHING_SENT)
