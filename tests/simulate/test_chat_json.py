"""Simulation by structured chat answers, against a server that also misbehaves."""

import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from syrupy.assertion import SnapshotAssertion

from app.domain.explanations import Usage
from app.domain.neurons import Polarity
from app.errors import AnswerError, BadInput, EndpointError, Refused
from app.llm.client import Client
from app.llm.ledger import MemoryLedger
from app.llm.messages import Completion
from app.simulate.chat_json import ChatJson, longest_answer, prompt, read_answer, schema
from app.simulate.prompts import fields
from tests.scripted_server import Recorded, Reply, ScriptedServer, chat, leaked_reasoning, refusal, slow
from tests.simulate.helpers import NASTY, records_of
from tests.simulate.misbehaviour import BROKEN_SERVERS, down

ROWS = [[b"The", b" fid", b"dle", b"\n"], [b" an", b" old", b" fid", b"dle"]]
RECORDS, VOCABULARY = records_of(ROWS)
MakeClient = Callable[..., Client]


def asked(request: Recorded) -> list[str]:
    """The tokens that a request asks about."""
    return list(json.loads(request.messages[-1]["content"])["tokens"])


def entries(tokens: list[str]) -> list[dict[str, Any]]:
    """A right answer: every token's level is its length, at most 10."""
    return [{"token": token, "activation": min(len(token), 10)} for token in tokens]


def well(request: Recorded) -> Reply:
    return chat(json.dumps({"activations": entries(asked(request))}))


async def simulate(client: Client, job: str = "job-1", seed: int = 7) -> Any:
    try:
        return await ChatJson(client).simulate(
            "musical instruments", RECORDS, VOCABULARY, Polarity.POSITIVE, seed, job
        )
    finally:
        await client.aclose()


def test_prompt(snapshot: SnapshotAssertion) -> None:
    messages = prompt("musical instruments", fields([b"The", b" fid", b"dle", b"\n", b"\xe2\x82", b"<|x|>"]))
    assert "\n\n".join(f"[{m.role}]\n{m.content}" for m in messages) == snapshot


async def test_levels_come_back_in_the_records_order(server: ScriptedServer, make_client: MakeClient) -> None:
    server.default = well
    result = await simulate(make_client(price_in=1.0))
    assert result.expected.tolist() == [[3, 4, 3, 2], [3, 4, 4, 3]]
    assert result.expected.dtype == np.float32
    assert result.excerpts.tolist() == [100, 101]
    assert result.usage == Usage(200, 20, pytest.approx(200e-6), result.usage.seconds, 2)
    assert json.loads(result.parameters_json)["scale"] == 10
    sent = server.requests[0].body
    wanted = sent["response_format"]["json_schema"]["schema"]["properties"]["activations"]
    assert (wanted["minItems"], wanted["maxItems"]) == (4, 4)
    assert sent["temperature"] == 0
    assert sent["seed"] == 7


async def test_nasty_tokens_make_the_round_trip(server: ScriptedServer, make_client: MakeClient) -> None:
    server.default = well
    records, vocabulary = records_of([NASTY])
    client = make_client()
    result = await ChatJson(client).simulate("x", records, vocabulary, Polarity.NEGATIVE, 0, "j")
    await client.aclose()
    assert result.expected.shape == (1, len(NASTY))
    assert "<|im_end|>" not in server.requests[0].text
    assert len(server.requests[0].text) < 20_000


