"""Excerpts as HTML: whatever a token holds stays inert, nothing is lost, no value is rounded."""

from html.parser import HTMLParser

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from app.domain.vocabulary import Vocabulary, visible
from app.web import heatmap

WIDTH = 12


class Reader(HTMLParser):
    """Collects text and refuses every tag but the two that we make."""

    def __init__(self) -> None:
        super().__init__()
        self.text: list[str] = []
        self.tokens = 0
        self.classes: list[str] = []
        self.depth: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag in ("bdi", "i"), tag
        assert [name for name, _ in attrs] in ([], ["class"])
        self.depth.append(tag)
        if tag == "bdi":
            self.tokens += 1
            self.classes.append(dict(attrs).get("class") or "")

    def handle_endtag(self, tag: str) -> None:
        assert self.depth.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text.append(data)

    def handle_comment(self, data: str) -> None:
        raise AssertionError("a comment")


def read(html: str) -> Reader:
    reader = Reader()
    reader.feed(html)
    reader.close()
    assert not reader.depth
    return reader


NASTY = [b"<script>alert(1)</script>", b"</bdi>", b'" onmouseover="x', b"&lt;", b"&", b"\x00", b"\xe2\x82", b"\n",
         b"\t", b" ", b"   ", b"", "\u202e\u2066".encode(), b"x" * 10_000, b" the", b"<!--", b"\x80\xff", "é".encode()]  # fmt: skip
pieces = st.lists(st.one_of(st.binary(max_size=8), st.sampled_from(NASTY), st.text(max_size=6).map(str.encode)),
                  min_size=1, max_size=8)  # fmt: skip


@given(pieces, st.randoms(use_true_random=False), st.booleans(), st.sampled_from([None, 0, 3]))
def test_tokens_are_inert_and_nothing_is_lost(pieces, random, breaks, around):
    vocabulary = Vocabulary(tuple(pieces))
    tokens = np.array([[random.randrange(len(pieces)) for _ in range(WIDTH)] for _ in range(3)], np.int32)
    activations = np.array([[random.uniform(-3, 3) for _ in range(WIDTH)] for _ in range(3)], np.float32)
    at = heatmap.peaks(activations)
    painted = heatmap.paint(
        heatmap.palette(vocabulary, breaks), tokens, activations, np.full(3, 3, np.float32), at, around
    )
    for row, excerpt in enumerate(painted):
        seen = read(excerpt.html.decode())
        shown = tokens[row, excerpt.first : excerpt.first + seen.tokens]
        expected = "".join(visible(pieces[i]) for i in shown)
        expected = expected.replace("\n", "↵\n" if breaks else "↵").replace("\t", "⇥")
        assert "".join(seen.text) == expected
        assert excerpt.first <= at[row] < excerpt.first + seen.tokens
        assert ["pk" in c for c in seen.classes].index(True) == at[row] - excerpt.first
        assert sum("pk" in c for c in seen.classes) == 1
        assert excerpt.cut_before == (excerpt.first > 0)
        assert excerpt.cut_after == (excerpt.first + seen.tokens < WIDTH)
        if around is None:
            assert seen.tokens == WIDTH


def decoded(excerpt: heatmap.Painted) -> np.ndarray:
    return np.frombuffer(bytes.fromhex(excerpt.values), ">f4" if excerpt.wide else ">f2").astype(np.float32)


@given(st.lists(st.floats(-60000, 60000, width=16), min_size=WIDTH, max_size=WIDTH))
def test_values_of_the_store_travel_exactly(values):
    excerpt = _one(np.array([values], np.float32))
    assert not excerpt.wide
    assert np.array_equal(decoded(excerpt), np.array(values, np.float32))


@given(st.lists(st.floats(-(2.0**90), 2.0**90, width=32), min_size=WIDTH, max_size=WIDTH))
def test_any_float_travels_exactly(values):
    assert np.array_equal(decoded(_one(np.array([values], np.float32))), np.array(values, np.float32))


