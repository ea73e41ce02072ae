"""A tiny model collected once by the real command, and copies of it for every test that needs one."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.jobs.planted import save_planted
from tests.jobs.world import World, save_corpus, save_model


@pytest.fixture(scope="session")
def materials(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with `tiny-gpt2`, `tiny-llama` and `corpus.jsonl`."""
    folder = tmp_path_factory.mktemp("materials")
    save_model(folder, "gpt2")
    save_model(folder, "llama")
    save_corpus(folder)
    return folder


@pytest.fixture(scope="session")
def collected(tmp_path_factory: pytest.TempPathFactory, materials: Path) -> Path:
    """A data folder in which `tiny-gpt2` has been collected over 400 excerpts."""
    folder = tmp_path_factory.mktemp("collected")
    made = World(folder)
    try:
        done = made.run(
            "collect", "--model", str(materials / "tiny-gpt2"), "--corpus", str(materials / "corpus.jsonl"),
            "--excerpts", "400",
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
    finally:
        made.close()
    return folder / "data"


@pytest.fixture(scope="session")
def collected_planted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder in which the planted model has been collected."""
    folder = tmp_path_factory.mktemp("planted")
    made = World(folder)
    try:
        done = made.run(
            "collect", "--model", str(save_planted(folder)), "--corpus", str(save_corpus(folder)), "--excerpts", "400",
            "--layers", "0",
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
    finally:
        made.close()
    return folder / "data"


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
