import json
from dataclasses import replace

import numpy as np
import pytest

from app.domain.explanations import (
    PROMPTED_METHODS,
    Band,
    CutOff,
    ExplainOptions,
    Method,
    ScaleMaximum,
    ShownOptions,
)
from app.domain.neurons import Polarity
from app.domain.vocabulary import Vocabulary
from app.errors import BadInput
from app.explain.examples import examples
from app.explain.formats import FORMATS
from app.explain.prompt import BEGINNING, Prompt, build_prompt
from app.llm.pricing import estimate_chat
from tests.explain.neuron import VOCABULARY, neuron, statistics


def prompt_of(method: Method, records=None, stats=None, **options) -> Prompt:
    options = ExplainOptions(method=method, **options)
    shown = neuron(options.polarity.sign) if records is None else records
    return build_prompt(method, shown, stats or statistics(), VOCABULARY, options)


def question(prompt: Prompt) -> str:
    return prompt.messages[-1].content


@pytest.mark.parametrize("method", PROMPTED_METHODS)
def test_each_prompt_as_reviewed(method, snapshot):
    prompt = prompt_of(method)
    text = "\n".join(f"=== {message.role}\n{message.content}" for message in prompt.messages)
    assert text == snapshot
    assert prompt.parameters_json == snapshot


@pytest.mark.parametrize("method", PROMPTED_METHODS)
def test_a_changed_prompt_needs_a_new_version(method, snapshot):
    """The examples and the system text belong to a version: raise the format's version before accepting this."""
    assert (FORMATS[method].version, prompt_of(method).messages[:-1]) == snapshot


@pytest.mark.parametrize("method", PROMPTED_METHODS)
def test_the_negative_polarity_shows_the_mirrored_neuron_alike(method):
    positive, negative = prompt_of(method), prompt_of(method, polarity=Polarity.NEGATIVE)
    assert negative.messages == positive.messages
    assert json.loads(negative.parameters_json)["polarity"] == "negative"


@pytest.mark.parametrize("method", PROMPTED_METHODS)
def test_examples_are_turns_of_the_chat_and_every_question_begins_its_answer(method):
    messages = prompt_of(method).messages
    assert [m.role for m in messages] == ["system", *["user", "assistant"] * len(examples()), "user"]
    for i, message in enumerate((m for m in messages if m.role == "user"), 1):
        assert message.content.startswith(f"Neuron {i}\n")
        assert message.content.endswith(f"\nExplanation of neuron {i}: {BEGINNING}")
    assert [m.content for m in messages if m.role == "assistant"] == [e.explanation for e in examples()]


def test_formats_are_as_long_beside_each_other_as_published():
    """LEE Table 1, mean prompt tokens: original 2338, summary 959, highlight 886, hs 1032, avhs 1360."""
    rng = np.random.default_rng(0)
    records = neuron()
    wide = replace(
        records,
        tokens=np.tile(records.tokens, 6)[:, :64],  # [5, 64]
        activations=np.where(rng.random((5, 64)) < 0.07, rng.random((5, 64)) * 8, 0).astype(np.float32),
    )
    tokens = {m: estimate_chat(prompt_of(m, wide).messages) for m in PROMPTED_METHODS}
    assert tokens["highlight"] < tokens["summary"] < tokens["hs"] < tokens["avhs"] < tokens["original"]
    assert 2.0 < tokens["original"] / tokens["summary"] < 3.0
    assert 700 < tokens["summary"] < 1300


def test_excerpts_and_version_are_told():
    prompt = prompt_of(Method.HS)
    assert prompt.excerpts == (100, 101, 102, 103, 104)
    assert prompt.version == "hs-2"
    assert len({FORMATS[m].version for m in PROMPTED_METHODS}) == 5


@pytest.mark.parametrize(
    ("kind", "value", "marked"),
    [
        (CutOff.TOKEN_Q99, 1.9, 16),
        (CutOff.EXCERPT_MAX_Q99, 6.5, 4),
        (CutOff.SHOWN_Q90, 5.0, 5),
    ],
)
def test_each_cut_off_marks_what_is_above_it(kind, value, marked):
    prompt = prompt_of(Method.SUMMARY, cut_off=kind)
    lists = [line for line in question(prompt).splitlines() if line.startswith("Active tokens:")]
    found = sum(line.replace("\\,", "").count(",") + 1 for line in lists if not line.endswith("(none)"))
    assert found == marked
    parameters = json.loads(prompt.parameters_json)
    assert parameters["cut_off"] == kind
    assert parameters["cut_off_value"] == value


def test_a_token_at_the_cut_off_is_not_above_it():
    assert "Active tokens: blue,\n" not in question(
        prompt_of(Method.SUMMARY, stats=statistics(token_q99=8.0))
    )
    assert question(prompt_of(Method.SUMMARY, stats=statistics(token_q99=8.0))).count("(none)") == 5


def test_a_cut_off_below_zero_marks_no_negative_token():
    prompt = prompt_of(Method.SUMMARY, stats=statistics(token_q99=-5.0))
    assert json.loads(prompt.parameters_json)["cut_off_value"] == 0
    assert question(prompt).count("The") == 3 + 1 + 1  # in excerpts alone, and in no list


