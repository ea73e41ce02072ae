"""What people said of explanations: nothing while a study is open, and then of what they really rated."""

from app.domain.explanations import Method
from app.domain.neurons import Polarity
from app.domain.report_preferences import RatedOnce, preferences
from app.domain.studies import Gold, GoldKind, StudyArm
from app.store import people, study_material
from app.store.search import RATING, Wanted, every
from app.study.service import Studies
from tests import factories
from tests import study_world as w
from tests.conftest import Full


def test_ratings_are_known_once_a_study_is_closed(full: Full) -> None:
    store = full.store
    study = w.opened(store, 2, raters=2, practice=0, gold=(Gold(GoldKind.FALSE, 1),))
    for rating in (5, 3):
        w.rate_all(store, study, rating)
    with store.session() as s:
        ref = w.refs(2)[1]
        arms = [StudyArm(method.value) for method in w.METHODS]
        said = study_material.newest(s, [ref], arms, Polarity.POSITIVE)
        ids = {method: said[ref, i].id for i, method in enumerate(w.METHODS)}
        assert people.of_explanation(s, ids[Method.ORIGINAL]) == []
        assert people.ratings_of(s, ids.values()) == []
        assert not every(store, s, factories.SLUG, Wanted(has=(RATING,))).refs()
    Studies(store).close(study.id, w.OWNER)
    with store.session() as s:
        [one] = people.of_explanation(s, ids[Method.ORIGINAL])
        [same] = people.of_explanation(s, ids[Method.AVHS])  # the same text, set alike
        [other] = people.of_explanation(s, ids[Method.SUMMARY])
        assert one == same
        assert (len(one.ratings), one.choices, one.study, one.top_only) == (2, 2, study.name, False)
        assert one.chosen + other.chosen == 2
        assert one.mean is not None and other.mean is not None
        assert sorted(one.ratings + other.ratings) == [2, 3, 4, 5]
        rated = people.ratings_of(s, ids.values())
        assert len(rated) == 6 and {each.item for each in rated} == {1}
        assert set(every(store, s, factories.SLUG, Wanted(has=(RATING,))).refs()) == set(w.refs(2))
        lacking = every(store, s, factories.SLUG, Wanted(lacks=(RATING,))).refs()
        assert not set(lacking) & set(w.refs(2)) and lacking


def test_preference_by_gap_by_hand() -> None:
    rated = [
        RatedOnce((1, 1, 0), 10, 5),
        RatedOnce((1, 1, 0), 11, 2),
        RatedOnce((1, 1, 0), 12, 2),
        RatedOnce((1, 2, 0), 10, 1),
        RatedOnce((1, 2, 0), 11, 2),
        RatedOnce((1, 2, 0), 99, 5),  # never scored
    ]
    found = preferences(rated, {10: 0.5, 11: 0.25, 12: 0.12})
    assert [(each.gap_low, each.ratings, each.preferred) for each in found] == [(0.2, 2, 1), (0.3, 1, 1)]
    assert preferences([], {}) == ()
