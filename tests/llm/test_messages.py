import json
from dataclasses import fields, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.llm.messages import ChatRequest, CompletionRequest, Message, messages_hash, messages_json

CHAT = ChatRequest("e", (Message("user", "a"),))
OTHER = {
    "endpoint": "f",
    "messages": (Message("user", "b"),),
    "temperature": 0.3,
    "max_tokens": 61,
    "seed": 5,
    "schema_json": "{}",
    "stop": ("\n",),
    "nonce": "n",
    "top_logprobs": 2,
    "prompt": "q",
    "echo": False,
    "logprobs": 9,
    "keep_from": 1,
}


@pytest.mark.parametrize("request_", [CHAT, CompletionRequest("e", "p")])
def test_every_part_of_a_request_is_in_its_key(request_):
    keys = {request_.key(), request_.key("a model")}
    for field in fields(request_):
        keys.add(replace(request_, **{field.name: OTHER[field.name]}).key())
    assert len(keys) == 2 + len(fields(request_))
    assert all(len(key) == 64 for key in keys)
    assert request_.key("m") == replace(request_).key("m")


def test_roles_and_contents_do_not_run_together():
    one = ChatRequest("e", (Message("user", "ab"), Message("user", "c")))
    two = ChatRequest("e", (Message("user", "a"), Message("user", "bc")))
    assert one.key() != two.key()
    assert messages_hash(one.messages) != messages_hash(two.messages)


@given(st.lists(st.tuples(st.sampled_from(["system", "user"]), st.text()), max_size=4))
def test_messages_are_kept_exactly(pairs):
    messages = tuple(Message(*pair) for pair in pairs)
    assert [(m["role"], m["content"]) for m in json.loads(messages_json(messages))] == pairs
    assert len(messages_hash(messages)) == 64
