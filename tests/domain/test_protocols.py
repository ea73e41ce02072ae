"""Which records are explained on, calibrated on, scored on: written out by hand for the default profile."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.explanations import Band, Protocol, ShownOptions
from app.domain.neurons import BANDS, Kind, Polarity, Profile, Records, Split
from app.domain.protocols import dev_records, explain_records, population_sizes, score_records
from app.errors import BadInput

POSITIVE, NEGATIVE = Polarity.POSITIVE, Polarity.NEGATIVE


def records(kinds: np.ndarray, splits: np.ndarray) -> Records:
    """Records whose excerpt ordinal tells slot by slot what they are: 1000 * split + 100 * kind + rank."""
    ranks: dict[tuple[int, int], int] = {}
    excerpts = []
    for kind, split in zip(kinds.tolist(), splits.tolist(), strict=True):
        rank = ranks.setdefault((kind, split), 0)
        ranks[kind, split] += 1
        excerpts.append(1000 * split + 100 * kind + rank)
    n = len(excerpts)
    return Records(
        excerpts=np.array(excerpts, np.int32),
        documents=np.arange(n, dtype=np.int32),
        kinds=kinds,
        splits=splits,
        tokens=np.zeros((n, 4), np.int32),
        activations=np.zeros((n, 4), np.float32),
        gates=None,
    )


def own() -> Records:
    return records(*Profile().slots())


def imported(top: int = 20, random: int = 20) -> Records:
    kinds = np.array([Kind.TOP] * top + [Kind.RANDOM] * random, np.uint8)
    return records(kinds, np.full(len(kinds), Split.UNSPLIT, np.uint8))


def named(split: Split, kind: Kind, ranks: list[int]) -> list[int]:
    return [1000 * split + 100 * kind + rank for rank in ranks]


def test_explain() -> None:
    assert explain_records(own(), POSITIVE).excerpts.tolist() == named(
        Split.EXPLAIN, Kind.TOP, [0, 2, 4, 6, 8]
    )
    assert explain_records(own(), NEGATIVE).excerpts.tolist() == named(
        Split.EXPLAIN, Kind.BOTTOM, [0, 1, 2, 3, 4]
    )
    found = explain_records(imported(), POSITIVE).excerpts.tolist()
    assert found == named(Split.UNSPLIT, Kind.TOP, [0, 4, 8, 12, 16])
    assert len(explain_records(imported(), NEGATIVE)) == 0


def shown(data: Records, band: Band, n: int, polarity: Polarity = POSITIVE) -> list[int]:
    return explain_records(data, polarity, ShownOptions(band, n)).excerpts.tolist()


def test_fewer_and_more_strong_records_are_nested_and_strongest_first() -> None:
    assert shown(own(), Band.TOP, 3) == named(Split.EXPLAIN, Kind.TOP, [0, 2, 4])
    assert shown(own(), Band.TOP, 7) == named(Split.EXPLAIN, Kind.TOP, [0, 1, 2, 3, 4, 6, 8])
    assert shown(own(), Band.TOP, 20) == named(Split.EXPLAIN, Kind.TOP, list(range(10)))
    assert shown(own(), Band.TOP, 20, NEGATIVE) == named(Split.EXPLAIN, Kind.BOTTOM, list(range(5)))
    assert shown(imported(), Band.TOP, 20) == named(
        Split.UNSPLIT, Kind.TOP, [0, 3, 4, 7, 8, 11, 12, 15, 16, 19]
    )


def test_a_rank_that_is_not_there_is_left_out_as_ever() -> None:
    few = own().take(np.flatnonzero((own().kinds != Kind.TOP) | (np.arange(len(own())) < 3)))
    assert shown(few, Band.TOP, 5) == named(Split.EXPLAIN, Kind.TOP, [0, 2])


def test_bands_and_random_records_of_the_explain_split() -> None:
    assert shown(own(), Band.Q2, 5) == named(Split.EXPLAIN, Kind.Q2, [0])
    for polarity in (POSITIVE, NEGATIVE):
        assert shown(own(), Band.RANDOM, 3, polarity) == named(Split.EXPLAIN, Kind.RANDOM, [0, 1, 2])
        with pytest.raises(BadInput, match="1 to 20 excerpts, not 0"):
            shown(own(), Band.RANDOM, 0, polarity)
    with pytest.raises(BadInput, match="says nothing of the negative side"):
        shown(own(), Band.Q2, 5, NEGATIVE)


def test_mixed_records_are_the_strongest_then_one_of_each_band_then_random_and_strong_in_turn() -> None:
    bands = [named(Split.EXPLAIN, kind, [0])[0] for kind in reversed(BANDS)]
    assert shown(own(), Band.MIXED, 5) == [*named(Split.EXPLAIN, Kind.TOP, [0]), *bands]
    assert shown(own(), Band.MIXED, 8) == [
        *named(Split.EXPLAIN, Kind.TOP, [0, 1]),
        *bands,
        *named(Split.EXPLAIN, Kind.RANDOM, [0, 1]),
    ]
    assert shown(own(), Band.MIXED, 4, NEGATIVE) == [
        *named(Split.EXPLAIN, Kind.BOTTOM, [0, 1]),
        *named(Split.EXPLAIN, Kind.RANDOM, [0, 1]),
    ]


def test_mixed_records_show_an_excerpt_once() -> None:
    twice = own()
    first_random = np.flatnonzero((twice.kinds == Kind.RANDOM) & (twice.splits == Split.EXPLAIN))[0]
    twice.excerpts[first_random] = named(Split.EXPLAIN, Kind.TOP, [0])[0]
    found = shown(twice, Band.MIXED, 20)
    assert len(found) == len(set(found)) == 10 + 4 + 4


@pytest.mark.parametrize("band", list(Band))
def test_imported_records_shown_are_never_calibrated_or_scored_on(band: Band) -> None:
    data = imported()
    data.excerpts[20 + 5] = data.excerpts[
        20 + 1
    ]  # a spare random record that is scored on under another rank
    kept = [dev_records(data, POSITIVE), score_records(data, Protocol.BILLS_5_5, POSITIVE)[0]]
    used = {name for part in kept for name in part.excerpts.tolist()}
    assert not used & set(shown(data, band, 20))


def test_dev() -> None:
    top, random = named(Split.DEV, Kind.TOP, [0, 1, 2, 3, 4]), named(Split.DEV, Kind.RANDOM, [0, 1, 2, 3, 4])
    assert dev_records(own(), POSITIVE).excerpts.tolist() == top + random
    assert dev_records(own(), NEGATIVE).excerpts.tolist() == random  # no bottom record is kept in dev
    found = dev_records(imported(), POSITIVE).excerpts.tolist()
    assert found == named(Split.UNSPLIT, Kind.TOP, [1, 5, 9, 13, 17]) + named(
        Split.UNSPLIT, Kind.RANDOM, [0, 3, 6, 9, 12]
    )


def test_heldout() -> None:
    found, strata = score_records(own(), Protocol.HELDOUT_5_5, POSITIVE)
    five = [0, 1, 2, 3, 4]
    assert found.excerpts.tolist() == named(Split.SCORE, Kind.TOP, five) + named(
        Split.SCORE, Kind.RANDOM, five
    )
    assert strata.tolist() == [0] * 5 + [1] * 5

    found, strata = score_records(own(), Protocol.HELDOUT_FULL, POSITIVE)
    top, random = (
        named(Split.SCORE, Kind.TOP, list(range(8))),
        named(Split.SCORE, Kind.RANDOM, list(range(12))),
    )
    assert found.excerpts.tolist() == top + random
    assert strata.tolist() == [0] * 8 + [1] * 12

    found, strata = score_records(own(), Protocol.HELDOUT_FULL, NEGATIVE)
    assert found.excerpts.tolist() == named(Split.SCORE, Kind.BOTTOM, [0, 1]) + random
    assert strata.tolist() == [0] * 2 + [1] * 12


def test_bills() -> None:
    found, strata = score_records(imported(), Protocol.BILLS_5_5, POSITIVE)
    assert found.excerpts.tolist() == named(Split.UNSPLIT, Kind.TOP, [2, 6, 10, 14, 18]) + named(
        Split.UNSPLIT, Kind.RANDOM, [1, 4, 7, 10, 13]
    )
    assert strata.tolist() == [0] * 5 + [1] * 5
    found, strata = score_records(imported(random=10), Protocol.BILLS_5_5, POSITIVE)
    assert found.excerpts[strata == 1].tolist() == named(Split.UNSPLIT, Kind.RANDOM, [1, 4, 7])


@pytest.mark.parametrize("polarity", [POSITIVE, NEGATIVE])
def test_population_is_the_bands_whatever_the_polarity(polarity: Polarity) -> None:
    found, strata = score_records(own(), Protocol.POPULATION, polarity, bands=(1000, 800, 180, 20))
    bands = [name for band in BANDS for name in named(Split.SCORE, band, [0, 1])]
    assert found.excerpts.tolist() == bands + named(Split.SCORE, Kind.TOP, list(range(8)))
    assert strata.tolist() == [0, 0, 1, 1, 2, 2, 3, 3] + [4] * 8
    assert population_sizes((1000, 800, 180, 20), strata) == (1000, 800, 180, 12, 8)


@pytest.mark.parametrize(("above", "kept"), [(0, 0), (1, 1), (3, 3), (8, 8), (9, 8), (500, 8)])
def test_population_takes_the_top_records_of_the_last_band_for_themselves(above: int, kept: int) -> None:
    bands = (100, 80, 20, above)
    found, strata = score_records(own(), Protocol.POPULATION, POSITIVE, bands=bands)
    assert found.excerpts[strata == 4].tolist() == named(Split.SCORE, Kind.TOP, list(range(kept)))
    sizes = population_sizes(bands, strata)
    assert sizes == (100, 80, 20, above - kept, kept) and sum(sizes) == sum(bands)


def test_population_counts_no_excerpt_twice() -> None:
    """A record of the last band that is also among the top stands there, and not in the sample of the others."""
    data = own()
    last = np.flatnonzero((data.kinds == Kind.Q4) & (data.splits == Split.SCORE))
    data.excerpts[last[0]] = named(Split.SCORE, Kind.TOP, [3])[0]
    found, strata = score_records(data, Protocol.POPULATION, POSITIVE, bands=(100, 80, 20, 12))
    assert np.bincount(strata).tolist() == [2, 2, 2, 1, 8]
    assert len(set(found.excerpts.tolist())) == len(found)


def test_population_needs_counted_bands() -> None:
    assert len(score_records(own(), Protocol.POPULATION, POSITIVE)[0]) == 0


def test_protocols_do_not_apply_to_the_other_kind_of_data() -> None:
    assert len(score_records(own(), Protocol.BILLS_5_5, POSITIVE)[0]) == 0
    for protocol in (Protocol.HELDOUT_5_5, Protocol.HELDOUT_FULL, Protocol.POPULATION):
        found, strata = score_records(imported(), protocol, POSITIVE)
        assert len(found) == len(strata) == 0


def test_bills_splits_share_no_record() -> None:
    data = imported()
    parts = [explain_records(data, POSITIVE), dev_records(data, POSITIVE)]
    parts.append(score_records(data, Protocol.BILLS_5_5, POSITIVE)[0])
    used = [name for part in parts for name in part.excerpts.tolist()]
    assert len(used) == len(set(used)) == 25


@given(
    st.lists(st.tuples(st.sampled_from(list(Kind)), st.sampled_from([0, 1, 2])), max_size=40),
    st.sampled_from([POSITIVE, NEGATIVE]),
)
def test_no_protocol_ever_leaves_its_split(slots: list[tuple[Kind, int]], polarity: Polarity) -> None:
    kinds = np.array([kind for kind, _ in slots], np.uint8)
    data = records(kinds, np.array([split for _, split in slots], np.uint8))
    assert (explain_records(data, polarity).splits == Split.EXPLAIN).all()
    for band in (Band.TOP, Band.MIXED, Band.RANDOM):
        assert (explain_records(data, polarity, ShownOptions(band, 20)).splits == Split.EXPLAIN).all()
    assert (dev_records(data, polarity).splits == Split.DEV).all()
    for protocol in Protocol:
        found, strata = score_records(data, protocol, polarity)
        assert (found.splits == Split.SCORE).all()
        assert len(found) == len(strata)
        assert (np.diff(strata) >= 0).all()
