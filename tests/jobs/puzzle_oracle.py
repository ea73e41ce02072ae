"""A scripted language model that knows our puzzles: it explains, judges, simulates and embeds as a test tells it to."""

import json
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path

import numpy as np

from app.domain.puzzles import OWN_NAME, OWN_SET, Puzzle, read_own
from app.exchange import puzzles as files
from app.simulate.prompts import fields
from app.store import Store, puzzles
from tests.scripted_server import Recorded, Reply, chat
from tests.scripted_server import embeddings as vectors

LEAD = "the main thing this neuron does is find "
RUBBISH = "words about sea ports and the weather"


@cache
def own() -> tuple[Puzzle, ...]:
    return read_own(files.BUILT_IN.read_text("utf-8"))


def put(folder: Path) -> None:
    """The built-in set into a store of a data folder."""
    folder.mkdir(parents=True, exist_ok=True)
    store = Store.open(f"sqlite:///{folder / 'neuronarium.sqlite'}")
    with store.session() as s:
        puzzles.add(s, OWN_SET, OWN_NAME, "built in", own())
    store.close()


@cache
def _sentences() -> dict[tuple[str, ...], tuple[int, int]]:
    """(puzzle, sentence) by the tokens that a simulator shows."""
    return {
        fields([piece.encode() for piece in sentence.pieces]): (p, i)
        for p, puzzle in enumerate(own())
        for i, sentence in enumerate(puzzle.sentences)
    }


def asked(request: Recorded) -> tuple[str, dict[str, object]]:
    """What a request is about: `explain`, `revise`, `judge`, `simulate` or `embed`, and what is known of it."""
    if request.path.endswith("/embeddings"):
        return "embed", {"texts": request.body["input"]}
    last = request.messages[-1]["content"]
    if last.startswith("Neuron "):
        seen = " ".join(message["content"] for message in request.messages)
        number = next(
            n
            for n, puzzle in enumerate(own())
            if puzzle.sentences[-1].text.split(". ")[0][:24] in _plain(seen)
        )
        return "revise" if "prediction was wrong" in last else "explain", {"puzzle": number}
    question = json.loads(last)
    return ("judge" if "truth" in question else "simulate"), question


def _plain(text: str) -> str:
    return text.replace("[", "").replace("]", "")


Says = Callable[[int], str]


def oracle(
    first: Says,
    revised: Says = lambda n: own()[n].truth,
    simulated: Callable[[Puzzle, str, int], Sequence[float]] | None = None,
) -> Callable[[Recorded], Reply]:
    """Answers with `first` and `revised` statements; judges by equality; simulates the truth exactly, all else as silent
    but for the first token of every sentence.
    """

    def answer(request: Recorded) -> Reply:
        kind, what = asked(request)
        if kind == "embed":
            return vectors([vector(text) for text in what["texts"]])  # type: ignore[attr-defined]
        if kind in ("explain", "revise"):
            return chat((first if kind == "explain" else revised)(what["puzzle"]))  # type: ignore[arg-type]
        if kind == "judge":
            return chat(json.dumps({"right": what["truth"] == what["statement"]}))
        number, sentence = _sentences()[tuple(what["tokens"])]  # type: ignore[arg-type]
        puzzle = own()[number]
        statement = str(what["neuron"]).removeprefix(LEAD)
        levels = (simulated or exact)(puzzle, statement, sentence)
        tokens = list(what["tokens"])  # type: ignore[call-overload]
        pairs = [{"token": t, "activation": x} for t, x in zip(tokens, levels, strict=True)]
        return chat(json.dumps({"activations": pairs}))

    return answer


def exact(puzzle: Puzzle, statement: str, sentence: int) -> Sequence[float]:
    levels = puzzle.levels[sentence]
    return levels if statement == puzzle.truth else (7, *[0] * (len(levels) - 1))


def vector(text: str) -> list[float]:
    """Equal for equal texts, far from each other for others."""
    seed = int.from_bytes(text.encode()[:64], "little") % 2**32
    return [float(x) for x in np.random.default_rng([seed, len(text)]).standard_normal(32)]
