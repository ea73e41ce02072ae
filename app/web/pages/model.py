"""A model: where it comes from, what it was run over, and its layers with their densities and scores as distributions."""

import csv
import io
from dataclasses import dataclass
from typing import Literal

import orjson
from fastapi import APIRouter, Request
from markupsafe import Markup
from starlette.responses import HTMLResponse, Response

from app.domain.seeds import SeedSpread
from app.errors import NotFound
from app.store import imported_neurons, spreads
from app.store import models as stored_models
from app.store import scores as stored_scores
from app.store.rows import LayerDistribution, LayerScores, LayerSummary, ModelSummary, NeuronSort
from app.web import distributions, measures, vega, whole
from app.web.contexts import Chrome
from app.web.dependencies import StoreDep
from app.web.formats import number, percent, plural, words
from app.web.measures import MeasureChoice
from app.web.rendering import chrome, page
from app.web.whole import Bar, MethodLine, Whole

router = APIRouter(include_in_schema=False)

TYPES = {"svg": "image/svg+xml", "png": "image/png", "pdf": "application/pdf"}
MAX_LAYERS = vega.MAX_MARKS // 4


@dataclass(frozen=True)
class LayerLine:
    """One layer of the table."""

    layer: LayerSummary
    address: str
    scores: LayerScores | None


@dataclass(frozen=True)
class ModelPage:
    """`model.html`."""

    chrome: Chrome
    model: ModelSummary
    lines: tuple[LayerLine, ...]
    density_chart: Markup | None
    score_chart: Markup | None
    histogram: Markup | None
    whole: Whole
    defined: int
    constant: int
    mean: float | None
    mean_constant_0: float | None
    seeds: SeedSpread | None
    measure: str
    measure_label: str
    measures: tuple[MeasureChoice, ...]
    here: str
    json: str
    imported: bool
    sources: tuple[str, ...]  # addresses that were imported from


def density_rows(model: str, densities: list[LayerDistribution]) -> list[vega.Spec]:
    """One row a layer for the chart and its data."""
    rows = []
    for each in densities:
        if not each.quantiles or each.mean is None:
            continue
        quantiles = distributions.quantiles(each)
        said = (
            f"layer {each.ordinal}: half of its {each.neurons} neurons fire strongly on "
            f"{percent(quantiles['q50'])} of tokens or less, mean {percent(each.mean)}"
        )
        rows.append(
            {
                "layer": each.ordinal,
                **quantiles,
                "mean": each.mean,
                "href": f"/m/{model}/{each.layer}?sort=density&order=down",
                "label": said,
            }
        )
    return rows


def score_rows(model: str, scores: list[LayerScores], measure: str) -> list[vega.Spec]:
    """One row a layer with any defined score."""
    rows = []
    for each in scores:
        if each.mean is None:
            continue
        quantiles = distributions.quantiles(each)
        said = (
            f"layer {each.ordinal}: median {number(quantiles['q50'])}, mean {number(each.mean)} over "
            f"{each.defined} of {each.neurons} neurons"
        )
        address = measures.address(f"/m/{model}/{each.layer}", sort="score", order="down", measure=measure)
        rows.append({"layer": each.ordinal, **quantiles, "mean": each.mean, "href": address, "label": said})
    return rows


def bar_rows(bars: tuple[Bar, ...]) -> list[vega.Spec]:
    """One row a step of a tenth."""
    rows = []
    for bar in bars:
        if bar.low is None or bar.high is None:
            name = (
                f"{number(bar.low, 1)} or more"
                if bar.low is not None
                else f"below {number(bar.high or 0, 1)}"
            )
        else:
            name = f"{number(bar.low, 1)} to below {number(bar.high, 1)}"
        short = number(bar.low, 1) if bar.low is not None else f"< {number(bar.high or 0, 1)}"
        said = f"{plural(bar.neurons, 'neuron')} with a best score of {name}"
        rows.append(
            {
                "name": short,
                "low": bar.low,
                "high": bar.high,
                "n": bar.neurons,
                "href": bar.address,
                "label": said,
            }
        )
    return rows


def method_rows(lines: tuple[MethodLine, ...]) -> list[vega.Spec]:
    """One row a method."""
    return [
        {
            "name": words(line.method),
            "method": line.method,
            "n": line.explanations,
            "neurons": line.neurons,
            "href": line.address,
            "label": f"{words(line.method)}: {plural(line.explanations, 'explanation')} of {plural(line.neurons, 'neuron')}",
        }
        for line in lines
    ]


