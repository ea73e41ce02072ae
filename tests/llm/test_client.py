import asyncio

import pytest

from app.domain.ledger import Outcome
from app.errors import BadInput, EndpointError, Refused
from app.llm.client import Client
from app.llm.ledger import MemoryLedger
from app.llm.messages import ChatRequest, CompletionRequest, Message
from tests import scripted_server as wire
from tests.scripted_server import Scored, ScriptedServer, chat, down_endpoint, held, slow

ASK = ChatRequest("scripted", (Message("user", "What is it for?"),), nonce="job/0")


async def test_an_answer_is_given_with_what_it_took_and_written_down(make_client, server, ledger):
    server.script(chat("words about ships", tokens_in=1000, tokens_out=50))
    client = make_client(price_in=2.0, price_out=10.0)
    answer = await client.chat(ASK, "explain", "job")
    assert answer.text == "words about ships"
    assert answer.finish_reason == "stop"
    assert not answer.cached
    assert answer.usage[:3] == (1000, 50, pytest.approx(0.0025))
    (entry,) = ledger.entries
    assert (entry.outcome, entry.attempt, entry.status) == (Outcome.OK, 1, 200)
    assert (entry.job_id, entry.purpose, entry.endpoint) == ("job", "explain", "scripted")
    assert entry.cost_usd == pytest.approx(0.0025)
    assert entry.created_at.tzinfo is not None
    assert entry.seconds >= 0


async def test_the_request_is_what_was_asked(make_client, server, monkeypatch):
    monkeypatch.setenv("A_KEY", "sesame")
    request = ChatRequest(
        "scripted",
        (Message("system", "s"), Message("user", "u")),
        temperature=0.5,
        max_tokens=7,
        seed=11,
        schema_json='{"type":"object"}',
        top_logprobs=3,
    )
    await make_client(api_key_env="A_KEY").chat(request, "explain", "")
    (seen,) = server.requests
    assert seen.authorization == "Bearer sesame"
    assert seen.body["messages"] == [
        {"role": "system", "content": "s"},
        {"role": "user", "content": "u"},
    ]
    assert seen.body["model"] == "scripted-model"
    assert (seen.body["temperature"], seen.body["max_tokens"], seen.body["seed"]) == (0.5, 7, 11)
    assert (seen.body["logprobs"], seen.body["top_logprobs"]) == (True, 3)
    assert seen.body["response_format"]["json_schema"]["schema"] == {"type": "object"}


async def test_the_same_request_is_answered_from_the_ledger_and_paid_once(make_client, server, ledger):
    client = make_client(price_in=1.0)
    first = await client.chat(ASK, "explain", "job")
    again = await client.chat(ASK, "explain", "job")
    assert server.calls == 1
    assert again.cached
    assert (again.text, again.usage) == (first.text, first.usage)
    assert len(ledger.entries) == 1
    other = ChatRequest(ASK.endpoint, ASK.messages, nonce="job/1")
    assert not (await client.chat(other, "explain", "job")).cached
    assert server.calls == 2


async def test_of_two_answers_to_one_request_both_are_paid_and_the_first_is_given(
    make_client, server, ledger
):
    def first(request):
        server.wait_for_calls(2)  # so that the second one, too, finds no answer yet
        return chat("the first", tokens_in=10**6)

    server.script(first, held(chat("the second", tokens_in=10**6)))
    client = make_client(price_in=1.0)
    both = [asyncio.create_task(client.chat(ASK, "explain", "job")) for _ in range(2)]
    await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
    server.release()
    answers = await asyncio.gather(*both)
    assert [a.text for a in answers] == ["the first", "the first"]
    assert [a.usage.cost_usd for a in answers] == pytest.approx([1.0, 1.0])  # each says what it took
    assert [e.outcome for e in ledger.entries] == [Outcome.OK, Outcome.REJECTED]
    assert ledger.spent() == pytest.approx(2.0)


async def test_another_model_under_the_same_name_is_asked_anew(make_client, server):
    await make_client().chat(ASK, "explain", "job")
    await make_client(model="another").chat(ASK, "explain", "job")
    assert [request.body["model"] for request in server.requests] == ["scripted-model", "another"]


