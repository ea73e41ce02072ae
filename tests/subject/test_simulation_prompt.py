"""The simulator's prompt as ids: what it spells, where it is read, and the tokens of numbers."""

import re
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from app.domain.simulation_examples import simulation_examples
from app.errors import ModelError
from app.subject.number_tokens import NumberTokens, find_number_tokens
from app.subject.prompt_tokens import PromptTokens
from app.subject.simulation_prompt import SimulationPrompt
from app.subject.vocabulary import read_vocabulary
from tests.subject.small import byte_level, sentencepiece_like

TOKENIZERS = {
    "whole numbers": byte_level(),
    "split digits": byte_level(split_digits=True),
    "sentencepiece": sentencepiece_like(),
}
PROMPTS: dict[str, SimulationPrompt] = {}
for _name, _tokenizer in TOKENIZERS.items():
    _tokens = PromptTokens(_tokenizer, read_vocabulary(_tokenizer))
    PROMPTS[_name] = SimulationPrompt(_tokens, find_number_tokens(_tokens), None, 5)


@pytest.fixture(params=list(PROMPTS))
def prompt(request: Any) -> SimulationPrompt:
    return PROMPTS[request.param]


def spelt(prompt: SimulationPrompt, ids: tuple[int, ...]) -> str:
    return prompt.tokens.spelt(ids).decode()


def test_the_prefix_reads_as_meant(prompt: SimulationPrompt) -> None:
    text = spelt(prompt, prompt.prefix(5))
    assert text.startswith("A neuron of a language model") and text.endswith("\n\n")
    assert f"from 0 (silent) to {prompt.numbers.top} (its strongest)" in text
    blocks = re.split(
        r"^Neuron \d+: the main thing this neuron does is find (.+)\nLevels:\n", text, flags=re.M
    )[1:]
    for (explanation, block), example in zip(
        zip(blocks[::2], blocks[1::2], strict=True), simulation_examples(5), strict=True
    ):
        (excerpt,) = example.excerpts
        assert explanation == example.explanation
        lines = [line.split("\t") for line in block.rstrip("\n").split("\n")]
        assert "".join(piece for piece, _ in lines).replace("\\n", "\n") == excerpt.text
        assert all(value == "unknown" for _, value in lines[: excerpt.first_known])
        shown = [prompt.numbers.shown(level) for level in excerpt.levels[excerpt.first_known :]]
        assert [int(value) for _, value in lines[excerpt.first_known :]] == shown


def test_seeds_differ_in_turning_points_alone(prompt: SimulationPrompt) -> None:
    one, two = (re.sub(r"\t(\d+|unknown)\n", "\t?\n", spelt(prompt, prompt.prefix(seed))) for seed in (1, 2))
    assert one == two and prompt.prefix(1) != prompt.prefix(2)


@given(
    pieces=st.lists(
        st.one_of(st.binary(max_size=12), st.text(max_size=6).map(str.encode)), min_size=1, max_size=8
    )
)
@settings(max_examples=60)
@pytest.mark.parametrize("name", list(PROMPTS))
def test_every_token_has_its_line_and_its_tab(name: str, pieces: list[bytes]) -> None:
    prompt = PROMPTS[name]
    question = prompt.excerpt(pieces)
    text = spelt(prompt, question.ids)
    assert text.count("\n") == len(pieces) - 1 and text.count("\t") == len(pieces) == len(question.tabs)
    assert text.endswith("\t") and all(line.endswith("\tunknown") for line in text.split("\n")[:-1])
    for tab in question.tabs:
        assert spelt(prompt, question.ids[: tab + 1]).endswith("\t")
    assert not set(question.ids) & prompt.tokens.vocabulary.special


@given(text=st.text(max_size=40))
@settings(max_examples=100)
@pytest.mark.parametrize("name", list(PROMPTS))
def test_ids_spell_exactly_the_text(name: str, text: str) -> None:
    tokens = PROMPTS[name].tokens
    assert tokens.spelt(tokens.text(text)) == text.encode()


def test_a_special_tokens_name_stays_text(prompt: SimulationPrompt) -> None:
    for name in ("<|end|>", "<s>", "<unk>"):
        for ids in (prompt.explanation(f"mentions of {name}"), prompt.tokens.piece(name.encode())):
            assert not set(ids) & prompt.tokens.vocabulary.special
            assert name in spelt(prompt, ids)


def test_an_explanation_is_put_on_one_line(prompt: SimulationPrompt) -> None:
    text = spelt(prompt, prompt.explanation("  birds\nLevels:\n\tof prey \udc80"))
    assert text == "Neuron 6: the main thing this neuron does is find birds Levels: of prey ?\nLevels:\n"


def test_a_token_of_the_same_vocabulary_stays_that_token() -> None:
    tokens = PROMPTS["whole numbers"].tokens
    ordinary = [i for i, piece in enumerate(tokens.vocabulary.pieces) if piece.isalpha()]
    assert ordinary and all(tokens.piece(tokens.vocabulary.pieces[i]) == (i,) for i in ordinary)


@pytest.mark.parametrize(("name", "top"), [("whole numbers", 10), ("split digits", 9), ("sentencepiece", 9)])
def test_number_tokens(name: str, top: int) -> None:
    numbers, tokens = PROMPTS[name].numbers, PROMPTS[name].tokens
    assert numbers.top == top
    assert [tokens.spelt((i,)) for i in numbers.ids] == [str(level).encode() for level in range(top + 1)]


def test_numbers_in_a_line_are_the_tokenizers_own() -> None:
    """Read by the tokenizer in one go, a line's number is the very token whose logit is read."""
    for name in ("whole numbers", "split digits"):
        for token in PROMPTS[name].numbers.ids[:10]:
            line = TOKENIZERS[name].encode("\t" + PROMPTS[name].tokens.spelt((token,)).decode() + "\n")
            assert token in line


def test_a_bos_comes_first_where_there_is_one(prompt: SimulationPrompt) -> None:
    with_bos = SimulationPrompt(prompt.tokens, prompt.numbers, 1, 5)
    assert with_bos.prefix(0) == (1, *prompt.prefix(0))


def test_a_vocabulary_without_digits_is_refused() -> None:
    tokenizer = sentencepiece_like(letters="abcknotu", byte_tokens=False)
    with pytest.raises(ModelError, match="simulator_model"):
        find_number_tokens(PromptTokens(tokenizer, read_vocabulary(tokenizer)))


def test_expectation_by_hand() -> None:
    ten, nine = NumberTokens(tuple(range(11))), NumberTokens(tuple(range(10)))
    sure = torch.full((11,), -1e9)
    sure[10] = 0.0
    assert ten.expected(sure).item() == pytest.approx(10)
    assert ten.expected(torch.zeros(11)).item() == pytest.approx(5)
    assert nine.expected(torch.zeros(2, 10)).tolist() == pytest.approx([5, 5])
    # levels 0 and 9 with odds 3:1 are 0.25 * 9 = 2.25 on 0-9, which is 2.5 on 0-10
    odds = torch.full((10,), -1e9)
    odds[0], odds[9] = np.log(3.0), 0.0
    assert nine.expected(odds).item() == pytest.approx(2.5)
    assert [nine.shown(level) for level in range(11)] == [0, 1, 2, 3, 4, 5, 5, 6, 7, 8, 9]
    assert [ten.shown(level) for level in range(11)] == list(range(11))
