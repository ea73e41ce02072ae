"""The local simulator against the slow reference, and its limits."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest
import torch
from transformers import LlamaForCausalLM

from app.errors import BadInput, ModelError
from app.subject.load import Subject
from app.subject.simulator import KEPT_PREFIXES, ROOM, Cancelled, LocalSimulator
from app.subject.simulator_reference import simulate_slowly
from tests.subject.small import MODELS, byte_level, sentencepiece_like, small

# Seven excerpts of nine tokens whose lines differ in length: whole words, letters, newlines, tabs, split UTF-8,
# a lone special token's text, an empty token.
EXCERPTS = [
    [b"The", b" old", b" piano", b",", b" not", b" the", b" river", b".", b"\n"],
    [b"a"] * 9,
    [b"\t", b"\n\n", b"\\", b"\xe2", b"\x82\xac", b"\x00", b"", b"<|end|>", b" unknown"],
    [b" county", b" said", b' "', b" dollars", b" frost", b"10", b"7", b" unutterably", b" nobody"],
    [b"\xff"] * 9,
    ["\u202e".encode(), b"<b>", b" a" * 40, b"\r", "é".encode(), "日本".encode(), b"'s", b" 1998", b"!"],
    [b" a", b" b", b" c", b" d", b" e", b" f", b" g", b" h", b" i"],
]
TIGHT = 1e-4  # levels; 1e-3 is promised, but a shift of positions in a random model moves values by less than that
EXPLANATIONS = ["musical instruments", "the word “not”, and <|end|> of what follows"]


@pytest.fixture(scope="module")
def llama() -> Subject:
    return small("llama")


@contextmanager
def watched(simulator: LocalSimulator, before: Any) -> Iterator[None]:
    """Calls `before(rows, tokens)` at every forward pass of the model's body."""

    def hook(_: Any, __: Any, kwargs: Any) -> None:
        before(*kwargs["input_ids"].shape)

    handle = simulator.body.register_forward_pre_hook(hook, with_kwargs=True)
    try:
        yield
    finally:
        handle.remove()


@pytest.mark.parametrize(
    ("family", "split_digits"), [*((family, False) for family in MODELS), ("llama", True), ("gpt2", True)]
)
def test_equals_the_slow_reference(family: str, split_digits: bool) -> None:
    subject = small(family, byte_level(split_digits))
    simulator = LocalSimulator(subject)
    simulator._batch_tokens = 400  # several batches of unequal rows
    ours = simulator.simulate(EXPLANATIONS, EXCERPTS, seed=3)
    assert ours.shape == (2, 7, 9) and ours.dtype == np.float32
    rows = [0, 2] if family == "gemma2" else list(range(7))  # its plain attention is slow on whole prompts
    for e, explanation in enumerate(EXPLANATIONS):
        slow = simulate_slowly(subject, simulator, explanation, [EXCERPTS[row] for row in rows], seed=3)
        np.testing.assert_allclose(ours[e, rows], slow, atol=TIGHT)
    assert simulator.card.scale_top == (9 if split_digits else 10)
    assert ours.min() >= 0 and ours.max() <= 10 and ours.std() > 0.05  # the comparison is of something
    assert np.abs(ours[0] - ours[1]).max() > 1e-2  # the explanation is read


def test_equals_the_slow_reference_with_a_sentencepiece_tokenizer() -> None:
    subject = small("llama", sentencepiece_like())
    simulator = LocalSimulator(subject)
    ours = simulator.simulate(EXPLANATIONS[:1], EXCERPTS[:4])
    np.testing.assert_allclose(
        ours[0], simulate_slowly(subject, simulator, EXPLANATIONS[0], EXCERPTS[:4]), atol=TIGHT
    )


def test_an_excerpt_does_not_depend_on_its_company(llama: Subject) -> None:
    simulator = LocalSimulator(llama)
    together = simulator.simulate(EXPLANATIONS, EXCERPTS)
    for row, excerpt in enumerate(EXCERPTS):
        alone = simulator.simulate(EXPLANATIONS, [excerpt])
        np.testing.assert_allclose(alone[:, 0], together[:, row], atol=1e-4)


