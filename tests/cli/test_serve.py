"""`serve` as a process: its ready line, its one-line refusals, its worker, and what it does not load."""

import asyncio
import os
import re
import signal
import socket
import sqlite3
import subprocess
import sys
import urllib.request
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import psutil
from sqlalchemy import update

from app.cli.serve import add_puzzles, listen
from app.domain.puzzles import OWN_SET
from app.exchange.puzzles import built_in
from app.jobs.alive import gone
from app.settings import Settings
from app.store import Store, puzzles, tables
from tests.jobs.world import PROJECT, World, wait_for

Make = Callable[..., World]


def ready(world: World, process: subprocess.Popen[bytes]) -> str:
    """The address that it says it is ready on."""

    def look() -> str | None:
        assert process.poll() is None, world.output(process)
        found = re.search(r"Neuronarium is ready on (http://\S+) \(\d+\.\d s\)", world.output(process))
        return found[1] if found else None

    return wait_for(look, "serve to be ready")


def test_serves_with_one_worker_that_is_restarted_and_ends_with_it(world: Make) -> None:
    here = world()
    process = here.start("serve", "--port", "0")
    url = ready(here, process)
    with urllib.request.urlopen(url, timeout=20) as answer:
        assert answer.status == 200
    [worker] = wait_for(here.workers, "a worker")
    os.kill(worker.pid, signal.SIGKILL)

    def another() -> bool:
        return any(w.pid != worker.pid and not gone(w) for w in here.workers())

    wait_for(another, "another worker")
    process.send_signal(signal.SIGTERM)
    assert process.wait(30) == 0
    wait_for(lambda: all(gone(w) for w in here.workers()), "the worker to end", 10)


def test_a_killed_serve_takes_its_worker_along(world: Make) -> None:
    here = world()
    process = here.start("serve", "--port", "0")
    ready(here, process)
    wait_for(here.workers, "a worker")
    here.kill(process)
    wait_for(lambda: not here.workers(), "the worker to sign off")


def test_without_a_worker_when_asked(world: Make) -> None:
    here = world()
    process = here.start("serve", "--port", "0", "--no-worker")
    ready(here, process)
    assert psutil.Process(process.pid).children() == []
    assert here.workers() == []


def test_never_loads_what_is_heavy(world: Make) -> None:
    here = world()
    process = here.start("serve", "--port", "0", "--no-worker")
    url = ready(here, process)
    for page in ("/", "/jobs", "/search?q=words&mode=both"):
        with urllib.request.urlopen(url + page, timeout=20) as answer:
            assert answer.status == 200
    info = psutil.Process(process.pid)
    assert not [
        m.path for m in info.memory_maps() if re.search(r"torch|transformers|pydantic_ai|openai", m.path)
    ]
    assert info.memory_info().rss < 250e6
    names = "torch", "transformers", "openai", "dbos", "xllamacpp"
    code = f"""
import sys
from pathlib import Path
from app.domain.explanations import ExplainOptions, Method
from app.jobs.requests import CollectRequest
from app.jobs.service import Jobs
from app.main import create_app
from app.settings import Settings
from app.store import Store, puzzles, tables
from app.store import Store
config = Settings(data_dir=Path({str(here.folder / "light")!r}), demo=True)
store = Store.open(config.store_url)
jobs = Jobs(config, store)
create_app(config, store, jobs)
job = jobs.enqueue_collect(CollectRequest('x/y', ('corpus',), 5))
jobs.cancel(job); jobs.retry(job); jobs.endpoints()
print([name for name in {names!r} if name in sys.modules])
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, cwd=PROJECT
    )
    assert done.stdout.strip() == "[]", done.stderr


def line_of(done: subprocess.CompletedProcess[str]) -> str:
    assert done.returncode == 1, done.stderr
    [line] = done.stderr.splitlines()
    return line


async def test_an_answer_does_not_wait_for_the_one_before_to_be_acknowledged() -> None:
    """asyncio turns Nagle's algorithm off only where the socket it is given says that it is TCP: 40 ms an answer."""
    found: list[int] = []

    async def take(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        accepted = writer.get_extra_info("socket")
        found.append(accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))
        writer.close()

    listening = listen(Settings(port=0))
    async with await asyncio.start_server(take, sock=listening):
        reader, writer = await asyncio.open_connection(*listening.getsockname())
        await reader.read()
        writer.close()
    assert found == [1]


def test_a_port_in_use_is_one_line(world: Make) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        line = line_of(world().run("serve", "--port", port))
    assert port in line and "--port" in line


def test_others_are_not_served_without_a_password(world: Make) -> None:
    line = line_of(world().run("serve", "--host", "0.0.0.0", "--port", "0"))
    assert "NEURONARIUM_PASSWORD" in line


def test_a_setting_that_is_wrong_is_one_line(world: Make) -> None:
    assert "port" in line_of(world().run("serve", NEURONARIUM_PORT="http"))


def test_without_the_front_end_files_it_says_how_to_get_them(world: Make, tmp_path: Path) -> None:
    line = line_of(world().run("serve", "--port", "0", NEURONARIUM_NPM_DIR=str(tmp_path)))
    assert str(tmp_path) in line and "htmx.min.js" in line and "make viewer" in line


def test_a_store_of_a_newer_version_is_one_line_and_left_alone(world: Make) -> None:
    here = world()
    assert here.run("db", "upgrade").returncode == 0
    file = here.settings.data_dir / "neuronarium.sqlite"
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("UPDATE alembic_version SET version_num = 'from the future'")
        connection.commit()
        before = list(connection.iterdump())
    for command in (["serve", "--port", "0"], ["worker"], ["db", "check"], ["db", "upgrade"]):
        assert "version" in line_of(here.run(*command))
    with closing(sqlite3.connect(file)) as connection:
        assert list(connection.iterdump()) == before


def test_a_data_folder_that_cannot_be_made_is_one_line(world: Make, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    done = world().run("db", "upgrade", "--data-dir", str(tmp_path / "file" / "data"))
    assert "file" in line_of(done)


def test_wrong_usage_is_status_2(world: Make) -> None:
    here = world()
    assert here.run("serve", "--port", "x").returncode == 2
    assert here.run("explain", "nothing").returncode == 2
    assert here.run("collect", "--model", "m", "--corpus", "c", "--layers", "a-b").returncode == 2


def test_the_demo_has_the_puzzles_once_and_keeps_a_reworded_one(sqlite_store: Store) -> None:
    for _ in range(2):
        add_puzzles(sqlite_store)
        with sqlite_store.session() as s:
            assert [(each.slug, each.puzzles) for each in puzzles.sets(s)] == [(OWN_SET, len(built_in()))]
    with sqlite_store.session() as s:
        s.execute(update(tables.puzzles).values(truth="something else"))
    add_puzzles(sqlite_store)  # what is there stays, and the server starts