@router.get("/m/{model}")
def show(request: Request, store: StoreDep, model: str, measure: str = "") -> HTMLResponse:
    """The model with its layers."""
    with store.session() as session:
        summary = stored_models.model(session, model)
        layers = stored_models.layers(session, model)
        there = summary.collection is not None  # else its first collection is under way
        stored = stored_scores.measures(session, model) if there else []
        sources = imported_neurons.sources(session, model) if there else []
    chosen = measures.parse(measure, stored)
    scores = spreads.by_layer(store, model, *chosen) if there else []
    densities = spreads.statistic(store, model, NeuronSort.DENSITY) if there else []
    with store.session() as session:
        everything = whole.of_model(store, session, summary, chosen, scores)
    by_slug = {each.layer: each for each in scores}
    drawn = density_rows(model, densities)[:MAX_LAYERS]
    scored = score_rows(model, scores, chosen.key)[:MAX_LAYERS]
    overall = distributions.means(scores)
    context = ModelPage(
        chrome=chrome(request, summary.card.name, "browse", model),
        model=summary,
        lines=tuple(LayerLine(each, f"/m/{model}/{each.slug}", by_slug.get(each.slug)) for each in layers),
        density_chart=vega.inline(
            vega.layers_spec(drawn, "share of tokens"), "How often neurons fire strongly, by layer"
        )
        if drawn
        else None,
        score_chart=vega.inline(vega.layers_spec(scored, "score"), f"Best scores by layer: {chosen.label}")
        if scored
        else None,
        histogram=vega.inline(histogram_spec(everything.bars), f"Neurons by their best score: {chosen.label}")
        if everything.bars
        else None,
        whole=everything,
        defined=overall.defined,
        constant=overall.constant,
        mean=overall.mean,
        mean_constant_0=overall.mean_constant_0,
        seeds=spreads.by_seed(store, model, *chosen) if there else None,
        measure=chosen.key,
        measure_label=chosen.label,
        measures=measures.choices(stored, chosen),
        here=f"/m/{model}",
        json=f"/api/v1/models/{model}",
        imported=summary.collection is not None and summary.collection.imported,
        sources=tuple(sources),
    )
    return page("model.html", context)


def histogram_spec(bars: tuple[Bar, ...]) -> vega.Spec:
    """The distribution of best scores over all neurons; what is empty below zero is left out."""
    zero = next((i for i, bar in enumerate(bars) if bar.low == 0), 0)
    first = next((i for i, bar in enumerate(bars[:zero]) if bar.neurons), zero)
    return vega.bars_spec(bar_rows(bars[first:]), "best score, from", "neurons")


def methods_spec(lines: tuple[MethodLine, ...]) -> vega.Spec:
    """Explanations by method."""
    return vega.bars_spec(method_rows(lines)[:MAX_LAYERS], "method", "explanations", 460, 190, -30)


CHARTS = {
    "density": ["layer", *distributions.QUANTILE_NAMES, "mean"],
    "score": ["layer", *distributions.QUANTILE_NAMES, "mean"],
    "histogram": ["low", "high", "n"],
    "methods": ["method", "n", "neurons"],
}
NAMES = {"histogram": {"n": "neurons"}, "methods": {"n": "explanations"}}


@router.get("/charts/{model}/{chart}.{format}")
def chart_file(
    store: StoreDep,
    model: str,
    chart: Literal["density", "score", "histogram", "methods"],
    format: str,
    measure: str = "",
) -> Response:
    """A chart as SVG, PNG, PDF, or the data behind it as JSON or CSV."""
    with store.session() as session:
        summary = stored_models.model(session, model)
        chosen = measures.parse(measure, stored_scores.measures(session, model))
        there = summary.collection is not None
        lines = whole.methods(store, session, model) if chart == "methods" and there else ()
    if chart == "density":
        rows = density_rows(model, spreads.statistic(store, model, NeuronSort.DENSITY))
        spec = vega.layers_spec(rows[:MAX_LAYERS], "share of tokens")
    elif chart == "methods":
        rows, spec = method_rows(lines), methods_spec(lines)
    else:
        scores = spreads.by_layer(store, model, *chosen)
        if chart == "score":
            rows = score_rows(model, scores, chosen.key)
            spec = vega.layers_spec(rows[:MAX_LAYERS], chosen.label)
        else:
            bars = whole.bars(model, chosen, scores)
            rows, spec = bar_rows(bars), histogram_spec(bars)
    headers = {"content-disposition": f'attachment; filename="{model}-{chart}.{format}"'}
    columns, names = CHARTS[chart], NAMES.get(chart, {})
    if format == "json":
        data = [{names.get(column, column): row[column] for column in columns} for row in rows]
        return Response(orjson.dumps(data), media_type="application/json", headers=headers)
    if format == "csv":
        return Response(_csv(rows, columns, names), media_type="text/csv", headers=headers)
    if format not in TYPES:
        raise NotFound(
            f"A chart cannot be had as {format!r}. There are: {', '.join([*TYPES, 'csv', 'json'])}."
        )
    if not rows:
        raise NotFound("There is nothing to draw yet: no neuron has a value for this chart.")
    body = vega.file(spec, format)  # type: ignore[arg-type]
    return Response(body, media_type=TYPES[format], headers=headers)


def _csv(rows: list[vega.Spec], columns: list[str], names: dict[str, str]) -> str:
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([names.get(column, column) for column in columns])
    for row in rows:
        writer.writerow([repr(row[c]) if isinstance(row[c], float) else row[c] for c in columns])
    return text.getvalue()
