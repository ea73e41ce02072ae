"""Every kind of page over a collected store, as a browser asks for it: how long each takes, and what memory is held at the end.

One `serve` process on the store at hand; pages are asked for one after the other over loopback. A page of its kind is asked for with another
layer, neuron or cursor every time, so that nothing but what the application itself keeps is warm.
"""

import http.client
import os
import random
import re
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import psutil

from app.settings import Settings
from app.store import Store, models
from app.store.rows import LayerSummary
from bench.report import Figure, figure

HOST = "127.0.0.1"
GIVE_UP_S = 60.0
SLOWEST_MS, MOST_MB = 300.0, 300.0


class Kind(NamedTuple):
    """One kind of page, and an address of it by dice."""

    name: str
    address: Callable[[random.Random], str]


def run(quick: bool, url: str = "") -> list[Figure]:
    """`KIND_p95_ms` of every kind of page, and `browsed_mb`; on the store at `url` or that of the data folder."""
    times = 8 if quick else 40
    address = url or Settings().store_url
    slug, layers = _model(address)
    dice = random.Random(0)
    with serving(address) as (port, process):
        client = http.client.HTTPConnection(HOST, port, timeout=GIVE_UP_S)
        taken: dict[str, list[float]] = {}
        first: dict[str, float] = {}
        for kind in kinds(slug, layers, client):
            first[kind.name] = _timed(client, kind.address(dice))
            taken[kind.name] = [_timed(client, kind.address(dice)) for _ in range(times)]
        inside = psutil.Process(process.pid)
        before = inside.memory_info().rss / 1e6
        pages = 200 if quick else 2000
        neuron = kinds(slug, layers, client)[-1]
        for _ in range(pages):
            _timed(client, neuron.address(dice))
        megabytes = inside.memory_info().rss / 1e6
    found: list[Figure] = []
    for name, all_ms in taken.items():
        p95 = statistics.quantiles(all_ms, n=20)[-1]
        detail = f"p50 {statistics.median(all_ms):.1f} ms, slowest {max(all_ms):.1f} ms, the first one {first[name]:.1f} ms"
        found.append(figure("browse", f"{name}_p95_ms", p95, "<=", SLOWEST_MS, detail))
    memory = f"{before:.0f} MB after all kinds of pages, then {pages:,} neuron pages more"
    found.append(figure("browse", "browsed_mb", megabytes, "<=", MOST_MB, memory))
    return found


def kinds(slug: str, layers: list[LayerSummary], client: http.client.HTTPConnection) -> list[Kind]:
    """All kinds of pages over many neurons; the neuron page is the last."""

    def layer(query: str) -> Callable[[random.Random], str]:
        return lambda dice: f"/m/{slug}/{dice.choice(layers).slug}{query}"

    def neuron(dice: random.Random) -> str:
        within = dice.choice(layers)
        return f"/m/{slug}/{within.slug}/{dice.randrange(within.neurons)}"

    def further(query: str) -> Callable[[random.Random], str]:
        """The page after the first of a random layer; finding its address is not timed."""

        def address(dice: random.Random) -> str:
            body = _get(client, layer(query)(dice)).decode()
            found = re.search(r'href="([^"]*cursor=[^"]*)"', body)
            if found is None:
                raise SystemExit("bench browse: a layer's list has no second page")
            return found[1].replace("&amp;", "&")

        return address

    return [
        Kind("home", lambda _: "/"),
        Kind("model", lambda _: f"/m/{slug}"),
        Kind("model_json", lambda _: f"/api/v1/models/{slug}"),
        Kind("layer", layer("")),
        Kind("by_score", layer("?sort=score&order=down")),
        Kind("by_score_next", further("?sort=score&order=down")),
        Kind("by_density", layer("?sort=density&order=down")),
        Kind("random", lambda _: f"/m/{slug}/random"),
        Kind("neuron", neuron),
    ]


@contextmanager
def serving(url: str, data: Path | None = None) -> Iterator[tuple[int, "subprocess.Popen[bytes]"]]:
    """`serve` on a store; its port and process. `data` is its data folder: an empty one that is deleted, where none is given."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port = int(probe.getsockname()[1])
    with tempfile.TemporaryDirectory() as folder:
        env = {
            **os.environ,
            "NEURONARIUM_DATA_DIR": str(data or folder),
            "NEURONARIUM_DATABASE_URL": url,
            "NEURONARIUM_DEMO": "0",
        }
        command = [sys.executable, "-m", "app.cli", "serve", "--no-worker", "--port", str(port)]
        process = subprocess.Popen(command, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            give_up = time.monotonic() + GIVE_UP_S
            while True:
                try:
                    socket.create_connection((HOST, port), 1).close()
                    break
                except OSError as error:
                    if process.poll() is not None or time.monotonic() > give_up:
                        raise SystemExit("bench browse: the server did not start") from error
                    time.sleep(0.02)
            yield port, process
        finally:
            process.terminate()
            process.wait()


def _model(url: str) -> tuple[str, list[LayerSummary]]:
    store = Store.open(url, create=False)
    try:
        with store.session() as session:
            ready = [model.slug for model in models.models(session) if model.neurons]
            if not ready:
                raise SystemExit(
                    "bench browse needs a collected model: `make run`, and let its collection end"
                )
            return ready[0], models.layers(session, ready[0])
    finally:
        store.close()


def _timed(client: http.client.HTTPConnection, target: str) -> float:
    started = time.perf_counter()
    _get(client, target)
    return 1e3 * (time.perf_counter() - started)


def _get(client: http.client.HTTPConnection, target: str) -> bytes:
    client.request("GET", target)
    answer = client.getresponse()
    body = answer.read()
    if answer.status >= 400:
        raise SystemExit(f"bench browse: {target} answered {answer.status}: {body[:200]!r}")
    return body
