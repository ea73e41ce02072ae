"""Our own puzzles hold to what they claim, and what is counted of a run is counted right."""

import re
from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.explanations import State
from app.domain.puzzle_tallies import Counted, Statements, judged, ranked
from app.domain.puzzles import (
    Judge,
    Puzzle,
    Ranked,
    Sentence,
    correlation,
    majority,
    misses,
    nearest_is_truth,
    place_of_truth,
    read_own,
    top_tokens_statement,
)
from app.errors import BadInput
from app.exchange.puzzles import BUILT_IN
from app.explain.examples import examples

TEXT = BUILT_IN.read_text("utf-8")
OWN = read_own(TEXT)
by_key = pytest.mark.parametrize("puzzle", OWN, ids=lambda p: p.key)


def tokens(puzzle: Puzzle) -> list[tuple[str, int, bool]]:
    """(text, level, active) of every token."""
    return [
        (piece.strip(), level, on)
        for sentence, levels, active in zip(puzzle.sentences, puzzle.levels, puzzle.active, strict=True)
        for piece, level, on in zip(sentence.pieces, levels, active, strict=True)
    ]


def test_there_are_enough_of_them() -> None:
    assert len(OWN) >= 20
    assert len({puzzle.name for puzzle in OWN}) == len({puzzle.truth for puzzle in OWN}) == len(OWN)


@by_key
def test_a_puzzle_is_whole(puzzle: Puzzle) -> None:
    assert 10 <= len(puzzle.sentences) <= 20
    firing = [any(row) for row in puzzle.active]
    assert sum(firing) >= 3 and firing.count(False) >= 3
    for sentence, levels in zip(puzzle.sentences, puzzle.levels, strict=True):
        assert len(sentence.pieces) == len(levels) == len(sentence.activations)
        assert tuple(map(float, levels)) == tuple(
            map(float, sentence.activations)
        )  # the 0-10 scale as written
        assert re.sub(r"\s+", " ", sentence.text) == sentence.text.replace("\n", " ").strip()
        assert not re.search(r"[|^�]| [,.;!?]", sentence.text.replace(" ?", ""))
    assert len({sentence.text for sentence in puzzle.sentences}) == len(puzzle.sentences)
    shown = [example.explanation for example in examples()]
    assert not any(each in (puzzle.truth, *puzzle.false) for each in shown)  # such an answer would be refused


@by_key
def test_false_statements_are_others_and_one_is_computed(puzzle: Puzzle) -> None:
    assert 3 <= len(puzzle.false) <= 4
    assert len({each.lower() for each in (puzzle.truth, *puzzle.false)}) == 1 + len(puzzle.false)
    counts = Counter(text for text, _, on in tokens(puzzle) if on)
    top = puzzle.false[-1]
    named = re.findall("“([^”]+)”", top)
    assert 1 <= len(named) <= 3 and len(named) == min(3, len(counts))
    least = min(counts[word] for word in named)
    assert all(n <= least for word, n in counts.items() if word not in named)
    assert top not in TEXT  # written down nowhere


def rule(key: str, holds: object) -> None:
    puzzle = next(each for each in OWN if each.key == key)
    wrong = [(text, on) for text, _, on in tokens(puzzle) if holds(text) != on]  # type: ignore[operator]
    assert wrong == []


def test_what_a_rule_can_decide_is_marked_by_that_rule() -> None:
    rule("three-letters", lambda text: text.isalpha() and len(text) == 3)
    rule("even-numbers", lambda text: text.isdigit() and int(text) % 2 == 0)
    for key, pattern in {
        "repeated": r"\b(\w+) \1\b",
        "sentence-start": r"[.?!] (\w+)",
        "past-perfect": r"\bhad (\w+(?:ed|ld|ft|ne))\b",
        "index-zero": r"\[0\]",
        "length-units": r"\d (metres|miles|centimetres|feet|inches|kilometres)",
        "clock-times": r"\d{1,2}:\d{2}\b",
    }.items():
        puzzle = next(each for each in OWN if each.key == key)
        for sentence, active in zip(puzzle.sentences, puzzle.active, strict=True):
            found = re.findall(pattern, sentence.text, re.IGNORECASE)
            marked = [p.strip() for p, on in zip(sentence.pieces, active, strict=True) if on]
            fits = 3 * len(found) if key == "clock-times" else len(found)
            assert len(marked) == fits, (key, sentence.text, marked)


def test_the_same_word_is_silent_where_its_sense_is_another() -> None:
    for key, words in {"bank": ("bank",), "spring-season": ("spring",), "fruit": ("orange", "apple")}.items():
        puzzle = next(each for each in OWN if each.key == key)
        for word in words:
            states = {on for text, _, on in tokens(puzzle) if text.lower() == word}
            assert states == {True, False}


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("[[puzzle]", "no TOML"),
        ('[[puzzle]]\nkey = "a"', "puzzle “a” lacks 'sentences'"),
        ('[[puzzle]]\nkey = "a"\ncolour = 1', "no “colour” in a puzzle"),
        (TEXT.replace('key = "bank"', 'key = "tastes"'), "two puzzles are called “tastes”"),
        (TEXT.replace("bank^9 said", "bank^^ said"), "puzzle “bank”: unreadable"),
        (
            TEXT.replace('  "words about rivers, water and their shores",\n', "").replace(
                '  "buildings that people visit in a town",\n', ""
            ),
            "puzzle “bank”: it has 2 false statements",
        ),
    ],
)
def test_a_faulty_file_is_refused_by_name(text: str, why: str) -> None:
    with pytest.raises(BadInput, match=re.escape(why)):
        read_own(text)


