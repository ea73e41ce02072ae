"""Texts that an explainer wrote: which are none, which are active, and how they are stored."""

import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain import live_texts
from app.domain.live_texts import LiveText, Role, Sentence, divided, from_step, problem_of, to_step
from app.domain.neurons import Polarity
from tests.domain.layers import layer, statistics_of, table

rng = np.random.default_rng(0)
STATS = replace(statistics_of(layer(rng, table(rng), 1), 0), token_q99=1.0, token_q01=-2.0, position0=False)
POSITIVE, NEGATIVE = Polarity.POSITIVE, Polarity.NEGATIVE


def test_a_token_is_active_strictly_above_the_quantile_of_its_side() -> None:
    assert not live_texts.is_active([0.5, 1.0, -9.0], STATS, POSITIVE)
    assert live_texts.is_active([0.5, 1.001], STATS, POSITIVE)
    assert not live_texts.is_active([9.0, -2.0], STATS, NEGATIVE)
    assert live_texts.is_active([9.0, -2.001], STATS, NEGATIVE)


def test_a_position_0_outlier_activates_nothing() -> None:
    outlier = replace(STATS, position0=True)
    assert live_texts.is_active([5.0, 0.0], STATS, POSITIVE)
    assert not live_texts.is_active([5.0, 0.0], outlier, POSITIVE)
    assert live_texts.is_active([0.0, 5.0], outlier, POSITIVE)


def test_no_threshold_is_below_zero_and_an_unknown_one_is_zero() -> None:
    assert live_texts.threshold_of(replace(STATS, token_q99=-0.1), POSITIVE) == 0.0
    assert live_texts.threshold_of(replace(STATS, token_q99=float("nan")), POSITIVE) == 0.0
    assert live_texts.threshold_of(STATS, NEGATIVE) == 2.0


@pytest.mark.parametrize(
    ("texts", "said"),
    [
        (["A first one.", "  "], "text 2 is empty"),
        (["...!", "A second."], "text 1 is empty"),
        (["It rains.", "it  RAINS!"], "text 2 repeats an earlier one"),
        (["bad \ufffd byte"], "text 1 holds characters that no text has"),
        (["a\x00b"], "text 1 holds characters that no text has"),
        (["Known already."], "text 1 repeats an earlier one"),
        (["One thing.", "Another."], ""),
    ],
)
def test_what_is_no_text_is_said(texts: list[str], said: str) -> None:
    assert problem_of(texts, {live_texts.same("known already")}) == said


def test_a_length_out_of_bounds_is_said_and_nothing_is_cut() -> None:
    assert live_texts.length_problem([3, 64]) == ""
    assert live_texts.length_problem([10, 65]) == "text 2 has 65 tokens instead of 3 to 64"
    assert live_texts.length_problem([2]) == "text 1 has 2 tokens instead of 3 to 64"


def test_half_are_kept_drawn_by_the_seed_alone() -> None:
    roles = divided(10, 5, 7)
    assert roles.count(Role.KEPT) == roles.count(Role.EVIDENCE) == 5
    assert roles == divided(10, 5, 7)
    assert len({tuple(divided(10, 5, seed)) for seed in range(20)}) > 10


@given(
    st.text(max_size=40),
    st.lists(st.floats(-1e5, 1e5, width=32), min_size=1, max_size=20),
    st.sampled_from(Role),
    st.booleans(),
)
def test_a_sentence_survives_being_stored(text: str, values: list[float], role: Role, active: bool) -> None:
    exact = live_texts.exact(np.array(values, np.float32))
    assert np.array(exact, np.float32).tolist() == np.array(values, np.float32).tolist()
    sentence = Sentence(LiveText(text, tuple(range(len(values))), exact), role, active, 0.25)
    step = to_step(sentence)
    assert from_step(step) == sentence
    assert json.loads(step.data_json)["false_positive"] is not active
    assert ('"false_positive":true' in step.data_json) is not active  # what the store counts


def test_a_sentence_of_the_corpus_is_no_false_positive() -> None:
    sentence = Sentence(LiveText("x", (1,), (0.0,)), Role.EVIDENCE, False, 0.0, excerpt=12)
    assert not sentence.false_positive and from_step(to_step(sentence)) == sentence
