"""Asking a language model for an explanation, within limits."""

import json
from dataclasses import dataclass

from app import __version__
from app.domain.explanations import ExplainOptions, Provenance, Usage
from app.errors import AnswerError
from app.explain.answers import check_answer
from app.explain.prompt import MAX_TOKENS, Prompt
from app.llm.client import Client
from app.llm.messages import ChatRequest, messages_hash, messages_json

# Of each answer asked for: as published first, colder where that was no use. Failed requests are tried again below, in
# llm, and do not count here.
TEMPERATURES = (1.0, 0.7, 0.4)
STOP = ("\n",)  # an explanation is one line


@dataclass(frozen=True)
class Explained:
    """An explanation with where it comes from."""

    text: str  # continues "the main thing this neuron does is find"
    provenance: Provenance


async def explain(
    client: Client, prompt: Prompt, options: ExplainOptions, job_id: str, candidate: int = 0
) -> Explained:
    """Ask until an answer passes `check_answer`, three times at most, each with its own nonce, seed and temperature.

    Those of the answer taken and the reasons of those that failed are in `parameters_json`. An answer that was recorded
    for the same sample (see `Client`) is not asked for again. Every `candidate` (0, 1, …) is another answer to the same
    prompt. Raises AnswerError with every reason, EndpointError, Refused.
    """
    usage = Usage()
    failed: list[str] = []
    turns = [message.content for message in prompt.messages if message.role == "assistant"]
    shots = [turn for turn in turns if turn != prompt.earlier]
    nonce = "explain" if candidate == 0 else f"candidate-{candidate}/explain"
    for attempt, temperature in enumerate(TEMPERATURES):
        request = ChatRequest(
            endpoint=client.endpoint.name,
            messages=prompt.messages,
            temperature=temperature,
            max_tokens=MAX_TOKENS,
            seed=options.seed + candidate * len(TEMPERATURES) + attempt,
            stop=STOP,
            nonce=f"{nonce}/{attempt}",
        )
        answer = await client.chat(request, "explain", job_id)
        usage = usage.plus(answer.usage)
        try:
            text = check_answer(answer.text, answer.finish_reason, shots, prompt.lead)
        except AnswerError as error:
            failed.append(str(error))
            continue
        return Explained(prompt.lead + text, _provenance(client, prompt, options, usage, failed, request))
    reasons = failed[0] if len(set(failed)) == 1 else "; ".join(f"{i}) {r}" for i, r in enumerate(failed, 1))
    raise AnswerError(
        f"“{client.endpoint.name}” gave no usable explanation in {len(TEMPERATURES)} tries: {reasons}."
    )


def _provenance(
    client: Client,
    prompt: Prompt,
    options: ExplainOptions,
    usage: Usage,
    failed: list[str],
    request: ChatRequest,
) -> Provenance:
    parameters = {
        **json.loads(prompt.parameters_json),
        "max_tokens": request.max_tokens,
        "temperature": request.temperature,
        "sent_seed": request.seed,
        "stop": request.stop,
        "endpoint_settings": client.endpoint_settings,
        "failed_answers": failed,
    }
    return Provenance(
        method=prompt.method,
        explainer=client.endpoint.title,
        prompt_version=prompt.version,
        messages_hash=messages_hash(prompt.messages),
        messages_json=messages_json(prompt.messages),
        parameters_json=json.dumps(parameters),
        seed=options.seed,
        excerpts=prompt.excerpts,
        code_version=__version__,
        usage=usage,
    )