def test_the_most_common_tokens_come_first_and_then_the_earlier() -> None:
    assert top_tokens_statement([" b", "a", " a", "c", "d"]) == "the tokens “a”, “b” and “c”"
    assert top_tokens_statement(["x", " x"]) == "the token “x”"
    assert top_tokens_statement([" y", "x"]) == "the tokens “y” and “x”"
    with pytest.raises(BadInput):
        top_tokens_statement([])


def two(*rows: tuple[float, ...]) -> Puzzle:
    sentences = tuple(Sentence(tuple(f" w{i}" for i in range(len(row))), row) for row in rows)
    return Puzzle("k", "n", "truth", ("false",), sentences)


def test_values_beyond_the_scale_are_put_on_it() -> None:
    assert two((0, 10, 1.9)).levels == ((0, 10, 1),)
    assert two((0, 50, 12.5), (-3, 4)).levels == ((0, 10, 2), (0, 0))


def test_the_place_of_the_truth() -> None:
    def of(*values: float | None) -> int | None:
        return place_of_truth([Ranked(str(i), i == 0, State.OK, value) for i, value in enumerate(values)])

    assert of(0.9, 0.1, 0.2) == 1
    assert of(0.5, 0.5, 0.1) == 2  # a false one that is as good stands before it
    assert of(0.1, 0.5, None, 0.2) == 3
    assert of(None, 0.5) is None


def test_correlation_is_over_all_tokens_of_all_sentences() -> None:
    puzzle = two((0, 10, 0), (4, 0))
    expected = [np.array([0.0, 3, 1]), np.array([2.0, 1])]
    wanted = np.corrcoef([0, 10, 0, 4, 0], [0, 3, 1, 2, 1])[0, 1]
    assert correlation(puzzle, expected) == pytest.approx(wanted)
    assert correlation(puzzle, [np.zeros(3), np.zeros(2)]) is State.CONSTANT_PREDICTION


def test_what_a_statement_gets_wrong() -> None:
    puzzle = two((0, 10, 0), (0, 0), (5, 0, 0), (0, 9), (0, 0))
    expected = [np.array(x, float) for x in ([0, 2, 0], [0, 2], [0, 0.9, 1.2], [0, 0.2], [0.9, 0.5])]
    found = misses(puzzle, expected, 5)
    # Fires as expected; silent and expected; fires elsewhere; fires unexpected; silent as expected.
    assert [(m.sentence, m.expected) for m in found] == [
        (1, (False, True)),
        (3, (False, False)),
        (2, (False, False, True)),
    ]
    assert len(misses(puzzle, expected, 2)) == 2
    with pytest.raises(BadInput, match="the same everywhere"):
        misses(puzzle, [np.ones(3), np.ones(2), np.ones(3), np.ones(2), np.ones(2)], 5)


def test_a_tie_is_not_nearest_and_no_majority() -> None:
    assert (
        nearest_is_truth([0.5, 0.4]) and not nearest_is_truth([0.5, 0.5]) and not nearest_is_truth([0.1, 0.2])
    )
    assert (majority([True, True, False]), majority([False]), majority([True, False])) == (True, False, None)


Verdicts = st.dictionaries(st.integers(0, 30), st.sampled_from([True, False, None]))


@given(
    st.lists(st.tuples(st.none() | st.integers(0, 15), st.none() | st.integers(16, 30)), max_size=12),
    Verdicts,
)
def test_only_what_was_judged_is_counted(
    pairs: list[tuple[int | None, int | None]], verdicts: dict[int, bool | None]
) -> None:
    statements = [Statements(first, final, 5) for first, final in pairs]
    tally = judged(Judge.SIMILARITY, "x", statements, verdicts, ["a", "b", "a"], revised=True)
    firsts = [verdicts.get(first) for first, _ in pairs if first is not None]
    assert tally.first == Counted(firsts.count(True), len(firsts) - firsts.count(None))
    assert tally.final is not None and tally.final.right <= tally.final.judged <= len(pairs)
    assert tally.chance == pytest.approx(tally.first.judged / 5)
    assert tally.reasons == (("a", 2), ("b", 1))
    assert tally.better + tally.worse <= min(tally.first.judged, tally.final.judged)
    assert judged(Judge.MODEL, "x", statements, verdicts, [], revised=False).final is None


def test_a_ranking_counts_places_and_says_why_there_is_none() -> None:
    places = [(State.OK, 1, ""), (State.OK, 2, ""), (State.OK, 4, ""), (State.FAILED, None, "no answer")]
    tally = ranked("local", "m", 0, places)
    assert (tally.ranked, tally.first, tally.top_two, tally.undefined) == (3, 1, 2, (("no answer", 1),))
