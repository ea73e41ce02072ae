"""A run over the built-in puzzles as a job would leave it, without one."""

import json
from datetime import UTC, datetime
from typing import NamedTuple

from app.domain.explanations import Provenance, State
from app.domain.neurons import Polarity
from app.domain.puzzles import OWN_SET, Judge, Ranked, Verdict
from app.exchange.puzzles import add_built_in
from app.store import Store, explanations, puzzle_runs, puzzles
from app.store.puzzle_runs import FIRST, REVISED, Ranking

RUN = "puzzles-0123456789ab"
EXPLAINER = "secretive / oracle-7b"
EMBEDDER = "all-MiniLM-L6-v2"


class Made(NamedTuple):
    """The explanations of the run: by puzzle, first and revised."""

    first: dict[int, int]
    revised: dict[int, int]


def fill(store: Store, run: str = RUN, upto: int = 6) -> Made:
    """Puzzles 0, 1 right at first; 2 wrong and then right; 3 wrong twice; 4 failed; 5 not judged. Two of three ranked first."""
    add_built_in(store)
    made = Made({}, {})
    with store.session() as s:
        there = puzzles.of_set(s, OWN_SET)
        neurons = tuple(range(upto))
        puzzle_runs.begin(
            s,
            puzzle_runs.Run(
                run, there[0].layer_id, EXPLAINER, "summary", 0, True, neurons, "tester", datetime.now(UTC)
            ),
        )
        for n in neurons:
            puzzle = there[n].puzzle
            texts = {4: None, 2: puzzle.false[0], 3: "ships <b>and</b> & boats"}
            text = texts.get(n, puzzle.truth)
            state = State.OK if text else State.FAILED
            provenance = Provenance("summary", EXPLAINER, "summary-2/puzzle-1", seed=0)
            reason = (
                "" if text else "“secretive” gave no usable explanation in 3 tries: the answer is a list."
            )
            key = f"{run}/{n}/0"
            id_ = explanations.add(
                s, there[n].ref, text, Polarity.POSITIVE, provenance, state, reason, run, key
            )
            made.first[n] = id_
            puzzle_runs.add_answer(s, run, n, FIRST, id_, state, "", key)
            if n in (0, 1):
                puzzle_runs.add_answer(s, run, n, REVISED, None, State.OK, "nothing wrong", f"{run}/{n}/1")
            if n in (2, 3):
                again = Provenance("revision", EXPLAINER, "puzzle-revision-1/summary-2/puzzle-1")
                said = puzzle.truth if n == 2 else "harbours"
                second = explanations.add(
                    s,
                    there[n].ref,
                    said,
                    Polarity.POSITIVE,
                    again,
                    State.OK,
                    "",
                    run,
                    f"{run}/{n}/1",
                    source_id=id_,
                )
                made.revised[n] = second
                puzzle_runs.add_answer(s, run, n, REVISED, second, State.OK, "", f"{run}/{n}/1")
        verdicts = (
            []
            if upto < 6
            else [(made.first[n], n < 2) for n in range(4)]
            + [
                (made.revised[2], True),
                (made.revised[3], False),
            ]
        )
        for id_, right in verdicts:
            detail = json.dumps({"similarities": [0.9, 0.2, 0.1, 0.1, 0.1]})
            verdict = Verdict(right, detail_json=detail)
            puzzle_runs.add_judgement(
                s, id_, Judge.SIMILARITY, EMBEDDER, "", verdict, run, f"{run}/{id_}/judge"
            )
        for n, place in ((0, 1), (1, 1), (2, 2)) if upto == 6 else ():
            puzzle = there[n].puzzle
            values = (0.4, 0.6, 0.1) if place == 2 else (0.8, 0.3, 0.1)
            ranked = tuple(
                Ranked(text, text == puzzle.truth, State.OK, value)
                for text, value in zip((puzzle.truth, *puzzle.false), values, strict=False)
            )
            ranking = Ranking(0, run, n, "local", "tiny", "TinyLM", 0, State.OK, place, "", ranked)
            puzzle_runs.add_ranking(s, ranking, run, f"{run}/{n}/rank")
    return made
