"""The proof that a score is held out, across collections of one model that cluster its documents differently."""

import hashlib
from dataclasses import replace

import numpy as np
import pytest

from app.domain.explanations import Metric, Protocol, Provenance, Sample, ScoreValue, Simulated, State, Step
from app.domain.neurons import NeuronRef, Polarity, Split
from app.errors import BadInput, Conflict, NotFound
from app.store import Session, explanations, heldout, scores, simulations
from tests import factories
from tests.conftest import Full
from tests.recollection import collect_again

OK = ScoreValue(Metric.CORRELATION, Protocol.HELDOUT_FULL, Sample.TOP_AND_RANDOM, State.OK, 0.9)
OTHER = hashlib.sha256(b"another text").hexdigest()


def documents_of(split: Split, n: int) -> list[int]:
    """Documents without a near-duplicate."""
    documents, _ = factories.corpus()
    return [d.ordinal for d in documents if d.split == split and d.ordinal not in factories.twins()][:n]


def explain(s: Session, ref: NeuronRef, *documents: int) -> int:
    made = Provenance("summary", "scripted / m", excerpts=tuple(2 * d for d in documents))
    return explanations.add(s, ref, "words", Polarity.POSITIVE, made, State.OK, "", None, "explanation")


def score_on(s: Session, explanation: int, *documents: int) -> None:
    excerpts = np.array([2 * d + 1 for d in documents], np.int32)
    made = Simulated(excerpts, np.ones((len(excerpts), 64), np.float32))
    key = f"on {documents}"
    id_ = simulations.add(s, explanation, "local", "", "{}", 0, made, State.OK, "", None, key)
    scores.add(s, explanation, id_, [OK], None, key)


def test_a_text_that_another_cluster_took_into_the_score_split_is_still_seen(full: Full) -> None:
    (seen, *_), (innocent, *_) = documents_of(Split.EXPLAIN, 1), documents_of(Split.SCORE, 1)
    with full.store.session() as s:
        id_ = explain(s, full.tiny.plain, seen)
        collect_again(s, {seen: {"cluster": OTHER, "split": int(Split.SCORE)}})
        score_on(s, id_, innocent)
        with pytest.raises(BadInput, match=f"(?s)“Chapter {seen}”.*collected anew.*[Ee]xplain the neuron"):
            score_on(s, id_, innocent, seen)
        assert len(scores.of_explanation(s, id_)) == 1


def test_a_near_duplicate_of_then_is_seen_though_it_stands_alone_now(full: Full) -> None:
    first, second = factories.twins()
    documents, _ = factories.corpus()
    with full.store.session() as s:
        id_ = explain(s, full.tiny.plain, first)
        gone = {"text_hash": OTHER, "cluster": OTHER}
        collect_again(s, {first: gone, second: {"cluster": documents[second].text_hash}})
        score_on(s, id_, first)  # its place is taken by another text
        with pytest.raises(BadInput, match=f"“Chapter {second}”"):
            score_on(s, id_, second)


def test_a_near_duplicate_of_now_is_seen_though_it_was_not_there_then(full: Full) -> None:
    (seen, *_), (place, *_) = documents_of(Split.EXPLAIN, 1), documents_of(Split.SCORE, 1)
    new = {"text_hash": OTHER, "cluster": OTHER, "split": int(Split.SCORE)}
    with full.store.session() as s:
        id_ = explain(s, full.tiny.plain, seen)
        collect_again(s, {place: new, seen: {"cluster": OTHER, "split": int(Split.SCORE)}})
        with pytest.raises(BadInput, match=f"“Chapter {place}”"):
            score_on(s, id_, place)


def test_what_is_to_be_scored_on_can_be_asked_about_before_it_is_simulated(full: Full) -> None:
    (seen, *_), (innocent, *_) = documents_of(Split.EXPLAIN, 1), documents_of(Split.SCORE, 1)
    with full.store.session() as s:
        id_ = explain(s, full.tiny.plain, seen)
        now = collect_again(s, {seen: {"cluster": OTHER, "split": int(Split.SCORE)}})
        heldout.demand(s, id_, [2 * innocent], now, {Protocol.POPULATION})
        heldout.demand(s, id_, [2 * seen], now, {Protocol.BILLS_5_5})
        with pytest.raises(BadInput, match="collected anew"):
            heldout.demand(s, id_, [2 * innocent, 2 * seen], now, {Protocol.POPULATION})