@pytest.mark.parametrize(
    ("reply", "outcome", "words"),
    [
        (wire.server_error(), Outcome.HTTP_ERROR, "HTTP 500 (the model runner crashed)"),
        (wire.rate_limited(), Outcome.HTTP_ERROR, "HTTP 429 (Rate limit reached)"),
        (wire.nonsense(), Outcome.REJECTED, "the answer is no JSON"),
        (wire.truncated(), Outcome.REJECTED, "the answer is JSON cut short"),
        (wire.Reply(), Outcome.REJECTED, "the answer is empty"),
        (
            wire.json_reply({"error": {"message": "x"}}),
            Outcome.REJECTED,
            "unknown shape (at choices: field required)",
        ),
        (wire.json_reply([]), Outcome.REJECTED, "unknown shape"),
        (wire.no_choices(), Outcome.REJECTED, "the answer holds no choice"),
        (wire.json_reply({"choices": [{"index": 0}]}), Outcome.REJECTED, "the answer holds no message"),
        (
            wire.json_reply({"choices": [{"message": {"content": [{"type": "image"}]}}]}),
            Outcome.REJECTED,
            "unknown shape (at choices.0.message.content",
        ),
        (wire.cut_off(), Outcome.CONNECTION, "broke"),
        (wire.dropped(), Outcome.CONNECTION, "broke"),
    ],
)
async def test_misbehaviour_is_tried_again_and_each_try_written_down(
    make_client, server, ledger, waits, reply, outcome, words
):
    server.script(reply, reply, chat("at last"))
    answer = await make_client().chat(ASK, "explain", "job")
    assert answer.text == "at last"
    assert server.calls == 3
    assert [entry.outcome for entry in ledger.entries] == [outcome, outcome, Outcome.OK]
    assert [entry.attempt for entry in ledger.entries] == [1, 2, 3]
    assert words in ledger.entries[0].reason
    assert ledger.entries[0].answer_json == ""
    assert 0.25 <= waits[0] <= 0.5 <= waits[1] <= 1.0


async def test_it_gives_up_after_the_attempts_of_the_settings(make_client, server, ledger, waits):
    server.default = wire.server_error(503, "overloaded")
    with pytest.raises(EndpointError, match=r"“scripted” failed after 4 tries: HTTP 503 \(overloaded\)"):
        await make_client(attempts=4).chat(ASK, "explain", "job")
    assert server.calls == len(ledger.entries) == 4
    assert len(waits) == 3
    assert ledger.spent() == 0


async def test_waits_are_the_same_again_for_the_same_request(make_client, server, waits):
    server.default = wire.server_error()
    for _ in range(2):
        with pytest.raises(EndpointError):
            await make_client().chat(ASK, "explain", "job")
    assert waits[:4] == waits[4:]


@pytest.mark.parametrize("status", [400, 401, 403, 404, 422])
async def test_what_no_try_can_mend_is_tried_once(make_client, server, status):
    server.default = wire.server_error(status, "no")
    with pytest.raises(EndpointError, match=f"failed: HTTP {status}"):
        await make_client().chat(ASK, "explain", "job")
    assert server.calls == 1


async def test_an_exhausted_quota_is_not_asked_again(make_client, server):
    server.default = wire.json_reply(
        {"error": {"message": "pay up", "code": "insufficient_quota"}}, status=429
    )
    with pytest.raises(EndpointError, match="pay up"):
        await make_client().chat(ASK, "explain", "job")
    assert server.calls == 1


async def test_retry_after_is_honoured(make_client, server, waits):
    server.script(wire.rate_limited(7), wire.rate_limited(0))
    await make_client().chat(ASK, "explain", "job")
    assert server.calls == 3
    assert 7 <= sum(waits) <= 7.7


async def test_what_is_asked_of_one_request_holds_for_the_next(make_client, server, waits):
    server.script(wire.rate_limited(7))
    client = make_client(attempts=1)
    with pytest.raises(EndpointError, match="429"):
        await client.chat(ASK, "explain", "job")
    assert not waits
    await client.chat(ChatRequest("scripted", ASK.messages, nonce="next"), "explain", "job")
    assert 7 <= sum(waits) <= 7.7


async def test_a_retry_after_beyond_the_bound_is_a_failure_that_says_so(make_client, server, waits):
    server.script(wire.rate_limited(86400))
    with pytest.raises(EndpointError, match="asks to wait 86400 s"):
        await make_client().chat(ASK, "explain", "job")
    assert server.calls == 1
    assert not waits