GOOD = entries(["The", " fid", "dle", "\\n"])
BAD_ANSWERS = [
    pytest.param(json.dumps({"activations": GOOD[:-1]}), "3 activations for 4 tokens", id="short"),
    pytest.param(json.dumps({"activations": [*GOOD, GOOD[0]]}), "5 activations for 4", id="long"),
    pytest.param(json.dumps({"activations": []}), "0 activations", id="none"),
    pytest.param(json.dumps({"activations": GOOD[::-1]}), "instead of", id="other-order"),
    pytest.param(
        json.dumps([{**e, "token": e["token"].strip()} for e in GOOD]), 'token "fid" instead', id="no-space"
    ),
    pytest.param(json.dumps([{**e, "activation": 11} for e in GOOD]), "between 0 and 10", id="above"),
    pytest.param(json.dumps([{**e, "activation": -1} for e in GOOD]), "between 0 and 10", id="below"),
    pytest.param(json.dumps([{**e, "activation": "3"} for e in GOOD]), "no number", id="text"),
    pytest.param(json.dumps([{**e, "activation": True} for e in GOOD]), "no number", id="true"),
    pytest.param(json.dumps([{**e, "activation": None} for e in GOOD]), "no number", id="null"),
    pytest.param(json.dumps([{**e, "activation": float("nan")} for e in GOOD]), "no JSON", id="NaN"),
    pytest.param(
        json.dumps([{**e, "activation": 0.5} for e in GOOD]).replace("0.5", "1e999"), "between", id="inf"
    ),
    pytest.param(json.dumps([{"token": e["token"]} for e in GOOD]), "no token with its", id="no-value"),
    pytest.param(json.dumps([{**e, "why": ""} for e in GOOD]), "no token with its", id="more"),
    pytest.param(json.dumps([3, 4, 3, 2]), "no token with its", id="bare-numbers"),
    pytest.param(json.dumps({"levels": GOOD}), "no list of activations", id="other-name"),
    pytest.param(json.dumps({"activations": GOOD})[:-9], "no JSON", id="truncated"),
    pytest.param("[" * 100_000, "no JSON|without end", id="nested"),
    pytest.param("", "empty", id="empty"),
    pytest.param("The levels are 3, 4, 3 and 2.", "no JSON", id="prose"),
]


@pytest.mark.parametrize(("text", "reason"), BAD_ANSWERS)
async def test_an_answer_that_is_wrong_in_any_way_is_never_a_number(
    text: str, reason: str, server: ScriptedServer, make_client: MakeClient
) -> None:
    server.default = lambda r: chat(text) if asked(r)[0] == "The" else well(r)
    with pytest.raises(AnswerError, match=reason) as raised:
        await simulate(make_client())
    assert "“scripted” gave no usable levels for an excerpt in 3 tries" in str(raised.value)
    assert sum(asked(r)[0] == "The" for r in server.requests) == 3


@pytest.mark.parametrize("reply", [refusal(), leaked_reasoning(), chat("", finish_reason="content_filter")])
async def test_what_models_say_instead_is_no_answer(
    reply: Reply, server: ScriptedServer, make_client: MakeClient
) -> None:
    server.default = reply
    with pytest.raises(AnswerError, match="in 3 tries"):
        await simulate(make_client())


async def test_an_answer_at_its_longest_is_cut_off_even_if_it_reads_well(
    server: ScriptedServer, make_client: MakeClient
) -> None:
    server.default = lambda r: chat(json.dumps(entries(asked(r))), finish_reason="length")
    with pytest.raises(AnswerError, match="cut off"):
        await simulate(make_client())


async def test_a_bad_answer_is_asked_for_again_as_another_call(
    server: ScriptedServer, make_client: MakeClient, ledger: MemoryLedger
) -> None:
    server.default = well
    server.script(chat("nonsense"))
    result = await simulate(make_client(concurrency=1))
    assert result.expected.tolist() == [[3, 4, 3, 2], [3, 4, 4, 3]]
    assert result.usage.calls == 3
    again = [r.body for r in server.requests if asked(r) == asked(server.requests[0])][1]
    assert again["seed"] == 8
    assert again["temperature"] > 0
    assert len({e.request_key for e in ledger.entries}) == 3


async def test_the_same_job_asks_nothing_twice_and_another_job_asks_anew(
    server: ScriptedServer, make_client: MakeClient
) -> None:
    server.default = well
    first = await simulate(make_client())
    second = await simulate(make_client())
    assert server.calls == 2
    assert (first.expected == second.expected).all()
    await simulate(make_client(), job="job-2")
    assert server.calls == 4


