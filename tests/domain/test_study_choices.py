"""Strengths from pairs and choices: `choix`'s where it has the model, Davidson's by hand, and finite whatever people said."""

from dataclasses import replace

import choix
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize

from app.domain.study_answers import ABSENT, Choices, Pairs
from app.domain.study_choice import luce
from app.domain.study_logit import fit
from app.domain.study_pairs import davidson

NAMES = ("a", "b", "c", "d")


def pairs(rows: list[tuple[int, int, int]], names: tuple[str, ...] = NAMES, sides: bool = True) -> Pairs:
    """(first, second, outcome), each about a neuron of its own; sides alternate."""
    n = len(rows)
    first, second, outcome = (np.array(column, np.int32) for column in zip(*rows, strict=True))
    side = np.arange(n) % 2 == 0 if sides else np.ones(n, bool)
    return Pairs(
        names, np.zeros(n, np.int32), np.arange(n, dtype=np.int32) // 2, first, second, outcome, side
    )


def strengths(found: object) -> list[float]:
    return [each.strength for each in found.strengths]  # type: ignore[attr-defined]


def test_davidson_s_two_methods_by_hand() -> None:
    """6 wins, 2 losses, 4 ties, each way round alike: pi_a / pi_b = 3, and 4 / (6 + 2 + 4) are ties."""
    outcomes = [1] * 12 + [-1] * 4 + [0] * 8
    rows = [(0, 1, outcome) for outcome in outcomes for _ in range(2)]  # once on each side
    found = davidson(pairs(rows, ("a", "b")), alpha=1e-9, draws=50)
    a, b = strengths(found)
    assert a - b == pytest.approx(np.log(3), abs=1e-5) and a + b == pytest.approx(0, abs=1e-5)
    # P(tie) / sqrt(P(a) P(b)) = nu = 4 / sqrt(12).
    assert found.ties == pytest.approx(4 / np.sqrt(12), abs=1e-5)
    assert found.shown_first == pytest.approx(0, abs=1e-6)
    assert (found.pairs, found.tied, found.connected) == (48, 16, True)
    share = [each.share for each in found.strengths]
    assert share == pytest.approx([0.75, 0.25], abs=1e-5)


def test_davidson_is_the_maximum_that_scipy_finds() -> None:
    rng = np.random.default_rng(1)
    made = pairs(
        [(int(i), int(j), int(rng.integers(-1, 2))) for _ in range(80) for i, j in [rng.choice(4, 2, False)]]
    )
    alpha = 0.05

    def loss(x: np.ndarray) -> float:
        total = alpha * (x**2).sum()
        for i, j, o, s in zip(made.first, made.second, made.outcomes, made.first_shown_first, strict=True):
            side = x[5] / 2 if s else -x[5] / 2
            logs = np.array([x[i] + side, x[4] + (x[i] + x[j]) / 2, x[j] - side])  # first, tie, second
            total += np.log(np.exp(logs).sum()) - logs[1 - o]
        return float(total)

    theirs = minimize(loss, np.zeros(6), method="BFGS", options={"gtol": 1e-8}).x
    found = davidson(made, alpha, draws=20)
    assert strengths(found) == pytest.approx(theirs[:4].tolist(), abs=1e-5)
    assert np.log(found.ties) == pytest.approx(theirs[4], abs=1e-5)
    assert found.shown_first == pytest.approx(theirs[5], abs=1e-5)


def test_without_ties_or_sides_it_is_bradley_and_terry_s_of_choix() -> None:
    rng = np.random.default_rng(2)
    rows = [
        (int(i), int(j), int(rng.choice([-1, 1]))) for _ in range(60) for i, j in [rng.choice(4, 2, False)]
    ]
    made = pairs(rows)
    features = np.full((len(rows), 2, 4), 0.0)
    for place, (i, j, _) in enumerate(rows):
        features[place, 0, i] = features[place, 1, j] = 1
    counts = np.array([[1.0, 0] if o == 1 else [0, 1] for *_, o in rows])
    data = [(i, j) if o == 1 else (j, i) for i, j, o in rows]
    theirs = choix.opt_pairwise(4, data, alpha=0.1, tol=1e-10)
    assert fit(features, counts[None], 0.1)[0] == pytest.approx(theirs, abs=1e-5)
    ours = davidson(made, 0.1, draws=10)
    assert ours.ties is not None and ours.ties < 0.03  # none was seen; the ridge alone keeps it above 0
    assert strengths(ours) == pytest.approx(theirs.tolist(), abs=0.1)


