"""Simulation token by token, against a server that also misbehaves."""

import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from app.domain.neurons import Polarity
from app.errors import AnswerError, EndpointError
from app.llm.client import Client
from app.llm.ledger import MemoryLedger
from app.simulate.one_at_a_time import OneAtATime
from tests.scripted_server import Recorded, Reply, Scored, ScriptedServer, chat, completion
from tests.simulate.helpers import NASTY, records_of
from tests.simulate.misbehaviour import BROKEN_SERVERS, down

ROWS = [[b"The", b" fid", b"dle", b"\n"], [b" an", b" old", b" fid", b"dle"]]
RECORDS, VOCABULARY = records_of(ROWS)
MakeClient = Callable[..., Client]
WAYS = [
    pytest.param({"completions": True}, id="completions"),
    pytest.param({"completions": False}, id="chat"),
]


def reply_to(request: Recorded, top: dict[str, float]) -> Reply:
    """One token with rivals, in the shape of the path that was asked."""
    token = next(iter(top), "x")
    if request.path.endswith("/chat/completions"):
        rivals = [{"token": t, "logprob": p} for t, p in top.items()]
        content = [{"token": token, "logprob": -0.1, "top_logprobs": rivals}]
        return chat(token, "length", logprobs={"content": content})
    return completion([Scored(token, -0.1, top)], "chat")


def question(request: Recorded) -> list[str]:
    """The lines of the excerpt that is asked about, the last one without its level."""
    return request.text[request.text.rindex("Its levels, from") :].split("\n")[1:]


def by_line(request: Recorded) -> Reply:
    """The level of the n-th token is likeliest n, with the next one close by."""
    n = len(question(request)) - 1
    return reply_to(request, {str(n % 9): np.log(0.6), "unknown": -2.0, str(n % 9 + 1): np.log(0.2)})


async def simulate(client: Client, rows: Any = None) -> Any:
    records, vocabulary = records_of(rows) if rows else (RECORDS, VOCABULARY)
    try:
        return await OneAtATime(client).simulate(
            "musical instruments", records, vocabulary, Polarity.POSITIVE, 0, "job-1"
        )
    finally:
        await client.aclose()


@pytest.mark.parametrize("way", WAYS)
async def test_one_call_a_token_each_shown_what_was_predicted(
    way: dict[str, bool], server: ScriptedServer, make_client: MakeClient
) -> None:
    server.default = by_line
    result = await simulate(make_client(**way))
    expected = np.array([0, 1, 2, 3]) + 0.25
    np.testing.assert_allclose(result.expected, np.tile(expected * 10 / 9, (2, 1)), atol=1e-5)
    assert server.calls == 8
    assert result.usage.calls == 8
    of_first = [question(r) for r in server.requests if question(r)[0].startswith("The")]
    assert of_first[0] == ["The\t"]
    assert of_first[3] == ["The\t0", " fid\t1", "dle\t2", "\\n\t"]
    parameters = json.loads(result.parameters_json)
    assert (parameters["scale"], parameters["by"]) == (9, "completions" if way["completions"] else "chat")


async def test_it_asks_for_one_token_without_echo(server: ScriptedServer, make_client: MakeClient) -> None:
    server.default = by_line
    await simulate(make_client())
    sent = server.requests[0].body
    assert (sent["echo"], sent["max_tokens"], sent["temperature"]) == (False, 1, 0)
    assert sent["logprobs"] == 20


@pytest.mark.parametrize("way", WAYS)
async def test_nasty_tokens(way: dict[str, bool], server: ScriptedServer, make_client: MakeClient) -> None:
    server.default = by_line
    result = await simulate(make_client(**way), [NASTY])
    expected = (np.arange(len(NASTY)) % 9 + 0.25) * 10 / 9
    np.testing.assert_allclose(result.expected[0], expected, atol=1e-5)
    assert all("<|im_end|>" not in r.text for r in server.requests)


@pytest.mark.parametrize("way", WAYS)
async def test_no_number_is_a_failure_and_not_zero(
    way: dict[str, bool], server: ScriptedServer, make_client: MakeClient
) -> None:
    server.default = lambda r: reply_to(r, {"The": -0.1, "10": -1.0}) if len(question(r)) == 3 else by_line(r)
    with pytest.raises(AnswerError, match="no level from 0 to 9 among its 2 likeliest answers for token 3"):
        await simulate(make_client(**way))


async def test_a_chat_without_log_probabilities_is_a_failure(
    server: ScriptedServer, make_client: MakeClient
) -> None:
    server.default = chat("5")
    with pytest.raises(AnswerError, match=r"no log probabilities.* chat_json"):
        await simulate(make_client(completions=False))
    server.default = lambda r: reply_to(r, {})
    with pytest.raises(AnswerError, match="no log probabilities"):
        await simulate(make_client(completions=True))


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(("reply", "reason"), BROKEN_SERVERS)
async def test_a_broken_server_fails_the_simulation_with_its_reason(
    reply: Reply, reason: str, way: dict[str, bool], server: ScriptedServer, make_client: MakeClient
) -> None:
    server.default = lambda r: reply if len(question(r)) == 4 else by_line(r)
    with pytest.raises(EndpointError, match=reason):
        await simulate(make_client(attempts=2, **way))


async def test_a_server_that_is_down() -> None:
    async def at_once(seconds: float) -> None:
        """No wait is sat through."""

    with pytest.raises(EndpointError, match="nothing answers"):
        await simulate(Client(down(), MemoryLedger(), sleep=at_once))


async def test_after_a_break_only_what_was_not_answered_is_asked(
    server: ScriptedServer, make_client: MakeClient
) -> None:
    server.default = lambda r: Reply(drop=True) if len(question(r)) == 3 else by_line(r)
    with pytest.raises(EndpointError):
        await simulate(make_client(attempts=1, concurrency=1))
    before = sum(len(question(r)) < 3 for r in server.requests)
    server.default = by_line
    await simulate(make_client())
    assert sum(len(question(r)) < 3 for r in server.requests) == 4
    assert before >= 2
