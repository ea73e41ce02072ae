"""Simulation by echoed log probabilities, against a server that also misbehaves."""

import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.domain.neurons import Polarity
from app.errors import AnswerError, BadInput, EndpointError
from app.llm.client import Client
from app.llm.ledger import MemoryLedger
from app.simulate.logprobs import Logprobs
from tests.scripted_server import Recorded, Reply, Scored, ScriptedServer, completion
from tests.simulate.helpers import NASTY, cut, echoing, records_of, rivals_of
from tests.simulate.misbehaviour import BROKEN_SERVERS, down

ROWS = [[b"The", b" fid", b"dle", b"\n"], [b" an", b" old", b" fid", b"dle"], [b"a", b"b", b"c", b"d"]]
RECORDS, VOCABULARY = records_of(ROWS)
SHAPES = ["classic", "chat"]
MakeClient = Callable[..., Client]


def by_slot(slot: int, slots: int) -> dict[str, float]:
    return rivals_of(slot % 11)


async def simulate(client: Client, rows: Any = None, explanation: str = "musical “instruments”") -> Any:
    records, vocabulary = records_of(rows) if rows else (RECORDS, VOCABULARY)
    try:
        return await Logprobs(client).simulate(
            explanation, records, vocabulary, Polarity.POSITIVE, 3, "job-1"
        )
    finally:
        await client.aclose()


@pytest.mark.parametrize("shape", SHAPES)
async def test_each_token_gets_the_expectation_at_its_own_slot(
    shape: str, server: ScriptedServer, make_client: MakeClient
) -> None:
    server.default = echoing(by_slot, shape)
    result = await simulate(make_client())
    np.testing.assert_allclose(result.expected, [[0, 1, 2, 3]] * 3, atol=1e-5)
    assert result.excerpts.tolist() == [100, 101, 102]
    assert server.calls == 3
    assert json.loads(result.parameters_json)["scale"] == 10
    sent = server.requests[0].body
    assert (sent["echo"], sent["max_tokens"], sent["temperature"]) == (True, 1, 0)


async def test_the_expectation_is_over_the_numbers_alone(
    server: ScriptedServer, make_client: MakeClient
) -> None:
    server.default = echoing(lambda slot, slots: {"unknown": -0.1, "10": np.log(0.3), "0": np.log(0.1)})
    result = await simulate(make_client())
    np.testing.assert_allclose(result.expected, np.full((3, 4), 7.5), atol=1e-5)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("before", [(), ("<s>",), ("<|begin_of_text|>",), ("",)])
async def test_nasty_tokens_do_not_shift_the_slots(
    shape: str, before: tuple[str, ...], server: ScriptedServer, make_client: MakeClient
) -> None:
    server.default = echoing(by_slot, shape, before=before)
    result = await simulate(make_client(), [NASTY])
    np.testing.assert_allclose(result.expected[0], [i % 11 for i in range(len(NASTY))], atol=1e-5)


@settings(max_examples=15)
@given(
    st.lists(
        st.sampled_from(NASTY) | st.binary(max_size=6) | st.text(max_size=4).map(str.encode), min_size=1
    ),
    st.sampled_from(SHAPES),
)
async def test_any_tokens_at_all_do_not_shift_the_slots(pieces: list[bytes], shape: str) -> None:
    with ScriptedServer(echoing(by_slot, shape)) as server:
        result = await simulate(Client(server.endpoint(), MemoryLedger()), [pieces])
    np.testing.assert_allclose(result.expected[0], [i % 11 for i in range(len(pieces))], atol=1e-5)


async def test_a_tokenizer_that_splits_ten_is_asked_on_the_scale_to_nine(
    server: ScriptedServer, make_client: MakeClient
) -> None:
    server.default = echoing(lambda slot, slots: rivals_of(9 if slot == 1 else 0), split_ten=True)
    result = await simulate(make_client())
    np.testing.assert_allclose(result.expected, [[0, 10, 0, 0]] * 3, atol=1e-5)
    assert json.loads(result.parameters_json)["scale"] == 9
    assert server.calls == 4  # one to find out
    assert result.usage.calls == 4
    assert "from 0 to 10" in server.requests[0].text
    assert all("0 to 10" not in r.text for r in server.requests[1:])


