"""The local simulator: all levels of an excerpt from one forward pass, on a shared beginning of the
prompt."""

from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch

from app.domain.neurons import Float32
from app.domain.simulation_examples import simulation_examples
from app.domain.simulator_card import SimulatorCard
from app.errors import BadInput, ModelError
from app.subject.load import Subject
from app.subject.number_head import NumberHead
from app.subject.number_tokens import find_number_tokens
from app.subject.prefix_cache import NO_STEM, Stem, grow, read_on
from app.subject.prompt_tokens import PromptTokens
from app.subject.simulation_prompt import PROMPT_VERSION, ExcerptPrompt, SimulationPrompt

KEPT_PREFIXES = 2  # prefixes (one a seed) whose keys and values are kept
# positions left for a question where the context is too short for every example: 64 lines and a heading
ROOM = 416
CPU_TOKENS = 2048  # tokens of one batch on a CPU, where larger batches are no faster
GPU_TOKENS = 16384  # tokens of one batch elsewhere; out of memory halves it


class Cancelled(Exception):
    """The work was called off between two batches."""


class LocalSimulator:
    """Predicts activations with any causal language model of which all keys and values can be kept.

    The prompt lists each token with the level "unknown"; what is returned is the expectation over the levels,
    from the logits of the number tokens alone at the position before each level. Not for use from two threads
    at once.
    """

    def __init__(self, subject: Subject) -> None:
        self.body, self.device = subject.decoder, subject.device
        self.tokens = PromptTokens(subject.tokenizer, subject.vocabulary)
        self.numbers = find_number_tokens(self.tokens)
        self.head = NumberHead(subject.model, self.body, self.numbers)
        self.context = _context(subject.model)
        self.prompt = self._fitting_prompt(subject.card.bos)
        self.card = SimulatorCard(subject.card, self.numbers.top, self.prompt.shots, PROMPT_VERSION)
        self._stems: OrderedDict[int, Stem] = OrderedDict()
        self._batch_tokens = CPU_TOKENS if self.device.type == "cpu" else GPU_TOKENS

    def simulate(
        self,
        explanations: Sequence[str],
        excerpts: Sequence[Sequence[bytes]],
        seed: int = 0,
        cancelled: Callable[[], bool] = lambda: False,
    ) -> Float32:
        """Expected activations float32 [E, R, T], 0-10, of R excerpts of T tokens under each of E
        explanations.

        `excerpts` are the subject's tokens as bytes. BadInput when excerpts differ in length or a prompt does
        not fit the model's context, ModelError when one excerpt alone does not fit in memory, Cancelled
        between batches.
        """
        if len({len(pieces) for pieces in excerpts}) > 1:
            raise BadInput("excerpts of different lengths cannot be simulated together")
        questions = [self.prompt.excerpt(pieces) for pieces in excerpts]
        length = len(excerpts[0]) if excerpts else 0
        out = np.zeros((len(explanations), len(excerpts), length), np.float32)  # [E, R, T]
        if out.size == 0:
            return out
        order = sorted(range(len(questions)), key=lambda row: len(questions[row].ids))
        headings = [self.prompt.explanation(explanation) for explanation in explanations]
        longest = len(questions[order[-1]].ids)
        with torch.inference_mode():
            prefix = self.prepare(seed)
            for e, heading in enumerate(headings):
                if self.context and prefix.length + len(heading) + longest > self.context:
                    raise BadInput(
                        f"Explanation and excerpt take more than the {self.context} tokens that the simulator"
                        " reads: shorten the explanation or choose another simulator_model."
                    )
                stem = self._grow(prefix, heading)
                done = 0
                while done < len(order):
                    if cancelled():
                        raise Cancelled
                    rows = order[done : done + max(1, self._batch_tokens // longest)]
                    values = self._batch_or_none(stem, [questions[row] for row in rows])  # [B, T]
                    if values is None:
                        self._batch_tokens = self._halved(len(rows)) * longest
                        continue
                    out[e, rows] = values
                    done += len(rows)
        if not np.isfinite(out).all():
            raise ModelError(
                "the simulator gave values that are not finite: use another device, dtype or model"
            )
        return out

    def prepare(self, seed: int) -> Stem:
        """The few-shot prefix of this seed, read if it is not kept from before; `simulate` does so itself."""
        if seed not in self._stems:
            while len(self._stems) >= KEPT_PREFIXES:
                self._stems.popitem(last=False)
            self._stems[seed] = self._grow(NO_STEM, self.prompt.prefix(seed))
        self._stems.move_to_end(seed)
        return self._stems[seed]

    def _batch(self, stem: Stem, questions: Sequence[ExcerptPrompt]) -> Float32:
        longest = max(len(question.ids) for question in questions)
        ids = torch.zeros((len(questions), longest), dtype=torch.int64)  # [B, L]
        for row, question in enumerate(questions):
            ids[row, : len(question.ids)] = torch.tensor(question.ids)
        tabs = torch.tensor([question.tabs for question in questions], device=self.device)  # [B, T]
        hidden = read_on(self.body, stem, ids.to(self.device))  # [B, L, width]
        rows = torch.arange(len(questions), device=self.device)[:, None]  # [B, 1]
        expected = self.numbers.expected(self.head.logits(hidden[rows, tabs]))  # [B, T]
        values: Float32 = expected.cpu().numpy()
        return values

    def _batch_or_none(self, stem: Stem, questions: Sequence[ExcerptPrompt]) -> Float32 | None:
        """A batch's values, None when it ran out of memory."""
        try:
            return self._batch(stem, questions)
        except (RuntimeError, MemoryError) as error:
            if not out_of_memory(error):
                raise
        return None

    def _halved(self, rows: int) -> int:
        """Rows to try after `rows` ran out of memory; called when what that try held is already given
        back."""
        if rows <= 1:
            raise ModelError(
                "Not one excerpt fits in memory beside the simulator: choose a smaller simulator_model."
            )
        if self.device.type == "cuda":
            torch.cuda.empty_cache()
        return rows // 2

    def _grow(self, stem: Stem, ids: Sequence[int]) -> Stem:
        try:
            return grow(self.body, stem, ids, self.device)
        except (RuntimeError, MemoryError) as error:
            if not out_of_memory(error):
                raise
            raise ModelError(
                "The simulator's prompt does not fit in memory: choose a smaller simulator_model."
            ) from error

    def _fitting_prompt(self, bos: int | None) -> SimulationPrompt:
        """All few-shot examples, or as many as leave `ROOM` in a short context."""
        for shots in range(len(simulation_examples(0)), 0, -1):
            prompt = SimulationPrompt(self.tokens, self.numbers, bos, shots)
            if not self.context or len(prompt.prefix(0)) + ROOM <= self.context:
                return prompt
        raise ModelError(
            f"a context of {self.context} tokens is too short for a simulator: choose another model"
        )


def out_of_memory(error: BaseException) -> bool:
    """Whether torch or Python ran out of memory, on any device."""
    if isinstance(error, (MemoryError, torch.OutOfMemoryError)):
        return True
    text = str(error).lower()
    return isinstance(error, RuntimeError) and ("out of memory" in text or "can't allocate memory" in text)


def _context(model: Any) -> int | None:
    """Positions that a model can tell apart, None where it has no limit."""
    config = model.config.get_text_config()
    limit = getattr(config, "max_position_embeddings", None)
    return int(limit) if limit else None
