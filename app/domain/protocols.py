"""Which of a neuron's records are explained on, calibrated on and scored on (DESIGN sections 4 to 6).

Our own records are told apart by the split of their document; imported ones (`UNSPLIT`) by rank, as BILLS did.
A rank that a neuron does not have is left out; nothing takes its place from another split.
An excerpt may be kept as top *and* at random; it then counts in both, as in the published protocol, because a
random sample without the strong excerpts would be none.
"""

from collections.abc import Iterable
from itertools import zip_longest

import numpy as np
from numpy.typing import NDArray

from app.domain.explanations import Band, Protocol, ShownOptions
from app.domain.neurons import BANDS, BandCounts, Int32, Kind, Polarity, Records, Split
from app.domain.shown import demand_shown
from app.domain.splits import enough_documents

__all__ = ["dev_records", "enough_documents", "explain_records", "score_records"]

BILLS_EXPLAIN_TOP = (0, 4, 8, 12, 16)
BILLS_DEV_TOP = (1, 5, 9, 13, 17)
BILLS_DEV_RANDOM = (0, 3, 6, 9, 12)
BILLS_SCORE_TOP = (2, 6, 10, 14, 18)
BILLS_SCORE_RANDOM = (1, 4, 7, 10, 13)
# What BILLS uses for nothing: where an explainer is to see more, or random records.
BILLS_SPARE_TOP = (3, 7, 11, 15, 19)
BILLS_SPARE_RANDOM = (2, 5, 8, 11, 14, 15, 16, 17, 18, 19)
# The first half holds every other excerpt, so that these ranks are BILLS' ranks in expectation.
HELDOUT_EXPLAIN_TOP = (0, 2, 4, 6, 8)
HELDOUT_SCORE_TOP = (0, 1, 2, 3, 4)
HELDOUT_SCORE_RANDOM = (0, 1, 2, 3, 4)

DEFAULT_SHOWN = ShownOptions()
_BAND_KINDS = {Band.Q1: Kind.Q1, Band.Q2: Kind.Q2, Band.Q3: Kind.Q3, Band.Q4: Kind.Q4}
_MANY = 64  # ranks beyond those that any profile keeps

STRATUM_STRONG = 0  # top, or bottom for the negative polarity
STRATUM_RANDOM = 1
STRATA = 5  # of POPULATION: Q1..Q3, those of Q4 that are not among the strongest kept, and the strongest


def explain_records(records: Records, polarity: Polarity, shown: ShownOptions = DEFAULT_SHOWN) -> Records:
    """The records that an explainer is shown, whole; `app.domain.shown.windows` cuts them.

    The default is as published: 5, strongest first. Explain split: top[0,2,4,6,8], or the 5 most negative for the
    negative polarity; imported: top[0,4,8,12,16], and none for the negative polarity, which published data does not
    hold. Fewer are the first of these; more add the ranks in between, of imported data those that nothing else uses.
    Other bands in sampling order; `MIXED` is the strongest, one of each band, then random and strong ones in turn (without
    bands for the negative polarity), shown strongest kind first. A record that is not there is left out.
    Raises BadInput for options that do not fit (`demand_shown`).
    """
    demand_shown(shown, polarity)
    if shown.band is Band.TOP:
        rows = _strong_rows(records, polarity, shown.excerpts)
    elif shown.band is Band.MIXED:
        rows = _mixed_rows(records, polarity, shown.excerpts)
    else:
        kind = _BAND_KINDS.get(shown.band, Kind.RANDOM)
        rows = _sampled_rows(records, kind, polarity)[: shown.excerpts]
    return records.take(rows)


def _strong_rows(records: Records, polarity: Polarity, n: int) -> NDArray[np.intp]:
    """The first n ranks of the order in which strong records are shown, as far as they are there, strongest first."""
    split, order = Split.EXPLAIN, list(range(_MANY))
    if _unsplit(records):
        split, order = Split.UNSPLIT, [*BILLS_EXPLAIN_TOP, *BILLS_SPARE_TOP]
    elif polarity is Polarity.POSITIVE:
        order = [*HELDOUT_EXPLAIN_TOP, *(rank for rank in order if rank not in HELDOUT_EXPLAIN_TOP)]
    return _rows(records, _strong(polarity), split, sorted(order[:n]))


def _sampled_rows(records: Records, kind: Kind, polarity: Polarity) -> NDArray[np.intp]:
    """All records of a band, or random ones, that an explainer may see, in sampling order."""
    if not _unsplit(records):
        return _rows(records, kind, Split.EXPLAIN, None)
    rows = _rows(records, kind, Split.UNSPLIT, BILLS_SPARE_RANDOM if kind is Kind.RANDOM else None)
    # Published samples may hold one excerpt twice: what is calibrated or scored on is shown to nobody.
    kept = [dev_records(records, polarity), score_records(records, Protocol.BILLS_5_5, polarity)[0]]
    return rows[~np.isin(records.excerpts[rows], np.concatenate([part.excerpts for part in kept]))]


