"""A revision's kept sentences in the simulation and the score of any explanation of the same neuron."""

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from app.domain.augmented import Predicted
from app.domain.explanations import Protocol, ScoreOptions, Simulated
from app.domain.live_texts import LiveText, Sentence
from app.domain.neurons import Kind, Records, Split
from app.errors import AnswerError, BadInput
from app.jobs.neuron import Neuron
from app.store import Session, revisions
from app.store.explanation_rows import ExplanationRow

if TYPE_CHECKING:
    from app.simulate import Simulator

_PARAMETER = (
    "generated"  # of a simulation: what it predicts of the sentences, which are no excerpts of a collection
)
_FIRST = -2  # sentences' names among excerpts, in the calls that ask about them: -2, -3, …


def kept(s: Session, options: ScoreOptions, row: ExplanationRow) -> Sequence[Sentence]:
    """The sentences that these options ask for; none without a revision. Raises as `revisions.kept` does, and BadInput
    for the protocol that needs one without it.
    """
    if options.revision:
        return revisions.kept(s, options.revision, row)
    if options.protocol is Protocol.GENERATED:
        raise BadInput(f"{Protocol.GENERATED} is scored on a revision's sentences: say which revision")
    return ()


def demand_none(options: ScoreOptions) -> None:
    """Raises BadInput where a statement that is yet to be made is to be scored on a revision's sentences."""
    if options.revision or options.protocol is Protocol.GENERATED:
        raise BadInput(
            "A revision's sentences can only be scored on by a statement that is there: score it afterwards."
        )


def records_of(live: LiveText) -> Records:
    """A text as the one record [1, T] that simulators take."""
    return Records(
        excerpts=np.array([_FIRST], np.int32),
        documents=np.array([-1], np.int32),
        kinds=np.array([Kind.GIVEN], np.uint8),
        splits=np.array([Split.SCORE], np.uint8),
        tokens=np.array([live.tokens], np.int32),
        activations=np.array([live.activations], np.float32),
        gates=None,
    )


async def simulated(
    simulator: "Simulator",
    explanation: ExplanationRow,
    neuron: Neuron,
    sentences: Sequence[Sentence],
    options: ScoreOptions,
    job_id: str,
    so_far: Simulated,
) -> Simulated:
    """The simulation with its parameters telling what it predicts of each sentence. Raises as simulators do."""
    if not sentences:
        return so_far
    expected: list[list[float]] = []
    usage = so_far.usage
    for i, sentence in enumerate(sentences):
        record = replace(records_of(sentence.live), excerpts=np.array([_FIRST - i], np.int32))
        part = await simulator.simulate(
            explanation.text, record, neuron.vocabulary, explanation.polarity, options.seed, job_id
        )
        expected.append([float(value) for value in part.expected[0]])
        usage = usage.plus(part.usage)
    said = json.loads(so_far.parameters_json) | {
        _PARAMETER: {"revision": options.revision, "expected": expected}
    }
    return replace(so_far, usage=usage, parameters_json=json.dumps(said))


def tested(sentences: Sequence[Sentence], stored: Simulated) -> list[Predicted]:
    """The sentences beside what a stored simulation predicts of them. AnswerError where it is of others."""
    found = json.loads(stored.parameters_json).get(_PARAMETER, {}).get("expected", [])
    if [len(row) for row in found] != [len(one.live.tokens) for one in sentences]:
        raise AnswerError("The simulation is of other sentences than the revision's: simulate again.")
    return [
        Predicted(np.array(one.live.activations, np.float32), np.array(row, np.float32))
        for one, row in zip(sentences, found, strict=True)
    ]
