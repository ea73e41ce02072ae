"""A language model as judge of a statement about a puzzle: does it say what the truth says?"""

import json

from app.domain.explanations import State
from app.domain.puzzles import Verdict
from app.errors import AnswerError
from app.llm.client import Client
from app.llm.messages import ChatRequest, Completion, Message, messages_hash
from app.llm.structured import json_answer

VERSION = "puzzle-judge-1"
TRIES = 3
RETRY_TEMPERATURE = 0.5
MAX_TOKENS = 60

_SYSTEM = (
    "A neuron of a language model is active at certain tokens of a text. You are given the truth about one neuron, written"
    " by whoever made it, and a statement about it by somebody who saw examples alone. Decide whether the statement is"
    " right: whether a reader of the statement would point at the same tokens as a reader of the truth. Other words for"
    " the same thing are right. What is clearly broader or narrower than the truth, or about something else, is wrong."
    ' Answer with JSON alone, {"right": true} or {"right": false}.'
)
_SCHEMA = json.dumps(
    {
        "type": "object",
        "properties": {"right": {"type": "boolean"}},
        "required": ["right"],
        "additionalProperties": False,
    }
)


def question(truth: str, statement: str) -> tuple[Message, ...]:
    """The exact messages. Who said the statement, and how it came about, is not in them."""
    asked = json.dumps({"truth": truth, "statement": statement}, ensure_ascii=False)
    return Message("system", _SYSTEM), Message("user", asked)


async def judge(client: Client, truth: str, statement: str, job_id: str) -> Verdict:
    """The model's verdict. Raises AnswerError after three unusable answers, EndpointError, Refused."""
    messages = question(truth, statement)
    reason = ""
    for attempt in range(TRIES):
        request = ChatRequest(
            endpoint=client.endpoint.name,
            messages=messages,
            temperature=RETRY_TEMPERATURE if attempt else 0.0,
            max_tokens=MAX_TOKENS,
            seed=attempt,
            schema_json=_SCHEMA,
            nonce=f"judge/{attempt}",
        )
        answer = await client.chat(request, "judge", job_id)
        try:
            right = read_answer(answer)
        except AnswerError as error:
            reason = str(error)
            continue
        detail = {"prompt": VERSION, "messages_hash": messages_hash(messages)}
        return Verdict(right, State.OK, "", json.dumps(detail))
    raise AnswerError(f"“{client.endpoint.name}” gave no verdict in {TRIES} tries: {reason}.")


def read_answer(answer: Completion) -> bool:
    """True or false, as the answer says. AnswerError for anything else."""
    value = json_answer(answer)
    if not isinstance(value, dict) or set(value) != {"right"} or not isinstance(value["right"], bool):
        raise AnswerError('the answer is not {"right": true} or {"right": false}')
    return value["right"]
