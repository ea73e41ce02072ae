"""All levels of an excerpt in one completion: the prompt comes back with the log probabilities of its own tokens.

Every level of the question reads "unknown"; where each of them begins, the server says which tokens it would rather
have seen there, and the expectation is taken over the numbers among them. That needs /completions with `echo` and
`logprobs` (vLLM, llama-cpp-python); servers that ignore `echo` are found out and refused.

The scale is 0-10 where the server's tokenizer keeps "10" whole. Where it splits it, a "1" could be either, so the
question is put on a scale from 0 to 9 and what is expected stretched to 0-10; the simulation's parameters say so.
"""

import json
from collections.abc import Sequence

import numpy as np

from app.domain.explanations import Simulated, SimulatorName, Usage
from app.domain.neurons import Polarity, Records
from app.domain.vocabulary import Vocabulary
from app.errors import AnswerError, EndpointError
from app.llm.client import Client
from app.llm.messages import CompletionRequest, TokenLogprob
from app.simulate.levels import expected_level
from app.simulate.parallel import all_or_nothing, sum_usage
from app.simulate.prompts import ONE_PASS_VERSION, OnePass, one_line, one_pass

RIVALS = 20  # the most that vLLM gives unless told otherwise
_INSTEAD = "Use the simulator one_at_a_time or chat_json with it."


class SplitTen(Exception):
    """The server's tokenizer writes 10 as two tokens; `usage` is what it took to learn it."""

    def __init__(self, usage: Usage) -> None:
        super().__init__()
        self.usage = usage


class Logprobs:
    """Predicts activations by echoed log probabilities, one call per excerpt."""

    name = SimulatorName.LOGPROBS

    def __init__(self, client: Client) -> None:
        self.client = client
        self._top: int | None = None  # 10, or 9 once the server's tokenizer was seen to split "10"

    async def simulate(
        self,
        explanation: str,
        records: Records,
        vocabulary: Vocabulary,
        polarity: Polarity,
        seed: int,
        job_id: str,
    ) -> Simulated:
        """Expected activations of the explained sign, 0-10. Raises AnswerError, EndpointError, Refused."""
        line = one_line(explanation)

        async def one(row: int, top: int) -> tuple[list[float], Usage]:
            pieces = [vocabulary.pieces[i] for i in records.tokens[row].tolist()]
            prompt = one_pass(line, pieces, seed, top)
            tokens, usage = await self._ask(prompt, seed, self.name, job_id)
            if top == 10 and any(token.offset == prompt.highest + 1 for token in tokens):
                raise SplitTen(usage)
            return self._levels(prompt, tokens, top), usage

        spent = Usage()
        answers: list[tuple[list[float], Usage]] = []
        if self._top is None and len(records):  # the first excerpt alone shows how the tokenizer writes 10
            try:
                answers.append(await one(0, 10))
                self._top = 10
            except SplitTen as split:
                spent, self._top = split.usage, 9
        top, done = self._top or 10, len(answers)
        answers += await all_or_nothing(len(records) - done, lambda rest: one(done + rest, top))
        expected = np.array([levels for levels, _ in answers], np.float32)  # [R, T]
        usage = sum_usage([spent, *(took for _, took in answers)])
        parameters = {
            "prompt": ONE_PASS_VERSION,
            "scale": top,
            "rivals": RIVALS,
            "endpoint_settings": self.client.endpoint_settings,
        }
        return Simulated(
            records.excerpts, expected.reshape(records.tokens.shape), usage, json.dumps(parameters)
        )

    async def _ask(
        self, prompt: OnePass, seed: int, nonce: str, job_id: str
    ) -> tuple[Sequence[TokenLogprob], Usage]:
        request = CompletionRequest(
            endpoint=self.client.endpoint.name,
            prompt=prompt.text,
            echo=True,
            logprobs=RIVALS,
            max_tokens=1,
            seed=seed,
            nonce=nonce,
            keep_from=prompt.keep_from,
        )
        try:
            answer = await self.client.complete(request, "simulate", job_id)
        except EndpointError as error:
            if "`echo`" in str(error) or "log probabilities" in str(error):
                raise EndpointError(f"{error} {_INSTEAD}") from error
            raise
        return answer.tokens, answer.usage

    def _levels(self, prompt: OnePass, tokens: Sequence[TokenLogprob], top: int) -> list[float]:
        """The expected level at each slot."""
        name = self.client.endpoint.name
        at = {token.offset: token for token in tokens if token.token != ""}
        levels = []
        for number, slot in enumerate(prompt.slots, start=1):
            token = at.get(slot)
            if token is None:
                raise AnswerError(
                    f"The tokenizer of “{name}” joins a tab with the word after it, so that no number can be read"
                    f" at token {number} of an excerpt. {_INSTEAD}"
                )
            level = expected_level(token.top, top)
            if level is None:
                raise AnswerError(
                    f"“{name}” has no number among the {len(token.top)} likeliest tokens for token {number} of an"
                    " excerpt. Take a stronger model, a server that gives more log probabilities, or another"
                    " simulator."
                )
            levels.append(level)
        return levels
