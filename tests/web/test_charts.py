"""Bars and intervals: what is drawn is what is there, and every chart says it in words."""

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.neurons import Histogram
from app.web import charts, vega
from tests.web.markup import read


def test_bars_take_the_colour_of_their_sign():
    counts = np.zeros(64, np.uint32)
    counts[[0, 31, 32, 63]] = 5
    svg = charts.histogram(Histogram(-1.0, 1.0, counts))
    bars = dict(re.findall(r'class="(h[np])" d="([^"]*)"', svg))
    assert bars["hn"].count("M") == bars["hp"].count("M") == 2
    assert 'class="hz"' in svg
    assert "20 sampled tokens from −1.00 to +1.00" in svg
    assert "style" not in svg


@given(
    st.lists(st.integers(0, 2**32 - 1), min_size=64, max_size=64), st.floats(-1e6, 1e6), st.floats(1e-3, 1e6)
)
def test_every_bar_stays_inside(counts, low, width):
    svg = charts.histogram(Histogram(low, low + width, np.array(counts, np.uint32)))
    heights = [float(h) for h in re.findall(r"v-([\d.]+)h", svg)]
    assert len(heights) == sum(n > 0 for n in counts)
    assert all(0 < h <= charts.HEIGHT + 0.05 for h in heights)


def test_nothing_is_drawn_of_nothing():
    assert charts.histogram(Histogram(0.0, 0.0, np.zeros(64, np.uint32))) == ""


@given(st.floats(-2, 2), st.floats(-2, 2), st.floats(-2, 2))
def test_an_interval_stays_on_its_line(value, a, b):
    svg = charts.interval(value, min(a, b), max(a, b))
    x = float(re.search(r'<rect x="([\d.]+)"', svg).group(1))
    width = float(re.search(r' width="([\d.]+)"', svg).group(1))
    assert 0 <= x <= x + width <= charts.INTERVAL_WIDTH
    assert "95 % interval" in svg


@pytest.mark.parametrize(
    ("low", "high", "shown"),
    [
        (0.841, 0.984, "0.84–0.98"),
        (-0.12, 0.3, "−0.12 to 0.30"),
        (-0.4, -0.2, "−0.40 to −0.20"),
        (-0.001, 0.2, "0.00–0.20"),
    ],
)
def test_an_interval_s_numbers_are_seen_and_said_once(low, high, shown):
    drawn = read(charts.interval(0.5, low, high))
    text = drawn.one("small")
    assert text.text == shown
    assert text["aria-hidden"] == "true"  # the drawing's own words say it already
    assert "95 % interval" in drawn.one("svg")["aria-label"]


def test_without_an_interval_none_is_claimed():
    svg = charts.interval(0.5, None, None)
    assert "<rect" not in svg and "<small" not in svg
    assert "interval" not in svg


def test_a_mark_with_line_and_fill_has_one_class_attribute():
    spec = {
        "data": {"values": [{"x": 1, "y": 2, "s": "a"}]},
        "layer": [
            {
                "mark": {"type": "point", "filled": True, "fill": vega.SERIES[0], "stroke": vega.SERIES[1]},
                "encoding": {
                    "x": {"field": "x", "type": "quantitative"},
                    "y": {"field": "y", "type": "quantitative"},
                },
            }
        ],
    }
    svg = vega.inline(spec, "a point")
    assert 'class="f-v-s1 s-v-s2"' in svg and "#0101" not in svg
    read(svg)  # which finds an attribute twice
