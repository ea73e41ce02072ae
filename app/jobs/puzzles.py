"""A run over puzzles: explain, revise, judge, rank. Every stage is a step that goes through the puzzles and does what is not there.

A puzzle that fails is stored with its reason, and the others go on; the job then ends as failed, and a retry does those alone.
"""

from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from app import __version__
from app.domain.explanations import ExplainOptions, Provenance, SimulatorName, State, Usage
from app.domain.neurons import Polarity
from app.domain.puzzles import Judge, Puzzle, Verdict, misses
from app.errors import AnswerError, AppError, BadInput, EndpointError
from app.jobs import engine, puzzle_judges
from app.jobs.endpoints import endpoint
from app.jobs.lifecycle import keep, run
from app.jobs.puzzle_simulation import asked_of, predict, rank, simulator
from app.jobs.puzzle_stage import Stage, stages
from app.jobs.requests import PuzzlesRequest, loads
from app.jobs.runtime import Runtime, current
from app.store import Session, explanations, puzzle_runs
from app.store.puzzle_runs import FIRST, REVISED, Answer, Ranking
from app.store.puzzles import StoredPuzzle
from app.store.rows import JobRow

if TYPE_CHECKING:
    from app.explain import Prompt

FAILURES = (AnswerError, EndpointError)  # of one puzzle; anything else ends the job
NOTHING_WRONG = "by the simulator the first statement gets no sentence wrong"


@engine.workflow("puzzles")
async def run_puzzles(job_id: str) -> None:
    """Do all stages that the request asks for."""
    runtime = current()
    await run(runtime, job_id, lambda row: _run(runtime, row))


async def _run(runtime: Runtime, row: JobRow) -> dict[str, object]:
    request = loads(PuzzlesRequest, row.parameters_json)
    await begin(row.id)
    if request.explain is not None:
        await explain(row.id)
    if request.revise_with is not None:
        await revise(row.id)
    if request.judge in (Judge.SIMILARITY, Judge.MODEL):
        await judge(row.id)
    if request.rank_with is not None:
        await rank_statements(row.id)
    return await finish(row.id)


@engine.step("puzzles.begin")
async def begin(job_id: str) -> str:
    """Keep the run, if this job begins one; its id."""
    stage = await Stage.of(job_id)
    request = stage.request
    if request.run:
        return request.run
    options = request.explain
    made = puzzle_runs.Run(
        job_id,
        next(iter(stage.puzzles.values())).layer_id,
        endpoint(stage.runtime.settings, options.explainer).title if options else "",
        options.method if options else "",
        options.seed if options else 0,
        request.revise_with is not None,
        tuple(stage.puzzles),
        request.author,
        datetime.now(UTC),
    )
    await keep(stage.runtime, job_id, lambda s: puzzle_runs.begin(s, made))
    return job_id


@engine.step("puzzles.explain")
async def explain(job_id: str) -> None:
    """A first statement for every puzzle that has none."""
    from app.explain.puzzles import puzzle_prompt

    stage = await Stage.of(job_id, 0, "explaining")
    options = _options(stage.request)
    there = await stage.answers()

    async def one(neuron: int) -> None:
        stored = stage.puzzles[neuron]
        await _ask(stage, stored, FIRST, puzzle_prompt(stored.puzzle, options), options, None)

    await stage.each([n for n in stage.puzzles if not stage.tried(there.get((n, FIRST)))], one)


@engine.step("puzzles.revise")
async def revise(job_id: str) -> None:
    """A second statement for every puzzle whose first one gets a sentence wrong, as a simulator sees it."""
    stage = await Stage.of(job_id, 1, "revising")
    name = stage.request.revise_with
    assert name is not None
    by = await simulator(stage.runtime, name, stage.request)
    there = await stage.answers()

    async def one(neuron: int) -> None:
        await _revise(stage, there[neuron, FIRST], name, by)

    todo = [
        n
        for n in stage.puzzles
        if (n, FIRST) in there
        and there[n, FIRST].state is State.OK
        and not stage.tried(there.get((n, REVISED)))
    ]
    await stage.each(todo, one)