def _mixed_rows(records: Records, polarity: Polarity, n: int) -> NDArray[np.intp]:
    strong = _strong_rows(records, polarity, _MANY).tolist()
    random = _sampled_rows(records, Kind.RANDOM, polarity).tolist()
    bands: list[int] = []
    if polarity is Polarity.POSITIVE:
        bands = [
            int(rows[0]) for kind in reversed(BANDS) if len(rows := _sampled_rows(records, kind, polarity))
        ]
    in_turn = [row for pair in zip_longest(random, strong[1:]) for row in pair if row is not None]
    chosen: list[int] = []
    seen: set[int] = set()  # an excerpt may be kept for several reasons, and is shown once
    for row in [*strong[:1], *bands, *in_turn]:
        excerpt = int(records.excerpts[row])
        if excerpt not in seen and len(chosen) < n:
            seen.add(excerpt)
            chosen.append(row)
    place = {kind: i for i, kind in enumerate((_strong(polarity), *reversed(BANDS), Kind.RANDOM))}
    # Within a kind stored order is rank.
    return np.array(sorted(chosen, key=lambda row: (place[Kind(int(records.kinds[row]))], row)), np.intp)


def dev_records(records: Records, polarity: Polarity) -> Records:
    """The records to calibrate on: the dev split's strong and random ones; BILLS' ranks in imported data.

    With the default profile the negative polarity finds random ones only. May be empty.
    """
    strong = _strong(polarity)
    if _unsplit(records):
        top = _rows(records, strong, Split.UNSPLIT, BILLS_DEV_TOP)
        random = _rows(records, Kind.RANDOM, Split.UNSPLIT, BILLS_DEV_RANDOM)
    else:
        top = _rows(records, strong, Split.DEV, None)
        random = _rows(records, Kind.RANDOM, Split.DEV, None)
    return records.take(np.concatenate([top, random]))


def score_records(
    records: Records, protocol: Protocol, polarity: Polarity, *, bands: BandCounts = (0, 0, 0, 0)
) -> tuple[Records, Int32]:
    """The records that a protocol scores on, and the stratum of each, int32 [R].

    Strata are 0 (top, or bottom for the negative polarity) and 1 (random); for `POPULATION` 0..4 as
    `population_sizes` has them, for either polarity, since any known-probability sample serves any value. `bands`,
    the neuron's `Statistics.band_excerpts`, say how many of its top records lie in the last band: those are all that
    is strongest there and stand for themselves alone, and its random records for the rest.
    `GENERATED` has those of `HELDOUT_5_5` here; the sentences beside them are no records of a collection.
    Empty where the protocol does not apply: `BILLS_5_5` to our own records, the others to imported ones, `POPULATION`
    to data whose bands were not counted, `AS_IMPORTED` to anything: nobody knows its records.
    """
    if protocol is Protocol.POPULATION:
        return _population(records, bands)
    strong = _strong(polarity)
    if protocol is Protocol.BILLS_5_5:
        top = _rows(records, strong, Split.UNSPLIT, BILLS_SCORE_TOP)
        random = _rows(records, Kind.RANDOM, Split.UNSPLIT, BILLS_SCORE_RANDOM)
    elif protocol is Protocol.AS_IMPORTED:
        return _stratified(records, [np.zeros(0, np.intp)])
    elif protocol in (Protocol.HELDOUT_5_5, Protocol.GENERATED):
        top = _rows(records, strong, Split.SCORE, HELDOUT_SCORE_TOP)
        random = _rows(records, Kind.RANDOM, Split.SCORE, HELDOUT_SCORE_RANDOM)
    else:
        top = _rows(records, strong, Split.SCORE, None)
        random = _rows(records, Kind.RANDOM, Split.SCORE, None)
    return _stratified(records, [top, random])


def population_sizes(bands: BandCounts, strata: Int32) -> tuple[int, int, int, int, int]:
    """How many excerpts of the score split each stratum of `POPULATION` stands for; they add up to all.

    `strata` [R] are those of `score_records` with the same `bands`. A stratum of no excerpt needs no record.
    """
    strongest = int((strata == STRATA - 1).sum())
    return (*bands[:3], bands[3] - strongest, strongest)


def _population(records: Records, bands: BandCounts) -> tuple[Records, Int32]:
    if not any(bands):
        return _stratified(records, [np.zeros(0, np.intp)])
    strata = [_rows(records, kind, Split.SCORE, None) for kind in BANDS]
    # Stored in rank order; bands are bands of the same maximum, so the first ones are those of the last band.
    strongest = _rows(records, Kind.TOP, Split.SCORE, None)[: bands[-1]]
    last = strata[-1]
    strata[-1] = last[~np.isin(records.excerpts[last], records.excerpts[strongest])]
    return _stratified(records, [*strata, strongest])


def _stratified(records: Records, rows: list[NDArray[np.intp]]) -> tuple[Records, Int32]:
    strata = np.repeat(np.arange(len(rows), dtype=np.int32), [len(part) for part in rows])
    return records.take(np.concatenate(rows)), strata


def _strong(polarity: Polarity) -> Kind:
    return Kind.TOP if polarity is Polarity.POSITIVE else Kind.BOTTOM


def _unsplit(records: Records) -> bool:
    return bool((records.splits == Split.UNSPLIT).any())


def _rows(records: Records, kind: Kind, split: Split, ranks: Iterable[int] | None) -> NDArray[np.intp]:
    """Rows of one kind in one split, in rank order: all of them, or those of the named ranks that exist."""
    mine = (records.kinds == kind) & (records.splits == split) & (records.excerpts >= 0)
    rows = np.flatnonzero(mine)
    if ranks is None:
        return rows
    return rows[[rank for rank in ranks if rank < len(rows)]]