def test_who_always_wins_is_strong_but_not_endless() -> None:
    rows = [(0, 1, 1), (0, 2, 1), (1, 2, 1)] * 20
    found = davidson(pairs(rows, ("a", "b", "c")), draws=100)
    a, b, c = found.strengths
    assert a.strength > b.strength > c.strength and np.isfinite([a.low, a.high, c.low, c.high]).all()
    everything_ties = davidson(pairs([(0, 1, 0)] * 20, ("a", "b")), draws=50)
    assert strengths(everything_ties) == pytest.approx([0, 0], abs=1e-9) and everything_ties.ties > 20


def test_the_side_that_is_shown_first_has_its_own_effect() -> None:
    rows = [(0, 1, 1), (0, 1, -1)] * 30  # even rows show a first: it wins exactly there
    found = davidson(pairs(rows, ("a", "b")), draws=100)
    assert found.shown_first > 3 and strengths(found) == pytest.approx([0, 0], abs=1e-6)
    assert found.shown_first_low > 0


def test_an_answer_about_a_shared_text_is_one_answer() -> None:
    """a and b are one text, which loses to c: two rows of half an answer, not two answers."""
    rows = [(0, 2, -1), (1, 2, -1)] * 10
    halves = np.full(20, 0.5)
    made = replace(pairs(rows, ("a", "b", "c"), sides=False), weights=halves)
    found = davidson(made, 0.1, draws=20)
    a, b, c = strengths(found)
    assert (
        a == pytest.approx(b) and found.pairs == 10 and [each.times for each in found.strengths] == [5, 5, 10]
    )
    plain = strengths(davidson(pairs(rows[:10], ("a", "b", "c"), sides=False), 0.1, draws=20))
    assert [a, b, c] == pytest.approx(plain)
    assert made.keep(made.first == 0).weight.tolist() == [0.5] * 10
    for weights in (np.full(20, 0.0), np.full(19, 1.0)):
        with pytest.raises(ValueError, match=r"weighs|length"):
            replace(made, weights=weights)


def test_what_was_never_compared_has_no_strength() -> None:
    found = davidson(pairs([(0, 1, 1)] * 6), draws=20)
    assert [each.strength is None for each in found.strengths] == [False, False, True, True]
    assert found.connected
    apart = davidson(pairs([(0, 1, 1), (2, 3, -1)] * 6), draws=20)
    assert not apart.connected
    one = davidson(pairs([(0, 1, 1)] * 2), draws=20)
    assert one.neurons == 1 and one.strengths[0].low is None and one.ties_low is None
    nothing = davidson(pairs([(0, 1, 1)]).keep(np.array([False])))
    assert nothing.ties is None and nothing.strengths[0].strength is None


@settings(max_examples=25)
@given(st.lists(st.tuples(st.integers(0, 3), st.integers(1, 3), st.integers(-1, 1)), min_size=2, max_size=20), st.permutations(range(4)))  # fmt: skip
def test_other_names_and_the_other_way_round_are_the_same(
    raw: list[tuple[int, int, int]], order: list[int]
) -> None:
    made = pairs([(i, (i + step) % 4, o) for i, step, o in raw])
    plain = strengths(davidson(made, draws=2))
    place = np.array(order, np.int32)
    other = Pairs(NAMES, made.raters, made.neurons, place[made.second], place[made.first], -made.outcomes, ~made.first_shown_first)  # fmt: skip
    again = strengths(davidson(other, draws=2))
    for i in range(4):
        assert (plain[i] is None) == (again[order[i]] is None)
        assert plain[i] is None or again[order[i]] == pytest.approx(plain[i], abs=1e-7)


