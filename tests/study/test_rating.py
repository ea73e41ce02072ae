"""A rater from the first page to the last: nothing is lost, nothing counts twice, and nobody gets in who should not."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text

from app.domain.study_items import ItemKind
from app.domain.study_replies import Reply, ReplyKind
from app.errors import BadInput, Conflict, NotFound, Refused
from app.store import Store, studies, study_answers, study_raters
from app.store.study_rows import Identity, RaterState
from app.study.rating import Elsewhere, Part, Rating
from app.study.service import Studies
from tests import study_world as w
from tests.conftest import Full


def test_a_rater_does_all_and_is_done(full: Full) -> None:
    store = full.store
    study = w.opened(store)
    one = w.rate_all(store, study)
    assert one.state is RaterState.DONE
    done = Studies(store).progress(study.id)
    assert (done.items, done.done, done.unfinished) == (6, 3, 3)
    w.rate_all(store, study, 2)
    assert Studies(store).progress(study.id).unfinished == 0
    with pytest.raises(Refused, match="All places of this study are taken"):
        w.come(store, study)
    # practice: three ratings and a choice each; then three items, of which one has two texts alone
    assert Studies(store).progress(study.id).answers == 2 * (4 + 4 + 3 + 4)


def test_equal_texts_are_shown_once(full: Full) -> None:
    study = w.opened(full.store)
    with full.store.session() as s:
        items = studies.items(s, study.id)
    main = [item for item in items if item.kind is ItemKind.MAIN]
    assert [len(item.texts) for item in main] == [3, 2, 3]
    twice = main[1].texts[0]
    assert (twice.text, [source.arm for source in twice.sources], twice.credit) == (
        "Words about the sea.",
        [0, 2],
        0.5,
    )
    assert [source.raw for source in twice.sources] == ["words about the sea", w.SAME]
    assert study.notes[-1].startswith("In 1 of 3 neurons")


def test_a_second_click_and_a_second_tab_count_once(full: Full) -> None:
    store = full.store
    study = w.opened(store)
    rater = w.come(store, study)
    by = Rating(store)
    _, shown = by.show(study.code, rater.secret, 1)
    text = str(shown.place.sitting.texts[0])
    before = Studies(store).progress(study.id).answers
    assert by.save(study.code, rater.secret, 1, [Reply(ReplyKind.RATE, text, "5")])[1].fresh == 1
    assert by.save(study.code, rater.secret, 1, [Reply(ReplyKind.RATE, text, "5")])[1].fresh == 0
    assert (
        by.save(study.code, rater.secret, 1, [Reply(ReplyKind.RATE, text, "2")])[1].fresh == 1
    )  # changed one's mind
    assert Studies(store).progress(study.id).answers == before + 2  # both are kept
    _, again = by.show(study.code, rater.secret, 1)
    assert again.given[ReplyKind.RATE, text] == "2"
    assert again.place.opened_at == shown.place.opened_at or shown.place.opened_at is None


@pytest.mark.parametrize(
    "reply",
    [
        Reply(ReplyKind.RATE, "0", "0"),
        Reply(ReplyKind.RATE, "0", "6"),
        Reply(ReplyKind.RATE, "0", "five"),
        Reply(ReplyKind.RATE, "0", "٣"),
        Reply(ReplyKind.RATE, "9", "3"),
        Reply(ReplyKind.RATE, "-1", "3"),
        Reply(ReplyKind.BEST, "", "7"),
        Reply(ReplyKind.RANK, "0", "1"),
        Reply(ReplyKind.SIMULATE, "0", "1"),
        Reply(ReplyKind.COMMENT, "", "x" * 2_001),
        Reply(ReplyKind.COMMENT, "", "x" * 10_000_000),
        Reply(ReplyKind.COMMENT, "", "a\0b"),
    ],
)
def test_what_is_no_answer_changes_nothing(full: Full, reply: Reply) -> None:
    store = full.store
    study = w.opened(store)
    rater = w.come(store, study)
    by = Rating(store)
    _, shown = by.show(study.code, rater.secret, 1)
    sound = Reply(ReplyKind.RATE, str(shown.place.sitting.texts[0]), "3")
    with pytest.raises(BadInput):
        by.save(study.code, rater.secret, 1, [sound, reply])
    _, after = by.show(study.code, rater.secret, 1)
    assert after.given == {}


def test_an_item_that_is_not_assigned_cannot_be_answered(full: Full) -> None:
    store = full.store
    study = w.opened(store)
    rater = w.come(store, study)
    by = Rating(store)
    for number in (0, -1, 4, 99):
        with pytest.raises(NotFound, match="There is no item"):
            by.save(study.code, rater.secret, number, [])
    with pytest.raises(NotFound, match="not a rater of this study"):
        by.save(study.code, "somebody", 1, [])


def test_an_item_is_done_only_when_it_is_whole(full: Full) -> None:
    store = full.store
    study = w.opened(store)
    rater = w.come(store, study)
    by = Rating(store)
    at, shown = by.show(study.code, rater.secret, 1)
    answers = w.replies(study, at, shown)
    at, saved = by.finish(study.code, rater.secret, 1, answers[:1])
    assert saved.missing == (
        f"{len(shown.place.sitting.texts) - 1} of the ratings",
        "which description fits best",
    )
    assert at.next == 1
    at, saved = by.finish(study.code, rater.secret, 1, answers[1:])
    assert (saved.missing, at.next) == ((), 2)


def test_practice_has_two_tries(full: Full) -> None:
    store = full.store
    study = w.opened(store, raters=1)
    by = Rating(store)
    rater = by.arrive(study.code)
    by.consent(study.code, rater.secret)
    at, shown = by.show(study.code, rater.secret, 1)
    wrong = [
        Reply(r.kind, r.subject, "3") if r.kind is ReplyKind.RATE else r for r in w.replies(study, at, shown)
    ]
    at, _ = by.finish(study.code, rater.secret, 1, wrong)
    assert (at.rater.state, at.rater.practice_failed, at.next) == (RaterState.PRACTISING, 1, 1)
    at, _ = by.finish(study.code, rater.secret, 1, wrong)
    assert at.rater.state is RaterState.SCREENED_OUT
    with pytest.raises(Conflict, match="has ended"):
        by.show(study.code, rater.secret, 1)
    assert w.rate_all(store, study).state is RaterState.DONE  # the place was given again


def test_a_second_click_on_the_last_practice_item_answers_nothing_else(full: Full) -> None:
    store = full.store
    study = w.opened(store, raters=1)
    by = Rating(store)
    rater = by.arrive(study.code)
    first = by.consent(study.code, rater.secret).part
    assert first == (True, 0)
    at, shown = by.show(study.code, rater.secret, 1, first)
    right = w.replies(study, at, shown)
    wrong = [Reply(r.kind, r.subject, "3") if r.kind is ReplyKind.RATE else r for r in right]
    with pytest.raises(Elsewhere):
        by.reviewed(study.code, rater.secret)
    by.finish(study.code, rater.secret, 1, wrong, first)
    with pytest.raises(Elsewhere):  # the same form again would be the second try
        by.finish(study.code, rater.secret, 1, wrong, first)
    at, [looked_at] = by.reviewed(study.code, rater.secret)
    assert (at.part, looked_at.given[ReplyKind.RATE, "0"]) == ((True, 1), "3")
    at, _ = by.finish(study.code, rater.secret, 1, right, at.part)
    assert at.part == (False, 0)
    for act in (by.save, by.finish):
        with pytest.raises(Elsewhere):  # item 1 of the study is another one
            act(study.code, rater.secret, 1, right, Part(True, 1))
    assert by.show(study.code, rater.secret, 1)[1].given == {}


def test_clicks_at_the_same_moment_count_once(full: Full) -> None:
    store = full.store
    study = w.opened(store, raters=1, practice=0)
    by = Rating(store)
    rater = by.arrive(study.code)
    with ThreadPoolExecutor(4) as pool:
        came = list(pool.map(lambda _: by.consent(study.code, rater.secret), range(4)))
        assert [len(at.places) for at in came] == [3] * 4
        at, shown = by.show(study.code, rater.secret, 1)
        replies = w.replies(study, at, shown)
        list(pool.map(lambda _: by.finish(study.code, rater.secret, 1, replies), range(4)))
    assert Studies(store).progress(study.id).answers == len(replies)
    at_last = by.at(study.code, rater.secret)
    assert at_last is not None and at_last.next == 2


def test_what_a_rater_leaves_is_given_to_another(full: Full) -> None:
    store = full.store
    study = w.opened(store, raters=1)
    first = w.come(store, study)
    w.answer(store, study, first.secret, 1)
    Rating(store).give_back(study.code, first.secret)
    second = w.rate_all(store, study)
    with store.session() as s:
        placed = study_raters.places_of_study(s, study.id)
        done = Counter(p.sitting.item for p in placed if p.done_at is not None and not p.practice)
    assert done == {0: 1, 1: 1, 2: 1}
    assert sum(p.rater_id == second.id and not p.practice for p in placed) == 2
    assert Studies(store).progress(study.id).unfinished == 0


def test_a_silent_rater_s_place_is_given_again(full: Full) -> None:
    store = full.store
    study = w.opened(store, raters=1)
    first = w.come(store, study)
    with store.session() as s:
        study_raters.change(s, first.id, last_at=datetime.now(UTC) - timedelta(hours=25))
    assert w.rate_all(store, study).state is RaterState.DONE
    at = Rating(store).at(study.code, first.secret)
    assert at is not None and at.rater.state is RaterState.TIMED_OUT


def test_an_erased_rater_leaves_a_tombstone(full: Full) -> None:
    store = full.store
    study = w.opened(store, raters=1)
    rater = Rating(store).arrive(study.code, Identity("", "prolific", "5f3a", "st", "se"))
    Rating(store).consent(study.code, rater.secret)
    w.answer(store, study, rater.secret, 1)
    assert Studies(store).erase(study.id, rater.number, w.OWNER) > 0
    with store.session() as s:
        assert study_answers.of_study(s, study.id) == []
        assert study_raters.identities(s, study.id) == {}
        [gone] = study_raters.of_study(s, study.id)
        assert (gone.state, gone.pseudonym) == (RaterState.ERASED, "Rater 1")
        assert studies.logged(s, study.id)[-1].what == "erased"
    assert Rating(store).at(study.code, rater.secret) is None
    w.rate_all(store, study)


def test_a_participant_who_comes_back_goes_on(full: Full) -> None:
    study = w.opened(full.store)
    by = Rating(full.store)
    first = by.arrive(study.code, Identity("", "prolific", "5f3a", "st", "se"))
    assert by.arrive(study.code, Identity("", "prolific", "5f3a", "st", "other")).id == first.id
    assert by.arrive(study.code, Identity("", "prolific", "6b", "st", "se")).id != first.id


def test_an_invitation_is_good_once(full: Full) -> None:
    store = full.store
    study = w.opened(store)
    other = w.opened(store, name="Another one")
    made = Studies(store)
    rater, late = made.invite(study.id, w.OWNER, ["Grace", "Alan"], days=1)
    by = Rating(store)
    with pytest.raises(Refused, match="for another study"):
        by.accept(other.code, rater.number)
    assert by.invited(study.code, rater.number).claimed is False  # looking at it does not open it
    assert by.accept(study.code, rater.number).state is RaterState.ARRIVED
    with pytest.raises(Refused, match="opened already"):
        by.accept(study.code, rater.number)
    made.renew(study.id, rater.number, w.OWNER)
    assert by.accept(study.code, rater.number).secret == rater.secret
    with store.session() as s:
        study_raters.change(s, late.id, expires_at=datetime.now(UTC) - timedelta(seconds=1))
    with pytest.raises(Refused, match="expired"):
        by.accept(study.code, late.number)


def test_only_the_owner_changes_a_study(full: Full) -> None:
    made = Studies(full.store)
    study = w.opened(full.store)
    stranger = w.Actor("Eve", "browser-eve")
    for act in (
        lambda: made.close(study.id, stranger),
        lambda: made.unblind(study.id, stranger, "curious"),
        lambda: made.erase(study.id, 1, stranger),
        lambda: made.invite(study.id, stranger, ["x"]),
    ):
        with pytest.raises(Refused, match="Only who made the study"):
            act()
    with pytest.raises(Conflict, match="frozen"):
        made.change(study.id, w.definition(title="Other"), w.OWNER)


def test_a_closed_study_takes_no_answers(full: Full) -> None:
    store = full.store
    study = w.opened(store)
    rater = w.come(store, study)
    with pytest.raises(Conflict, match="6 of 6 items are unfinished"):
        Studies(store).close(study.id, w.OWNER)
    Studies(store).close(study.id, w.OWNER, anyway=True)
    with pytest.raises(Refused, match="has ended"):
        Rating(store).save(study.code, rater.secret, 1, [Reply(ReplyKind.COMMENT, "", "late")])
    with store.session() as s:
        assert studies.logged(s, study.id)[-1].detail == "6 items unfinished"


def test_an_answer_under_way_at_the_close_is_in_before_it_or_refused(full: Full) -> None:
    """The answer waits for its rater's row, which the close holds, and then sees that the study has closed."""
    store = full.store
    study = w.opened(store)
    rater = w.come(store, study)
    before = Studies(store).progress(study.id).answers
    with ThreadPoolExecutor(1) as pool:
        with store.session() as s:
            study_raters.hold_all(s, study.id)
            reply = [Reply(ReplyKind.COMMENT, "", "late")]
            late = pool.submit(Rating(store).save, study.code, rater.secret, 1, reply)
            while store.dialect == "postgresql" and not _waits(store):
                assert not late.done(), late.exception()
            studies.close(s, study.id, "Ada", 6)
        with pytest.raises(Refused, match="has ended"):
            late.result(30)
    assert Studies(store).progress(study.id).answers == before


def _waits(store: Store) -> bool:
    """Whether somebody waits for a lock."""
    with store.reading() as s:
        found = s.execute(
            text(
                "SELECT count(*) FROM pg_locks WHERE NOT granted AND pid IN"
                " (SELECT pid FROM pg_stat_activity WHERE datname = current_database())"
            )
        )
        return bool(found.scalar())