async def _revise(stage: Stage, first: Answer, name: SimulatorName, by: Any) -> None:
    from app.explain.puzzles import MOST_MISSES, puzzle_prompt, revision_prompt

    stored = stage.puzzles[first.neuron]
    options = _options(stage.request)
    key = f"{stage.job_id}/{first.neuron}/{REVISED}"
    try:
        made = await predict(
            by, stored.puzzle, first.text, stage.request.seed, stage.job_id, stage.title_of(name)
        )
        wrong = misses(stored.puzzle, made.sentences, MOST_MISSES)
    except (*FAILURES, BadInput) as error:
        await stage.answer(first.neuron, REVISED, State.FAILED, str(error), key)
        return
    if not wrong:
        await stage.answer(first.neuron, REVISED, State.OK, NOTHING_WRONG, key)
        return
    said = {"simulator": name, "simulator_model": made.model}
    prompt = revision_prompt(puzzle_prompt(stored.puzzle, options), stored.puzzle, first.text, wrong, said)
    await _ask(stage, stored, REVISED, prompt, options, first.explanation_id)


async def _ask(
    stage: Stage,
    stored: StoredPuzzle,
    round_: int,
    prompt: "Prompt",
    options: ExplainOptions,
    source_id: int | None,
) -> None:
    """Ask for a statement and keep it, or its failure."""
    from app.explain import explain as ask
    from app.jobs.tallied import Tallied

    client = Tallied(await stage.runtime.client(options.explainer))
    key = f"{stage.job_id}/{stored.ref.index}/{round_}"
    text: str | None = None
    reason = ""
    try:
        made = await ask(client, prompt, options, stage.job_id)
        text, provenance = made.text, made.provenance
    except FAILURES as error:
        reason = str(error)
        provenance = _attempted(prompt, client.endpoint.title, options.seed, client.took)
    provenance = replace(provenance, author=stage.request.author)
    state = State.OK if text is not None else State.FAILED
    job_id, run_id = stage.job_id, stage.run

    def write(s: Session) -> None:
        explanation = explanations.add(
            s,
            stored.ref,
            text,
            Polarity.POSITIVE,
            provenance,
            state,
            reason,
            job_id,
            key,
            source_id=source_id,
        )
        puzzle_runs.add_answer(s, run_id, stored.ref.index, round_, explanation, state, "", key)

    await keep(stage.runtime, job_id, write)


@engine.step("puzzles.judge")
async def judge(job_id: str) -> None:
    """A verdict on every statement that this judge has not judged."""
    request = (await Stage.of(job_id)).request
    number = (request.explain is not None) + (request.revise_with is not None)
    stage = await Stage.of(job_id, number, f"judging by {request.judge}")
    assert request.judge is not None
    name, kind = puzzle_judges.name_of(stage.runtime.settings, request), request.judge
    there = await stage.runtime.db(lambda s: puzzle_runs.judgements(s, [stage.run]))
    known = {
        each.explanation_id
        for each in there
        if (each.judge, each.name) == (kind, name) and each.verdict.state is State.OK
    }
    said: dict[int, list[Answer]] = {}
    for (neuron, _), answer in (await stage.answers()).items():
        if answer.text and answer.explanation_id not in known and neuron in stage.puzzles:
            said.setdefault(neuron, []).append(answer)

    async def one(neuron: int) -> None:
        for answer in said[neuron]:
            await _judge(stage, kind, name, stage.puzzles[neuron].puzzle, answer)

    await stage.each(list(said), one)


async def _judge(stage: Stage, kind: Judge, name: str, puzzle: Puzzle, answer: Answer) -> None:
    explanation = answer.explanation_id
    assert explanation is not None
    key = f"{stage.job_id}/{explanation}/judge"
    try:
        found = await puzzle_judges.verdict(stage.runtime, stage.request, puzzle, answer.text, stage.job_id)
    except FAILURES as error:
        found = Verdict(None, State.FAILED, str(error))
    await keep(
        stage.runtime,
        stage.job_id,
        lambda s: puzzle_runs.add_judgement(s, explanation, kind, name, "", found, stage.job_id, key),
    )


