import pytest

from app.domain.explanations import ExplainOptions, Method
from app.explain import Prompt, build_prompt, preview
from app.llm.pricing import estimate_chat
from tests.explain.neuron import VOCABULARY, neuron, statistics
from tests.scripted_server import ScriptedServer, down_endpoint


@pytest.fixture
def prompt() -> Prompt:
    return build_prompt(Method.HS, neuron(), statistics(), VOCABULARY, ExplainOptions(Method.HS))


def test_a_server_on_this_machine_counts_exactly_and_no_model_is_asked(prompt):
    with ScriptedServer() as server:
        server.tokenize = lambda text: range(1234)
        seen = preview(prompt, server.endpoint(price_in=2.0, price_out=10.0))
        assert (seen.tokens, seen.exact) == (1234, True)
        assert seen.price_usd == pytest.approx((1234 * 2.0 + 60 * 10.0) / 1e6)
        assert seen.messages == prompt.messages
        assert server.calls == 0


def test_without_a_tokenizer_the_count_is_an_estimate_and_says_so(prompt):
    with ScriptedServer() as server:
        for endpoint in (server.endpoint(price_in=1.0), down_endpoint(price_in=1.0)):
            seen = preview(prompt, endpoint)
            assert (seen.tokens, seen.exact) == (estimate_chat(prompt.messages), False)
            assert seen.price_usd == pytest.approx(seen.tokens / 1e6)
        assert server.calls == 0


def test_another_machine_is_not_asked_to_count(prompt, monkeypatch):
    import app.llm.counting

    def never(*args: object) -> None:
        raise AssertionError("something was sent")

    monkeypatch.setattr(app.llm.counting, "_post", never)
    assert not preview(prompt, down_endpoint(base_url="https://llm.invalid/v1")).exact
