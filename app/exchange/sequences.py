"""Texts with activations beside a statement, as the published viewer's files hold them.

`explain_sequences` and `score_sequences` are lists of `{actual, simulated?}`, each a list of `{token, strength}`. They are
used whole or not at all: a row whose sequences cannot be used is a row without them, which says so.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from app.domain.imported import Examples
from app.domain.published import PublishedSimulation, digest_of
from app.exchange.values import Problem

NAMES = ("explain_sequences", "score_sequences")
MOST = 1000  # of a row
LONGEST = 4096  # tokens
LARGEST = float(np.finfo(np.float32).max)
SCALE = 10.0  # simulators predict 0 to 10

_Read = tuple[tuple[str, ...], tuple[float, ...]]


def examples(row: Mapping[str, Any]) -> tuple[Examples | None, tuple[str, ...]]:
    """The sequences of a row, and what is to be said of those left out."""
    if not any(row.get(name) for name in NAMES):
        return None, ()
    try:
        return _examples(row)
    except Problem as problem:
        return None, (f"its sequences were left out: {problem}",)


def _examples(row: Mapping[str, Any]) -> tuple[Examples, tuple[str, ...]]:
    texts: dict[bytes, tuple[str, ...]] = {}
    actual: dict[bytes, tuple[float, ...]] = {}
    expected: dict[bytes, tuple[float, ...]] = {}
    for sequence in _sequences(row):
        tokens, values = _read(sequence.get("actual"), "actual")
        digest = digest_of(tokens)
        if texts and len(tokens) != len(next(iter(texts.values()))):
            raise Problem(f"they are of {len(next(iter(texts.values())))} and of {len(tokens)} tokens")
        if actual.setdefault(digest, values) != values:
            raise Problem("one text comes twice, with different activations")
        texts[digest] = tokens
        if sequence.get("simulated") is not None:
            words, simulated = _read(sequence["simulated"], "simulated")
            if words != tokens:
                raise Problem("what is simulated is of other tokens than what is actual")
            if expected.setdefault(digest, simulated) != simulated:
                raise Problem("one text comes twice, with different simulations")
    predicted = np.array(list(expected.values()), np.float64)
    notes: tuple[str, ...] = ()
    simulation = None
    if expected and (predicted.min() < 0 or predicted.max() > SCALE):
        notes = ("its simulated values were left out: they are not on the scale from 0 to 10",)
    elif expected:
        simulation = PublishedSimulation(
            tuple(expected), predicted, np.array([actual[digest] for digest in expected]), None, ""
        )
    return Examples(texts, np.array(list(actual.values()), np.float64), simulation), notes


def _sequences(row: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    found: list[Mapping[str, Any]] = []
    for name in NAMES:
        given = row.get(name) or []
        if not isinstance(given, list) or not all(isinstance(each, Mapping) for each in given):
            raise Problem(f"{name} is no list of objects")
        found += given
    if len(found) > MOST:
        raise Problem(f"there are {len(found):,}; {MOST:,} are the most")
    return found


def _read(value: object, what: str) -> _Read:
    if not isinstance(value, list) or not value:
        raise Problem(f"one has no {what} tokens")
    if len(value) > LONGEST:
        raise Problem(f"one has {len(value):,} tokens; {LONGEST:,} are the most")
    tokens, strengths = [], []
    for each in value:
        token = each.get("token") if isinstance(each, Mapping) else None
        strength = each.get("strength") if isinstance(each, Mapping) else None
        if not isinstance(token, str):
            raise Problem(f"one has a token in {what} that is no text")
        if isinstance(strength, bool) or not isinstance(strength, (int, float)):
            raise Problem(f"one has a token in {what} without a number for its strength")
        if not abs(strength) <= LARGEST:
            raise Problem(f"one has a strength in {what} that is not finite, or beyond what a float32 holds")
        tokens.append(token)
        strengths.append(float(strength))
    return tuple(tokens), tuple(strengths)
