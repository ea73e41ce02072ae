"""A whole installation in a folder: a tiny model, a corpus, settings, and real processes over them."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from app.jobs import scratch
from app.jobs.service import Jobs
from app.settings import Endpoint, Settings
from app.store import Store, jobs, workers
from app.store.rows import JobRow, WorkerRow
from tests.jobs import forked
from tests.jobs.forked import Forked
from tests.scripted_server import Recorded, Reply, chat

T = TypeVar("T")
PYTHON = [sys.executable, "-m", "app.cli"]
PROJECT = Path(__file__).resolve().parents[2]


def wait_for(look: Callable[[], T | None], what: str, timeout_s: float = 60.0) -> T:
    """What `look` gives as soon as it gives something; AssertionError when that takes too long."""
    end = time.monotonic() + timeout_s
    while True:
        found = look()
        if found:
            return found
        assert time.monotonic() < end, f"waited {timeout_s:.0f} s for {what}"
        time.sleep(0.02)


def save_model(folder: Path, kind: str = "gpt2") -> Path:
    """A random model with its tokenizer, as Hugging Face saves them."""
    from tests.subject import tiny

    model, tokenizer = (
        (tiny.gpt2(), tiny.byte_level_tokenizer())
        if kind == "gpt2"
        else (tiny.llama(), tiny.sentencepiece_tokenizer())
    )
    place = folder / f"tiny-{kind}"
    model.save_pretrained(place, safe_serialization=True)
    tokenizer.save_pretrained(place)
    return place


def save_corpus(folder: Path, documents: int = 200, words: int = 300) -> Path:
    """Random prose, a JSON Lines file with a document a line."""
    from tests.subject import tiny

    file = folder / "corpus.jsonl"
    lines = [json.dumps({"name": f"doc {i}", "text": tiny.prose(words, seed=i)}) for i in range(documents)]
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return file


class World:
    """One data folder with its settings, and the processes that were started on it."""

    def __init__(self, folder: Path, endpoints: Sequence[Endpoint] = (), **changes: object) -> None:
        self.folder = folder
        self.endpoints = list(endpoints)
        self.settings = Settings(data_dir=folder / "data", endpoints=self.endpoints, **changes)  # type: ignore[arg-type]
        self._processes: list[subprocess.Popen[bytes] | Forked] = []
        self._store: Store | None = None

    @property
    def store(self) -> Store:
        if self._store is None:
            self._store = Store.open(self.settings.store_url)
        return self._store

    @property
    def jobs(self) -> Jobs:
        return Jobs(self.settings, self.store)

    def env(self, **more: str) -> dict[str, str]:
        cap, simulator = self.settings.spending_cap_usd, self.settings.simulator_model
        return {
            **os.environ,
            "NEURONARIUM_DATA_DIR": str(self.settings.data_dir),
            "NEURONARIUM_ENDPOINTS": json.dumps([e.model_dump() for e in self.endpoints]),
            **(
                {}
                if self.settings.database_url is None
                else {"NEURONARIUM_DATABASE_URL": self.settings.database_url}
            ),
            **({} if cap is None else {"NEURONARIUM_SPENDING_CAP_USD": str(cap)}),
            **({} if simulator is None else {"NEURONARIUM_SIMULATOR_MODEL": simulator}),
            "NEURONARIUM_EMBEDDING_ENDPOINT": self.settings.embedding_endpoint or "",
            "NEURONARIUM_EMBEDDING_BATCH": str(self.settings.embedding_batch),
            "NEURONARIUM_THREADS": "1",
            "OMP_NUM_THREADS": "1",
            "PYTHONUNBUFFERED": "1",
            "COLUMNS": "200",
            **more,
        }

    def start(self, *arguments: str, **env: str) -> subprocess.Popen[bytes]:
        """A command in a process of its own; its output goes to a file."""
        log = self.folder / f"process-{len(self._processes)}.log"
        with log.open("wb") as out:
            process = subprocess.Popen(
                [*PYTHON, *arguments], env=self.env(**env), cwd=PROJECT, stdout=out, stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
            )  # fmt: skip
        self._processes.append(process)
        return process

    def output(self, process: subprocess.Popen[bytes] | Forked) -> str:
        return (self.folder / f"process-{self._processes.index(process)}.log").read_text("utf-8", "replace")

    def run(self, *arguments: str, timeout_s: float = 120, **env: str) -> subprocess.CompletedProcess[str]:
        """A command to its end, in a process forked with the imports done (see forked.py)."""
        return forked.run(arguments, self.env(**env), PROJECT, self.folder, timeout_s)

    def worker(self) -> Forked:
        """A worker that is ready: a process of its own, forked with the imports done (see forked.py)."""
        log = self.folder / f"process-{len(self._processes)}.log"
        log.touch()
        process = forked.command(("worker",), self.env(), PROJECT, log)
        self._processes.append(process)
        wait_for(
            lambda: "ready" in self.output(process) or process.poll() is not None, "a worker to be ready"
        )
        assert process.poll() is None, self.output(process)
        return process

    def kill(self, process: subprocess.Popen[bytes] | Forked) -> None:
        """SIGKILL, and gone."""
        process.send_signal(signal.SIGKILL)
        process.wait(30)

    def scratch(self, job_id: str) -> Path:
        """The folder of a job."""
        return scratch.home(self.settings.data_dir, self.settings.store_url) / job_id

    def job(self, job_id: str) -> JobRow:
        with self.store.session() as session:
            return jobs.get(session, job_id)

    def workers(self) -> list[WorkerRow]:
        with self.store.session() as session:
            return workers.alive(session)

    def ended(self, job_id: str, timeout_s: float = 90) -> JobRow:
        """The job's last row."""

        def look() -> JobRow | None:
            row = self.job(job_id)
            return row if row.state.ended else None

        return wait_for(look, f"{job_id} to end", timeout_s)

    def close(self) -> None:
        for process in self._processes:
            if process.poll() is None:
                process.kill()
            process.wait(30)
        for worker in self.workers() if self._store is not None else []:  # those that commands started
            try:
                os.kill(worker.pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        if self._store is not None:
            self._store.close()


@contextmanager
def world(folder: Path, endpoints: Sequence[Endpoint] = (), **changes: object) -> Iterator[World]:
    made = World(folder, endpoints, **changes)
    try:
        yield made
    finally:
        made.close()


def model_answers(request: Recorded) -> Reply:
    """What a good model would answer: levels where tokens are given, a statement otherwise."""
    tokens = tokens_of(request)
    if tokens is None:
        return chat("words about rain and stone bridges")
    levels = [{"token": token, "activation": (3 * len(token) + i) % 11} for i, token in enumerate(tokens)]
    return chat(json.dumps({"activations": levels}))


def tokens_of(request: Recorded) -> list[str] | None:
    """The tokens that a simulation asks about; None for an explanation."""
    try:
        question = json.loads(request.messages[-1]["content"])
    except ValueError:
        return None
    return question["tokens"] if isinstance(question, dict) and "tokens" in question else None