def test_later_tokens_do_not_change_earlier_values(llama: Subject) -> None:
    simulator = LocalSimulator(llama)
    whole = simulator.simulate(EXPLANATIONS[:1], EXCERPTS[:1])
    start = simulator.simulate(EXPLANATIONS[:1], [EXCERPTS[0][:4]])
    np.testing.assert_allclose(start[0, 0], whole[0, 0, :4], atol=1e-4)


def test_prefix_and_heading_are_read_once(llama: Subject) -> None:
    simulator = LocalSimulator(llama)
    passes: list[tuple[int, int]] = []
    with watched(simulator, lambda rows, tokens: passes.append((rows, tokens))):
        first = simulator.simulate(EXPLANATIONS, EXCERPTS[:2])
        again = simulator.simulate(EXPLANATIONS, EXCERPTS[:2])
    np.testing.assert_array_equal(first, again)
    prefix = len(simulator.prompt.prefix(0))
    headings = [len(simulator.prompt.explanation(text)) for text in EXPLANATIONS]
    question = max(len(simulator.prompt.excerpt(excerpt).ids) for excerpt in EXCERPTS[:2])
    per_call = [(1, headings[0]), (2, question), (1, headings[1]), (2, question)]
    assert passes == [(1, prefix), *per_call, *per_call]


def test_positions_count_on_through_prefix_heading_and_question(llama: Subject) -> None:
    simulator = LocalSimulator(llama)
    seen: list[list[int]] = []
    handle = simulator.body.register_forward_pre_hook(
        lambda _, __, kwargs: seen.append(kwargs["position_ids"][0].tolist()), with_kwargs=True
    )
    simulator.simulate(EXPLANATIONS[:1], EXCERPTS[:1])
    handle.remove()
    assert len(seen) == 3 and sum(seen, []) == list(range(sum(map(len, seen))))  # noqa: RUF017


def test_seed_moves_the_turning_points_and_kept_prefixes_are_bounded(llama: Subject) -> None:
    simulator = LocalSimulator(llama)
    by_seed = [simulator.simulate(EXPLANATIONS[:1], EXCERPTS[:1], seed) for seed in range(KEPT_PREFIXES + 2)]
    assert len(simulator._stems) == KEPT_PREFIXES
    assert np.abs(by_seed[0] - by_seed[1]).max() > 1e-4
    np.testing.assert_array_equal(simulator.simulate(EXPLANATIONS[:1], EXCERPTS[:1], 0), by_seed[0])


def test_out_of_memory_halves_the_batch(llama: Subject) -> None:
    simulator = LocalSimulator(llama)
    expected = simulator.simulate(EXPLANATIONS[:1], EXCERPTS)
    tried: list[int] = []

    def little_memory(rows: int, _: int) -> None:
        tried.append(rows)
        if rows > 2:
            raise torch.OutOfMemoryError("out of memory")

    with watched(simulator, little_memory):
        values = simulator.simulate(EXPLANATIONS[:1], EXCERPTS)
    np.testing.assert_allclose(values, expected, atol=1e-4)
    assert tried[1] == 7 and max(tried[3:]) <= 2


@pytest.mark.parametrize(
    "error", [torch.OutOfMemoryError("full"), MemoryError(), RuntimeError("MPS backend out of memory")]
)
def test_no_memory_for_one_excerpt_is_an_error_in_plain_words(llama: Subject, error: Exception) -> None:
    simulator = LocalSimulator(llama)
    heading = len(simulator.prompt.explanation(EXPLANATIONS[0]))
    simulator.simulate(EXPLANATIONS[:1], EXCERPTS[:1])

    def no_memory(_: int, tokens: int) -> None:
        if tokens != heading:
            raise error

    with watched(simulator, no_memory), pytest.raises(ModelError, match="smaller simulator_model"):
        simulator.simulate(EXPLANATIONS[:1], EXCERPTS)
    assert simulator.simulate(EXPLANATIONS[:1], EXCERPTS).shape == (1, 7, 9)  # and the next request is served


