import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.llm.messages import Message
from app.llm.pricing import estimate_chat, estimate_tokens, most_tokens, price
from tests.scripted_server import down_endpoint

# Token counts by the tokenizer of SmolLM2-135M-Instruct, without special tokens.
MEASURED = (
    ("The quick brown fox jumps over the lazy dog.", 10),
    ("numbers that are years, above all of the nineteenth century", 11),
    (
        "Her notes on the orchard fill nine books. A late frost in May, then a thunderstorm that took the barn.",
        23,
    ),
    ("The mill was built in 1847 and burnt down in 1902. It had 26 windows.", 27),
    ('if (x[i] != None) {\n\treturn "a\\n";\n}', 20),
    (" fog\t8\n,\t0\n then\t0\n in\t0\n", 16),
    ("これは日本語の文です。", 18),
    ("antidisestablishmentarianism and internationalisation", 8),
)


def test_prices_are_per_million_tokens():
    endpoint = down_endpoint(price_in=2.5, price_out=10.0)
    assert price(endpoint, 1_000_000, 0) == 2.5
    assert price(endpoint, 0, 500_000) == 5.0


@given(st.text(max_size=200), st.text(max_size=200))
def test_estimates_grow_with_the_text_and_stay_below_its_bytes(one, two):
    assert 0 <= estimate_tokens(one) <= len(one.encode("utf-8", "replace")) + 1
    assert estimate_tokens(one + "\n" + two) >= max(estimate_tokens(one), estimate_tokens(two))


def test_a_chat_costs_more_than_its_text():
    assert estimate_chat([Message("user", "a word"), Message("assistant", "another")]) > estimate_tokens(
        "a word another"
    )


@pytest.mark.parametrize(("text", "tokens"), MEASURED)
def test_estimates_are_near_a_real_tokenizer(text, tokens):
    assert tokens / 1.3 <= estimate_tokens(text) <= 1.25 * tokens


# Texts of which tokenizers make far more tokens than of English, with their counts by SmolLM2's.
@pytest.mark.parametrize(
    ("text", "tokens"),
    [*MEASURED, ("ሰላም ለዓለም ሁሉም ሰዎች እኩል ናቸው " * 8, 457), ("\\xE2\\x82 " * 50, 401)],
)
def test_no_text_has_more_tokens_than_its_bound(text, tokens):
    assert most_tokens(text) >= tokens


def test_a_schema_counts_in_the_bound():
    assert most_tokens("a", "b" * 100) >= 102