async def test_what_was_found_out_is_remembered(server: ScriptedServer, make_client: MakeClient) -> None:
    server.default = echoing(by_slot, split_ten=True)
    client = make_client()
    simulator = Logprobs(client)
    for job in ("job-1", "job-2"):
        await simulator.simulate("x", RECORDS, VOCABULARY, Polarity.POSITIVE, 0, job)
    await client.aclose()
    assert server.calls == 4 + 3


async def test_no_number_is_a_failure_and_not_zero(server: ScriptedServer, make_client: MakeClient) -> None:
    server.default = echoing(lambda slot, slots: {"unknown": -0.1} if slot == 2 else rivals_of(5))
    with pytest.raises(AnswerError, match="no number among the 1 likeliest tokens for token 3"):
        await simulate(make_client())


async def test_slots_without_rivals_are_a_failure(server: ScriptedServer, make_client: MakeClient) -> None:
    server.default = echoing(lambda slot, slots: {})
    with pytest.raises(AnswerError, match="no number"):
        await simulate(make_client())


async def test_a_tokenizer_that_joins_the_tab_is_found_out(
    server: ScriptedServer, make_client: MakeClient
) -> None:
    def joined(prompt: str) -> list[str]:
        tokens: list[str] = []
        for token in cut(prompt):
            if token == "unknown" and tokens and tokens[-1] == "\t":
                tokens[-1] += token
            else:
                tokens.append(token)
        return tokens

    server.default = echoing(by_slot, tokenize=joined)
    with pytest.raises(AnswerError, match=r"joins a tab .* Use the simulator one_at_a_time or chat_json"):
        await simulate(make_client())


def ignores_echo(shape: str, words: tuple[str, ...] = ("5",)) -> Reply:
    return completion([Scored(word, -0.1, {word: -0.1, "0": -3.0}) for word in words], shape)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("words", [("5",), ("A", " neuron", " of"), ("Levels", ":", "\n")])
async def test_a_server_that_ignores_echo_is_found_out(
    shape: str, words: tuple[str, ...], server: ScriptedServer, make_client: MakeClient
) -> None:
    server.default = ignores_echo(shape, words)
    with pytest.raises(EndpointError, match=r"ignores `echo`.* Use the simulator one_at_a_time or chat_json"):
        await simulate(make_client())
    assert server.calls == 1


async def test_a_server_without_log_probabilities_is_found_out(
    server: ScriptedServer, make_client: MakeClient
) -> None:
    def bare(request: Recorded) -> Reply:
        body = json.loads(completion([]).body)
        body["choices"][0] |= {"text": request.text + "5", "logprobs": None}
        return Reply(body=json.dumps(body).encode())

    server.default = bare
    with pytest.raises(EndpointError, match=r"no log probabilities.* Use the simulator"):
        await simulate(make_client())


async def test_log_probabilities_that_are_no_numbers_are_refused(
    server: ScriptedServer, make_client: MakeClient
) -> None:
    server.default = echoing(lambda slot, slots: {"5": float("nan")})
    with pytest.raises(EndpointError):
        await simulate(make_client(attempts=1))


@pytest.mark.parametrize(("reply", "reason"), BROKEN_SERVERS)
async def test_a_broken_server_fails_the_simulation_with_its_reason(
    reply: Reply, reason: str, server: ScriptedServer, make_client: MakeClient
) -> None:
    server.default = reply
    with pytest.raises(EndpointError, match=reason):
        await simulate(make_client(attempts=2))


async def test_a_server_that_is_down() -> None:
    async def at_once(seconds: float) -> None:
        """No wait is sat through."""

    with pytest.raises(EndpointError, match="nothing answers"):
        await simulate(Client(down(completions=True), MemoryLedger(), sleep=at_once))


async def test_one_broken_excerpt_fails_all(server: ScriptedServer, make_client: MakeClient) -> None:
    well = echoing(by_slot)
    server.default = lambda r: Reply(drop=True) if "\nb\tunknown" in r.text else well(r)
    with pytest.raises(EndpointError):
        await simulate(make_client(attempts=1))


async def test_the_same_job_asks_nothing_twice(server: ScriptedServer, make_client: MakeClient) -> None:
    server.default = echoing(by_slot, split_ten=True)
    first, second = await simulate(make_client()), await simulate(make_client())
    assert server.calls == 4
    assert (first.expected == second.expected).all()


async def test_an_endpoint_that_is_not_set_up_for_completions(
    server: ScriptedServer, make_client: MakeClient
) -> None:
    with pytest.raises(BadInput, match="completions"):
        await simulate(make_client(completions=False))
    assert server.calls == 0
