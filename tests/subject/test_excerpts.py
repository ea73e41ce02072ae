"""Excerpts: exact windows of single documents, a sample that depends on nothing but texts and seed."""

import hashlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.domain.neurons import Split
from app.domain.splits import split_of
from app.errors import CorpusError
from app.subject import excerpts as module
from app.subject.corpus import RawDocument
from app.subject.excerpts import build_excerpts, check_explainable
from tests.subject.tiny import byte_level_tokenizer, prose, sentencepiece_tokenizer

TOKENIZER = byte_level_tokenizer()


def corpus(count: int, words: int = 150) -> list[RawDocument]:
    return [RawDocument(f"document {i}", f"d{i}.txt", prose(words + 7 * i, i)) for i in range(count)]


def test_windows_are_the_documents_own_tokens() -> None:
    docs = corpus(12)
    documents, table = build_excerpts(docs, TOKENIZER, 10_000, 0)
    assert table.tokens.dtype == np.int32 and table.tokens.shape[1] == 64
    assert [d.ordinal for d in documents] == list(range(12))
    at = 0
    for document, raw in zip(documents, docs, strict=True):
        ids = TOKENIZER(raw.text, add_special_tokens=False).input_ids
        count = len(ids) // 64
        rows = slice(at, at + count)
        np.testing.assert_array_equal(table.tokens[rows].reshape(-1), ids[: count * 64])
        assert (table.documents[rows] == document.ordinal).all()
        np.testing.assert_array_equal(table.starts[rows], 64 * np.arange(count))
        assert (table.splits[rows] == document.split).all()
        assert (document.name, document.source) == (raw.name, raw.source)
        assert document.text_hash == hashlib.sha256(raw.text.encode()).hexdigest()
        assert document.split == split_of(document.cluster)
        at += count
    assert at == len(table.tokens)


def test_no_bos_in_excerpts() -> None:
    _, table = build_excerpts(corpus(3), sentencepiece_tokenizer(), 100, 0)
    assert not (table.tokens == 1).any()


@given(st.integers(1, 60), st.integers(0, 3))
@settings(max_examples=10)
def test_sample_is_seeded_and_free_of_order(n: int, seed: int) -> None:
    docs = corpus(9)
    documents, table = build_excerpts(docs, TOKENIZER, n, seed)
    again, table2 = build_excerpts(docs[::-1], TOKENIZER, n, seed)
    assert len(table.tokens) == min(n, len(build_excerpts(docs, TOKENIZER, 10_000, 0)[1].tokens))

    def chosen(docs: list, table: object) -> set[tuple[str, int]]:  # type: ignore[type-arg]
        pairs = zip(table.documents.tolist(), table.starts.tolist(), strict=True)  # type: ignore[attr-defined]
        return {(docs[d].text_hash, start) for d, start in pairs}

    assert chosen(documents, table) == chosen(again, table2)


def test_sample_reaches_all_documents_and_changes_with_the_seed() -> None:
    docs = corpus(30, words=400)
    documents, table = build_excerpts(docs, TOKENIZER, 150, 0)
    assert len(table.tokens) == 150
    assert len(documents) == len(np.unique(table.documents)) >= 28
    assert (np.diff(table.documents) >= 0).all()
    _, other = build_excerpts(docs, TOKENIZER, 150, 1)
    assert not np.array_equal(table.tokens, other.tokens)


def test_streaming_forgets_nothing_that_belongs_to_the_sample(monkeypatch: pytest.MonkeyPatch) -> None:
    docs = corpus(40, words=1500)
    _, at_once = build_excerpts(docs, TOKENIZER, 5, 0)
    monkeypatch.setattr(module, "CHUNK", 2)
    pruned: list[int] = []
    real = module._keep_smallest

    def counted(found: list, n: int) -> object:  # type: ignore[type-arg]
        pruned.append(len(found))
        return real(found, n)

    monkeypatch.setattr(module, "_keep_smallest", counted)
    monkeypatch.setattr(module, "HELD", 64)
    _, streamed = build_excerpts(iter(docs), TOKENIZER, 5, 0)
    assert len(pruned) > 2
    np.testing.assert_array_equal(at_once.tokens, streamed.tokens)


def test_copies_share_a_split_and_identical_texts_count_once() -> None:
    docs = corpus(40)
    copies = [RawDocument(f"copy {d.name}", d.source, d.text + " A word more.") for d in docs]
    documents, _ = build_excerpts([*docs, *copies, docs[0]], TOKENIZER, 10_000, 0)
    assert len(documents) == 80
    by_name = {d.name: d for d in documents}
    for d in docs:
        assert by_name[d.name].cluster == by_name[f"copy {d.name}"].cluster
        assert by_name[d.name].split == by_name[f"copy {d.name}"].split
    assert {d.split for d in documents} == {0, 1, 2}


def test_short_documents_are_left_out() -> None:
    docs = [RawDocument("short", "s", "too short"), *corpus(1)]
    documents, table = build_excerpts(docs, TOKENIZER, 100, 0)
    assert [d.name for d in documents] == ["document 0"]
    assert not table.documents.any()
    with pytest.raises(CorpusError, match="no document of 64 tokens"):
        build_excerpts(docs[:1], TOKENIZER, 100, 0)


def test_a_corpus_that_leaves_nothing_to_explain_from_is_refused() -> None:
    """One document is wholly in one split: half of all such corpora could be collected and never explained."""
    outcomes = set()
    for seed in range(12):
        kept = build_excerpts([RawDocument("book", "book.txt", prose(300, seed))], TOKENIZER, 100, 0)
        try:
            check_explainable(*kept)
            outcomes.add(kept[0][0].split)
        except CorpusError as error:
            assert "The one document" in str(error) and "none is left to explain from" in str(error)
            outcomes.add("refused")
    assert outcomes == {Split.EXPLAIN, "refused"}