async def test_nothing_listening(ledger):
    async def no_wait(seconds: float) -> None:
        """Do not wait."""

    client = Client(down_endpoint(attempts=2, price_in=5.0), ledger, sleep=no_wait)
    with pytest.raises(EndpointError, match=r"failed after 2 tries: nothing answers at 127\.0\.0\.1:\d+"):
        await client.chat(ASK, "explain", "job")
    assert [entry.outcome for entry in ledger.entries] == [Outcome.CONNECTION] * 2
    assert ledger.spent() == 0


async def test_too_slow_is_a_timeout_that_counts_at_its_upper_bound(make_client, server, ledger):
    server.script(slow(30.0), slow(30.0))
    client = make_client(timeout_s=0.1, attempts=2, price_out=1e6)
    with pytest.raises(EndpointError, match=r"no answer from 127\.0\.0\.1:\d+ within 0\.1 s"):
        await client.chat(ASK, "explain", "job")
    assert [entry.outcome for entry in ledger.entries] == [Outcome.TIMEOUT] * 2
    assert [entry.cost_usd for entry in ledger.entries] == [ASK.max_tokens] * 2


async def test_a_rejected_answer_is_paid_for(make_client, server, ledger):
    usage = {"prompt_tokens": 10, "completion_tokens": 0}
    server.script(wire.json_reply({"choices": [], "usage": usage}))
    answer = await make_client(price_in=1e6).chat(ASK, "explain", "job")
    assert [entry.cost_usd for entry in ledger.entries] == [10, 100]
    assert answer.usage.tokens_in == 110
    assert answer.usage.calls == 2


async def test_an_answer_without_usage_is_counted_by_estimate(make_client, server):
    server.script(chat("words about ships", tokens_in=None))
    answer = await make_client(price_in=1.0).chat(ASK, "explain", "job")
    assert answer.usage.tokens_in > 0
    assert answer.usage.tokens_out == 3


async def test_a_cancelled_call_is_written_down(make_client, server, ledger):
    server.script(held())
    task = asyncio.create_task(make_client(price_out=1e6).chat(ASK, "explain", "job"))
    assert await asyncio.to_thread(server.wait_for_calls, 1)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert [entry.reason for entry in ledger.entries] == ["cancelled before the answer came"]
    assert ledger.spent() == ASK.max_tokens


async def test_the_cap_refuses_before_sending(make_client, server, ledger):
    client = make_client(cap_usd=150.0, price_out=1e6)  # a dollar a token
    server.default = chat("x", tokens_in=0, tokens_out=60)
    for i in range(2):
        await client.chat(ChatRequest("scripted", ASK.messages, nonce=str(i)), "explain", "job")
    with pytest.raises(
        Refused, match=r"could cost \$60\.0000, and \$120\.0000 of the spending cap of \$150\.00"
    ):
        await client.chat(ASK, "explain", "job")
    assert server.calls == 2
    assert len(ledger.entries) == 2
    # What is in the ledger costs nothing, whatever the cap.
    again = await client.chat(ChatRequest("scripted", ASK.messages, nonce="0"), "explain", "job")
    assert again.cached


async def test_requests_under_way_count_against_the_cap(make_client, server):
    client = make_client(cap_usd=150.0, price_out=1e6)
    server.default = held()
    under_way = [
        asyncio.create_task(
            client.chat(ChatRequest("scripted", ASK.messages, nonce=str(i)), "explain", "job")
        )
        for i in range(2)
    ]
    assert await asyncio.to_thread(server.wait_for_calls, 2)
    with pytest.raises(Refused, match="under way"):
        await client.chat(ASK, "explain", "job")
    server.release()
    await asyncio.gather(*under_way)
    assert server.calls == 2
    # They cost ten tokens each in the end, so there is room again.
    await client.chat(ASK, "explain", "job")
    assert server.calls == 3


async def test_a_free_endpoint_is_asked_even_when_the_cap_is_reached(make_client, server):
    paid = make_client(cap_usd=10.0, price_out=1e6)
    server.script(chat("x", tokens_in=0, tokens_out=10))
    await paid.chat(ChatRequest("scripted", ASK.messages, max_tokens=10), "explain", "job")
    await make_client(cap_usd=10.0).chat(ASK, "explain", "job")
    assert server.calls == 2


