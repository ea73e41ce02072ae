"""A model: where it comes from, what it was run over, and its layers with their densities and scores as distributions."""

from dataclasses import dataclass
from typing import Literal

import orjson
from fastapi import APIRouter, Request
from markupsafe import Markup
from starlette.responses import HTMLResponse, Response

from app.errors import NotFound
from app.store import imported_neurons, spreads
from app.store import models as stored_models
from app.store import scores as stored_scores
from app.store.rows import LayerDistribution, LayerScores, LayerSummary, ModelSummary, NeuronSort
from app.web import distributions, measures, vega
from app.web.contexts import Chrome
from app.web.dependencies import StoreDep
from app.web.formats import number, percent
from app.web.measures import MeasureChoice
from app.web.rendering import chrome, page

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
    defined: int
    constant: int
    mean: float | None
    mean_constant_0: float | None
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


@router.get("/m/{model}")
def show(request: Request, store: StoreDep, model: str, measure: str = "") -> HTMLResponse:
    """The model with its layers."""
    with store.session() as session:
        summary = stored_models.model(session, model)
        layers = stored_models.layers(session, model)
        stored = stored_scores.measures(session, model)
        sources = imported_neurons.sources(session, model)
    chosen = measures.parse(measure, stored)
    scores = spreads.by_layer(store, model, *chosen)
    densities = spreads.statistic(store, model, NeuronSort.DENSITY)
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
        defined=overall.defined,
        constant=overall.constant,
        mean=overall.mean,
        mean_constant_0=overall.mean_constant_0,
        measure=chosen.key,
        measure_label=chosen.label,
        measures=measures.choices(stored, chosen),
        here=f"/m/{model}",
        json=f"/api/v1/models/{model}",
        imported=summary.collection is not None and summary.collection.imported,
        sources=tuple(sources),
    )
    return page("model.html", context)


@router.get("/charts/{model}/{chart}.{format}")
def chart_file(
    store: StoreDep, model: str, chart: Literal["density", "score"], format: str, measure: str = ""
) -> Response:
    """A chart as SVG, PNG, PDF, or the data behind it as JSON or CSV."""
    with store.session() as session:
        stored_models.model(session, model)
        chosen = measures.parse(measure, stored_scores.measures(session, model))
    if chart == "density":
        rows = density_rows(model, spreads.statistic(store, model, NeuronSort.DENSITY))
    else:
        rows = score_rows(model, spreads.by_layer(store, model, *chosen), chosen.key)
    name = f"{model}-{chart}.{format}"
    headers = {"content-disposition": f'attachment; filename="{name}"'}
    columns = ["layer", *distributions.QUANTILE_NAMES, "mean"]
    if format == "json":
        data = [{column: row[column] for column in columns} for row in rows]
        return Response(orjson.dumps(data), media_type="application/json", headers=headers)
    if format == "csv":
        lines = [",".join(columns), *(",".join(repr(row[column]) for column in columns) for row in rows)]
        return Response("\n".join(lines) + "\n", media_type="text/csv", headers=headers)
    if format not in TYPES:
        raise NotFound(
            f"A chart cannot be had as {format!r}. There are: {', '.join([*TYPES, 'csv', 'json'])}."
        )
    if not rows:
        raise NotFound("There is nothing to draw yet: no layer has a value for this chart.")
    title = "share of tokens" if chart == "density" else chosen.label
    body = vega.file(vega.layers_spec(rows[:MAX_LAYERS], title), format)  # type: ignore[arg-type]
    return Response(body, media_type=TYPES[format], headers=headers)
