"""Best of n: several statements of one neuron, each held against its dev records, of which the best is stored.

All that was tried becomes a step of the explanation. Its data: `text` (null where none came) and `reason`, `seed` and
`temperature` as sent, `kept`, and `dev`: null, or `state`, `value`, `reason`, `records`, `simulator`, `simulator_model`.
"""

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, TypedDict

from app.domain.candidates import KIND, OnDev, best, method_name, on_dev
from app.domain.explanations import (
    ASKING_SIMULATORS,
    ExplainOptions,
    Provenance,
    ScoreOptions,
    State,
    Step,
    Usage,
)
from app.domain.next_token import compared
from app.domain.protocols import dev_records
from app.errors import AnswerError
from app.jobs import engine
from app.jobs.asking import attempted, prompt_of
from app.jobs.endpoints import endpoint
from app.jobs.lifecycle import Progress, in_thread, keep
from app.jobs.neuron import load_neuron
from app.jobs.requests import ExplainRequest
from app.jobs.runtime import Runtime, current
from app.jobs.score import FAILURES, distinct, expected_of, predict, simulator_of
from app.store import explanations

CHOOSE = "choose"  # what the ledger calls the simulations that candidates are chosen by
NONE_DEFINED = "no candidate has a defined score on dev, so that the first one is kept"


class Made(TypedDict):
    """One statement, or why there is none."""

    text: str | None
    reason: str
    seed: int | None  # as sent with the answer that was taken
    temperature: float | None
    usage: list[Any]  # the fields of `Usage`; of one that came about


class Measured(TypedDict):
    """How it did on dev."""

    state: str
    value: float | None
    reason: str
    records: int
    simulator: str
    simulator_model: str
    usage: list[Any]  # of the simulation, the fields of `Usage`


async def best_of(job_id: str, options: ExplainOptions) -> int:
    """Make the statements, measure each, store the best one; its id. To be called by a workflow."""
    made = await ask(job_id)
    measured: dict[str, Measured] = {}  # statements that are the same word by word are measured once
    for number, candidate in enumerate(made, 1):
        text = candidate["text"]
        if text is not None and text not in measured:
            measured[text] = await measure(job_id, text, f"candidate {number} of {options.candidates} on dev")
    return await choose(job_id, made, measured)


@engine.step("candidates.ask")
async def ask(job_id: str) -> list[Made]:
    """All statements, asked for at once; the endpoint's bound says how many really are. What fails is kept as failed."""
    from app.explain import explain
    from app.simulate.parallel import all_or_nothing

    runtime = current()
    request = await runtime.asked(ExplainRequest, job_id)
    options = request.explain
    neuron = await in_thread(lambda stop: load_neuron(runtime.store, request.ref))
    prompt = await prompt_of(runtime, neuron, options)
    client = await runtime.client(options.explainer)
    progress = Progress(runtime, job_id, options.candidates, "candidates")
    progress.report(0, f"explaining by {options.method}")

    async def one(number: int) -> Made:
        try:
            explained = await explain(client, prompt, options, job_id, number)
        except FAILURES as error:
            return Made(text=None, reason=str(error), seed=None, temperature=None, usage=list(Usage()))
        finally:
            progress.report(progress.done + 1)
        sent = json.loads(explained.provenance.parameters_json)
        return Made(
            text=explained.text,
            reason="",
            seed=sent["sent_seed"],
            temperature=sent["temperature"],
            usage=list(explained.provenance.usage),
        )

    return await all_or_nothing(options.candidates, one)


@engine.step("candidates.measure")
async def measure(job_id: str, text: str, note: str) -> Measured:
    """The correlation of one statement on the neuron's dev records, or the state that says why there is none."""
    runtime = current()
    request = await runtime.asked(ExplainRequest, job_id)
    scoring, polarity = request.score or ScoreOptions(), request.explain.polarity
    neuron = await in_thread(lambda stop: load_neuron(runtime.store, request.ref))
    dev = dev_records(neuron.records, polarity)
    asked = scoring.simulator in ASKING_SIMULATORS
    by = endpoint(runtime.settings, scoring.endpoint).title if asked else ""
    usage = Usage()
    if not len(dev):
        found = on_dev(dev, dev.activations, polarity, neuron.statistics)
    else:
        wanted = distinct(dev, dev)
        progress = Progress(runtime, job_id, len(wanted), "excerpts")
        progress.report(0, note)
        try:
            simulator = await simulator_of(runtime, scoring, neuron, request.explain.method, CHOOSE)
            simulated = await predict(
                simulator, text, polarity, neuron, wanted, scoring, job_id, progress, note
            )
        except FAILURES as error:
            found = OnDev(State.FAILED, None, str(error), len(dev))
        else:
            by = by or json.loads(simulated.parameters_json).get("model", "")
            usage = simulated.usage
            actual, expected = compared(request.explain.method, dev, expected_of(simulated, dev))
            found = on_dev(actual, expected, polarity, neuron.statistics)
    return Measured(
        state=found.state.value,
        value=found.value,
        reason=found.reason,
        records=found.records,
        simulator=scoring.simulator.value,
        simulator_model=by,
        usage=list(usage),
    )


