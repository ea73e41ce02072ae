"""Figures of a report as Vega-Lite: points with whiskers, joined or not, by series told apart by colour and shape."""

from collections.abc import Callable

from markupsafe import Markup

from app.domain.report_selection import Selection
from app.report.values import Figure, Whence
from app.web import vega
from app.web.drawing import Format

Address = Callable[[Selection], str]
SHAPES = ("circle", "square", "triangle-up", "diamond", "cross", "triangle-down", "triangle-right", "stroke")
MOST_WORDS = 110  # of a line below a file's title


def spec(figure: Figure, address: Address, width: int = 780, height: int = 300) -> vega.Spec:
    """The chart. Every point leads to the neurons behind it and says what it is."""
    assert len(figure.points) <= vega.MAX_MARKS
    several = len(figure.series) > 1
    data = [
        {
            "x": point.x,
            "y": point.y,
            "low": point.low,
            "high": point.high,
            "series": point.series,
            "label": point.label,
            "size": point.n,
            **({"href": vega.NOWHERE + address(point.where)} if point.where is not None else {}),
        }
        for point in figure.points
    ]
    x = _x(figure)
    offset = {"xOffset": {"field": "series", "sort": None}} if figure.axis == "name" and several else {}
    up = {"field": "y", "type": "quantitative", "title": _lines(figure.y), "scale": {"zero": False}}
    colour = _series(figure, "color", vega.SERIES) if several else {}
    shape = _series(figure, "shape", SHAPES) if several else {}
    one = {} if several else {"color": vega.SERIES[0]}
    layers: list[vega.Spec] = []
    if figure.diagonal and figure.points:
        layers.append(_diagonal(figure))
    if figure.spread:
        whisker = {"x": x, "y": {**up, "field": "low"}, "y2": {"field": "high"}, **colour, **offset}
        layers.append(
            {
                "transform": [{"filter": "isValid(datum.low)"}],
                "mark": {"type": "rule", "aria": False, "opacity": 0.55, **one},
                "encoding": whisker,
            }
        )
    if figure.lines:
        layers.append(
            {
                "mark": {"type": "line", "aria": False, "strokeWidth": 1.5, "opacity": 0.7, **one},
                "encoding": {"x": x, "y": up, **colour},
            }
        )
    counted = figure.diagonal and any(point.n > 1 for point in figure.points)
    size = {"size": {"field": "size", "type": "quantitative", "legend": None, "scale": {"range": [12, 160]}}}
    layers.append(
        {
            "mark": {
                "type": "point",
                "filled": True,
                "opacity": 0.85,
                "size": 24 if figure.diagonal else 46,
                **one,
            },
            "encoding": {
                "x": x,
                "y": up,
                **colour,
                **shape,
                **offset,
                **(size if counted else {}),
                **({"href": {"field": "href"}} if any(p.where is not None for p in figure.points) else {}),
                "description": {"field": "label"},
            },
        }
    )
    return {
        "$schema": "https://vega.github.io/schema/vega-lite/v5.json",
        "width": width,
        "height": 1.5 * height if figure.diagonal else height,
        "background": None,
        "config": {
            **vega.CONFIG,
            "legend": {"labelColor": vega.TEXT, "titleColor": vega.TEXT, "labelLimit": 320},
        },
        "data": {"values": data},
        "layer": layers,
    }


def _x(figure: Figure) -> vega.Spec:
    title = _lines(figure.x)
    if figure.axis == "name":
        return {
            "field": "x",
            "type": "nominal",
            "sort": None,
            "title": title,
            "axis": {"labelAngle": -25, "labelLimit": 240, "labelOverlap": False},
        }
    scale: vega.Spec = {"type": "log", "nice": False} if figure.axis == "log" else {"zero": False}
    axis: vega.Spec = (
        {"format": "~s"}
        if figure.axis == "log" and max((float(p.x) for p in figure.points), default=0) > 1000
        else {}
    )
    if all(float(point.x).is_integer() for point in figure.points):
        axis = {**axis, "tickMinStep": 1}
    return {"field": "x", "type": "quantitative", "title": title, "scale": scale, "axis": axis}


def _series(figure: Figure, channel: str, values: tuple[str, ...] | list[str]) -> vega.Spec:
    domain = list(figure.series)
    chosen = [values[i % len(values)] for i in range(len(domain))]
    legend = {"orient": "top", "title": None, "columns": 4, "symbolSize": 60}
    return {
        channel: {
            "field": "series",
            "type": "nominal",
            "scale": {"domain": domain, "range": chosen},
            "legend": legend,
        }
    }


def _diagonal(figure: Figure) -> vega.Spec:
    values = [float(value) for point in figure.points for value in (point.x, point.y)]
    ends = [min(values), max(values)]
    return {
        "data": {"values": [{"d": end} for end in ends]},
        "mark": {"type": "line", "color": vega.GRID, "strokeDash": [4, 4], "aria": False},
        "encoding": {
            "x": {"field": "d", "type": "quantitative"},
            "y": {"field": "d", "type": "quantitative"},
        },
    }


def _lines(title: str) -> str | list[str]:
    """A long title of an axis in two lines."""
    if len(title) <= 60 or ", by " not in title:
        return title
    first, _, rest = title.partition(", by ")
    return [first, f"by {rest}"]


def inline(figure: Figure, address: Address) -> Markup:
    """For the page."""
    return vega.inline(
        spec(figure, address), f"{figure.title}: {figure.y} by {figure.x}, {len(figure.points)} points"
    )


def file(figure: Figure, whence: Whence, format: Format) -> bytes:
    """A file that says what it shows and where it is from."""
    made = spec(figure, lambda _: "")
    source = f" ({figure.source})" if figure.source else ""
    said = [
        line
        for text in (*whence.lines(), *([figure.spread] if figure.spread else []))
        for line in _wrapped(text)
    ]
    made["title"] = {
        "text": figure.title + source,
        "subtitle": said,
        "anchor": "start",
        "fontSize": 14,
        "subtitleFontSize": 9,
        "subtitleColor": "#66625a",
        "offset": 12,
    }
    made["padding"] = 14
    return vega.file(made, format)


def _wrapped(text: str) -> list[str]:
    return [text[at : at + MOST_WORDS] for at in range(0, len(text), MOST_WORDS)]
