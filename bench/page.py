"""The neuron page against the usual way to make one, and against a server that does nothing.

Both rivals answer from the same process, application and middleware as our page: `naive` keeps every activation
record as a JSON row and loops over tokens in a Jinja template, as viewers of this kind do, and otherwise makes the
same page from the same queries; `fixed` answers with a constant body of our page's size. The client is this
process, over loopback, with kept-alive connections; rounds are interleaved, and medians of rounds are compared.

Without a store to run on, one of a few neurons is made. On a store, neurons are taken from all over it; the rival's rows are those of the
same neurons alone, which spares it the size of ours.
"""

import argparse
import asyncio
import http.client
import socket
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

from app.domain.neurons import NeuronRef
from bench.page_data import fill

if TYPE_CHECKING:
    from bench.report import Figure

HOST = "127.0.0.1"
VIEW = "?show=all&more=1&context=whole&duplicates=1"  # every record, whole: all that the rows hold
SIDES = ("ours", "naive", "fixed")
CLIENTS = 2


def run(quick: bool, url: str = "") -> "list[Figure]":
    """Requests a second of the three, and the two ratios; on the store at `url`, or on one of a few neurons."""
    from bench.report import Figure

    count = 24 if quick else 96
    seconds, rounds = (1.0, 5) if quick else (2.0, 9)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        own = f"sqlite:///{folder}/neuronarium.sqlite"
        if not url:
            make(own, count)
        refs = spread(url or own, count)
        with serving(folder, url or own, count) as port:
            sizes = {side: len(get(port, path(side, 0, refs))) for side in SIDES}
            for side in SIDES:
                measure(port, side, refs, 0.5)
            rates: dict[str, list[float]] = {side: [] for side in SIDES}
            for _ in range(rounds):
                for side in SIDES:
                    rates[side].append(measure(port, side, refs, seconds))
    ours, naive, fixed = (statistics.median(rates[side]) for side in SIDES)
    per_s = f"{ours:.0f} pages/s against {naive:.1f}; {sizes['ours']:,} bytes against {sizes['naive']:,}"
    against = f"{ours:.0f} pages/s of {fixed:.0f} answers/s, {sizes['fixed']:,} bytes"
    return [
        Figure("page", "requests_ratio", ours / naive, 10, ">=", ours / naive >= 10, per_s),
        Figure("page", "of_fixed_body", ours / fixed, 0.20, ">=", ours / fixed >= 0.20, against),
    ]


def make(url: str, neurons: int) -> None:
    """A store of one layer."""
    from app.store import Store

    store = Store.open(url)
    fill(store, neurons)
    store.close()


def spread(url: str, count: int) -> list[NeuronRef]:
    """Neurons from all over the first collected model of a store. SystemExit where there is none."""
    from app.store import Store, models

    store = Store.open(url, create=False)
    try:
        with store.session() as session:
            ready = [model for model in models.models(session) if model.neurons]
            if not ready:
                raise SystemExit("there is no collected model in this store")
            layers = models.layers(session, ready[0].slug)
    finally:
        store.close()
    each = [layers[i % len(layers)] for i in range(count)]
    step = 7919 if len(layers) > 1 else 1  # a prime: far apart
    return [NeuronRef(ready[0].slug, layer.slug, i * step % layer.neurons) for i, layer in enumerate(each)]


def path(side: str, neuron: int, refs: list[NeuronRef]) -> str:
    """Where one side's page of a neuron is."""
    if side == "ours":
        ref = refs[neuron]
        return f"/m/{ref.model}/{ref.layer}/{ref.index}{VIEW}"
    return f"/bench/{side}/{neuron}"


def get(port: int, target: str) -> bytes:
    """One answer. Raises RuntimeError unless it is 200."""
    connection = http.client.HTTPConnection(HOST, port, timeout=30)
    try:
        return _get(connection, target)
    finally:
        connection.close()


def _get(connection: http.client.HTTPConnection, target: str) -> bytes:
    connection.request("GET", target)
    answer = connection.getresponse()
    body = answer.read()
    if answer.status != 200:
        raise RuntimeError(f"{target}: {answer.status} {body[:300]!r}")
    return body


def measure(port: int, side: str, refs: list[NeuronRef], seconds: float) -> float:
    """Answers a second of one side, over all neurons in turn."""
    done = [0] * CLIENTS
    failed: list[BaseException] = []
    start = time.perf_counter()
    until = start + seconds

    def client(me: int) -> None:
        connection = http.client.HTTPConnection(HOST, port, timeout=30)
        neuron = me * len(refs) // CLIENTS
        try:
            while time.perf_counter() < until:
                _get(connection, path(side, neuron % len(refs), refs))
                neuron += 1
                done[me] += 1
        except (OSError, RuntimeError, http.client.HTTPException) as error:
            failed.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=client, args=(me,)) for me in range(CLIENTS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failed:
        raise failed[0]
    return sum(done) / (time.perf_counter() - start)


class serving:
    """A server process on a free port, ready when entered."""

    def __init__(self, folder: Path, url: str, neurons: int) -> None:
        self.folder, self.url, self.neurons = folder, url, neurons

    def __enter__(self) -> int:
        with socket.socket() as probe:
            probe.bind((HOST, 0))
            port = int(probe.getsockname()[1])
        command = [sys.executable, "-m", "bench.page", "--serve", str(self.folder), "--port", str(port)]
        command += ["--store", self.url, "--neurons", str(self.neurons)]
        self.process = subprocess.Popen(command)
        give_up = time.monotonic() + 120
        while True:
            if self.process.poll() is not None:
                raise RuntimeError("the bench's server ended before it was ready")
            try:
                get(port, "/bench/fixed/0")
                return port
            except ConnectionError:
                if time.monotonic() > give_up:
                    self.process.terminate()
                    raise
                time.sleep(0.05)

    def __exit__(self, *_: object) -> None:
        self.process.terminate()
        self.process.wait(30)


def serve(folder: Path, url: str, port: int, neurons: int) -> None:
    """The application as it is, with two more addresses."""
    import uvicorn

    from app.main import create_app
    from app.settings import Settings
    from bench.page_naive import NaivePage, write_rows

    app = create_app(Settings(data_dir=folder, database_url=url))
    refs = spread(url, neurons)
    rows = folder / "rows.sqlite"
    with sqlite3.connect(rows) as connection:
        write_rows(connection, app.state.store, refs)
    naive = NaivePage(app, rows, refs, VIEW)
    app.get("/bench/naive/{index}")(naive.show)
    body: list[bytes] = []

    def fixed(index: int) -> object:
        from starlette.responses import HTMLResponse

        return HTMLResponse(body[0])

    app.get("/bench/fixed/{index}")(fixed)
    server = uvicorn.Server(uvicorn.Config(app, HOST, port, log_level="warning", access_log=False))

    async def main() -> None:
        body.append(await asyncio.to_thread(naive.ours, 0))
        await server.serve()

    asyncio.run(main())


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--serve", type=Path, required=True)
    parser.add_argument("--store", required=True)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--neurons", type=int, required=True)
    chosen = parser.parse_args()
    serve(chosen.serve, chosen.store, chosen.port, chosen.neurons)