async def test_a_missing_key_is_refused_before_sending(make_client, server, monkeypatch):
    monkeypatch.delenv("NO_SUCH_KEY", raising=False)
    with pytest.raises(Refused, match="NO_SUCH_KEY is empty"):
        await make_client(api_key_env="NO_SUCH_KEY").chat(ASK, "explain", "job")
    assert server.calls == 0


async def test_an_address_that_is_none_is_said_to_be_none(ledger):
    client = Client(down_endpoint(base_url="localhost:8080/v1"), ledger)
    with pytest.raises(EndpointError, match="no web address"):
        await client.chat(ASK, "explain", "job")


async def test_a_key_that_a_server_repeats_is_not_written_down(make_client, server, ledger, monkeypatch):
    monkeypatch.setenv("A_KEY", "sesame-open")
    server.default = wire.server_error(401, "Incorrect API key provided: sesame-open. See the manual.")
    with pytest.raises(EndpointError) as caught:
        await make_client(api_key_env="A_KEY").chat(ASK, "explain", "job")
    assert "sesame" not in str(caught.value) + ledger.entries[0].reason
    assert "Incorrect API key" in str(caught.value)


async def test_no_organisation_of_the_environment_is_sent_along(make_client, server, monkeypatch):
    monkeypatch.setenv("OPENAI_ORG_ID", "org-secret")
    monkeypatch.setenv("OPENAI_PROJECT_ID", "project-secret")
    await make_client().chat(ASK, "explain", "job")
    sent = server.requests[0].headers
    assert "secret" not in str(sent)
    assert not {"openai-organization", "openai-project"} & set(sent)


async def test_a_model_that_wants_max_completion_tokens_gets_it(make_client, server):
    server.script(
        wire.server_error(400, "Unsupported parameter: use 'max_completion_tokens' instead of 'max_tokens'.")
    )
    client = make_client()
    await client.chat(ASK, "explain", "job")
    await client.chat(ChatRequest("scripted", ASK.messages, nonce="next"), "explain", "job")
    assert [("max_completion_tokens" in r.body, "max_tokens" in r.body) for r in server.requests] == [
        (False, True),
        (True, False),
        (True, False),
    ]


async def test_of_many_at_once_each_learns_what_the_model_wants(make_client, server):
    def picky(request: wire.Recorded) -> wire.Reply:
        if "max_tokens" not in request.body:
            return chat("words about ships")
        server.wait_for_calls(2)  # both are under way before either is refused
        return wire.server_error(400, "Use 'max_completion_tokens' instead of 'max_tokens'.")

    server.default = picky
    client = make_client()
    asked = [
        client.chat(ChatRequest("scripted", ASK.messages, nonce=nonce), "explain", "job") for nonce in "ab"
    ]
    assert [answer.text for answer in await asyncio.gather(*asked)] == ["words about ships"] * 2


async def test_settings_shape_what_is_sent(make_client, server):
    request = ChatRequest("scripted", ASK.messages, max_tokens=7, stop=("\n",))
    client = make_client(
        omit=["temperature", "stop", "seed"], extra={"reasoning_effort": "low"}, thinking_tokens=500
    )
    await client.chat(request, "explain", "job")
    body = server.requests[0].body
    assert not {"temperature", "stop", "seed"} & set(body)
    assert (body["reasoning_effort"], body["max_tokens"]) == ("low", 507)
    await make_client().chat(request, "explain", "job")
    assert server.calls == 2  # asked in another way, it is another question


async def test_where_rivals_are_asked_for_nothing_is_left_to_think(make_client, server):
    request = ChatRequest("scripted", ASK.messages, max_tokens=1, top_logprobs=5)
    await make_client(thinking_tokens=500).chat(request, "simulate", "job")
    assert server.requests[0].body["max_tokens"] == 1


async def test_thinking_counts_against_the_cap(make_client, server):
    with pytest.raises(Refused):
        await make_client(1.0, price_out=1e4, thinking_tokens=500).chat(ASK, "explain", "job")
    assert server.calls == 0


