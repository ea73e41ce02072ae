"""Searches for false positives in the store, and the documents that they may look through."""

import json
from typing import Any

import numpy as np
import pytest
from sqlalchemy import delete
from sqlalchemy.exc import DBAPIError

from app.domain.explanations import Provenance, State
from app.domain.neurons import Polarity, Split
from app.errors import BadInput, Conflict, StoreError
from app.store import Session, explanations, false_positives, heldout, human, tables
from tests import factories
from tests.conftest import Full
from tests.recollection import collect_again
from tests.store.test_heldout import OTHER, documents_of, explain


def add(s: Session, explanation: int, *documents: int, job: str = "fp-1", **more: Any) -> int:
    worst = np.array([2 * d for d in documents], np.int32)
    predicted = np.full((len(worst), 64), 7, np.float32)
    actual = np.full((len(worst), 64), -0.25, np.float32)
    given = {"collection_id": explanations.get(s, explanation).collection_id} | more
    return false_positives.add(
        s, explanation, "local", "Tiny", '{"threshold": 1}', 3, worst, predicted, actual, job, **given
    )


def test_what_is_added_comes_out_and_stays(full: Full) -> None:
    first, second = documents_of(Split.SCORE, 2)
    with full.store.session() as s:
        id_ = add(s, full.tiny.explanation, second, first)
        assert add(s, full.tiny.explanation, first) == id_  # a repeated step finds what it wrote
        newer = add(s, full.tiny.explanation, first, job="fp-2")
        found = false_positives.of_explanation(s, full.tiny.explanation)
        assert [row.id for row in found] == [newer, id_] and all(row.current for row in found)
        row = found[1]
        assert row.excerpts.tolist() == [2 * second, 2 * first]
        assert (row.predicted == 7).all() and (row.actual == -0.25).all() and row.predicted.shape == (2, 64)
        assert (row.simulator, row.simulator_model, row.seed, row.job_id) == ("local", "Tiny", 3, "fp-1")
        assert json.loads(row.parameters_json) == {"threshold": 1}
        assert false_positives.of_explanation(s, full.tiny.negative) == []
    with pytest.raises((StoreError, DBAPIError), match="append-only"), full.store.session() as s:
        s.execute(delete(tables.false_positives))


def test_what_was_seen_or_is_of_another_split_is_refused(full: Full) -> None:
    (seen,), (innocent, *_) = documents_of(Split.EXPLAIN, 1), documents_of(Split.SCORE, 1)
    twin, other_twin = factories.twins()
    with full.store.session() as s:
        id_ = explain(s, full.tiny.plain, twin)
        add(s, id_, innocent)
        for wrong in (seen, twin, other_twin):
            with pytest.raises(BadInput, match="were not seen"):
                add(s, id_, innocent, wrong, job="wrong")
        with pytest.raises(BadInput, match="each of its excerpts"):
            add(s, id_, job="none")
        with pytest.raises(BadInput, match="not finite"):
            bad = np.full((1, 64), np.nan, np.float32)
            false_positives.add(
                s, id_, "local", "", "{}", 0, np.array([2 * innocent], np.int32), bad, bad, "nan", collection_id=1
            )  # fmt: skip


def test_unseen_documents_leave_out_the_whole_lineage_and_say_where_nobody_knows(full: Full) -> None:
    twin, other_twin = factories.twins()
    documents, _ = factories.corpus()
    held = {d.ordinal for d in documents if d.split == Split.SCORE}
    with full.store.session() as s:
        first = explain(s, full.tiny.plain, twin)
        made = Provenance("transfer", "scripted / m")
        again = explanations.add(
            s, full.tiny.plain, "words", Polarity.POSITIVE, made, State.OK, "", None, "again", source_id=first
        )
        collection = explanations.get(s, again).collection_id
        unseen, known = heldout.unseen_documents(s, again, collection, Split.SCORE)
        assert known and set(unseen) == held - {twin, other_twin}
        by_hand = human.explain(s, full.tiny.plain, "mine", Polarity.POSITIVE, "somebody")
        unseen, known = heldout.unseen_documents(s, by_hand, collection, Split.SCORE)
        assert not known and set(unseen) == held
        add(
            s, by_hand, min(held)
        )  # counter-examples are no score: they are kept, and the page says what is not known


def test_a_newer_collection_s_documents_are_held_against_what_was_seen_in_the_older(full: Full) -> None:
    (seen,), (innocent, *_) = documents_of(Split.EXPLAIN, 1), documents_of(Split.SCORE, 1)
    with full.store.session() as s:
        id_ = explain(s, full.tiny.plain, seen)
        before = add(s, id_, innocent)
        now = collect_again(s, {seen: {"cluster": OTHER, "split": int(Split.SCORE)}})
        unseen, _ = heldout.unseen_documents(s, id_, now, Split.SCORE)
        assert seen not in unseen and innocent in unseen
        [row] = false_positives.of_explanation(s, id_)
        assert row.id == before and not row.current
        with pytest.raises(Conflict, match="collected anew"):
            add(s, id_, innocent, job="late")
