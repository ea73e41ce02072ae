"""How soon `serve` answers its first page, and how much memory it then holds, beside an application that does nothing.

Both sides are processes started in turn: `neuronarium serve --no-worker` on a store with a collected model, its neuron page asked for,
and the smallest FastAPI application under uvicorn, which is the floor. Seconds from starting the process to the answered page.
"""

import os
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import psutil

from app.settings import Settings
from app.store import Store, models
from bench.report import Figure, figure

GIVE_UP_S = 60.0
FLOOR = """
import sys, uvicorn, fastapi
app = fastapi.FastAPI()
@app.get("/{path:path}")
def page(path: str) -> str: return "x"
uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[1]), log_config=None)
"""


class Start(NamedTuple):
    """One start of a process."""

    seconds: float
    megabytes: float  # resident, after the first page
    torch: bool  # whether torch's library is in the process


def run(quick: bool, url: str = "") -> list[Figure]:
    """`ready_s` and `idle_mb` on the store at `url`, or on the collected one in the data folder."""
    settings = Settings(database_url=url) if url else Settings()
    store = Store.open(settings.store_url)
    with store.session() as session:
        ready = [model for model in models.models(session) if model.neurons]
        if not ready:
            raise SystemExit(
                "bench start needs a collected model: `make run` first, and let its collection end."
            )
        neurons = sum(model.neurons for model in ready)
        path = f"/m/{ready[0].slug}/{models.layers(session, ready[0].slug)[0].slug}/0"
    store.close()
    ours: list[Start] = []
    floor: list[Start] = []
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder)
        env = {**os.environ, "NEURONARIUM_DATA_DIR": folder, "NEURONARIUM_DEMO": "0"}
        if url:
            env["NEURONARIUM_DATABASE_URL"] = url
        elif not settings.store_url.startswith("postgresql"):
            for file in settings.data_dir.glob("neuronarium.sqlite*"):
                shutil.copy(file, data)
        serve = [sys.executable, "-m", "app.cli", "serve", "--no-worker", "--port"]
        for _ in range(3 if quick else 9):
            ours.append(start(serve, path, env))
            floor.append(start([sys.executable, "-c", FLOOR], path, env))
    ready_s = statistics.median(each.seconds for each in ours)
    floor_s = statistics.median(each.seconds for each in floor)
    idle_mb = statistics.median(each.megabytes for each in ours)
    floor_mb = statistics.median(each.megabytes for each in floor)
    loaded = "torch loaded" if any(each.torch for each in ours) else "torch not loaded"
    return [
        figure(
            "start", "ready_s", ready_s, "<=", 1.5,
            f"first neuron page, store of {neurons:,} neurons, {loaded}; bare FastAPI {floor_s:.2f} s, ratio {ready_s / floor_s:.1f}",
        ),
        figure(
            "start", "idle_mb", idle_mb, "<=", 250.0,
            f"after that page; bare FastAPI {floor_mb:.0f} MB, ratio {idle_mb / floor_mb:.1f}",
        ),
    ]  # fmt: skip


def start(command: Sequence[str], path: str, env: dict[str, str]) -> Start:
    """Start it on a free port, wait for the page, look at the process, end it."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    begun = time.perf_counter()
    process = subprocess.Popen(
        [*command, str(port)], env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        while True:
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=GIVE_UP_S) as answer:
                    answer.read()
                break
            except (urllib.error.URLError, ConnectionError) as error:
                if process.poll() is not None or time.perf_counter() - begun > GIVE_UP_S:
                    raise SystemExit(f"bench start: the server did not answer: {error}") from error
                time.sleep(0.005)
        seconds = time.perf_counter() - begun
        inside = psutil.Process(process.pid)
        torch = any("libtorch" in mapped.path for mapped in inside.memory_maps())
        return Start(seconds, inside.memory_info().rss / 1e6, torch)
    finally:
        process.terminate()
        process.wait()