def choices(groups: list[list[int]], chosen: list[int], names: tuple[str, ...] = NAMES) -> Choices:
    n = len(chosen)
    every = np.arange(n, dtype=np.int32)
    return Choices(names, every % 3, every // 3, np.array(groups, np.int32), np.array(chosen, np.int32))


@settings(max_examples=25)
@given(st.lists(st.integers(0, 3), min_size=2, max_size=30), st.permutations(range(4)))
def test_luce_is_choix_s(chosen: list[int], order: list[int]) -> None:
    made = choices([[0, 1, 2, 3]] * len(chosen), chosen)
    data = [(best, tuple({0, 1, 2, 3} - {best})) for best in chosen]
    theirs = choix.opt_top1(4, data, alpha=0.05, tol=1e-10)
    found = luce(made, 0.05, draws=2)
    assert strengths(found) == pytest.approx(theirs.tolist(), abs=1e-5)
    place = np.array(order, np.int32)
    renamed = luce(choices([np.argsort(place).tolist()] * len(chosen), chosen), 0.05, draws=2)
    assert [strengths(renamed)[place[i]] for i in range(4)] == pytest.approx(theirs.tolist(), abs=1e-5)


def test_luce_of_blocks_that_lack_some() -> None:
    rng = np.random.default_rng(4)
    groups, chosen, data = [], [], []
    for _ in range(60):
        there = sorted(rng.choice(4, int(rng.integers(2, 5)), replace=False).tolist())
        best = int(rng.choice(there))
        groups.append([m if m in there else ABSENT for m in range(4)])
        chosen.append(best)
        data.append((best, tuple(m for m in there if m != best)))
    found = luce(choices(groups, chosen), 0.02, draws=50)
    assert strengths(found) == pytest.approx(
        choix.opt_top1(4, data, alpha=0.02, tol=1e-10).tolist(), abs=1e-5
    )
    assert [each.times for each in found.strengths] == [sum(m in (b, *o) for b, o in data) for m in range(4)]


def test_a_choice_is_one_choice_and_not_four_wins() -> None:
    """Shares are the shares of choices; expanded into pairs they would not be."""
    chosen = [0] * 50 + [1] * 25 + [2] * 15 + [3] * 10
    found = luce(choices([[0, 1, 2, 3]] * 100, chosen), alpha=1e-9, draws=50)
    assert [each.share for each in found.strengths] == pytest.approx([0.5, 0.25, 0.15, 0.1], abs=1e-6)


def test_a_shared_text_is_one_alternative() -> None:
    """a and b are one text in all blocks, taken half the time against c: as strong as c, not half as strong."""
    made = choices([[0, 0, 1]] * 40, [0, 1] * 20, NAMES[:3])
    found = luce(made, alpha=1e-9, draws=50)
    assert strengths(found) == pytest.approx([0, 0, 0], abs=1e-6)
    # What sets a apart from b comes from blocks where they differ; the sum of credits is what the model fits.
    mixed = choices(
        [[0, 0, 1]] * 30 + [[0, 1, 2]] * 30, [0] * 20 + [1] * 10 + [0] * 12 + [1] * 6 + [2] * 12, NAMES[:3]
    )
    theta = np.array(strengths(luce(mixed, alpha=1e-10, draws=5)))
    shared = np.exp((theta[0] + theta[1]) / 2)
    p_shared = shared / (shared + np.exp(theta[2]))
    p = np.exp(theta) / np.exp(theta).sum()
    expected = 30 * p_shared * np.array([0.5, 0.5, 0]) + 30 * (1 - p_shared) * np.array([0, 0, 1]) + 30 * p
    assert expected == pytest.approx(mixed.credit.sum(0), abs=1e-4)
    single = luce(choices([[0, 0, 0], [0, 1, 2], [0, 1, 2]], [0, 1, 1], NAMES[:3]), draws=5)
    assert (single.single, single.choices) == (1, 2)
    nothing = luce(choices([[0, 0, 0]], [0], NAMES[:3]))
    assert nothing.choices == 0 and nothing.strengths[0].strength is None


def test_all_for_one_stays_finite() -> None:
    found = luce(choices([[0, 1, 2, 3]] * 30, [2] * 30), draws=100)
    assert found.strengths[2].share > 0.9 and np.isfinite(strengths(found)).all()
    with pytest.raises(ValueError, match="above 0"):
        luce(choices([[0, 1, 2, 3]] * 2, [2, 1]), alpha=0)


def test_the_interval_holds_the_strength_people_were_drawn_from() -> None:
    rng = np.random.default_rng(6)
    truth = np.array([0.6, 0.1, -0.2, -0.5])
    chances = np.exp(truth) / np.exp(truth).sum()
    inside = []
    for s in range(120):
        drawn = rng.choice(4, 150, p=chances)
        found = luce(choices([[0, 1, 2, 3]] * 150, drawn.tolist()), seed=s, draws=200)
        inside.append([each.low <= t <= each.high for each, t in zip(found.strengths, truth, strict=True)])
    assert 0.9 <= np.mean(inside) <= 0.98
