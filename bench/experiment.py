"""How well an experiment keeps an endpoint busy: its calls a second against those of a bare asyncio loop.

Both ask the same server on loopback, in a process of its own, that answers every request after the same fixed time; both have
its bound of requests under way at once, and the same HTTP client (openai's). The bare loop sends the very requests that the
experiment sent, and does nothing else with the answers. The experiment is whole: samples, prompts, simulations, scores,
ledger, store. Runs are interleaved, and the figure is the ratio of medians.
"""

import asyncio
import json
import multiprocessing
import shutil
import statistics
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from app.domain.experiments import Definition, Rule, SampleRule, Simulator
from app.domain.explanations import Method, Protocol, SimulatorName
from app.jobs import experiment
from app.jobs.experiment_service import Experiments
from app.jobs.runtime import Runtime, within
from app.jobs.service import Jobs
from app.settings import Endpoint, Settings
from app.store import Store, jobs
from app.store.experiment_rows import ExperimentState
from bench.report import Figure, figure

TARGET = 0.90
LATENCY_S = 1.0  # a quick answer: the levels of 64 tokens as JSON take a hosted model several seconds
CONCURRENCY = 16
NEURONS, QUICK_NEURONS = 8, 4  # of each of the two layers: a short run is mostly its beginning and its end
RUNS, QUICK_RUNS = 3, 1
MODEL = "scripted-model"


def run(quick: bool) -> Sequence[Figure]:
    """The figure `of_bare_loop`."""
    with tempfile.TemporaryDirectory() as folder, _server() as url:
        place = Path(folder)
        template = place / "template.sqlite"
        _fill(template)
        endpoint = Endpoint(
            name="scripted", base_url=url, model=MODEL, concurrency=CONCURRENCY, price_in=1.0, price_out=2.0
        )
        neurons = QUICK_NEURONS if quick else NEURONS
        bodies = _bodies(
            place, template, endpoint, neurons
        )  # also the first run, which imports what is imported once
        ours: list[float] = []
        bare: list[float] = []
        for i in range(QUICK_RUNS if quick else RUNS):
            bare.append(len(bodies) / _bare(url, bodies))
            calls, seconds = _experiment(place / f"run-{i}.sqlite", template, endpoint, neurons)
            ours.append(calls / seconds)
    ratio = statistics.median(ours) / statistics.median(bare)
    detail = (
        f"{len(bodies)} calls of {2 * neurons} neurons x 2 formats with chat_json on heldout-5+5, answers after {LATENCY_S:g} s, "
        f"{CONCURRENCY} at once; calls a second: bare loop {_spread(bare)}, experiment {_spread(ours)}, at best "
        f"{CONCURRENCY / LATENCY_S:.0f}"
    )
    return [figure("experiment", "of_bare_loop", ratio, ">=", TARGET, detail)]


def _spread(values: list[float]) -> str:
    return f"{statistics.median(values):.1f} ({min(values):.1f} to {max(values):.1f})"


def _fill(file: Path) -> None:
    from tests import factories

    store = Store.open(f"sqlite:///{file}")
    factories.fill(store)
    store.close()


def _definition(neurons: int) -> Definition:
    from tests import factories

    return Definition(
        name="Two formats",
        samples=(SampleRule(Rule.RANDOM, n=neurons),),
        methods=(Method.SUMMARY, Method.ORIGINAL),
        models=(factories.SLUG,),
        explainers=("scripted",),
        simulators=(Simulator(SimulatorName.CHAT_JSON, "scripted"),),
        protocols=(Protocol.HELDOUT_5_5,),
        budget_usd=1000.0,
    )


