import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from app.domain.next_token import LEAD, by_next_token, compared, judged, phrase, shifted
from app.domain.token_choice import drawn, strongest
from tests.explain.neuron import neuron


def test_an_activation_goes_to_the_token_that_follows_and_the_last_one_is_nowhere():
    records = neuron()
    moved = shifted(records)
    assert moved.tokens.tolist() == records.tokens[:, 1:].tolist()
    assert moved.activations.tolist() == records.activations[:, :-1].tolist()
    kept = judged(records)
    assert kept.tokens.tolist() == records.tokens[:, :-1].tolist()
    assert kept.activations.tolist() == moved.activations.tolist()


def test_only_statements_of_that_method_lose_a_position():
    records = neuron()
    expected = np.ones_like(records.activations)
    for method in ("next_token", "next_token_best_of_3"):
        assert by_next_token(method)
        of, predicted = compared(method, records, expected)
        assert of.activations.shape == predicted.shape == (5, 11)
    for method in ("summary", "summary_best_of_3", "revision", "human"):
        assert compared(method, records, expected) == (records, expected)


def test_the_phrase_is_the_statement_without_its_beginning():
    assert phrase(f"{LEAD}the word “of”") == "the word “of”"
    assert phrase("anything else") == "anything else"


VALUES = st.lists(st.floats(-10, 10, width=32), min_size=1, max_size=300)


@given(VALUES, st.integers(0, 9))
def test_tokens_are_the_strongest_above_0_and_a_draw_of_them(values: list[float], seed: int):
    array = np.array(values, np.float32)
    ids = np.arange(len(array), dtype=np.int32) * 2
    top = strongest(array, ids)
    assert len(top.ids) == top.among == min(100, int((array > 0).sum()))
    assert (np.diff(top.values) <= 0).all() and (top.values > 0).all()
    left_out = set(ids[array > 0].tolist()) - set(top.ids.tolist())
    assert all(array[i // 2] <= top.values[-1] for i in left_out)
    some = drawn(top, seed)
    assert len(some.ids) == min(50, top.among) and some.among == top.among
    assert set(some.ids.tolist()) <= set(top.ids.tolist()) and (np.diff(some.values) <= 0).all()
    assert drawn(top, seed).ids.tolist() == some.ids.tolist()


def test_another_seed_draws_other_tokens():
    top = strongest(np.arange(1, 101, dtype=np.float32), np.arange(100, dtype=np.int32))
    assert drawn(top, 0).ids.tolist() != drawn(top, 1).ids.tolist()