def test_no_memory_for_the_prompt_is_an_error_in_plain_words(llama: Subject) -> None:
    def no_memory(_: int, __: int) -> None:
        raise torch.OutOfMemoryError("full")

    simulator = LocalSimulator(llama)
    with watched(simulator, no_memory), pytest.raises(ModelError, match="smaller simulator_model"):
        simulator.simulate(EXPLANATIONS[:1], EXCERPTS[:1])


def test_other_failures_are_not_taken_for_lack_of_memory(llama: Subject) -> None:
    def broken(_: int, __: int) -> None:
        raise RuntimeError("shapes do not match")

    simulator = LocalSimulator(llama)
    with watched(simulator, broken), pytest.raises(RuntimeError, match="shapes"):
        simulator.simulate(EXPLANATIONS[:1], EXCERPTS[:1])


def test_stops_between_batches_when_called_off(llama: Subject) -> None:
    simulator = LocalSimulator(llama)
    simulator._batch_tokens = 1  # a row a batch
    rows_read: list[int] = []
    with watched(simulator, lambda rows, _: rows_read.append(rows)), pytest.raises(Cancelled):
        simulator.simulate(EXPLANATIONS, EXCERPTS, cancelled=lambda: len(rows_read) >= 4)
    assert len(rows_read) == 4  # prefix, heading, two excerpts
    assert np.isfinite(simulator.simulate(EXPLANATIONS[:1], EXCERPTS)).all()


def test_nothing_to_simulate(llama: Subject) -> None:
    simulator = LocalSimulator(llama)
    assert simulator.simulate([], EXCERPTS).shape == (0, 7, 9)
    assert simulator.simulate(EXPLANATIONS, []).shape == (2, 0, 0)
    assert simulator.simulate(EXPLANATIONS, [[]]).shape == (2, 1, 0)


@pytest.mark.parametrize("explanation", ["", " \n\t", "very " * 2000])
def test_unusable_explanations_are_refused(llama: Subject, explanation: str) -> None:
    with pytest.raises(BadInput):
        LocalSimulator(llama).simulate([explanation], EXCERPTS)


def test_excerpts_of_different_lengths_are_refused(llama: Subject) -> None:
    with pytest.raises(BadInput, match="lengths"):
        LocalSimulator(llama).simulate(EXPLANATIONS, [[b"a"], [b"a", b"b"]])


def test_a_short_context_gets_fewer_examples() -> None:
    tokenizer = byte_level()
    full = LocalSimulator(small("gpt2", tokenizer))
    assert full.card.shots == 5
    three = len(full.prompt.__class__(full.tokens, full.numbers, None, 3).prefix(0))
    subject = small("gpt2", tokenizer, context=three + ROOM)
    short = LocalSimulator(subject)
    assert short.card.shots == 3
    np.testing.assert_allclose(
        short.simulate(EXPLANATIONS[:1], EXCERPTS[:2])[0],
        simulate_slowly(subject, short, EXPLANATIONS[0], EXCERPTS[:2]),
        atol=TIGHT,
    )
    with pytest.raises(BadInput, match="shorten"):
        short.simulate(EXPLANATIONS[:1], [[b"a"] * 400])
    with pytest.raises(ModelError, match="too short"):
        LocalSimulator(small("gpt2", tokenizer, context=300))


class Rescaled(LlamaForCausalLM):
    """A model whose logits are not its head's output, as Granite's."""

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        out = super().forward(*args, **kwargs)
        out.logits = out.logits / 3
        return out


def test_a_model_with_other_logits_is_refused(llama: Subject) -> None:
    tokenizer = byte_level()
    subject = small("llama", tokenizer)
    subject.model.__class__ = Rescaled
    with pytest.raises(ModelError, match="logits"):
        LocalSimulator(subject)


def test_values_that_are_no_numbers_are_an_error(llama: Subject) -> None:
    subject = small("llama", byte_level())
    simulator = LocalSimulator(subject)
    simulator.head.weight[3, 0] = float("nan")
    with pytest.raises(ModelError, match="not finite"):
        simulator.simulate(EXPLANATIONS[:1], EXCERPTS[:1])
