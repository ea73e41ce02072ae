"""A tiny model collected once, and copies of it for every test that needs one."""

import fcntl
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from app.jobs.requests import CollectRequest
from app.store.rows import JobState
from tests.jobs.forked import call
from tests.jobs.planted import save_planted
from tests.jobs.world import World, save_corpus, save_model


@pytest.fixture(scope="session")
def materials(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with `tiny-gpt2`, `tiny-llama`, `tiny-planted` and `corpus.jsonl`."""
    return once(tmp_path_factory, "materials", lambda folder: call(save_materials, folder))


@pytest.fixture(scope="session")
def collected(tmp_path_factory: pytest.TempPathFactory, materials: Path) -> Path:
    """A data folder in which `tiny-gpt2` has been collected over 400 excerpts."""
    return (
        once(
            tmp_path_factory, "collected", lambda folder: collect(folder, materials / "tiny-gpt2", materials)
        )
        / "data"
    )


@pytest.fixture(scope="session")
def collected_planted(tmp_path_factory: pytest.TempPathFactory, materials: Path) -> Path:
    """A data folder in which the planted model has been collected."""
    return (
        once(
            tmp_path_factory,
            "planted",
            lambda folder: collect(folder, materials / "tiny-planted", materials, (0,)),
        )
        / "data"
    )


def save_materials(folder: Path) -> None:
    """What `materials` holds."""
    save_model(folder, "gpt2")
    save_model(folder, "llama")
    save_planted(folder)
    save_corpus(folder)


def once(factory: pytest.TempPathFactory, name: str, make: Callable[[Path], None]) -> Path:
    """A folder that `make` fills, once for all processes of a run."""
    base = factory.getbasetemp()
    shared = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    folder, done = shared / f"once-{name}", shared / f"once-{name}.done"
    with (shared / f"once-{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not done.exists():
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
            make(folder)
            done.touch()
    return folder


def collect(folder: Path, model: Path, materials: Path, layers: tuple[int, ...] = ()) -> None:
    """Collect a model over 400 excerpts, in a worker."""
    made = World(folder)
    try:
        worker = made.worker()
        request = CollectRequest(str(model), (str(materials / "corpus.jsonl"),), 400, layers=layers)
        row = made.ended(made.jobs.enqueue_collect(request), 240)
        assert row.state is JobState.DONE, row.reason
        worker.terminate()  # nothing is left in the databases' logs
        worker.wait(30)
    finally:
        made.close()


@pytest.fixture
def world(tmp_path: Path) -> Iterator[Callable[..., World]]:
    """Makes worlds in the test's own folder; `world(data=collected)` begins with a copy of that data."""
    made: list[World] = []

    def make(name: str = "world", data: Path | None = None, **changes: object) -> World:
        folder = tmp_path / name
        folder.mkdir()
        if data is not None:
            shutil.copytree(data, folder / "data")
        made.append(World(folder, **changes))  # type: ignore[arg-type]
        return made[-1]

    yield make
    for one in made:
        one.close()
