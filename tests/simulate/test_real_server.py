"""Simulators with the real SmolLM2 behind llama.cpp's server: weak, but the path is the real one."""

import json
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from app.domain.explanations import Simulated, SimulatorName
from app.domain.neurons import Polarity
from app.llm.client import Client
from app.llm.demo_server import DemoServer
from app.llm.ledger import MemoryLedger
from app.llm.messages import ChatRequest, Message
from app.llm.structured import json_answer
from app.simulate import make
from app.simulate.chat_json import longest_answer, schema
from app.simulate.prompts import fields
from tests.llm.test_demo_server import smollm2
from tests.simulate.helpers import records_of

pytestmark = pytest.mark.slow
RECORDS, VOCABULARY = records_of([[b" cello", b"\n", b"<|im_end|>", b"\xe2\x82"]])


@pytest.fixture(scope="module")
def demo() -> Iterator[DemoServer]:
    with DemoServer.start(smollm2(), threads=2) as server:
        yield server


async def simulate(name: SimulatorName, demo: DemoServer, **fields: Any) -> tuple[Simulated, MemoryLedger]:
    ledger = MemoryLedger()
    async with Client(demo.endpoint().model_copy(update=fields), ledger) as client:
        made = make(name, client)
        args = ("musical instruments", RECORDS, VOCABULARY, Polarity.POSITIVE, 0, "job")
        return await made.simulate(*args), ledger


async def test_one_at_a_time_by_completions(demo: DemoServer) -> None:
    result, ledger = await simulate(SimulatorName.ONE_AT_A_TIME, demo, completions=True)
    assert len(ledger.entries) == 4
    assert ((result.expected > 0) & (result.expected < 10)).all()
    assert np.ptp(result.expected) > 0


async def test_the_schema_of_chat_json_is_understood_and_kept_to(demo: DemoServer) -> None:
    """Lengths, names and ranges; the order is the model's own work, which `read_answer` checks."""
    tokens = fields([b"\n", b"<|im_end|>", b'"'])
    question = Message("user", f"Rate these tokens from 0 to 10: {json.dumps(tokens)}")
    async with Client(demo.endpoint(), MemoryLedger()) as client:
        request = ChatRequest("demo", (question,), 0.0, longest_answer(tokens), schema_json=schema(tokens))
        entries = json_answer(await client.chat(request, "test", ""))["activations"]
    assert len(entries) == len(tokens)
    assert all(entry["token"] in tokens for entry in entries)
    assert all(0 <= entry["activation"] <= 10 for entry in entries)
