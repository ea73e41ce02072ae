"""Larger charts: a Vega-Lite spec becomes an SVG that stands in the page, or a file to download.

The converter knows colours, not our CSS: marks are drawn in placeholder colours that become class names. Links would turn into
a foreign host if relative, so they are built under one that cannot exist and made relative afterwards.
"""

import re
from functools import lru_cache
from typing import Any

import orjson
from markupsafe import Markup

from app.web.drawing import DRAUGHTSMAN, Format

Spec = dict[str, Any]
NOWHERE = "https://neuronarium.invalid"
MAX_MARKS = 2000

# Placeholder colour -> class in the page, colour in a downloaded file.
_INKS = {
    "#010101": ("v-whisker", "#8b857a"),
    "#010102": ("v-box", "#9cc7c1"),
    "#010103": ("v-median", "#0b6e63"),
    "#010104": ("v-mean", "#d66a10"),
    "#010105": ("v-text", "#66625a"),
    "#010106": ("v-grid", "#e5e0d6"),
    # Series that stand side by side: told apart by those who do not see red or green, and by shape as well.
    "#010107": ("v-s1", "#0b6e63"),
    "#010108": ("v-s2", "#d66a10"),
    "#010109": ("v-s3", "#2662c4"),
    "#01010a": ("v-s4", "#a03a8a"),
    "#01010b": ("v-s5", "#7d5700"),
    "#01010c": ("v-s6", "#4a4842"),
}
WHISKER, BOX, MEDIAN, MEAN, TEXT, GRID, *SERIES = _INKS
CONFIG: Spec = {
    "view": {"stroke": None},
    "font": "sans-serif",
    "axis": {
        "labelColor": TEXT,
        "titleColor": TEXT,
        "titleFontWeight": "normal",
        "titleFontSize": 12,
        "labelFontSize": 11,
        "gridColor": GRID,
        "domain": False,
        "tickColor": GRID,
        "labelOverlap": True,
    },
}

_COLOUR = re.compile(r'(fill|stroke)="(#01010[1-9a-c])"')
# An element with both would have the attribute `class` twice.
_BOTH = re.compile(rf"{_COLOUR.pattern}([^<>]*?) {_COLOUR.pattern}")
_HREF = re.compile(rf'(?:xlink:)?href="{re.escape(NOWHERE)}([^"]*)"')


def layers_spec(rows: list[Spec], title: str, width: int = 860, height: int = 190, zero: bool = True) -> Spec:
    """Box per layer: whiskers from q05 to q95, box from q25 to q75, a tick at the median, a dot at the mean.

    Each row has `layer`, `q05`, `q25`, `q50`, `q75`, `q95`, `mean`, `href` (a path) and `label`, what it says in words.
    """
    # Whisker, box, median and mean, with at most this many layers before marks are too many to draw.
    assert len(rows) * 4 <= MAX_MARKS
    x = {"field": "layer", "type": "ordinal", "title": "layer", "axis": {"labelAngle": 0}}

    def y(name: str) -> Spec:
        return {"field": name, "type": "quantitative", "title": title, "scale": {"zero": zero}}

    data = [{**row, "href": NOWHERE + row["href"]} for row in rows]
    said = {"href": {"field": "href"}, "description": {"field": "label"}}
    quiet = {"aria": False}
    return {
        "$schema": "https://vega.github.io/schema/vega-lite/v5.json",
        "width": width,
        "height": height,
        "background": None,
        "config": CONFIG,
        "data": {"values": data},
        "layer": [
            {
                "mark": {"type": "rule", "color": WHISKER, **quiet},
                "encoding": {"x": x, "y": y("q05"), "y2": {"field": "q95"}},
            },
            {
                "mark": {
                    "type": "bar",
                    "color": BOX,
                    "width": {"band": 0.62},
                    "cornerRadius": 2,
                    "minBandSize": 2,
                },
                "encoding": {"x": x, "y": y("q25"), "y2": {"field": "q75"}, **said},
            },
            {
                "mark": {"type": "tick", "color": MEDIAN, "thickness": 2, "width": {"band": 0.62}, **quiet},
                "encoding": {"x": x, "y": y("q50")},
            },
            {
                "mark": {"type": "point", "filled": True, "size": 14, "color": MEAN, **quiet},
                "encoding": {"x": x, "y": y("mean")},
            },
        ],
    }


def bars_spec(rows: list[Spec], x: str, y: str, width: int = 860, height: int = 150, angle: int = 0) -> Spec:
    """A bar for each row, side by side in the rows' order: `name` below it, `n` high; `href` and `label` as in `layers_spec`."""
    assert len(rows) <= MAX_MARKS
    data = [{**row, "href": NOWHERE + row["href"]} for row in rows]
    return {
        "$schema": "https://vega.github.io/schema/vega-lite/v5.json",
        "width": width,
        "height": height,
        "background": None,
        "config": CONFIG,
        "data": {"values": data},
        "layer": [
            {
                "mark": {"type": "bar", "color": BOX, "cornerRadiusEnd": 2, "width": {"band": 0.84}},
                "encoding": {
                    "x": {
                        "field": "name",
                        "type": "ordinal",
                        "sort": None,
                        "title": x,
                        "axis": {"labelAngle": angle},
                    },
                    "y": {
                        "field": "n",
                        "type": "quantitative",
                        "title": y,
                        "axis": {"format": ",d", "tickMinStep": 1},
                    },
                    "href": {"field": "href"},
                    "description": {"field": "label"},
                },
            }
        ],
    }


def inline(spec: Spec, description: str) -> Markup:
    """The chart as SVG for the page: colours from our CSS, links within this site, no foreign host."""
    return _inline(orjson.dumps(spec, option=orjson.OPT_SORT_KEYS).decode(), description)


@lru_cache(maxsize=128)
def _inline(spec: str, description: str) -> Markup:
    svg = DRAUGHTSMAN.draw(spec, "svg").decode()
    svg = _BOTH.sub(lambda m: f'class="{m[1][0]}-{_INKS[m[2]][0]} {m[4][0]}-{_INKS[m[5]][0]}"{m[3]}', svg)
    svg = _COLOUR.sub(lambda m: f'class="{m[1][0]}-{_INKS[m[2]][0]}"', svg)
    svg = _HREF.sub(r'href="\1"', svg)
    head = Markup('<svg class="chart" role="group" aria-label="{}" ').format(description)
    svg = re.sub(
        r'<svg xmlns="[^"]*" xmlns:xlink="[^"]*" version="1.1" class="marks" ',
        lambda _: str(head),
        svg,
        count=1,
    )
    if "://" in svg:
        raise ValueError("a chart holds an address of a foreign host")
    return Markup(svg)  # noqa: S704


def file(spec: Spec, format: Format) -> bytes:
    """The chart as a file, in fixed colours on white."""
    layers = [
        {**layer, "encoding": {name: value for name, value in layer["encoding"].items() if name != "href"}}
        for layer in spec["layer"]
    ]
    text = orjson.dumps({**spec, "layer": layers, "background": "#ffffff"}).decode()
    for placeholder, (_, colour) in _INKS.items():
        text = text.replace(placeholder, colour)
    return DRAUGHTSMAN.draw(text, format)
