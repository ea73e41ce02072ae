"""What a simulator makes of a statement on the sentences of a puzzle."""

import json
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from app.domain.explanations import SimulatorName, State
from app.domain.neurons import Float64, Kind, Polarity, Records, Split
from app.domain.puzzles import Puzzle, Ranked, correlation, place_of_truth
from app.domain.vocabulary import Vocabulary
from app.jobs.requests import PuzzlesRequest
from app.jobs.runtime import Runtime
from app.store.puzzle_runs import Ranking

if TYPE_CHECKING:
    from app.simulate import Simulator

REASONS = {
    State.CONSTANT_PREDICTION: "the simulation from the true statement is the same everywhere",
    State.CONSTANT_ACTUAL: "the neuron is the same everywhere",
}


class Predicted(NamedTuple):
    """Expected activations on the 0-10 scale."""

    sentences: tuple[Float64, ...]  # of each [T]
    model: str  # who predicted, as the simulator names it


async def simulator(runtime: Runtime, name: SimulatorName, request: PuzzlesRequest) -> "Simulator":
    """The simulator that a request names. ModelError where its model cannot be loaded, at the first call."""
    from app.simulate import make

    if name is SimulatorName.LOCAL:
        return make(name, None, await runtime.service(request.simulator_model))
    return make(name, await runtime.client(request.simulator_endpoint))


async def predict(
    by: "Simulator", puzzle: Puzzle, statement: str, seed: int, job_id: str, asked: str
) -> Predicted:
    """Expected activations on every sentence of a puzzle, from a statement alone. `asked` is the endpoint's title.

    Sentences are of any length, and a simulator takes those of one length at once. Raises as `Simulator.simulate` does.
    """
    ids: dict[bytes, int] = {}
    rows = [
        [ids.setdefault(piece.encode("utf-8", "surrogatepass"), len(ids)) for piece in sentence.pieces]
        for sentence in puzzle.sentences
    ]
    vocabulary = Vocabulary(tuple(ids))
    found: dict[int, Float64] = {}
    model = asked
    for width in sorted({len(row) for row in rows}):
        some = [i for i, row in enumerate(rows) if len(row) == width]
        records = _records(some, np.array([rows[i] for i in some], np.int32))
        made = await by.simulate(statement, records, vocabulary, Polarity.POSITIVE, seed, job_id)
        model = model or json.loads(made.parameters_json).get("model", "")
        found |= {i: np.asarray(line, np.float64) for i, line in zip(some, made.expected, strict=True)}
    return Predicted(tuple(found[i] for i in range(len(rows))), model)


async def rank(
    by: "Simulator", run: str, neuron: int, puzzle: Puzzle, request: PuzzlesRequest, job_id: str, asked: str
) -> Ranking:
    """Truth and false statements by correlation over all tokens of all sentences (BILLS). Raises as `predict` does."""
    said: list[Ranked] = []
    model = ""
    for text in (puzzle.truth, *puzzle.false):
        made = await predict(by, puzzle, text, request.seed, job_id, asked)
        value = correlation(puzzle, made.sentences)
        if isinstance(value, State):
            said.append(Ranked(text, text == puzzle.truth, value, None))
        else:
            said.append(Ranked(text, text == puzzle.truth, State.OK, value))
        model = made.model
    place = place_of_truth(said)
    truth = said[0]
    return Ranking(
        0, run, neuron, by.name, asked_of(by.name, request), model, request.seed,
        truth.state, place, REASONS.get(truth.state, ""), tuple(said),
    )  # fmt: skip


def asked_of(name: SimulatorName, request: PuzzlesRequest) -> str:
    """What the request calls the simulator's model."""
    return request.simulator_model if name is SimulatorName.LOCAL else request.simulator_endpoint


def _records(places: list[int], tokens: np.ndarray[tuple[int, int], np.dtype[np.int32]]) -> Records:
    """Sentences as a simulator takes them; it does not look at activations."""
    n = len(places)
    return Records(
        excerpts=np.array(places, np.int32),
        documents=np.full(n, -1, np.int32),
        kinds=np.full(n, int(Kind.GIVEN), np.uint8),
        splits=np.full(n, int(Split.UNSPLIT), np.uint8),
        tokens=tokens,  # [R, T]
        activations=np.zeros(tokens.shape, np.float32),
        gates=None,
    )
