"""Clusters of documents that are nearly the same."""

import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.domain import near_duplicates
from app.domain.near_duplicates import cluster

WORDS = [f"w{i}" for i in range(5000)]
NO_TOKENS = np.zeros(0, np.int32)


def prose(seed: int, n: int = 400) -> list[str]:
    return random.Random(seed).choices(WORDS, k=n)


def clusters(texts: list[str]) -> list[int]:
    return cluster(texts, [NO_TOKENS] * len(texts))


def test_copies_however_punctuated_are_one() -> None:
    text = " ".join(prose(1))
    other = text.upper().replace(" ", ", ") + "."
    assert clusters([text, " ".join(prose(2)), other]) == [0, 1, 0]
    assert clusters(["Amen.", "amen", "Nay.", ""]) == [0, 0, 2, 3]
    assert clusters(["...", "---", ""]) == [0, 1, 2]  # no words are no likeness


def test_a_reworked_copy_is_one_cluster() -> None:
    """Every thirtieth word changed: 13-grams between the changes remain."""
    original = prose(3)
    reworked = [("x" + word if i % 30 == 0 else word) for i, word in enumerate(original)]
    assert clusters([" ".join(original), " ".join(reworked)]) == [0, 0]
    mangled = [("x" + word if i % 10 == 0 else word) for i, word in enumerate(original)]
    assert clusters([" ".join(original), " ".join(mangled)]) == [0, 1]


def test_an_excerpt_of_a_long_document_is_one_cluster_with_it() -> None:
    long = prose(4, 20_000)
    assert clusters([" ".join(long), " ".join(long[700:745])]) == [0, 0]


def test_set_phrases_do_not_chain_a_corpus() -> None:
    """All share two 20-word phrases out of 400 words: 4 % of their 13-grams."""
    opening, closing = prose(100, 20), prose(101, 20)
    texts = [" ".join(opening + prose(i, 360) + closing) for i in range(40)]
    assert clusters(texts) == list(range(40))


def test_a_passage_as_long_as_an_excerpt_joins_two_but_boilerplate_does_not() -> None:
    passage = prose(50, 60)

    def corpus(holders: int) -> list[str]:
        return [
            " ".join(prose(i, 2000) + (passage if i < holders else []) + prose(1000 + i, 2000))
            for i in range(20)
        ]

    assert clusters(corpus(2)) == [0, 0, *range(2, 20)]
    assert clusters(corpus(8)) == [0] * 8 + list(range(8, 20))
    assert clusters(corpus(9)) == list(range(20))


def test_a_large_family_of_versions_is_one_cluster() -> None:
    """More than are compared all with all."""
    base = prose(7, 600)
    family = [" ".join(base[: 300 + 10 * i] + prose(200 + i, 300)) for i in range(30)]
    assert set(clusters([*family, " ".join(prose(8))])) == {0, 30}


def test_likeness_counts_13_grams_that_third_documents_hold_too() -> None:
    """First and last share two phrases of 7 % each; the second, which stands between them, holds one of the two."""
    phrase, other = prose(60, 32), prose(61, 32)
    texts = [
        " ".join(phrase + prose(1, 236) + other),
        " ".join(prose(2, 268) + phrase),
        " ".join(other + prose(3, 236) + phrase),
    ]
    assert clusters(texts) == [0, 1, 0]


def test_a_shared_window_of_tokens_joins_at_any_offset() -> None:
    rng = np.random.default_rng(0)
    one, other, third = (rng.integers(0, 50_000, 500) for _ in range(3))
    texts = [" ".join(prose(i)) for i in range(3)]
    other[100:164] = one[37:101]
    assert cluster(texts, [one, other, third]) == [0, 0, 2]
    other[130] = 7
    assert cluster(texts, [one, other, third]) == [0, 1, 2]  # 63 in a row are none


def test_windows_of_padding_do_not_join() -> None:
    rng = np.random.default_rng(0)
    texts = [" ".join(prose(i)) for i in range(2)]
    ruled = [np.concatenate([rng.integers(0, 50_000, 100), np.zeros(100, int)]) for _ in texts]
    assert cluster(texts, ruled) == [0, 1]


def test_scripts_without_spaces_have_words() -> None:
    rng = random.Random(1)
    signs = [chr(0x4E00 + rng.randrange(3000)) for _ in range(600)]
    other = [chr(0x4E00 + rng.randrange(3000)) for _ in range(600)]
    assert clusters(["".join(signs), "".join(other), "".join(signs[100:400])]) == [0, 1, 0]


def test_belonging_is_passed_on_and_labels_are_smallest_members() -> None:
    a, b, c = prose(1, 200), prose(2, 200), prose(3, 200)
    texts = [" ".join(prose(9)), " ".join(a + b), " ".join(b + c), " ".join(a), " ".join(c)]
    assert clusters(texts) == [0, 1, 1, 1, 1]


@settings(max_examples=25)
@given(st.randoms(use_true_random=False))
def test_order_does_not_matter(rnd: random.Random) -> None:
    base = [prose(i, 120) for i in range(4)]
    texts = [
        " ".join(rnd.choice(base)[:60] + rnd.choice(base)[60:] + prose(rnd.randrange(10**6), 40))
        for _ in range(7)
    ]
    order = list(range(7))
    rnd.shuffle(order)
    found, shuffled = clusters(texts), clusters([texts[i] for i in order])
    for i in range(7):
        for j in range(7):
            assert (found[order[i]] == found[order[j]]) == (shuffled[i] == shuffled[j])


def test_thinned_hashes_find_the_same_copies(monkeypatch: pytest.MonkeyPatch) -> None:
    documents = [prose(i, 3000) for i in range(12)]
    documents += [documents[i][:2000] + prose(500 + i, 1000) for i in range(6)]
    texts = [" ".join(words) for words in documents]
    expected = [*range(12), *range(6)]
    assert clusters(texts) == expected
    monkeypatch.setattr(near_duplicates, "KEEP", 9000)  # of 54,000
    assert clusters(texts) == expected


def test_run_hashes_are_of_the_run_alone() -> None:
    rng = np.random.default_rng(0)
    values = rng.integers(0, 2**63, 300).astype(np.uint64)
    for length in (1, 2, 13, 50, 64, 300):
        hashes = near_duplicates._runs(values, length)
        assert len(hashes) == 301 - length
        alone = [near_duplicates._runs(values[i : i + length], length)[0] for i in range(0, 301 - length, 7)]
        assert hashes[::7].tolist() == alone
        assert len(np.unique(hashes)) == len(hashes)
    assert len(near_duplicates._runs(values, 301)) == 0
    turned = near_duplicates._runs(values[::-1].copy(), 13)
    assert not np.isin(turned, near_duplicates._runs(values, 13)).any()


def test_odd_corpora() -> None:
    assert cluster([], []) == []
    assert clusters(["one"]) == [0]
    with pytest.raises(ValueError, match="fit"):
        cluster(["one"], [])
