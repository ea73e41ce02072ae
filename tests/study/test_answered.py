"""Answers out of the store: only whole items, the newest answer of each question, texts that several methods say credited to each."""

import numpy as np

from app.domain.studies import Gold, GoldKind, Task
from app.domain.study_items import ItemKind
from app.domain.study_replies import Reply, ReplyKind
from app.report.files import records, table_csv, table_parquet
from app.store import study_answers
from app.store.study_rows import Identity
from app.study import answered, export, heading
from app.study.rating import Rating
from tests import study_world as w
from tests.conftest import Full


def collected(lite: Full, study) -> answered.Collected:  # type: ignore[no-untyped-def]
    with lite.store.session() as s:
        return answered.collect(s, study)


def test_ratings_choices_and_ranks_go_to_the_methods_behind_a_text(lite: Full) -> None:
    study = w.opened(lite.store, raters=1, tasks=(Task.RATE, Task.BEST, Task.RANK), practice=0)
    w.rate_all(lite.store, study)
    found = collected(lite, study)
    rated = found.ratings
    assert len(rated.values) == 9  # three neurons, three methods, in the second two of them one text
    second = rated.neurons == 1
    values = dict(zip(rated.methods[second].tolist(), rated.values[second].tolist(), strict=True))
    assert values[0] == values[2] != values[1]
    assert len(set(rated.positions[second].tolist())) == 2
    chosen = found.choices
    assert np.allclose(chosen.credit.sum(1), 1)
    one = chosen.credit[chosen.neurons.tolist().index(1)].tolist()
    assert one in ([0.5, 0, 0.5], [0, 1, 0])
    ranked = found.ranks
    row = ranked.values[ranked.neurons.tolist().index(1)]
    assert row[0] == row[2] != row[1]


def test_only_whole_items_count_and_the_newest_answer(lite: Full) -> None:
    study = w.opened(lite.store, raters=1, practice=0)
    rater = w.come(lite.store, study)
    by = Rating(lite.store)
    at, shown = by.show(study.code, rater.secret, 1)
    by.save(study.code, rater.secret, 1, w.replies(study, at, shown, 2))
    found = collected(lite, study)
    assert (len(found.whole), found.started) == (0, 1)
    w.answer(lite.store, study, rater.secret, 1, 5)
    found = collected(lite, study)
    assert (len(found.whole), found.started) == (1, 0)
    assert max(found.ratings.values) == 5
    with lite.store.session() as session:
        assert study_answers.count(session, study.id) > len(found.whole[0].given)  # the earlier ones are kept
    assert heading.heading(found, (), False).blocks == 1


def test_gold_practice_and_repeats_tell_of_raters_alone(lite: Full) -> None:
    gold = (Gold(GoldKind.PUZZLES, 1), Gold(GoldKind.FALSE, 1))
    study = w.opened(lite.store, raters=1, gold=gold, repeats=2)
    w.rate_all(lite.store, study)
    found = collected(lite, study)
    kinds = [each.item.kind for each in found.whole]
    assert (kinds.count(ItemKind.PRACTICE), kinds.count(ItemKind.GOLD), kinds.count(ItemKind.MAIN)) == (
        1,
        2,
        5,
    )
    assert len(found.main) == 3
    assert set(found.ratings.neurons.tolist()) == {0, 1, 2}
    done = answered.work(found)
    assert done.right.tolist() == [True, True] and done.gold.tolist() == [1, 1]
    assert sorted(done.first) == sorted(done.again)  # by place on the page, which differs the second time
    assert len(done.first) in (5, 6)
    assert len(done.seconds) == 7  # the practice is not timed


def test_pairs_stand_for_every_pair_of_methods(lite: Full) -> None:
    study = w.opened(lite.store, raters=1, tasks=(Task.PAIR,), practice=0)
    w.rate_all(lite.store, study)
    found = collected(lite, study).pairs
    assert (
        np.bincount(found.neurons) == [3, 2, 3]
    ).all()  # the second neuron has one pair of texts: two of methods
    assert (found.outcomes == 1).all()
    assert np.bincount(found.neurons, found.weight).tolist() == [3, 1, 3]  # and was one answer


def test_the_export_says_all_but_who_raters_are(lite: Full) -> None:
    study = w.opened(lite.store, raters=1)
    rater = Rating(lite.store).arrive(
        study.code, Identity("", "prolific", "PID-5f3a", "STUDY-1", "SESSION-2")
    )
    Rating(lite.store).consent(study.code, rater.secret)
    w.answer(lite.store, study, rater.secret, 1)
    w.answer(lite.store, study, rater.secret, 1)
    Rating(lite.store).save(study.code, rater.secret, 1, [Reply(ReplyKind.COMMENT, "", "odd")])
    found = collected(lite, study)
    table = export.answers(found, frozenset({1}))
    rows = records(table)
    comment = next(row for row in rows if row["task"] == "comment")
    assert (comment["value"], comment["excluded"], comment["arm"]) == ("odd", True, None)
    best = [row for row in rows if row["task"] == "best" and row["item_kind"] == "main"]
    assert sum(float(row["credit"] or 0) for row in best) == 1
    whence = heading.heading(found, (), False)
    said = table_csv(table, whence) + table_parquet(table, whence)
    assert b"odd" in said and not any(
        each in said for each in (b"5f3a", b"STUDY-1", b"SESSION-2", b"prolific")
    )
    assert [row["column"] for row in records(export.dictionary())] == list(rows[0])