@engine.step("candidates.choose")
async def choose(job_id: str, made: Sequence[Made], measured: dict[str, Measured]) -> int:
    """Store the statement with the best correlation on dev, the first of equals, with all that was tried; its id.

    Where no correlation is defined the first statement is kept, and it says so. Where there is no statement at all, that
    is stored as a failure with the reasons, and raised.
    """
    from app.explain import explain

    runtime = current()
    request = await runtime.asked(ExplainRequest, job_id)
    options = request.explain
    neuron = await in_thread(lambda stop: load_neuron(runtime.store, request.ref))
    there = [i for i, candidate in enumerate(made) if candidate["text"] is not None]
    chosen = best([_on_dev(candidate, measured) for candidate in made])
    undefined = chosen is None
    if chosen is None and there:
        chosen = there[0]
    how: dict[str, object] = {"candidates": options.candidates}
    if chosen is None:
        text, reason = None, _no_statement([candidate["reason"] for candidate in made])
        provenance = await attempted(runtime, neuron, request)
    else:
        # The ledger has the answer: nothing is asked again.
        prompt = await prompt_of(runtime, neuron, options)
        explained = await explain(await runtime.client(options.explainer), prompt, options, job_id, chosen)
        text, reason, provenance = explained.text, "", explained.provenance
        how |= {"candidate": chosen + 1, "chosen_by": NONE_DEFINED if undefined else "correlation on dev"}
    took = await _took(runtime, job_id, request, made, measured, text)
    provenance = _told(provenance, options, how, took, request.author)
    steps = [_step(candidate, measured, kept=i == chosen) for i, candidate in enumerate(made)]
    explanation_id = await keep(
        runtime,
        job_id,
        lambda s: explanations.add(
            s,
            request.ref,
            text,
            options.polarity,
            provenance,
            State.OK if text is not None else State.FAILED,
            reason,
            runtime.job_of(job_id),
            job_id,
            collection_id=neuron.collection_id,
            steps=steps,
        ),
    )
    if text is None:
        raise AnswerError(reason)
    return explanation_id


async def _took(
    runtime: Runtime,
    job_id: str,
    request: ExplainRequest,
    made: Sequence[Made],
    measured: dict[str, Measured],
    kept: str | None,
) -> Usage:
    """All answers and simulations. What was asked of the kept one's dev records is left to its score, where one follows:
    that asks the same again, and the ledger answers.
    """
    known = Usage()
    for each in (*made, *measured.values()):
        known = known.plus(Usage(*each["usage"]))
    # The ledger alone knows of tries that failed, and has nothing of answers that other jobs had asked for.
    entered = await runtime.db(
        lambda s: runtime.usage(s, job_id, "explain").plus(runtime.usage(s, job_id, CHOOSE))
    )
    took = entered.at_least(known)
    asked = (request.score or ScoreOptions()).simulator in ASKING_SIMULATORS
    return took.minus(Usage(*measured[kept]["usage"])) if asked and kept is not None else took


def _on_dev(candidate: Made, measured: dict[str, Measured]) -> OnDev | None:
    found = None if candidate["text"] is None else measured[candidate["text"]]
    return (
        None
        if found is None
        else OnDev(State(found["state"]), found["value"], found["reason"], found["records"])
    )


def _no_statement(reasons: Sequence[str]) -> str:
    alike = sorted(set(reasons), key=reasons.index)
    return f"None of {len(reasons)} candidates came about: {' '.join(alike)}"


def _told(
    provenance: Provenance, options: ExplainOptions, how: dict[str, object], took: Usage, author: str
) -> Provenance:
    parameters = {**json.loads(provenance.parameters_json), **how}
    return replace(
        provenance,
        method=method_name(options.method, options.candidates),
        parameters_json=json.dumps(parameters),
        usage=took,
        author=author,
    )


def _step(candidate: Made, measured: dict[str, Measured], *, kept: bool) -> Step:
    found = None if candidate["text"] is None else measured[candidate["text"]]
    dev = None if found is None else {name: value for name, value in found.items() if name != "usage"}
    said = {name: value for name, value in candidate.items() if name != "usage"}
    return Step(KIND, json.dumps({**said, "kept": kept, "dev": dev}))