@given(st.integers(0, 5), st.integers(0, 4))
def test_rows_of_hex_are_those_of_each_row(rows, width):
    values = np.arange(rows * width, dtype=np.uint16).reshape(rows, width) * 977
    assert heatmap.hex_rows(values) == [row.tobytes().hex() for row in values]


def _one(activations: np.ndarray) -> heatmap.Painted:
    vocabulary = Vocabulary((b" a", b"b"))
    tokens = np.zeros(activations.shape, np.int32)
    return heatmap.paint(
        heatmap.palette(vocabulary), tokens, activations, np.ones(1, np.float32), heatmap.peaks(activations)
    )[0]


def test_the_leading_blank_is_not_painted_and_the_peak_is_marked():
    colours = heatmap.palette(Vocabulary((b" and", b" substitute", b"!")))
    tokens = np.array([[0, 1, 2]], np.int32)
    activations = np.array([[-4.0, 8.0, 0.1]], np.float32)
    (excerpt,) = heatmap.paint(colours, tokens, activations, np.array([8.0], np.float32), np.array([1]))
    assert excerpt.html == b' <bdi class="a-4">and</bdi> <bdi class="a8 pk">substitute</bdi><bdi>!</bdi>'


def test_levels_are_symmetric_and_bounded():
    activations = np.array([[-9, -8, -4, -0.4, 0, 0.4, 4, 8, 9]], np.float32)
    assert heatmap.levels(activations, np.array([8], np.float32)).tolist() == [[-8, -8, -4, 0, 0, 0, 4, 8, 8]]
    assert not heatmap.levels(activations * 0, np.array([0], np.float32)).any()


def test_a_window_ends_between_words():
    # words: [0 1] [2 3 4] [5] [6 7 8] [9 10 11]
    starts = np.isin(np.arange(WIDTH), [0, 2, 5, 6, 9])[None]
    assert heatmap.windows(starts, np.array([5]), 1).tolist() == [[2, 9]]
    assert heatmap.windows(starts, np.array([0]), 0).tolist() == [[0, 2]]
    assert heatmap.windows(starts, np.array([11]), 0).tolist() == [[9, 12]]


def test_duplicates_fold_by_what_surrounds_the_peak():
    tokens = np.array([[1, 2, 3, 4], [9, 1, 2, 3], [1, 2, 3, 4]], np.int32)
    assert heatmap.fold(tokens, np.array([1, 1, 1])) == [[0, 2], [1]]


def test_a_single_token_shows_its_blank():
    colours = heatmap.palette(Vocabulary((b" <b>", b"\n")))
    assert heatmap.token_chip(colours, 0) == '<i class="nl">␣</i><bdi>&lt;b&gt;</bdi>'
    assert "↵" in heatmap.token_chip(colours, 1)


def test_a_full_table_of_painted_tokens_begins_anew_and_shows_the_same(monkeypatch):
    monkeypatch.setattr(heatmap, "MAX_PIECES", 20)
    vocabulary = Vocabulary(tuple(f" w{i}".encode() for i in range(50)))
    rng = np.random.default_rng(0)
    colours = heatmap.palette(vocabulary)
    seen = set()
    for _ in range(12):  # 64 different tokens and steps each time, more than are kept
        tokens = rng.integers(0, 50, (4, WIDTH)).astype(np.int32)
        activations = rng.normal(size=(4, WIDTH)).astype(np.float32)
        maxima = np.abs(activations).max(axis=1)
        at = heatmap.peaks(activations)
        shown = heatmap.paint(colours, tokens, activations, maxima, at)
        again = heatmap.paint(heatmap.palette.__wrapped__(vocabulary), tokens, activations, maxima, at)
        assert [row.html for row in shown] == [row.html for row in again]
        for row, ids in zip(shown, tokens.tolist(), strict=True):
            assert "".join(read(row.html.decode()).text) == "".join(f" w{i}" for i in ids)
        seen.add(id(colours.pieces._made))
    assert len(seen) > 1
