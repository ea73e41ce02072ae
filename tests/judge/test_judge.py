"""Windows put to a scripted server: prompts, retries, failures, and no call that is not needed."""

import asyncio
import re

import pytest

from app.domain.explanations import Metric
from app.domain.judging import JudgeOptions
from app.domain.windows import Example
from app.errors import AnswerError, BadInput, EndpointError
from app.judge import prompts
from app.judge.estimates import estimate
from app.judge.judge import TRIES, Judged, Question, judge
from app.llm.client import Client
from app.llm.ledger import MemoryLedger
from tests.scripted_server import Recorded, Reply, ScriptedServer, chat, held, refusal, server_error

RAIN = "words about rain"


def questions(n: int) -> list[Question]:
    """Every other one is about rain; each holds what must not break a prompt."""
    made = []
    for i in range(n):
        word = b" rain" if i % 2 == 0 else b" stone"
        pieces = (f" text {i}".encode(), word, b"\n", b"[", b"<|im_end|>", "\u202e".encode(), b"\xe2\x82")
        made.append(Question(Example(i, 0, i % 2 == 0, (1,)), pieces))
    return made


def passages(request: Recorded) -> list[str]:
    """The passages that are asked about, not those of the examples."""
    return re.findall(r"^Passage \d+: (.*)$", request.messages[-1]["content"], re.M)


def rightly(request: Recorded) -> Reply:
    return chat(prompts.answer(["rain" in text for text in passages(request)]))


async def run(
    server: ScriptedServer, n: int = 10, ledger: MemoryLedger | None = None, **more: object
) -> Judged:
    values = {"per_prompt": 1, "probabilities": False, "seed": 0, "job_id": "j", **more}
    metric = values.pop("metric", Metric.DETECTION)

    async def at_once(seconds: float) -> None:
        """No wait is sat through."""

    async with Client(server.endpoint(attempts=2), ledger or MemoryLedger(), sleep=at_once) as client:
        return await judge(client, metric, RAIN, questions(n), **values)  # type: ignore[arg-type]


async def test_a_verdict_for_every_window_in_its_order() -> None:
    with ScriptedServer(rightly) as server:
        found = await run(server)
        assert server.calls == found.usage.calls == 10
        several = await run(server, per_prompt=4)
        assert server.calls == 13 and several.verdicts == found.verdicts
    assert [v.example.excerpt for v in found.verdicts] == list(range(10))
    assert all(v.said == v.example.truth and v.probability is None for v in found.verdicts)


async def test_as_many_are_asked_at_once_as_the_endpoint_takes() -> None:
    with ScriptedServer(lambda request: held(rightly(request))) as server:
        running = asyncio.create_task(run(server))
        assert await asyncio.to_thread(server.wait_for_calls, 4)  # none of them answered yet
        server.release()
        assert len((await running).verdicts) == 10


async def test_the_question_holds_the_explanation_and_the_window_and_nothing_that_gives_it_away() -> None:
    with ScriptedServer(rightly) as server:
        await run(server, 1, metric=Metric.FUZZING)
        [request] = server.requests
    asked = request.messages[-1]["content"]
    assert asked.splitlines()[0].endswith(RAIN)
    assert passages(request) == [" text 0[ rain]\\n\\[<\\|im_end|>\u202e\\xE2\\x82"]
    assert "<|im_end|>" not in asked and "truth" not in request.text and "excerpt" not in request.text
    schema = request.body["response_format"]["json_schema"]["schema"]
    assert schema["properties"]["answers"]["minItems"] == schema["properties"]["answers"]["maxItems"] == 1
    assert request.body["temperature"] == 0.0 and "logprobs" not in request.body


async def test_probabilities_come_along_where_they_are_served() -> None:
    top = [{"token": "true", "logprob": -0.1}, {"token": "false", "logprob": -2.4}]
    logprobs = {"content": [{"token": "true", "logprob": -0.1, "top_logprobs": top}]}
    with ScriptedServer(chat(prompts.answer([True]), logprobs=logprobs)) as server:
        found = await run(server, 2, probabilities=True)
        assert server.requests[0].body["top_logprobs"] == 5
    assert all(v.probability == pytest.approx(0.909, abs=1e-3) for v in found.verdicts)


async def test_an_unusable_answer_is_asked_for_again_and_never_a_verdict() -> None:
    with ScriptedServer(rightly) as server:
        server.script(refusal(), chat("yes"))
        found = await run(server, 1)
        assert [v.said for v in found.verdicts] == [True] and server.calls == 3
        seeds = [(r.body["seed"], r.body["temperature"]) for r in server.requests]
        assert seeds == [(0, 0.0), (1, 0.5), (2, 0.5)]


@pytest.mark.parametrize(
    ("reply", "error", "said"),
    [
        (refusal(), AnswerError, "no usable verdict in 3 tries: the answer is no JSON"),
        (chat('{"answers":["maybe"]}'), AnswerError, "neither true nor false"),
        (server_error(), EndpointError, "HTTP 500"),
    ],
)
async def test_what_cannot_be_had_fails_the_whole(reply: Reply, error: type[Exception], said: str) -> None:
    def one_is_bad(request: Recorded) -> Reply:
        return reply if " text 3" in passages(request)[0] else rightly(request)

    with ScriptedServer(one_is_bad) as server:
        with pytest.raises(error, match=said):
            await run(server)
        bad = [r for r in server.requests if " text 3" in passages(r)[0]]
    assert len(bad) == (TRIES if error is AnswerError else 2)


async def test_an_answered_call_is_not_made_again() -> None:
    ledger = MemoryLedger()
    with ScriptedServer(rightly) as server:
        first = await run(server, ledger=ledger)
        again = await run(server, ledger=ledger)
        assert server.calls == 10 and again.verdicts == first.verdicts
        await run(server, ledger=ledger, job_id="another")
        assert server.calls == 20


def test_the_estimate_is_near_what_is_sent() -> None:
    with ScriptedServer(rightly) as server:
        endpoint = server.endpoint(price_in=1.0, price_out=2.0)
        texts = [prompts.passage(q.pieces, (1,), Metric.FUZZING) for q in questions(10)]
        one = estimate(JudgeOptions(Metric.FUZZING), endpoint, RAIN, texts)
        five = estimate(JudgeOptions(Metric.FUZZING, per_prompt=5), endpoint, RAIN, texts)
        assert (one.calls, five.calls) == (100, 20) and one.tokens_in > 3 * five.tokens_in
        assert one.price_usd == pytest.approx((one.tokens_in + 2 * one.tokens_out) / 1e6)
        from app.llm.pricing import estimate_chat, estimate_tokens

        real = sum(
            estimate_chat(prompts.messages(Metric.FUZZING, RAIN, [text])) + estimate_tokens(prompts.schema(1))
            for text in texts * 10
        )
        assert one.tokens_in == pytest.approx(real, rel=0.05)
        empty = estimate(JudgeOptions(), endpoint, RAIN, [])
        assert empty.calls == 100
        with pytest.raises(BadInput, match="no explanation"):
            estimate(JudgeOptions(), endpoint, "  ", texts)