@pytest.mark.parametrize(("reply", "reason"), BROKEN_SERVERS)
async def test_a_broken_server_fails_the_simulation_with_its_reason(
    reply: Reply, reason: str, server: ScriptedServer, make_client: MakeClient
) -> None:
    server.default = reply
    with pytest.raises(EndpointError, match=reason):
        await simulate(make_client(attempts=2))


async def test_one_broken_excerpt_fails_all(server: ScriptedServer, make_client: MakeClient) -> None:
    server.default = well
    server.script(well, Reply(drop=True))
    with pytest.raises(EndpointError):
        await simulate(make_client(attempts=1, concurrency=1))


async def test_a_server_that_is_down_or_too_slow(server: ScriptedServer, make_client: MakeClient) -> None:
    async def at_once(seconds: float) -> None:
        """No wait is sat through."""

    with pytest.raises(EndpointError, match="nothing answers"):
        await simulate(Client(down(), MemoryLedger(), sleep=at_once))
    server.default = slow(30)
    with pytest.raises(EndpointError, match=r"within 0\.2 s"):
        await simulate(make_client(attempts=1, timeout_s=0.2))


async def test_a_spending_cap_refuses_before_anything_is_sent(
    server: ScriptedServer, make_client: MakeClient
) -> None:
    with pytest.raises(Refused, match="spending cap"):
        await simulate(make_client(0.000001, price_in=1000.0))
    assert server.calls == 0


async def test_an_empty_explanation_is_refused(server: ScriptedServer, make_client: MakeClient) -> None:
    client = make_client()
    with pytest.raises(BadInput):
        await ChatJson(client).simulate(" ", RECORDS, VOCABULARY, Polarity.POSITIVE, 0, "j")
    assert server.calls == 0


async def test_at_most_the_endpoints_concurrency_is_under_way(
    server: ScriptedServer, make_client: MakeClient
) -> None:
    server.default = well
    records, vocabulary = records_of([[b"a", bytes([98 + i])] for i in range(12)])
    client = make_client(concurrency=2)
    await ChatJson(client).simulate("x", records, vocabulary, Polarity.POSITIVE, 0, "j")
    await client.aclose()
    assert server.calls == 12
    assert server.most_at_once <= 2


def answer(text: str) -> Completion:
    return Completion(text, "stop", Usage())


@given(
    st.lists(st.tuples(st.text(max_size=8), st.integers(0, 10) | st.floats(0, 10)), max_size=8), st.booleans()
)
def test_reading_gives_back_what_was_written(pairs: list[tuple[str, float]], fenced: bool) -> None:
    text = json.dumps({"activations": [{"token": t, "activation": a} for t, a in pairs]})
    if fenced:
        text = f"```json\n{text}\n```"
    assert read_answer(answer(text), [t for t, _ in pairs]) == [a for _, a in pairs]


@given(st.text(max_size=60) | st.recursive(st.none() | st.floats() | st.text(), st.lists).map(json.dumps))
def test_reading_anything_gives_levels_or_says_why_not(text: str) -> None:
    try:
        levels = read_answer(answer(text), ["a"])
    except AnswerError as error:
        assert str(error)
    else:
        assert len(levels) == 1
        assert 0 <= levels[0] <= 10


def test_the_longest_answer_has_room_for_all_tokens() -> None:
    tokens = fields(NASTY)
    text = json.dumps({"activations": [{"token": t, "activation": 10} for t in tokens]}, indent=2)
    assert len(text.split()) < longest_answer(tokens)
    levels = json.loads(schema(tokens))["properties"]["activations"]
    assert (levels["minItems"], levels["maxItems"]) == (len(NASTY), len(NASTY))
    assert set(levels["items"]["properties"]["token"]["enum"]) == set(tokens)
