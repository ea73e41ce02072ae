import json

import pytest

from app import __version__
from app.domain.explanations import ExplainOptions, Method
from app.errors import AnswerError, EndpointError
from app.explain import Prompt, build_prompt, explain
from app.llm.client import Client
from app.llm.ledger import MemoryLedger
from app.llm.messages import messages_hash
from tests import scripted_server as wire
from tests.explain.neuron import VOCABULARY, neuron, statistics
from tests.scripted_server import ScriptedServer, chat

OPTIONS = ExplainOptions(Method.SUMMARY, explainer="scripted", seed=7)


@pytest.fixture
def prompt() -> Prompt:
    return build_prompt(Method.SUMMARY, neuron(), statistics(), VOCABULARY, OPTIONS)


async def test_an_explanation_comes_with_all_that_made_it(prompt):
    with ScriptedServer(
        chat(" The main thing this neuron does is find words for colours.", tokens_in=900)
    ) as server:
        client = Client(server.endpoint(price_in=1.0), MemoryLedger())
        explained = await explain(client, prompt, OPTIONS, "job-1")
        assert explained.text == "words for colours"
        made = explained.provenance
        assert (made.method, made.explainer) == ("summary", "scripted / scripted-model")
        assert (made.prompt_version, made.seed, made.code_version) == ("summary-2", 7, __version__)
        assert made.excerpts == (100, 101, 102, 103, 104)
        assert made.messages_hash == messages_hash(prompt.messages)
        assert json.loads(made.messages_json) == server.requests[0].messages
        assert made.usage.tokens_in == 900
        assert made.usage.cost_usd == pytest.approx(0.0009)
        parameters = json.loads(made.parameters_json)
        assert parameters["cut_off"] == "token_q99"
        assert parameters["cut_off_value"] == 1.9
        assert (parameters["temperature"], parameters["max_tokens"], parameters["sent_seed"]) == (1.0, 60, 7)
        assert parameters["failed_answers"] == []
        assert parameters["endpoint_settings"] == {}
        sent = server.requests[0].body
        assert (sent["temperature"], sent["max_tokens"], sent["seed"], sent["stop"]) == (1.0, 60, 7, ["\n"])


async def test_what_the_settings_change_is_part_of_what_made_it(prompt):
    with ScriptedServer(chat("\n\nwords for colours\n")) as server:
        thinker = server.endpoint(
            omit=["stop"], extra={"chat_template_kwargs": {"enable_thinking": True}}, thinking_tokens=900
        )
        explained = await explain(Client(thinker, MemoryLedger()), prompt, OPTIONS, "job-1")
        assert explained.text == "words for colours"
        assert json.loads(explained.provenance.parameters_json)["endpoint_settings"] == {
            "omit": ["stop"],
            "extra": {"chat_template_kwargs": {"enable_thinking": True}},
            "thinking_tokens": 900,
        }


async def test_an_answer_that_is_none_is_asked_for_again_and_its_reason_kept(prompt):
    with ScriptedServer(chat("words for colours")) as server:
        server.script(wire.refusal(), wire.leaked_reasoning())
        ledger = MemoryLedger()
        explained = await explain(Client(server.endpoint(), ledger), prompt, OPTIONS, "job-1")
        parameters = json.loads(explained.provenance.parameters_json)
        assert parameters["failed_answers"] == [
            "the model refused to answer",
            "the answer holds the model's reasoning instead of an explanation",
        ]
        assert (parameters["sent_seed"], parameters["temperature"]) == (9, 0.4)
        assert explained.provenance.seed == 7
        assert explained.provenance.usage.calls == 3
        assert [request.body["seed"] for request in server.requests] == [7, 8, 9]
        assert len({entry.request_key for entry in ledger.entries}) == 3


@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        (wire.refusal(), "refused"),
        (wire.leaked_reasoning(), "reasoning"),
        (wire.numbered_list(), "list"),
        (wire.empty(), "empty"),
        (chat(None), "empty"),
        (chat("words " * 10, finish_reason="length"), "repeats itself"),
        (chat(None, finish_reason="length"), "give its endpoint more thinking_tokens"),
    ],
)
async def test_it_gives_up_with_the_reason(prompt, reply, reason):
    with ScriptedServer(reply) as server:
        with pytest.raises(
            AnswerError, match=f"“scripted” gave no usable explanation in 3 tries: .*{reason}"
        ):
            await explain(Client(server.endpoint(), MemoryLedger()), prompt, OPTIONS, "job-1")
        assert server.calls == 3


async def test_different_reasons_are_all_told(prompt):
    with ScriptedServer(wire.empty()) as server:
        server.script(wire.refusal())
        with pytest.raises(
            AnswerError, match=r"1\) the model refused to answer; 2\) the answer is empty; 3\)"
        ):
            await explain(Client(server.endpoint(), MemoryLedger()), prompt, OPTIONS, "job-1")


async def test_a_repeated_job_makes_no_recorded_call_again(prompt):
    with ScriptedServer(chat("words for colours")) as server:
        server.script(wire.empty())
        ledger = MemoryLedger()
        first = await explain(Client(server.endpoint(), ledger), prompt, OPTIONS, "job-1")
        again = await explain(Client(server.endpoint(), ledger), prompt, OPTIONS, "job-1")
        assert server.calls == 2
        assert again == first
        await explain(Client(server.endpoint(), ledger), prompt, OPTIONS, "job-2")
        assert server.calls == 3


async def test_an_endpoint_that_fails_is_no_answer(prompt):
    with ScriptedServer(wire.server_error(401, "bad key")) as server:
        with pytest.raises(EndpointError, match="bad key"):
            await explain(Client(server.endpoint(), MemoryLedger()), prompt, OPTIONS, "job-1")
        assert server.calls == 1
