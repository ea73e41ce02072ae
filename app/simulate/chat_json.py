"""One chat call per excerpt: a JSON object with a level for every token, checked strictly.

An answer of the wrong length, with a wrong token, a level out of range, NaN or broken JSON is no answer. It is
asked for again, three times in all, and then the simulation fails with the reason: nothing is ever filled in.
"""

import json
from collections.abc import Sequence
from functools import lru_cache

import numpy as np

from app.domain.explanations import Simulated, SimulatorName, Usage
from app.domain.neurons import Polarity, Records
from app.domain.simulation_examples import EXAMPLES_VERSION, simulation_examples
from app.domain.vocabulary import Vocabulary
from app.errors import AnswerError
from app.llm.client import Client
from app.llm.messages import ChatRequest, Completion, Message
from app.llm.structured import json_answer
from app.simulate.parallel import all_or_nothing, sum_usage
from app.simulate.prompts import fields, one_line

VERSION = f"chat-json-1/examples-{EXAMPLES_VERSION}"
TRIES = 3
SHOTS = 2  # structured answers need fewer examples than bare continuations, and each is some 900 tokens long
RETRY_TEMPERATURE = (
    0.5  # the first try is at 0; a server that repeats itself needs room to say something else
)


class ChatJson:
    """Predicts activations by structured output, with any endpoint that serves /chat/completions."""

    name = SimulatorName.CHAT_JSON

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
            tokens = fields([vocabulary.pieces[i] for i in records.tokens[row].tolist()])
            return await self._excerpt(line, tokens, self.name, seed, job_id)

        answers = await all_or_nothing(len(records), one)
        expected = np.array([levels for levels, _ in answers], np.float32)  # [R, T]
        usage = sum_usage(took for _, took in answers)
        parameters = {
            "prompt": VERSION,
            "scale": 10,
            "tries": TRIES,
            "endpoint_settings": self.client.endpoint_settings,
        }
        return Simulated(
            records.excerpts, expected.reshape(records.tokens.shape), usage, json.dumps(parameters)
        )

    async def _excerpt(
        self, explanation: str, tokens: Sequence[str], nonce: str, seed: int, job_id: str
    ) -> tuple[list[float], Usage]:
        usage = Usage()
        reason = ""
        for attempt in range(TRIES):
            request = ChatRequest(
                endpoint=self.client.endpoint.name,
                messages=prompt(explanation, tokens),
                temperature=RETRY_TEMPERATURE if attempt else 0.0,
                max_tokens=longest_answer(tokens),
                seed=seed + attempt,
                schema_json=schema(tokens),
                nonce=f"{nonce}/{attempt}",
            )
            answer = await self.client.chat(request, "simulate", job_id)
            usage = usage.plus(answer.usage)
            try:
                return read_answer(answer, tokens), usage
            except AnswerError as error:
                reason = str(error)
        raise AnswerError(
            f"“{self.client.endpoint.name}” gave no usable levels for an excerpt in {TRIES} tries: {reason}."
            " Try again, or take another simulator or a stronger model."
        )


def prompt(explanation: str, tokens: Sequence[str]) -> tuple[Message, ...]:
    """The messages for one excerpt; both arguments as `prompts.one_line` and `prompts.fields` give them."""
    return (*_shots(), Message("user", _question(explanation, tokens)))


def schema(tokens: Sequence[str]) -> str:
    """The JSON schema of an answer for these tokens, in the subset that strict modes take.

    Naming the tokens keeps a weak model from misspelling them; their order it must keep by itself.
    """
    entry = _object(
        {
            "token": {"type": "string", "enum": list(dict.fromkeys(tokens))},
            "activation": {"type": "integer", "minimum": 0, "maximum": 10},
        }
    )
    levels = {"type": "array", "items": entry, "minItems": len(tokens), "maxItems": len(tokens)}
    return json.dumps(_object({"activations": levels}))


def longest_answer(tokens: Sequence[str]) -> int:
    """A bound on the tokens of a sensible answer: an entry takes some 30 where it is indented, and its token."""
    return 64 + sum(40 + len(token) for token in tokens)


def read_answer(answer: Completion, tokens: Sequence[str]) -> list[float]:
    """The levels of an answer, one for each of `tokens`. AnswerError, in plain words, if anything is wrong."""
    try:
        value = json_answer(answer)
    except RecursionError:
        raise AnswerError("the answer is JSON nested without end") from None
    if answer.finish_reason == "length":
        raise AnswerError("the answer was cut off before its end")
    if isinstance(value, dict) and set(value) == {"activations"}:
        value = value["activations"]
    if not isinstance(value, list):
        raise AnswerError("the answer is JSON, but no list of activations")
    if len(value) != len(tokens):
        raise AnswerError(f"the answer has {len(value)} activations for {len(tokens)} tokens")
    pairs = zip(value, tokens, strict=True)
    return [_level(entry, token, at) for at, (entry, token) in enumerate(pairs, start=1)]


def _level(entry: object, token: str, at: int) -> float:
    if not isinstance(entry, dict) or set(entry) != {"token", "activation"}:
        raise AnswerError(f"entry {at} of the answer is no token with its activation")
    if entry["token"] != token:
        got, wanted = _quoted(entry["token"]), _quoted(token)
        raise AnswerError(f"entry {at} of the answer is for the token {got} instead of {wanted}")
    value = entry["activation"]
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise AnswerError(f"the activation of entry {at} is no number")
    if not 0 <= value <= 10:  # so for NaN and infinity
        raise AnswerError(f"the activation of entry {at} is not between 0 and 10")
    return float(value)


def _quoted(value: object) -> str:
    text = json.dumps(value)
    return text if len(text) <= 60 else text[:59] + "…"


def _object(properties: dict[str, object]) -> dict[str, object]:
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def _question(explanation: str, tokens: Sequence[str]) -> str:
    what = f"the main thing this neuron does is find {explanation}"
    return json.dumps({"neuron": what, "tokens": list(tokens)}, ensure_ascii=False)


@lru_cache(maxsize=1)
def _shots() -> tuple[Message, ...]:
    messages = [Message("system", _SYSTEM)]
    for example in simulation_examples(0)[:SHOTS]:
        for excerpt in example.excerpts:
            tokens = fields([piece.encode() for piece in excerpt.pieces])
            pairs = zip(tokens, excerpt.levels, strict=True)
            entries = [{"token": token, "activation": level} for token, level in pairs]
            answer = json.dumps({"activations": entries}, ensure_ascii=False, separators=(",", ":"))
            messages.append(Message("user", _question(example.explanation, tokens)))
            messages.append(Message("assistant", answer))
    return tuple(messages)


_SYSTEM = (
    "A neuron of a language model answers to something in the text that the model reads. You are told what one"
    " neuron finds, and are given one text as a list of tokens. Predict the neuron's level at every token: an"
    " integer from 0 (silent) to 10 (its strongest). Most levels are 0, and a neuron cannot see what comes after"
    ' a token. Answer with JSON alone, {"activations":[{"token":"…","activation":0}]}, with one entry for every'
    " token, in the order of the text, each token exactly as it was given."
)
