"""The prompt of the local simulator, as token ids in three parts: shared by all, by an explanation, by one
excerpt."""

from collections.abc import Sequence
from typing import NamedTuple

from app.domain.simulation_examples import EXAMPLES_VERSION, ExampleExcerpt, simulation_examples
from app.errors import BadInput
from app.subject.number_tokens import NumberTokens
from app.subject.prompt_tokens import PromptTokens

PROMPT_VERSION = f"local-1/examples-{EXAMPLES_VERSION}"
LONGEST_EXPLANATION = 512  # tokens


class ExcerptPrompt(NamedTuple):
    """One excerpt's part of the prompt. L ids, T tokens of the subject."""

    ids: tuple[int, ...]  # [L]
    tabs: tuple[
        int, ...
    ]  # [T] index within `ids` of the tab before each token's "unknown": the number is read there


class SimulationPrompt:
    """Builds the parts. `shots` is how many of the few-shot examples are shown."""

    def __init__(self, tokens: PromptTokens, numbers: NumberTokens, bos: int | None, shots: int) -> None:
        self.tokens, self.numbers, self.bos, self.shots = tokens, numbers, bos, shots
        self._tab = tokens.text("\t")
        self._newline = tokens.text("\n")
        self._unknown = tokens.text("unknown")

    def prefix(self, seed: int) -> tuple[int, ...]:
        """Instruction and few-shot examples: the same for every explanation and excerpt."""
        ids = [] if self.bos is None else [self.bos]
        ids += self.tokens.text(_instruction(self.numbers.top))
        for number, example in enumerate(simulation_examples(seed)[: self.shots], start=1):
            for excerpt in example.excerpts:
                ids += self._heading(number, example.explanation)
                ids += self._example(excerpt)
        return tuple(ids)

    def explanation(self, explanation: str) -> tuple[int, ...]:
        """The question's heading: the same for every excerpt of an explanation. Its text is put on one line.

        BadInput when the explanation is empty or longer than `LONGEST_EXPLANATION` tokens.
        """
        line = " ".join(explanation.encode("utf-8", "replace").decode().split())
        if not line:
            raise BadInput("there is no explanation to simulate")
        ids = self._heading(self.shots + 1, line)
        if len(ids) > LONGEST_EXPLANATION:
            raise BadInput(f"the explanation is longer than {LONGEST_EXPLANATION} tokens: shorten it")
        return ids

    def excerpt(self, pieces: Sequence[bytes]) -> ExcerptPrompt:
        """The lines of one excerpt with every level "unknown", up to the tab of the last line."""
        ids: list[int] = []
        tabs: list[int] = []
        for piece in pieces:
            ids += self.tokens.piece(piece)
            ids += self._tab
            tabs.append(len(ids) - 1)
            ids += self._unknown
            ids += self._newline
        return ExcerptPrompt(tuple(ids[: tabs[-1] + 1]) if tabs else (), tuple(tabs))

    def _heading(self, number: int, explanation: str) -> tuple[int, ...]:
        start = self.tokens.text(f"Neuron {number}: the main thing this neuron does is find")
        return start + self.tokens.text(f" {explanation}") + self.tokens.text("\nLevels:\n")

    def _example(self, excerpt: ExampleExcerpt) -> list[int]:
        ids: list[int] = []
        for at, (piece, level) in enumerate(zip(excerpt.pieces, excerpt.levels, strict=True)):
            ids += self.tokens.piece(piece.encode())
            ids += self._tab
            ids += (
                [self.numbers.ids[self.numbers.shown(level)]] if at >= excerpt.first_known else self._unknown
            )
            ids += self._newline
        return [*ids, *self._newline]


def _instruction(top: int) -> str:
    return (
        "A neuron of a language model answers to something in the text that the model reads. Below are neurons, each"
        " with what it finds and with one text, a token a line. After the token and a tab stands the neuron's level"
        f" there, from 0 (silent) to {top} (its strongest); most levels are 0. A level that is not shown reads"
        ' "unknown".\n\n'
    )
