"""Putting windows to a language model, many at once; what it said of each, or the failure to say it."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from app.domain.explanations import Metric, Usage
from app.domain.judging import Verdict
from app.domain.windows import Example
from app.errors import AnswerError
from app.judge import answers, prompts
from app.llm.client import Client
from app.llm.messages import ChatRequest
from app.simulate.parallel import all_or_nothing, sum_usage

TRIES = 3
RETRY_TEMPERATURE = (
    0.5  # the first try is at 0; a server that repeats itself needs room to say something else
)
RIVALS = 5


class Question(NamedTuple):
    """One window: where it is from, and its tokens' bytes."""

    example: Example
    pieces: tuple[bytes, ...]


class Judged(NamedTuple):
    """The verdicts in the order of the questions, and what they took."""

    verdicts: tuple[Verdict, ...]
    usage: Usage


async def judge(
    client: Client,
    metric: Metric,
    explanation: str,
    questions: Sequence[Question],
    *,
    per_prompt: int,
    probabilities: bool,
    seed: int,
    job_id: str,
    done: Callable[[int], None] = lambda n: None,
) -> Judged:
    """All or nothing: AnswerError where an answer cannot be used in `TRIES`, EndpointError where none came, Refused over the cap.

    An unusable answer is never a verdict. `done` is told how many windows have been judged. A call that was answered
    before for the same sample (see `Client`) is not made again.
    """
    batches = [questions[at : at + per_prompt] for at in range(0, len(questions), per_prompt)]
    finished = 0

    async def one(index: int) -> tuple[list[Verdict], Usage]:
        nonlocal finished
        batch = batches[index]
        # With a model that thinks first, the answer's own tokens would be bounded too tightly where rivals are asked for.
        rivals = RIVALS if probabilities and not client.endpoint.thinking_tokens else None
        found = await _batch(client, metric, explanation, batch, rivals, seed, job_id)
        finished += len(batch)
        done(finished)
        return found

    answered = await all_or_nothing(len(batches), one)
    return Judged(
        tuple(verdict for verdicts, _ in answered for verdict in verdicts),
        sum_usage(took for _, took in answered),
    )


async def _batch(
    client: Client,
    metric: Metric,
    explanation: str,
    batch: Sequence[Question],
    rivals: int | None,
    seed: int,
    job_id: str,
) -> tuple[list[Verdict], Usage]:
    passages = [prompts.passage(each.pieces, each.example.marked, metric) for each in batch]
    asked = prompts.messages(metric, explanation, passages)
    first = batch[0].example
    usage, reason = Usage(), ""
    for attempt in range(TRIES):
        request = ChatRequest(
            endpoint=client.endpoint.name,
            messages=asked,
            temperature=RETRY_TEMPERATURE if attempt else 0.0,
            max_tokens=prompts.longest_answer(len(batch)),
            seed=seed + attempt,
            schema_json=prompts.schema(len(batch)),
            nonce=f"{metric}/{first.excerpt}.{first.start}/{attempt}",
            top_logprobs=rivals,
        )
        completion = await client.chat(request, "judge", job_id)
        usage = usage.plus(completion.usage)
        try:
            said = answers.read(completion, len(batch))
        except AnswerError as error:
            reason = str(error)
            continue
        chances = answers.probabilities(completion.tokens, len(batch))
        verdicts = [Verdict(each.example, yes, p) for each, yes, p in zip(batch, said, chances, strict=True)]
        return verdicts, usage
    raise AnswerError(
        f"“{client.endpoint.name}” gave no usable verdict in {TRIES} tries: {reason}. Try again, or take a stronger model."
    )