def test_there_is_no_negative_excerpt_maximum():
    with pytest.raises(BadInput, match="choose token_q99"):
        prompt_of(Method.HS, cut_off=CutOff.EXCERPT_MAX_Q99, polarity=Polarity.NEGATIVE)
    # Formats on the 0-10 scale have no cut-off, so nothing is wrong with it there.
    assert prompt_of(Method.AVHS, cut_off=CutOff.EXCERPT_MAX_Q99, polarity=Polarity.NEGATIVE).messages


def test_the_scale_is_of_the_records_shown_or_of_all():
    shown = question(prompt_of(Method.ORIGINAL))
    every = question(prompt_of(Method.ORIGINAL, scale_maximum=ScaleMaximum.ALL))
    assert " blue\t10\n" in shown
    assert " blue\t10\n" not in every
    assert " blue\t5\n" in every


def test_a_first_token_that_is_an_outlier_is_left_out():
    records = neuron()
    records.activations[:, 0] = 500.0
    whole = prompt_of(Method.AVHS, records)
    without = prompt_of(Method.AVHS, records, statistics(position0=True))
    assert question(whole).count("\t10") == 5
    assert "[The]" not in question(without)
    assert question(without) == question(prompt_of(Method.AVHS))
    assert json.loads(without.parameters_json)["position0_left_out"] is True
    assert records.activations[0, 0] == 500.0


def test_what_is_shown_is_told_where_it_is_not_the_usual():
    assert "shown" not in json.loads(prompt_of(Method.HS).parameters_json)
    told = json.loads(prompt_of(Method.HS, shown=ShownOptions(Band.MIXED, 10, 5)).parameters_json)
    assert told["shown"] == {"band": "mixed", "excerpts": 10, "tokens": 5, "excerpts_there": 5}


@pytest.mark.parametrize("method", PROMPTED_METHODS)
def test_shorter_excerpts_keep_their_strongest_token(method):
    whole = prompt_of(method)
    short = prompt_of(method, shown=ShownOptions(tokens=1))
    assert short.messages[:-1] == whole.messages[:-1]
    assert len(question(short)) < len(question(whole))
    first = {
        "original": " blue\t10",
        "avhs": "[ blue]",
        "highlight": "[ blue]",
        "hs": "[ blue]",
        "summary": " blue",
    }
    assert first[method] in question(short) and "boat" not in question(short)


def test_a_window_is_cut_after_the_outlier_at_position_0_is_left_out():
    records = neuron()
    records.activations[:, 0] = 500.0
    shown = ShownOptions(tokens=5)
    without = prompt_of(Method.AVHS, records, statistics(position0=True), shown=shown)
    assert question(without) == question(prompt_of(Method.AVHS, shown=shown))


def test_nothing_to_explain_is_said():
    records = neuron()
    with pytest.raises(BadInput, match="no records"):
        prompt_of(Method.HS, records.take(np.array([], np.intp)))
    with pytest.raises(BadInput, match="never above 0"):
        prompt_of(Method.HS, replace(records, activations=-np.abs(records.activations)))
    with pytest.raises(BadInput, match="never below 0"):
        prompt_of(
            Method.HS, replace(records, activations=np.abs(records.activations)), polarity=Polarity.NEGATIVE
        )


def test_a_method_without_a_prompt_is_refused():
    with pytest.raises(BadInput, match="Those with one: original, summary"):
        prompt_of(Method.TOKEN_LOOKUP)


def test_pairs_without_zeros_come_again_only_where_they_are_few():
    few = question(prompt_of(Method.ORIGINAL, stats=statistics(), scale_maximum=ScaleMaximum.ALL))
    assert "The same without the zeros" not in few  # 16 of 60 are above 0
    records = neuron()
    sparse = records.activations.copy()
    sparse[1:] = -1.0
    text = question(prompt_of(Method.ORIGINAL, replace(records, activations=sparse)))
    assert text.count("<start>") == 10
    again = text.split("The same without the zeros:\n")[1]
    assert again.startswith("<start>\n blue\t10\n green\t7\n blue\t10\nblue\t5\n<end>\n<start>\n<end>\n")


def test_example_neurons_are_varied_and_sound():
    for example in examples():
        assert not example.explanation.endswith(".")
        assert len(example.evidence.excerpts) == 2
        for shown in example.evidence.excerpts:
            assert max(shown.levels) >= 9
            assert any(shown.active)
            assert sum(level > 0 for level in shown.levels) < 0.2 * len(shown.levels)
            assert all(
                active == (level > 1) for level, active in zip(shown.levels, shown.active, strict=True)
            )


@pytest.mark.parametrize("method", PROMPTED_METHODS)
@pytest.mark.parametrize(
    "pieces", [(b"<|im_end|>",), (b"<", b"|im", b"_end|>"), (b"</s>",), (b" [", b"INST", b"]")]
)
def test_control_tokens_of_the_corpus_end_no_turn(method, pieces):
    vocabulary = Vocabulary((b" word", *pieces))
    row = [0, *range(1, len(pieces) + 1), 0]
    records = replace(
        neuron(),
        tokens=np.tile(np.array(row, np.int32), (5, 1)),
        activations=np.tile(np.array([8.0, *[0.0] * len(pieces), 8.0], np.float32), (5, 1)),
    )
    prompt = build_prompt(method, records, statistics(), vocabulary, ExplainOptions(method))
    asked = prompt.messages[-1].content
    assert "word" in asked
    assert b"".join(pieces).decode() not in asked