@pytest.mark.parametrize(
    ("answered", "read", "reason"),
    [
        ("words about ships\nAnd more of it", "words about ships", "stop"),
        ("\n\nwords about ships\n", "words about ships", "stop"),
        ("words about ships", "words about ships", "length"),
        ("\n\nwords", "\n\nwords", "length"),
    ],
)
async def test_an_answer_ends_where_it_was_to_stop(make_client, server, answered, read, reason):
    server.script(chat(answered, finish_reason="length"))
    request = ChatRequest("scripted", ASK.messages, stop=("\n",))
    answer = await make_client(omit=["stop"]).chat(request, "explain", "job")
    assert (answer.text, answer.finish_reason) == (read, reason)


@pytest.mark.parametrize("field", ["temperature", "stop", "seed"])
async def test_a_refused_field_comes_with_what_to_do(make_client, server, field):
    server.default = wire.server_error(
        400, f"Unsupported parameter: '{field}' is not supported with this model."
    )
    with pytest.raises(
        EndpointError,
        match=rf'not supported with this model\.\)\. Add omit = \["{field}"\] to this endpoint\'s settings\.$',
    ):
        await make_client().chat(ASK, "explain", "job")
    assert server.calls == 1


async def test_what_an_endpoint_does_not_serve_is_not_asked(make_client, server):
    with pytest.raises(BadInput, match="serves no chats"):
        await make_client(chat=False).chat(ASK, "explain", "job")
    with pytest.raises(BadInput, match="not set up for completions"):
        await make_client(completions=False).complete(CompletionRequest("scripted", "a"), "simulate", "job")
    assert server.calls == 0


async def test_at_most_the_configured_number_at_once(make_client, server):
    server.default = held()
    client = make_client(concurrency=2)
    tasks = [
        asyncio.create_task(
            client.chat(ChatRequest("scripted", ASK.messages, nonce=str(i)), "explain", "job")
        )
        for i in range(6)
    ]
    assert await asyncio.to_thread(server.wait_for_calls, 2)
    assert not await asyncio.to_thread(server.wait_for_calls, 3, 0.2)
    server.release()
    await asyncio.gather(*tasks)
    assert server.calls == 6
    assert server.most_at_once == 2


PROMPT = "The cat\nsat"
TOKENS = [
    Scored("The", None),
    Scored(" cat", -3.0, {" dog": -1.0, " cat": -3.0}),
    Scored("\n", -1.0),
    Scored("sat", -2.0),
    Scored(" on", -0.5, {" on": -0.5}),
]


@pytest.mark.parametrize("shape", ["classic", "chat"])
async def test_both_shapes_of_echoed_log_probabilities(make_client, server, ledger, shape):
    server.script(wire.completion(TOKENS, shape))
    request = CompletionRequest("scripted", PROMPT, logprobs=2, nonce="n")
    client = make_client()
    answer = await client.complete(request, "simulate", "job")
    assert [t.token for t in answer.tokens] == ["The", " cat", "\n", "sat", " on"]
    assert [t.offset for t in answer.tokens] == [0, 3, 7, 8, 11]
    assert answer.tokens[0].logprob is None
    assert answer.tokens[1].top == ((" dog", -1.0), (" cat", -3.0))
    assert answer.text == " on"
    body = server.requests[0].body
    assert (body["echo"], body["logprobs"], body["max_tokens"]) == (True, 2, 1)
    again = await client.complete(request, "simulate", "job")
    assert again.cached
    assert again.tokens == answer.tokens
    assert server.calls == 1


async def test_only_what_is_asked_for_is_kept(make_client, server, ledger):
    server.default = wire.completion(TOKENS)
    request = CompletionRequest("scripted", PROMPT, keep_from=7)
    answer = await make_client().complete(request, "simulate", "job")
    assert [t.token for t in answer.tokens] == ["\n", "sat", " on"]
    assert "cat" not in ledger.entries[0].answer_json


@pytest.mark.parametrize("shape", ["classic", "chat"])
async def test_a_server_that_ignores_echo_is_found_out_at_once(make_client, server, ledger, shape):
    server.default = wire.completion([Scored(" on", -0.5, {" on": -0.5})], shape)
    with pytest.raises(EndpointError, match="ignores `echo`"):
        await make_client().complete(CompletionRequest("scripted", PROMPT), "simulate", "job")
    assert server.calls == 1
    assert ledger.entries[0].outcome is Outcome.REJECTED


