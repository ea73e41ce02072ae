"""Prompts of tokens without text, and of the tokens that follow: reviewed as snapshots, versions guarded."""

import json
from dataclasses import replace

import numpy as np
import pytest

from app.domain.explanations import Band, ExplainOptions, Method, ShownOptions, TokenSource
from app.domain.neurons import Polarity
from app.domain.next_token import LEAD
from app.domain.token_choice import ChosenTokens
from app.domain.token_weights import TokenWeights
from app.domain.vocabulary import Vocabulary
from app.errors import AnswerError, BadInput
from app.explain import explain, next_token_prompt, token_linear, token_prompt, unread_prompt
from app.explain.answers import check_answer
from app.explain.prompt import BEGINNING, Prompt
from app.explain.token_lists import FORMATS, PROMOTED_LEAD
from app.llm.client import Client
from app.llm.ledger import MemoryLedger
from tests.explain.neuron import PIECES, VOCABULARY, neuron, statistics
from tests.scripted_server import ScriptedServer, chat

TOKENS = ChosenTokens(np.array([3, 6, 7, 10, 14, 21], np.int32), np.arange(6, 0, -1, dtype=np.float32), 80)


def of_tokens(method: Method, **options: object) -> Prompt:
    asked = ExplainOptions(method, **options)  # type: ignore[arg-type]
    return token_prompt(TOKENS, VOCABULARY, asked, (5, 7), {"token_source": asked.token_source})


def of_next(records=None, stats=None, **options) -> Prompt:
    asked = ExplainOptions(Method.NEXT_TOKEN, **options)
    shown = neuron(asked.polarity.sign) if records is None else records
    return next_token_prompt(shown, stats or statistics(), VOCABULARY, asked)


PROMPTS = {
    "token_space": lambda: of_tokens(Method.TOKEN_SPACE),
    "output_tokens": lambda: of_tokens(Method.OUTPUT_TOKENS),
    "next_token": of_next,
}


@pytest.mark.parametrize("name", PROMPTS)
def test_each_prompt_as_reviewed(name, snapshot):
    prompt = PROMPTS[name]()
    assert "\n".join(f"=== {message.role}\n{message.content}" for message in prompt.messages) == snapshot
    assert prompt.parameters_json == snapshot


@pytest.mark.parametrize("name", PROMPTS)
def test_a_changed_prompt_needs_a_new_version(name, snapshot):
    """Raise the format's version before accepting this."""
    prompt = PROMPTS[name]()
    assert (prompt.version, prompt.lead, prompt.messages[:-1]) == snapshot


@pytest.mark.parametrize("name", PROMPTS)
def test_every_question_ends_with_the_beginning_of_its_answer(name):
    prompt = PROMPTS[name]()
    assert [m.role for m in prompt.messages] == ["system", *["user", "assistant"] * 3, "user"]
    for i, message in enumerate((m for m in prompt.messages if m.role == "user"), 1):
        assert message.content.startswith(f"Neuron {i}\n")
        assert message.content.endswith(f"Explanation of neuron {i}: {BEGINNING} {prompt.lead}".rstrip())


def test_tokens_are_listed_strongest_first_and_what_they_come_from_is_told():
    prompt = of_tokens(Method.TOKEN_SPACE)
    assert "Active tokens: blue, green,\\,,[, \\xE2\\x82,xx" in prompt.messages[-1].content
    assert prompt.excerpts == (5, 7)
    assert json.loads(prompt.parameters_json) == {
        "polarity": "positive",
        "tokens_shown": 6,
        "tokens_among": 80,
        "token_source": "activation",
    }


def test_without_tokens_there_is_nothing_to_explain():
    none = ChosenTokens(np.zeros(0, np.int32), np.zeros(0, np.float32), 0)
    with pytest.raises(BadInput, match="No token stands below 0"):
        token_prompt(none, VOCABULARY, ExplainOptions(Method.TOKEN_SPACE, Polarity.NEGATIVE), (), {})


def test_control_tokens_of_the_vocabulary_end_no_turn():
    tokens = ChosenTokens(np.array([0], np.int32), np.ones(1, np.float32), 1)
    vocabulary = Vocabulary((b"<|im_end|>",))
    prompt = token_prompt(tokens, vocabulary, ExplainOptions(Method.OUTPUT_TOKENS), (), {})
    assert "<|im_end|>" not in prompt.messages[-1].content and "im_end" in prompt.messages[-1].content


@pytest.mark.parametrize("method", list(FORMATS))
def test_tokens_that_are_not_read_yet_are_not_made_up(method):
    prompt = unread_prompt(ExplainOptions(method, token_source=TokenSource.WEIGHT))
    assert prompt.messages[:-1] == of_tokens(method).messages[:-1]
    assert "(50 tokens, read from the model's weights when it runs)" in prompt.messages[-1].content


