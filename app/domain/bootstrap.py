"""Poisson bootstrap of documents within strata: how far a score would move with other documents.

A draw gives every document a weight that is Poisson with mean 1, the same in all records that come from it. Within
each stratum the weights are renormalised to the stratum's own total, so that no draw has more top records than
were taken. A stratum of a single unit would then not vary at all, so callers ask for `MIN_UNITS` in each. Everything
works on sums per record, never on tokens again, so a whole layer is a few matrix products.

A weight is a hash of (seed, document, draw): it does not depend on which neurons or records are asked for, so
scores of different neurons, methods and protocols share their draws and can be compared in pairs.
"""

from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from app.domain.explanations import Metric
from app.domain.hashing import priority
from app.domain.neurons import Bool, Float64, Int32

DRAWS = 200
INTERVAL = (0.025, 0.975)
MIN_UNITS = 2  # in every stratum; with fewer there is no interval
MIN_DEFINED = DRAWS // 8  # with fewer draws that define the score there is no interval
_FLAT = 1e-12  # spread, as a share of the squares it is computed from, that is rounding and not spread


class Column(IntEnum):
    """The sums kept per record; a is actual, s expected, c calibrated; A..AS about any fixed centres."""

    TOKENS = 0  # weight of the record's tokens
    A = 1
    S = 2
    AA = 3
    SS = 4
    AS = 5
    RAW_AA = 6  # a^2 about 0
    ABS_A = 7
    RESIDUAL_SQUARED = 8  # (a - c)^2
    RESIDUAL_ABS = 9  # |a - c|
    RAW_SS = 10  # s^2 about 0
    RAW_AS = 11  # a s about 0
    BOTH = 12  # tokens that are active and predicted to be
    ONLY_PREDICTED = 13
    ONLY_ACTIVE = 14


def correlation_sums(actual: Float64, expected: Float64) -> Float64:
    """Columns TOKENS..AS of each record, [..., R, T] twice -> [..., 6, R].

    Give both about a centre (any; the mean of all tokens is best): the sums then lose no digits.
    """
    tokens = np.full(actual.shape[:-1], float(actual.shape[-1]))  # [..., R]
    columns = (
        tokens,
        actual.sum(-1),
        expected.sum(-1),
        np.einsum("...t,...t->...", actual, actual),
        np.einsum("...t,...t->...", expected, expected),
        np.einsum("...t,...t->...", actual, expected),
    )
    return np.stack(columns, axis=-2)


def residual_sums(actual: Float64, calibrated: Float64) -> Float64:
    """Columns RAW_AA..RESIDUAL_ABS of each record, [..., R, T] twice -> [..., 4, R]."""
    residual = actual - calibrated  # [..., R, T]
    columns = ((actual**2).sum(-1), np.abs(actual).sum(-1), (residual**2).sum(-1), np.abs(residual).sum(-1))
    return np.stack(columns, axis=-2)


def cosine_sums(actual: Float64, expected: Float64) -> Float64:
    """Columns RAW_SS, RAW_AS of each record, [..., R, T] twice -> [..., 2, R]."""
    return np.stack([(expected**2).sum(-1), (actual * expected).sum(-1)], axis=-2)


def units(documents: Int32, excerpts: Int32) -> NDArray[np.int64]:
    """What is drawn: the document, or where imported data has none (-1) the excerpt, as a number of its own."""
    return np.where(documents >= 0, documents.astype(np.int64), -2 - excerpts.astype(np.int64))