def _experiment(file: Path, template: Path, endpoint: Endpoint, neurons: int) -> tuple[int, float]:
    """(calls, seconds) of a whole run, from its first look at the store to the last thing written."""
    shutil.copy(template, file)
    store = Store.open(f"sqlite:///{file}")
    settings = Settings(data_dir=file.parent, endpoints=[endpoint])
    row = Experiments(Jobs(settings, store)).begin(_definition(neurons))

    async def work() -> float:
        runtime = Runtime(settings, store, "bench")
        await runtime.db(lambda s: jobs.claim(s, row.job_id, "bench"))
        began = time.perf_counter()
        with within(runtime):
            state = await experiment.work(row.job_id)
        seconds = time.perf_counter() - began
        await runtime.close()
        if state != ExperimentState.DONE:
            raise RuntimeError(f"the experiment is {state}")
        return seconds

    seconds = asyncio.run(work())
    with store.session() as session:
        calls = session.exec_driver_sql("SELECT count(*) FROM llm_calls").scalar_one()
    store.close()
    return int(calls), seconds


def _bodies(place: Path, template: Path, endpoint: Endpoint, neurons: int) -> list[dict[str, Any]]:
    """What the experiment sends."""
    _experiment(place / "first.sqlite", template, endpoint, neurons)
    return list(asyncio.run(_fetch(endpoint.base_url)))


async def _fetch(url: str) -> list[dict[str, Any]]:
    import httpx2

    async with httpx2.AsyncClient(trust_env=False) as client:
        answer = await client.get(url.removesuffix("/v1") + "/seen", timeout=60)
        return list(json.loads(answer.content))


def _bare(url: str, bodies: Sequence[dict[str, Any]]) -> float:
    """Seconds of the same requests by a loop that does nothing but send them."""
    import httpx2
    import openai

    async def work() -> float:
        client = openai.AsyncOpenAI(
            api_key="none",
            base_url=url,
            max_retries=0,
            http_client=openai.DefaultAsyncHttpxClient(trust_env=False),
        )
        left = iter(bodies)

        async def ask() -> None:
            for body in left:
                answer = await client.post("/chat/completions", cast_to=httpx2.Response, body=body)
                if not answer.content:
                    raise RuntimeError("an empty answer")

        began = time.perf_counter()
        await asyncio.gather(*(ask() for _ in range(CONCURRENCY)))
        seconds = time.perf_counter() - began
        await client.close()
        return seconds

    return asyncio.run(work())


@contextmanager
def _server() -> Iterator[str]:
    """The server in a process of its own; its address."""
    context = multiprocessing.get_context("spawn")
    mine, theirs = context.Pipe()
    process = context.Process(target=_serve, args=(theirs,), daemon=True)
    process.start()
    try:
        yield f"http://127.0.0.1:{mine.recv()}/v1"
    finally:
        process.kill()
        process.join()


def _serve(pipe: Any) -> None:
    asyncio.run(_serving(pipe))


async def _serving(pipe: Any) -> None:
    seen: list[Any] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                length = 0
                for line in head.split(b"\r\n"):
                    name, _, value = line.partition(b":")
                    if name.lower() == b"content-length":
                        length = int(value)
                body = await reader.readexactly(length)
                if head.startswith(b"GET"):
                    answer = json.dumps(seen).encode()
                else:
                    request = json.loads(body)
                    seen.append(request)
                    answer = _answer(request)
                    await asyncio.sleep(LATENCY_S)
                writer.write(
                    b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b"
                    % (len(answer), answer)
                )
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, limit=1 << 22)
    pipe.send(server.sockets[0].getsockname()[1])
    async with server:
        await server.serve_forever()


def _answer(request: dict[str, Any]) -> bytes:
    """A statement, another for every prompt, or a level for every token."""
    last = request["messages"][-1]["content"]
    try:
        tokens = json.loads(last)["tokens"]
    except (ValueError, TypeError, KeyError):
        text = f"words about {hash(last) % 1_000_000} things"
    else:
        levels = [{"token": token, "activation": (3 * len(token) + i) % 11} for i, token in enumerate(tokens)]
        text = json.dumps({"activations": levels})
    choice = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": text}}
    usage = {"prompt_tokens": 900, "completion_tokens": len(text) // 4, "total_tokens": 900 + len(text) // 4}
    return json.dumps({"id": "c", "object": "chat.completion", "created": 1, "model": MODEL, "choices": [choice], "usage": usage}).encode()  # fmt: skip
