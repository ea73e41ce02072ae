"""The slow reference: one call per token, each shown the levels predicted before it.

It needs no `echo`, only the log probabilities of an answer's first token, so it works where `logprobs` does not:
with llama.cpp's server and with chat endpoints. As in BILLS the levels before the one asked for are filled in with
what was predicted there (the likeliest number). Levels are asked for on a scale from 0 to 9, one digit in every
tokenizer, and what is expected is stretched to 0-10.
"""

import json
from collections.abc import Sequence

import numpy as np

from app.domain.explanations import Simulated, SimulatorName, Usage
from app.domain.neurons import Polarity, Records
from app.domain.vocabulary import Vocabulary
from app.errors import AnswerError
from app.llm.client import Client
from app.llm.messages import ChatRequest, CompletionRequest, Message, TokenLogprob
from app.simulate.levels import expected_level, likeliest_level
from app.simulate.parallel import all_or_nothing, sum_usage
from app.simulate.prompts import ONE_AT_A_TIME_VERSION, instruction, one_at_a_time, one_line

TOP = 9
RIVALS = 20


class OneAtATime:
    """Predicts activations token by token: by /completions where the endpoint has it, else by chat."""

    name = SimulatorName.ONE_AT_A_TIME

    def __init__(self, client: Client) -> None:
        self.client = client

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

        async def one(row: int) -> tuple[list[float], Usage]:
            pieces = [vocabulary.pieces[i] for i in records.tokens[row].tolist()]
            return await self._excerpt(line, pieces, self.name, seed, job_id)

        answers = await all_or_nothing(len(records), one)
        expected = np.array([levels for levels, _ in answers], np.float32)  # [R, T]
        usage = sum_usage(took for _, took in answers)
        by = "completions" if self.client.endpoint.completions else "chat"
        parameters = {
            "prompt": ONE_AT_A_TIME_VERSION,
            "scale": TOP,
            "by": by,
            "rivals": RIVALS,
            "endpoint_settings": self.client.endpoint_settings,
        }
        return Simulated(
            records.excerpts, expected.reshape(records.tokens.shape), usage, json.dumps(parameters)
        )

    async def _excerpt(
        self, explanation: str, pieces: Sequence[bytes], nonce: str, seed: int, job_id: str
    ) -> tuple[list[float], Usage]:
        expected: list[float] = []
        filled: list[int] = []
        usage = Usage()
        for at in range(len(pieces)):
            text = one_at_a_time(explanation, pieces, filled, TOP)
            rivals, took = await self._ask(text, seed, f"{nonce}/{at}", job_id)
            usage = usage.plus(took)
            value, likeliest = expected_level(rivals, TOP), likeliest_level(rivals, TOP)
            if value is None or likeliest is None:
                raise AnswerError(
                    f"“{self.client.endpoint.name}” has no level from 0 to {TOP} among its {len(rivals)} likeliest"
                    f" answers for token {at + 1} of an excerpt. Take a stronger model or another simulator."
                )
            expected.append(value)
            filled.append(likeliest)
        return expected, usage

    async def _ask(
        self, text: str, seed: int, nonce: str, job_id: str
    ) -> tuple[Sequence[tuple[str, float]], Usage]:
        """The rivals of the first token that follows a prompt which ends where a level is to stand."""
        endpoint = self.client.endpoint
        if endpoint.completions:
            request = CompletionRequest(
                endpoint=endpoint.name,
                prompt=instruction(TOP) + text,
                echo=False,
                logprobs=RIVALS,
                max_tokens=1,
                seed=seed,
                nonce=nonce,
            )
            completed = await self.client.complete(request, "simulate", job_id)
            return self._first(completed.tokens), completed.usage
        chat = ChatRequest(
            endpoint=endpoint.name,
            messages=(Message("system", instruction(TOP) + _CHAT), Message("user", text)),
            temperature=0.0,
            max_tokens=1,
            seed=seed,
            nonce=nonce,
            top_logprobs=RIVALS,
        )
        answered = await self.client.chat(chat, "simulate", job_id)
        return self._first(answered.tokens), answered.usage

    def _first(self, tokens: Sequence[TokenLogprob]) -> Sequence[tuple[str, float]]:
        if not tokens or not tokens[0].top:
            raise AnswerError(
                f"“{self.client.endpoint.name}” gives no log probabilities, which one_at_a_time lives on."
                " Use the simulator chat_json with it."
            )
        return tokens[0].top


_CHAT = f"The last line lacks its level. Answer with that level alone: one digit from 0 to {TOP}."
