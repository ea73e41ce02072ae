"""Making, starting, watching and ending studies: once each, by their owners alone, with nothing unblinded on the way."""

from datetime import UTC, datetime, timedelta

import pytest

from app.domain.studies import Gold, GoldKind
from app.domain.study_items import ItemKind
from app.domain.study_replies import Reply, ReplyKind
from app.errors import BadInput, Conflict, NotFound, Refused
from app.store import Store, studies, study_raters
from app.store.study_rows import RaterState, StudyState
from app.study import service
from app.study.overview import overview
from app.study.rating import Rating
from app.study.service import Actor, Studies
from app.web import author
from tests import study_world as w
from tests.conftest import Full

COMMAND_LINE = Actor("command line")


def test_a_study_starts_once_and_is_frozen(full: Full) -> None:
    w.describe(full.store, w.refs())
    made = Studies(full.store)
    draft = made.make(w.definition(), w.OWNER)
    assert made.change(draft.id, w.definition(title="Other words"), w.OWNER).definition.title == "Other words"
    study = made.start(draft.id, w.OWNER)
    assert study.state is StudyState.OPEN and len(study.registered_hash) == 64
    with pytest.raises(Conflict, match="has started already"):
        made.start(study.id, w.OWNER)
    with pytest.raises(Conflict, match="is frozen since its start: make a new version"):
        made.change(study.id, w.definition(), w.OWNER)
    assert made.get(study.id) == study
    # The same definition and material are registered under the same hash; another seed is not.
    twin = made.start(made.make(w.definition(title="Other words"), w.OWNER).id, w.OWNER)
    other = made.start(made.make(w.definition(title="Other words", seed=6), w.OWNER).id, w.OWNER)
    assert twin.registered_hash == study.registered_hash != other.registered_hash
    with full.store.session() as s:
        heads = studies.heads(s, study.id)
        assert [(h.kind, h.neuron) for h in heads] == [(i.kind, i.neuron) for i in studies.items(s, study.id)]
    assert [entry.what for entry in made.log(study.id)] == ["made", "changed", "started"]


def test_a_change_becomes_a_new_version(tiny_store: Store) -> None:
    made = Studies(tiny_store)
    draft = made.make(w.definition(), w.OWNER)
    with pytest.raises(Conflict, match="has not started: change it as it is"):
        made.make(w.definition(), w.OWNER, previous_id=draft.id)
    study = w.opened(tiny_store)
    with pytest.raises(Refused):
        made.make(w.definition(), Actor("Eve", "browser-eve"), previous_id=study.id)
    again = made.make(w.definition(title="Clearer words"), w.OWNER, previous_id=study.id)
    assert (again.version, again.previous_id, again.state) == (2, study.id, StudyState.DRAFT)
    with pytest.raises(NotFound):
        made.make(w.definition(), w.OWNER, previous_id=999)


def test_unfinished_items_are_closed_only_when_that_is_wanted(tiny_store: Store) -> None:
    made = Studies(tiny_store)
    draft = made.make(w.definition(), w.OWNER)
    for anyway in (False, True):
        with pytest.raises(Conflict, match="is not open"):
            made.close(draft.id, w.OWNER, anyway=anyway)
    study = w.opened(tiny_store)
    w.rate_all(tiny_store, study)
    with pytest.raises(Conflict, match="3 of 6 items are unfinished"):
        made.close(study.id, w.OWNER)
    assert made.get(study.id).state is StudyState.OPEN
    w.rate_all(tiny_store, study)
    assert made.close(study.id, w.OWNER).state is StudyState.CLOSED
    assert made.log(study.id)[-1].detail == "every item finished"
    with pytest.raises(Conflict, match="The study is closed"):
        made.invite(study.id, w.OWNER, ["late"])