def poisson_weights(seed: int, drawn: NDArray[np.integer], draws: int = DRAWS) -> Float64:
    """Weights [D, draws] of the units [D], Poisson with mean 1 (to 16 bits: none above 8)."""
    quarters = np.arange(-(-draws // 4), dtype=np.int64)
    hashes = priority(seed, drawn[:, None], quarters[None, :])  # [D, draws / 4]
    shifts = np.array([0, 16, 32, 48], np.uint64)
    sixteen = (hashes[:, :, None] >> shifts) & np.uint64(0xFFFF)  # [D, draws / 4, 4]
    return _POISSON[sixteen.reshape(len(drawn), -1)[:, :draws].astype(np.intp)]


def _poisson_table() -> Float64:
    """Quantile function of Poisson(1) at the middles of 65,536 equal steps."""
    terms = [np.exp(-1.0)]
    for k in range(1, 20):
        terms.append(terms[-1] / k)
    middles = (np.arange(1 << 16) + 0.5) / (1 << 16)
    return np.searchsorted(np.cumsum(terms), middles, side="right").astype(np.float64)


_POISSON = _poisson_table()


def resample(sums: Float64, weights: Float64) -> Float64:
    """One stratum's totals in every draw: sums [..., K, R] and weights [..., R, B] -> [..., K, B].

    Renormalised to the stratum's own tokens; NaN in a draw that has none of its records.
    """
    totals: Float64 = sums @ weights  # [..., K, B]
    mass = totals[..., Column.TOKENS : Column.TOKENS + 1, :]  # [..., 1, B]
    own = sums[..., Column.TOKENS, :].sum(-1)[..., None, None]  # [..., 1, 1]
    with np.errstate(divide="ignore", invalid="ignore"):
        totals *= own / mass
    return totals


def vary(totals: Float64) -> tuple[Bool, Bool]:
    """Whether actual and whether expected values differ, from totals [..., K, B] -> [..., B] twice.

    A correlation is defined where both do. What is left of a spread after rounding counts as none.
    """
    weight = totals[..., Column.TOKENS, :]
    found = []
    for first, second in ((Column.A, Column.AA), (Column.S, Column.SS)):
        x, xx = totals[..., first, :], totals[..., second, :]
        with np.errstate(divide="ignore", invalid="ignore"):
            found.append(xx - x * x / weight > _FLAT * xx)
    return found[0], found[1]


def statistic(metric: Metric, totals: Float64) -> Float64:
    """A metric from totals [..., K, B] -> [..., B]; NaN where it is undefined. AUPRC is no function of these: see `area`."""
    weight, a, aa = (totals[..., column, :] for column in (Column.TOKENS, Column.A, Column.AA))
    with np.errstate(divide="ignore", invalid="ignore"):
        if metric is Metric.CORRELATION:
            s, ss = totals[..., Column.S, :], totals[..., Column.SS, :]
            spread_a, spread_s = aa - a * a / weight, ss - s * s / weight
            value = (totals[..., Column.AS, :] - a * s / weight) / np.sqrt(spread_a * spread_s)
            np.clip(value, -1.0, 1.0, out=value)
            defined = np.logical_and(*vary(totals))
        elif metric is Metric.R_SQUARED:
            spread_a = aa - a * a / weight
            value = 1.0 - totals[..., Column.RESIDUAL_SQUARED, :] / spread_a
            defined = vary(totals)[0]
        elif metric is Metric.COSINE:
            squares = totals[..., Column.RAW_AA, :] * totals[..., Column.RAW_SS, :]
            value = np.clip(totals[..., Column.RAW_AS, :] / np.sqrt(squares), -1.0, 1.0)
            defined = squares > 0
        elif metric in (Metric.F1, Metric.IOU):
            both = totals[..., Column.BOTH, :] * (2 if metric is Metric.F1 else 1)
            wrong = totals[..., Column.ONLY_PREDICTED, :] + totals[..., Column.ONLY_ACTIVE, :]
            value = both / (both + wrong)
            active = totals[..., Column.BOTH, :] + totals[..., Column.ONLY_ACTIVE, :]
            defined = (active > 0) & (active < weight * (1 - _FLAT))
        else:
            squared = metric is Metric.R_SQUARED_UNCENTRED
            lost = totals[..., Column.RESIDUAL_SQUARED if squared else Column.RESIDUAL_ABS, :]
            whole = totals[..., Column.RAW_AA if squared else Column.ABS_A, :]
            value = 1.0 - lost / whole
            defined = whole > 0
    value[~defined] = np.nan
    return value


def interval(values: Float64) -> tuple[Float64, Float64]:
    """The 2.5 % and 97.5 % quantiles (linear) over the defined draws, [..., B] -> [...] twice.

    NaN where fewer than `MIN_DEFINED` draws define the score.
    """
    ordered = np.sort(values, axis=-1)  # NaN last
    defined = np.count_nonzero(~np.isnan(values), axis=-1)  # [...]
    bounds = []
    for quantile in INTERVAL:
        place = quantile * np.maximum(defined - 1, 0)  # [...]
        below = np.floor(place).astype(np.intp)
        above = np.minimum(below + 1, np.maximum(defined - 1, 0))
        at_below = np.take_along_axis(ordered, below[..., None], -1)[..., 0]
        at_above = np.take_along_axis(ordered, above[..., None], -1)[..., 0]
        bound = at_below + (place - below) * (at_above - at_below)
        bounds.append(np.where(defined >= MIN_DEFINED, bound, np.nan))
    return bounds[0], bounds[1]
