"""What a dry run says of scoring, against what is sent then."""

import json
from collections.abc import Callable

import pytest

from app.domain.explanations import SimulatorName
from app.domain.neurons import Polarity
from app.llm.client import Client
from app.llm.pricing import estimate_tokens
from app.simulate import make
from app.simulate.estimates import Estimate, estimate
from tests.scripted_server import Recorded, Responder, ScriptedServer
from tests.simulate.helpers import echoing, records_of
from tests.simulate.test_chat_json import well
from tests.simulate.test_logprobs import by_slot
from tests.simulate.test_one_at_a_time import by_line

EXPLANATION = "musical instruments"
ROWS = [[b"The", b" fid", b"dle", b" is"] * 6, [b" an", b" old", b" fid", b"dle"] * 6]


def tokens_of(request: Recorded) -> int:
    schema = request.body.get("response_format", {}).get("json_schema", {}).get("schema")
    return estimate_tokens(request.text) + (estimate_tokens(json.dumps(schema)) if schema else 0)


@pytest.mark.parametrize(
    ("simulator", "reply"),
    [
        (SimulatorName.CHAT_JSON, well),
        (SimulatorName.LOGPROBS, echoing(by_slot, "classic")),
        (SimulatorName.ONE_AT_A_TIME, by_line),
    ],
)
async def test_calls_are_as_many_and_prompts_as_long_as_said(
    simulator: SimulatorName, reply: Responder, server: ScriptedServer, make_client: Callable[..., Client]
) -> None:
    server.default = reply
    records, vocabulary = records_of(ROWS)
    client = make_client(price_in=2.0, price_out=10.0)
    said = estimate(simulator, client.endpoint, EXPLANATION, ROWS)
    await make(simulator, client).simulate(EXPLANATION, records, vocabulary, Polarity.POSITIVE, 0, "job-1")
    await client.aclose()
    assert said.calls == server.calls
    assert said.tokens_in == pytest.approx(sum(map(tokens_of, server.requests)), rel=0.05)
    assert said.tokens_out == sum(request.body["max_tokens"] for request in server.requests)
    assert said.price_usd == pytest.approx((2 * said.tokens_in + 10 * said.tokens_out) / 1e6)


def test_simulators_that_ask_nobody_take_nothing(server: ScriptedServer) -> None:
    for simulator in (SimulatorName.LOCAL, SimulatorName.TOKEN_LOOKUP):
        assert estimate(simulator, server.endpoint(price_in=1.0), EXPLANATION, ROWS) == Estimate(0, 0, 0, 0.0)