def test_what_the_command_line_makes_is_no_browser_s_of_a_team(tiny_store: Store) -> None:
    """On loopback the one person who may open the page is who types commands; behind a login it is not."""
    assert service.LOCAL == author.LOCAL
    made = Studies(tiny_store)
    mine = made.make(w.definition(), COMMAND_LINE)
    made.change(mine.id, w.definition(seed=6), Actor("me", author.LOCAL))
    with pytest.raises(Refused, match="the command line on the server's machine"):
        made.change(mine.id, w.definition(seed=7), Actor("Eve", "browser-eve"))
    theirs = made.make(w.definition(), w.OWNER)
    made.change(theirs.id, w.definition(seed=6), COMMAND_LINE)


@pytest.mark.parametrize(
    ("labels", "days"), [([], None), (["x" * 201], None), (["x"] * 501, None), (["x"], 0), (["x"], float("nan")), (["x"], 400)]
)  # fmt: skip
def test_invitations_that_cannot_be(tiny_store: Store, labels: list[str], days: float | None) -> None:
    study = w.opened(tiny_store)
    with pytest.raises(BadInput):
        Studies(tiny_store).invite(study.id, w.OWNER, labels, days)
    with tiny_store.session() as s:
        assert study_raters.of_study(s, study.id) == []


def test_the_overview_says_who_is_how_far_and_nothing_of_the_answers(full: Full) -> None:
    store = full.store
    study = w.opened(store, gold=(Gold(GoldKind.PUZZLES, 1),))
    done = w.rate_all(store, study)
    half = w.come(store, study)
    w.answer(store, study, half.secret, 1)
    Rating(store).save(study.code, half.secret, 2, [Reply(ReplyKind.COMMENT, "", "hard to say")])
    Rating(store).save(study.code, half.secret, 3, [Reply(ReplyKind.COMMENT, "", "a slip")])
    Rating(store).save(study.code, half.secret, 3, [Reply(ReplyKind.COMMENT, "", "")])
    Studies(store).invite(study.id, w.OWNER, ["Grace"])
    found = overview(store, study.id)
    assert [(r.rater.number, r.rater.state, r.done, r.of, r.comments) for r in found.raters] == [
        (done.number, RaterState.DONE, 4, 4, 0),
        (half.number, RaterState.RATING, 1, 4, 1),
        (3, RaterState.INVITED, 0, 0, 0),
    ]
    assert (found.raters[0].gold_right, found.raters[0].gold) == (1, 1)
    assert found.per_item == 2 and sum(n for _, n in found.by_count) == len(found.items) == 3
    assert sum(each.done for each in found.items) == Studies(store).progress(study.id).done
    assert found.comments == 1 and found.median_s is not None and found.median_s >= 0
    with store.session() as s:
        kinds = {head.kind for head in studies.heads(s, study.id)}
    assert kinds == set(ItemKind)


def test_an_erased_rater_is_gone_from_the_overview_s_counts(tiny_store: Store) -> None:
    study = w.opened(tiny_store, raters=1)
    rater = w.rate_all(tiny_store, study)
    made = Studies(tiny_store)
    assert made.erase(study.id, rater.number, w.OWNER) > 0
    [line] = overview(tiny_store, study.id).raters
    assert (line.rater.state, line.done, line.of, line.median_s) == (RaterState.ERASED, 0, 0, None)
    with pytest.raises(Conflict, match="erased already"):
        made.erase(study.id, rater.number, w.OWNER)
    with pytest.raises(NotFound, match="has no rater 9"):
        made.erase(study.id, 9, w.OWNER)


def test_a_link_is_opened_again_only_while_its_rater_is_there(tiny_store: Store) -> None:
    study = w.opened(tiny_store)
    made = Studies(tiny_store)
    [invited] = made.invite(study.id, w.OWNER, ["Grace"], days=2)
    assert invited.expires_at is not None
    assert timedelta(days=1.9) < invited.expires_at - datetime.now(UTC) <= timedelta(days=2)
    came = w.come(tiny_store, study)
    with pytest.raises(Conflict, match="no invitation"):
        made.renew(study.id, came.number, w.OWNER)
    made.erase(study.id, invited.number, w.OWNER)
    with pytest.raises(Conflict, match="no invitation"):
        made.renew(study.id, invited.number, w.OWNER)