@pytest.mark.parametrize("shape", ["classic", "chat"])
async def test_without_echo_the_first_answered_token_follows_the_prompt(make_client, server, shape):
    server.default = wire.completion([Scored(" on", -0.5, {" on": -0.5})], shape)
    answer = await make_client().complete(
        CompletionRequest("scripted", PROMPT, echo=False), "simulate", "job"
    )
    assert [(t.token, t.offset) for t in answer.tokens] == [(" on", len(PROMPT))]


async def test_an_echoed_text_without_its_log_probabilities_is_no_answer(make_client, server):
    choice = {"index": 0, "text": PROMPT + " on", "finish_reason": "length", "logprobs": None}
    server.default = wire.json_reply({"choices": [choice]})
    with pytest.raises(EndpointError, match="no log probabilities"):
        await make_client().complete(CompletionRequest("scripted", PROMPT), "simulate", "job")


async def test_lists_that_disagree_in_length_are_rejected_and_tried_again(make_client, server, ledger):
    logprobs = {"tokens": ["The", " cat"], "token_logprobs": [None], "top_logprobs": None}
    server.script(wire.json_reply({"choices": [{"text": "The cat", "logprobs": logprobs}]}))
    server.script(wire.completion(TOKENS))
    await make_client().complete(CompletionRequest("scripted", PROMPT), "simulate", "job")
    assert "2 tokens and 1 log probabilities do not match" in ledger.entries[0].reason


async def test_impossible_tokens_survive_the_ledger(make_client, server):
    server.script(wire.completion([Scored("a", float("-inf"), {"b": float("-inf")})]))
    client = make_client()
    request = CompletionRequest("scripted", "p", echo=False)
    first = await client.complete(request, "simulate", "job")
    again = await client.complete(request, "simulate", "job")
    assert again.cached
    assert again.tokens == first.tokens
    assert again.tokens[0].logprob == float("-inf")


async def test_a_log_probability_that_is_no_number_is_rejected(make_client, server, ledger):
    server.script(wire.completion([Scored("a", float("nan"))]), wire.completion([Scored("a", -1.0)]))
    await make_client().complete(CompletionRequest("scripted", "p", echo=False), "simulate", "job")
    assert ledger.entries[0].reason == "a log probability is no number"


def test_one_client_serves_several_event_loops():
    with ScriptedServer() as server:
        client = Client(server.endpoint(), MemoryLedger())

        async def ask(nonce: str) -> str:
            async with client:
                return (await client.chat(ChatRequest("scripted", ASK.messages, nonce=nonce), "e", "j")).text

        assert [asyncio.run(ask(n)) for n in "ab"] == ["words about the sea and ships"] * 2
        assert server.calls == 2


def test_the_client_is_cheap_to_import():
    import subprocess
    import sys

    code = (
        "import sys, app.llm.client, app.explain; print([m for m in ('openai', 'torch') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


async def test_tokens_from_the_provider_s_cache_cost_less(make_client, server, ledger):
    server.script(chat("x", tokens_in=1000, tokens_out=10, cached=600))
    made = make_client(price_in=10.0, price_cached=1.0, price_out=100.0)
    done = await made.chat(ASK, "explain", "job")
    [entry] = ledger.entries
    assert (entry.tokens_in, entry.tokens_cached) == (1000, 600)
    assert entry.cost_usd == pytest.approx((400 * 10 + 600 * 1 + 10 * 100) / 1e6)
    assert done.usage.cost_usd == entry.cost_usd


async def test_a_cache_that_claims_more_than_the_prompt_is_not_believed(make_client, server, ledger):
    server.script(chat("x", tokens_in=10, tokens_out=1, cached=1_000_000))
    await make_client(price_in=10.0, price_cached=1.0).chat(ASK, "explain", "job")
    assert ledger.entries[0].tokens_cached == 10


async def test_another_job_s_answer_is_given_for_nothing_and_said_so(make_client, server, ledger):
    client = Client(
        server.endpoint(), ledger, sample_of=lambda job_id: job_id if job_id == "fresh" else "shared"
    )
    server.script(chat("x"))
    await client.chat(ASK, "explain", "job-1")
    again = await client.chat(ASK, "explain", "job-2")
    assert again.cached and server.calls == 1
    assert ledger.given == [(ledger.entries[0].request_key, "job-2")]
    await client.chat(ASK, "explain", "job-1")  # its own, as after a kill
    assert len(ledger.given) == 1
    server.script(chat("y"))
    assert (await client.chat(ASK, "explain", "fresh")).text == "y"
