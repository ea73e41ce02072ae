"""The numbers of the model page's charts, and the measures that it offers."""

import re

import pytest
from starlette.testclient import TestClient

from tests import factories
from tests.web.api import API, MODEL, NEURONS, get, message

CHARTS = "/charts/tiny-random"
COLUMNS = ("q05", "q25", "q50", "q75", "q95", "mean")


def key(measure: dict[str, str]) -> str:
    return f"{measure['protocol']}.{measure['sample']}.{measure['metric']}"


def named(measure: dict[str, str]) -> dict[str, str]:
    return {name: measure[name] for name in ("protocol", "sample", "metric")}


def test_the_measures_are_those_of_the_page(client: TestClient):
    measures = get(client, f"{MODEL}/measures")["items"]
    offered = re.findall(r'<option value="([^"]+)"[^>]*>([^<]+)<', client.get("/m/tiny-random").text)
    said = [m["label"] + (f" · {m['trust']}" if m["trust"].startswith("misses") else "") for m in measures]
    assert sorted(zip(map(key, measures), said, strict=True)) == sorted(offered)


def test_densities_are_those_of_the_page_s_download(client: TestClient):
    layers = get(client, f"{MODEL}/distributions")["layers"]
    rows = client.get(f"{CHARTS}/density.json").json()
    assert [{"layer": e["ordinal"], **{c: e["density"][c] for c in COLUMNS}} for e in layers] == rows
    assert [layer["layer"] for layer in layers] == ["0-mlp", "1-mlp"]


def test_scores_are_those_of_the_page_s_download_by_every_measure(client: TestClient):
    for measure in get(client, f"{MODEL}/measures")["items"]:
        found = get(client, f"{MODEL}/distributions", **named(measure))
        assert named(found) == named(measure)
        rows = client.get(f"{CHARTS}/score.json", params={"measure": key(measure)}).json()
        defined = [e for e in found["layers"] if e["score"]["defined"]]
        assert [{"layer": e["ordinal"], **{c: e["score"][c] for c in COLUMNS}} for e in defined] == rows


def test_the_scores_are_those_of_the_list_of_neurons(client: TestClient):
    found = get(client, f"{MODEL}/distributions")
    layer = found["layers"][0]["score"]
    best = [line["best"] for line in get(client, NEURONS, limit=500)["items"]]
    values = [b["value"] for b in best if b and b["value"] is not None]
    assert layer["defined"] == len(values) == sum(layer["counts"])
    assert layer["mean"] == pytest.approx(sum(values) / len(values))
    assert layer["constant"] == len([b for b in best if b and b["state"] == "constant_prediction"])
    assert len(layer["counts"]) == len(found["score_edges"]) - 1
    everywhere = [e["score"] for e in found["layers"]]
    assert found["overall"]["defined"] == sum(e["defined"] for e in everywhere) <= 2 * factories.NEURONS
    total = sum(e["mean"] * e["defined"] for e in everywhere)
    assert found["overall"]["mean"] == pytest.approx(total / found["overall"]["defined"])


def test_a_measure_that_has_no_scores_is_empty_and_not_zero(client: TestClient):
    found = get(client, f"{MODEL}/distributions", protocol="bills-5+5")
    assert (found["overall"]["defined"], found["overall"]["mean"]) == (0, None)
    for layer in found["layers"]:
        assert layer["score"]["mean"] is layer["score"]["q50"] is None
        assert layer["density"]["q50"] is not None


@pytest.mark.parametrize("path", ["measures", "distributions"])
def test_an_unknown_model_is_named(client: TestClient, path: str):
    assert "tiny-random" in message(client, f"{API}/models/nothing/{path}", 404)