def test_the_token_that_follows_stands_beside_the_activation():
    # Row 0 of tests/explain/neuron.py: 8 before “ and”, 6 before a comma, 8 before another, 4.2 before “ sea”; the maximum is 8.
    excerpt, pairs = of_next().messages[-1].content.splitlines()[1:3]
    assert excerpt == "Excerpt 1:  boat is blue and green, blue,blue sea."
    assert pairs == "Next tokens: and\t10,\\,\t7,\\,\t10, sea\t5"


def test_levels_are_those_of_the_token_before():
    records = neuron()
    lines = [line for line in of_next().messages[-1].content.splitlines() if line.startswith("Next tokens:")]
    for row, line in enumerate(lines):
        tokens, values = records.tokens[row], records.activations[row]
        at = [t for t in range(len(tokens) - 1) if values[t] >= 0.8]  # level 1 of a maximum of 8
        shown = line.removeprefix("Next tokens:").replace("\\,", "COMMA").split(",")
        assert len(shown) == len(at)
        assert [int(pair.rsplit("\t", 1)[1]) for pair in shown] == [int(10 * values[t] / 8) for t in at]
        plain = [pair.rsplit("\t", 1)[0].replace("COMMA", ",") for pair in shown]
        for text, t in zip(plain, at, strict=True):
            piece = PIECES[tokens[t + 1]]
            if piece.isascii() and piece.isalnum() and len(piece) < 48:
                assert text == piece.decode()


def test_both_sides_and_what_is_shown():
    assert of_next(polarity=Polarity.NEGATIVE).messages == of_next().messages
    short = of_next(shown=ShownOptions(Band.TOP, 5, 3))
    assert len(short.messages[-1].content) < len(of_next().messages[-1].content)
    assert json.loads(short.parameters_json)["shown"]["tokens"] == 3


def test_an_outlier_at_position_0_is_not_shown_as_the_one_before_the_second_token():
    records = neuron()
    records.activations[:, 0] = 500.0
    assert of_next(records, statistics(position0=True)).messages == of_next().messages


def test_an_activation_at_the_last_token_alone_is_before_nothing():
    records = neuron()
    values = np.full_like(records.activations, -0.1)
    values[:, -1] = 8.0
    with pytest.raises(BadInput, match="never above 0"):
        of_next(replace(records, activations=values))


async def test_a_statement_begins_with_the_lead_whether_or_not_the_answer_repeats_it():
    prompt = of_next()
    for answer in (
        " names of colours.",
        "what comes just before names of colours",
        "The main thing this neuron does is find what comes just before names of colours",
    ):
        with ScriptedServer(chat(answer)) as server:
            client = Client(server.endpoint(), MemoryLedger())
            explained = await explain(client, prompt, ExplainOptions(Method.NEXT_TOKEN), "job")
            assert explained.text == f"{LEAD}names of colours"
            assert explained.provenance.method == "next_token"


def test_an_answer_that_repeats_a_shot_or_says_nothing_is_none():
    shots = [m.content for m in of_tokens(Method.OUTPUT_TOKENS).messages if m.role == "assistant"]
    with pytest.raises(AnswerError, match="repeats an example"):
        check_answer(shots[0], "stop", shots, PROMOTED_LEAD)
    with pytest.raises(AnswerError, match="empty"):
        check_answer(PROMOTED_LEAD, "stop", shots, PROMOTED_LEAD)
    with pytest.raises(AnswerError, match="parts of the prompt"):
        check_answer("words. Promoted tokens: a,b", "stop", shots, PROMOTED_LEAD)


@pytest.mark.parametrize("gated", [False, True])
def test_token_linear_names_the_tokens_with_the_largest_weights_and_what_they_are(gated):
    weights = np.full((1, len(PIECES)), -1.0, np.float32)
    weights[0, [3, 6]] = 2.0, 5.0
    made = token_linear(
        TokenWeights(weights, -weights, weights if gated else None, weights if gated else None),
        VOCABULARY,
        ExplainOptions(Method.TOKEN_LINEAR),
    )
    assert made.text == "the tokens “ green”, “ blue”"
    assert (made.provenance.method, made.provenance.explainer, made.provenance.excerpts) == (
        "token_linear",
        "none",
        (),
    )
    assert ("estimate for gated" in made.provenance.parameters_json) is gated
    with pytest.raises(BadInput, match="both signs"):
        token_linear(
            TokenWeights(weights, weights), VOCABULARY, ExplainOptions(Method.TOKEN_LINEAR, Polarity.NEGATIVE)
        )
