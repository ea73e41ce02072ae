"""Embeddings from an endpoint: proper answers, and every way in which they can be none."""

import json
import math

import numpy as np
import pytest

from app.domain.ledger import Outcome
from app.errors import BadInput, EndpointError, Refused
from app.llm.embeddings import EmbeddingRequest
from tests.scripted_server import (
    Reply,
    cut_off,
    dropped,
    embeddings,
    json_reply,
    nonsense,
    rate_limited,
    server_error,
    slow,
)

TEXTS = ("words about the sea", "closing brackets")
GOOD = embeddings([[3.0, 4.0], [0.0, -2.0]])


def asked(dimension: int | None = None, nonce: str = "job-1") -> EmbeddingRequest:
    return EmbeddingRequest("scripted", TEXTS, dimension, nonce)


async def test_vectors_come_in_the_order_of_the_texts_with_length_one(server, ledger, make_client):
    turned = json.loads(GOOD.body)
    turned["data"].reverse()
    server.script(json_reply(turned))
    client = make_client(price_in=2.0, extra={"dimensions": 2})
    found = await client.embed(asked(), "embed", "job-1")
    assert np.allclose(found.vectors, [[0.6, 0.8], [0, -1]]) and found.vectors.dtype == np.float32
    assert not found.cached and found.usage.tokens_in == 7 and found.usage.cost_usd == pytest.approx(14e-6)
    [request] = server.requests
    assert request.path == "/v1/embeddings"
    assert request.body == {"model": "scripted-model", "input": list(TEXTS), "dimensions": 2}
    [entry] = ledger.entries
    assert (entry.outcome, entry.tokens_out, entry.purpose) == (Outcome.OK, 0, "embed")


async def test_the_same_request_is_answered_from_the_ledger(server, ledger, make_client):
    server.script(GOOD)
    client = make_client()
    first = await client.embed(asked(), "embed", "job-1")
    again = await client.embed(asked(), "embed", "job-1")
    assert again.cached and np.array_equal(first.vectors, again.vectors) and server.calls == 1
    server.script(GOOD)
    await client.embed(asked(nonce="job-2"), "embed", "job-2")
    assert server.calls == 2


async def test_without_usage_the_tokens_are_estimated(server, ledger, make_client):
    server.script(embeddings([[1, 0], [0, 1]], tokens_in=None))
    found = await make_client().embed(asked(), "embed", "job-1")
    assert found.usage.tokens_in > 0 and found.usage.tokens_out == 0


PASSING = {
    "too few vectors": (embeddings([[1.0, 0.0]]), "holds 1 vectors for 2 texts"),
    "too many vectors": (embeddings([[1.0, 0.0]] * 3), "holds 3 vectors for 2 texts"),
    "none": (embeddings([]), "holds 0 vectors for 2 texts"),
    "of two lengths": (embeddings([[1.0, 0.0], [1.0]]), "vectors have 1 and 2 values"),
    "of no length": (embeddings([[], []]), "vectors have 0 values"),
    "NaN": (embeddings([[1.0, 0.0], [math.nan, 1.0]]), "zero, or holds what is no number"),
    "infinity": (embeddings([[1.0, 0.0], [math.inf, 1.0]]), "zero, or holds what is no number"),
    "zeros": (embeddings([[1.0, 0.0], [0.0, 0.0]]), "zero, or holds what is no number"),
    "null": (json_reply({"data": [{"embedding": [None, 1.0]}] * 2}), "unknown shape (at data.0.embedding.0"),
    "text": (json_reply({"data": [{"embedding": "AAAA"}] * 2}), "unknown shape (at data.0.embedding"),
    "one twice": (
        json_reply({"data": [{"index": 1, "embedding": [1.0]}] * 2}),
        "does not say which vector belongs to which text",
    ),
    "HTML": (nonsense(), "the answer is no JSON"),
    "cut short": (Reply(body=GOOD.body[:40]), "JSON cut short"),
    "500": (server_error(), "HTTP 500 (the model runner crashed)"),
    "connection breaks": (cut_off(), "broke"),
    "dropped": (dropped(), "broke"),
}


@pytest.mark.parametrize("kind", PASSING)
async def test_a_bad_answer_is_asked_for_again_and_never_used(server, ledger, make_client, kind):
    bad, words = PASSING[kind]
    server.script(bad, GOOD)
    found = await make_client().embed(asked(), "embed", "job-1")
    assert np.allclose(found.vectors, [[0.6, 0.8], [0, -1]]) and server.calls == 2
    assert words in ledger.entries[0].reason and ledger.entries[0].outcome is not Outcome.OK


@pytest.mark.parametrize("kind", PASSING)
async def test_an_endpoint_that_goes_on_so_is_given_up(server, ledger, make_client, kind):
    bad, words = PASSING[kind]
    server.default = bad
    with pytest.raises(EndpointError) as caught:
        await make_client(attempts=3).embed(asked(), "embed", "job-1")
    assert words in str(caught.value) and "after 3 tries" in str(caught.value) and server.calls == 3


async def test_another_dimension_than_what_is_stored_is_not_asked_for_again(server, ledger, make_client):
    server.default = GOOD
    with pytest.raises(
        EndpointError, match=r"2 values where 384 are stored .* give the endpoint another name"
    ):
        await make_client().embed(asked(dimension=384), "embed", "job-1")
    assert server.calls == 1
    found = await make_client().embed(asked(dimension=2, nonce="other"), "embed", "job-1")
    assert found.vectors.shape == (2, 2)


async def test_retry_after_is_kept_to(server, ledger, make_client, waits):
    server.script(rate_limited(retry_after=7), GOOD)
    await make_client().embed(asked(), "embed", "job-1")
    assert 7 <= sum(waits) <= 8.5


async def test_a_server_that_stalls_is_left(server, ledger, make_client):
    server.default = slow(30, GOOD)
    with pytest.raises(EndpointError, match=r"no answer from .* within 0\.2 s"):
        await make_client(timeout_s=0.2, attempts=2).embed(asked(), "embed", "job-1")
    assert [entry.outcome for entry in ledger.entries] == [Outcome.TIMEOUT] * 2


async def test_the_spending_cap_holds(server, ledger, make_client):
    with pytest.raises(Refused, match="spending cap"):
        await make_client(cap_usd=1e-9, price_in=10.0).embed(asked(), "embed", "job-1")
    assert server.calls == 0


async def test_no_text_is_no_question(server, ledger, make_client):
    with pytest.raises(BadInput):
        await make_client().embed(EmbeddingRequest("scripted", ()), "embed", "job-1")
    assert server.calls == 0