@engine.step("puzzles.rank")
async def rank_statements(job_id: str) -> None:
    """The truth's place among the false statements, for every puzzle that this simulator has not ranked in this run."""
    request = (await Stage.of(job_id)).request
    stage = await Stage.of(job_id, stages(request) - 1, f"ranking with {request.rank_with}")
    name = request.rank_with
    assert name is not None
    by = await simulator(stage.runtime, name, request)
    mine = (name, asked_of(name, request), request.seed)
    there = await stage.runtime.db(lambda s: puzzle_runs.rankings(s, [stage.run]))
    known = {
        each.neuron
        for each in there
        if (each.simulator, each.asked, each.seed) == mine and each.state is not State.FAILED
    }

    async def one(neuron: int) -> None:
        puzzle = stage.puzzles[neuron].puzzle
        try:
            made = await rank(by, stage.run, neuron, puzzle, request, job_id, stage.title_of(name))
        except FAILURES as error:
            made = Ranking(
                0, stage.run, neuron, name, mine[1], stage.title_of(name), request.seed, State.FAILED, None, str(error), ()
            )  # fmt: skip
        key = f"{job_id}/{neuron}/rank"
        await keep(stage.runtime, job_id, lambda s: puzzle_runs.add_ranking(s, made, job_id, key))

    await stage.each([n for n in stage.puzzles if n not in known], one)


@engine.step("puzzles.finish")
async def finish(job_id: str) -> dict[str, object]:
    """What the run holds. AnswerError where something that this job is to do failed: a retry does that alone."""
    stage = await Stage.of(job_id)
    request = stage.request
    there = await stage.answers()
    failed: list[str] = []
    for (neuron, round_), answer in sorted(there.items()):
        asked = request.explain is not None and (round_ == FIRST or request.revise_with is not None)
        if asked and neuron in stage.puzzles and answer.state is not State.OK:
            failed.append(answer.note)
    failed += await _unjudged(stage, there)
    ranked = await stage.runtime.db(lambda s: puzzle_runs.rankings(s, [stage.run]))
    if request.rank_with is not None:
        mine = (request.rank_with, asked_of(request.rank_with, request), request.seed)
        ranked = [each for each in ranked if (each.simulator, each.asked, each.seed) == mine]
        failed += [each.reason for each in ranked if each.state is State.FAILED]
    if failed:
        others = f" (and {len(set(failed)) - 1} other reasons)" if len(set(failed)) > 1 else ""
        alone = len(stage.puzzles) == 1
        raise AnswerError(
            failed[0]
            if alone
            else f"Of {len(stage.puzzles)} puzzles {len(failed)} steps came to nothing: {failed[0]}{others} What came about is"
            " kept; a retry does the rest alone."
        )
    result: dict[str, object] = {"run": stage.run, "statements": len(there), "ranked": len(ranked)}
    if len(stage.puzzles) == 1 and request.explain is not None:
        [neuron] = stage.puzzles
        revised = there.get((neuron, REVISED))
        last = revised if revised is not None and revised.text else there[neuron, FIRST]
        result["explanation"] = last.explanation_id
    return result


async def _unjudged(stage: Stage, there: dict[tuple[int, int], Answer]) -> list[str]:
    """Why this job's judge has no verdict on statements of these."""
    if stage.request.judge not in (Judge.SIMILARITY, Judge.MODEL):
        return []
    mine = (stage.request.judge, puzzle_judges.name_of(stage.runtime.settings, stage.request))
    verdicts = await stage.runtime.db(lambda s: puzzle_runs.judgements(s, [stage.run]))
    newest = {each.explanation_id: each.verdict for each in verdicts if (each.judge, each.name) == mine}
    ids = {answer.explanation_id for (neuron, _), answer in there.items() if neuron in stage.puzzles}
    return [each.reason for id_, each in newest.items() if id_ in ids and each.state is not State.OK]


def _options(request: PuzzlesRequest) -> ExplainOptions:
    if request.explain is None:
        raise AppError("This job explains nothing: it has no such step.")
    return request.explain


def _attempted(prompt: "Prompt", explainer: str, seed: int, took: Usage) -> Provenance:
    """What can be said of a statement that came to nothing."""
    from app.llm.messages import messages_hash, messages_json

    return Provenance(
        method=prompt.method,
        explainer=explainer,
        prompt_version=prompt.version,
        messages_hash=messages_hash(prompt.messages),
        messages_json=messages_json(prompt.messages),
        parameters_json=prompt.parameters_json,
        seed=seed,
        code_version=__version__,
        usage=took,
    )