def test_what_was_made_of_an_older_collection_is_not_stored_as_of_the_newer(full: Full) -> None:
    (seen, *_), (held_out, *_) = documents_of(Split.EXPLAIN, 1), documents_of(Split.SCORE, 1)
    made = Provenance("summary", "scripted / m", excerpts=(2 * seen,))
    values = Simulated(np.array([2 * held_out], np.int32), np.ones((1, 64), np.float32))

    def explain_of(s: Session, key: str, collection: int) -> int:
        return explanations.add(
            s, full.tiny.plain, "words", Polarity.POSITIVE, made, State.OK, "", None, key, collection_id=collection
        )  # fmt: skip

    def simulate_of(s: Session, key: str, collection: int) -> int:
        return simulations.add(
            s, id_, "local", "", "{}", 0, values, State.OK, "", None, key, collection_id=collection
        )

    with full.store.session() as s:
        before = explanations.get(s, full.tiny.explanation).collection_id
        id_ = explain_of(s, "e", before)
        simulation = simulate_of(s, "s", before)
        now = collect_again(s)
        for add in (explain_of, simulate_of):
            with pytest.raises(Conflict, match="collected anew"):
                add(s, "other", before)
        assert explain_of(s, "e", before) == id_  # a repeated step finds what it wrote
        assert simulate_of(s, "s", before) == simulation
        assert explanations.get(s, explain_of(s, "e2", now)).collection_id == now
        assert simulations.get(s, simulate_of(s, "s2", now)).collection_id == now


def test_what_an_explanation_was_made_from_has_been_seen_too(full: Full) -> None:
    """A revision shows nothing of its source's evidence, and cannot be scored on it all the same."""
    (seen,), (innocent, *_) = documents_of(Split.SCORE, 1), documents_of(Split.SCORE, 3)[1:]
    with full.store.session() as s:
        first = explain(s, full.tiny.plain, seen)
        made = Provenance("revision", "scripted / m")
        steps = (Step("sentence", '{"text": "a"}'), Step("sentence", '{"text": "b"}'))
        again = explanations.add(
            s, full.tiny.plain, "better words", Polarity.POSITIVE, made, State.OK, "", None, "revision",
            source_id=first, steps=steps,
        )  # fmt: skip
        assert explanations.get(s, again).source_id == first
        assert explanations.steps_of(s, again) == list(steps)
        assert heldout.lineage(s, again) == [again, first]
        score_on(s, again, innocent)
        with pytest.raises(BadInput, match=f"“Chapter {seen}”"):
            score_on(s, again, seen)
        with pytest.raises(NotFound):
            explanations.add(
                s, full.tiny.plain, "x", Polarity.POSITIVE, made, State.OK, "", None, "k", source_id=99_999
            )


def test_another_model_s_explanation_is_not_scored_on_text_that_it_was_made_from(full: Full) -> None:
    """Two models collected over the same corpus: a transferred statement has seen what its source saw, by its text."""
    (seen,), (innocent, *_) = documents_of(Split.SCORE, 1), documents_of(Split.SCORE, 3)[1:]
    other = replace(full.tiny.plain, model="tiny-other")
    made = Provenance("transfer", "scripted / m")
    with full.store.session() as s:
        factories.collect(s, other.model)
        source = explain(s, full.tiny.plain, seen)
        moved = explanations.add(
            s, other, "words", Polarity.POSITIVE, made, State.OK, "", None, "moved", source_id=source
        )
        assert explanations.get(s, moved).collection_id != explanations.get(s, source).collection_id
        score_on(s, moved, innocent)
        with pytest.raises(BadInput, match=f"not held out.*“Chapter {seen}”") as refused:
            score_on(s, moved, seen)
        assert "collected anew" not in str(refused.value)
        unseen, _ = heldout.unseen_documents(s, moved, explanations.get(s, moved).collection_id, Split.SCORE)
        assert seen not in unseen and innocent in unseen
