"""Asking a language model for an explanation, within limits."""

import json
from dataclasses import dataclass

from app import __version__
from app.domain.explanations import ExplainOptions, Provenance, Usage
from app.errors import AnswerError
from app.explain.answers import check_answer
from app.explain.prompt import MAX_TOKENS, TEMPERATURE, Prompt
from app.llm.client import Client
from app.llm.messages import ChatRequest, messages_hash, messages_json

TRIES = 3  # answers asked for at most; failed requests are tried again below, in llm


@dataclass(frozen=True)
class Explained:
    """An explanation with where it comes from."""

    text: str  # continues "the main thing this neuron does is find"
    provenance: Provenance


async def explain(client: Client, prompt: Prompt, options: ExplainOptions, job_id: str) -> Explained:
    """Ask until an answer passes `check_answer`, three times at most, each with a nonce and a seed of its own.

    What failed before stays in `parameters_json` as `failed_answers`. With the same job id an answer that was
    recorded is not asked for again. Raises AnswerError with every reason, EndpointError, Refused.
    """
    usage = Usage()
    failed: list[str] = []
    for attempt in range(TRIES):
        request = ChatRequest(
            endpoint=client.endpoint.name,
            messages=prompt.messages,
            temperature=TEMPERATURE,
            max_tokens=MAX_TOKENS,
            seed=options.seed + attempt,
            nonce=f"{job_id}/explain/{attempt}",
        )
        answer = await client.chat(request, "explain", job_id)
        usage = usage.plus(answer.usage)
        try:
            text = check_answer(answer.text, answer.finish_reason)
        except AnswerError as error:
            failed.append(str(error))
            continue
        return Explained(text, _provenance(client, prompt, options, usage, failed, request.seed))
    reasons = failed[0] if len(set(failed)) == 1 else "; ".join(f"{i}) {r}" for i, r in enumerate(failed, 1))
    raise AnswerError(f"“{client.endpoint.name}” gave no usable explanation in {TRIES} tries: {reasons}.")


def _provenance(
    client: Client, prompt: Prompt, options: ExplainOptions, usage: Usage, failed: list[str], seed: int
) -> Provenance:
    parameters = {**json.loads(prompt.parameters_json), "sent_seed": seed, "failed_answers": failed}
    return Provenance(
        method=prompt.method,
        explainer=f"{client.endpoint.name} / {client.endpoint.model}",
        prompt_version=prompt.version,
        messages_hash=messages_hash(prompt.messages),
        messages_json=messages_json(prompt.messages),
        parameters_json=json.dumps(parameters),
        seed=options.seed,
        excerpts=prompt.excerpts,
        code_version=__version__,
        usage=usage,
    )
