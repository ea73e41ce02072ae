import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.errors import AnswerError
from app.explain.answers import check_answer
from app.explain.examples import examples


@pytest.mark.parametrize(
    ("answer", "bare"),
    [
        ("words about the sea", "words about the sea"),
        (" words about the sea.\n", "words about the sea"),
        ('"words about the sea."', "words about the sea"),
        ("“Words about the sea”", "Words about the sea"),
        ("**words about the sea**", "words about the sea"),
        ("the main thing this neuron does is find words about the sea.", "words about the sea"),
        ("The main thing this neuron does is to find: words about the sea", "words about the sea"),
        (
            "Explanation of neuron 4: the main thing this neuron does is find mentions of Rome",
            "mentions of Rome",
        ),
        ("Explanation: “mentions of Rome.”", "mentions of Rome"),
        ('the word "than" in comparisons', 'the word "than" in comparisons'),
        ('"than" and other words of comparison', '"than" and other words of comparison'),
        ('the words "either" and "or"', 'the words "either" and "or"'),
        ("names of the U.S.", "names of the U.S."),
        ("words that trail off...", "words that trail off..."),
        ("line breaks; the token “\\n” after a colon", "line breaks; the token “\\n” after a colon"),
        ("numbers from 1. to 3", "numbers from 1. to 3"),
        ("words about thinking, such as “okay” and “hmm”", "words about thinking, such as “okay” and “hmm”"),
        ("phrases of apology such as “I'm sorry”", "phrases of apology such as “I'm sorry”"),
        ("Wörter über das Meer", "Wörter über das Meer"),
        ("sorry and other apologies", "sorry and other apologies"),
        ("first names", "first names"),
        (
            "“I don't know” and similar admissions of ignorance",
            "“I don't know” and similar admissions of ignorance",
        ),
        ('"I\'m sorry" and other apologies', '"I\'m sorry" and other apologies'),
        ("Sorry, excuse me and other apologies", "Sorry, excuse me and other apologies"),
        ("OK, okay and other words of assent", "OK, okay and other words of assent"),
        (
            "Wait, stop and other words that ask for a pause",
            "Wait, stop and other words that ask for a pause",
        ),
        ("we must and other statements of duty", "we must and other statements of duty"),
        ("C. elegans and other worms", "C. elegans and other worms"),
        ("B. Franklin and other founders", "B. Franklin and other founders"),
        ("Dec. 25 and other dates of Christmas", "Dec. 25 and other dates of Christmas"),
    ],
)
def test_an_explanation_is_laid_bare(answer, bare):
    assert check_answer(answer) == bare


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        ("", "empty"),
        (" \n ", "empty"),
        ('""', "no readable text"),
        ("the main thing this neuron does is find", "empty"),
        ("The first and most important thing this neuron does is find", "repeats parts of the prompt"),
        ("I'm sorry, but I can't help with that.", "refused"),
        ("I’m sorry, I cannot determine that", "refused"),
        ("Sorry, that is not possible", "refused"),
        ("As an AI language model, I have no access to neurons", "refused"),
        ("I cannot identify a pattern", "refused"),
        ("I apologize for the confusion", "refused"),
        ("Unfortunately, I do not see enough", "refused"),
        ("<think>The tokens are about the sea.</think> words about the sea", "reasoning"),
        ("The tokens are about the sea.</think>words about the sea", "reasoning"),
        ("<reasoning> sea </reasoning>", "reasoning"),
        ("<|channel|>analysis<|message|>We need", "reasoning"),
        ("Okay, so the user wants me to explain a neuron", "reasoning"),
        ("Okay, the user gave excerpts", "reasoning"),
        ("“Okay, so the user wants a phrase”", "reasoning"),
        ('"I am sorry, but I cannot do that"', "refused"),
        ("a) words about the sea", "list"),
        ("We need to find the common thing", "reasoning"),
        ("Let me look at the tokens", "reasoning"),
        ("The user wants a phrase", "reasoning"),
        ("Hmm, the tokens are blue", "reasoning"),
        ("Alright, let's see", "reasoning"),
        ("1. words about the sea\n2. names of ships", "list"),
        ("1. words about the sea", "list"),
        ("1) words about the sea 2) names of ships", "list"),
        ("words such as (1) sea and (2) ship", "list"),
        ("- sea\n- ship", "list"),
        ("• sea", "list"),
        ("* sea", "list"),
        ("a) sea\nb) ship", "list"),
        ("words about:\n- sea\n- ship", "list"),
        ("words such as these:", "announces a list"),
        ("sea, ship, sail,", "breaks off"),
        ("words about the sea\n\nThe tokens are all nautical.", "several paragraphs"),
        ("words\tabout\t9", "repeats parts of the prompt"),
        ("Excerpt 6: The boat is green", "repeats parts of the prompt"),
        ("words <end>", "repeats parts of the prompt"),
        ("Active tokens: blue, green", "repeats parts of the prompt"),
        ("words about the sea Explanation of neuron 5: the main thing", "repeats parts of the prompt"),
        (examples()[0].explanation, "repeats an example"),
        ("12, 14", "no readable text"),
        ("?!", "no readable text"),
        ("caf\ufffd\ufffd words", "no readable text"),
        ("words\x00 about", "no readable text"),
        ("how to, how to, how to, how to, how to", "repeats itself"),
        ("the sea and the sea and the sea and the sea and the", "repeats itself"),
        (" ".join(f"word{i}ish" for i in range(61)), "longer than 60 tokens"),
    ],
)
def test_what_is_no_explanation_has_its_reason(answer, reason):
    with pytest.raises(AnswerError, match=reason):
        check_answer(answer)


def test_the_end_of_an_answer_matters():
    with pytest.raises(AnswerError, match="longer than 60 tokens"):
        check_answer("words about the sea", "length")
    with pytest.raises(AnswerError, match="content filter"):
        check_answer("words about the sea", "content_filter")
    with pytest.raises(AnswerError, match="refused"):
        check_answer("This request goes against the policy", "refusal")
    assert check_answer("words about the sea", "") == "words about the sea"


@given(st.text())
def test_whatever_passes_is_one_bare_readable_line(answer):
    try:
        bare = check_answer(answer)
    except AnswerError as error:
        assert str(error).startswith(("the answer", "the model"))
    else:
        assert bare == bare.strip() != ""
        assert len(bare.splitlines()) == 1
        assert any(char.isalpha() for char in bare)
        assert check_answer(bare) == bare


@given(st.lists(st.from_regex(r"[a-z]{2,9}", fullmatch=True), min_size=2, max_size=9, unique=True))
def test_plain_phrases_pass_unchanged_with_or_without_the_beginning(words):
    phrase = "mentions of " + " ".join(words)
    assert check_answer(phrase) == phrase
    assert check_answer(f" The main thing this neuron does is find {phrase}.") == phrase
