"""Opening the store and talking to it in transactions, on SQLite and PostgreSQL alike.

Several processes share a store (`serve`, workers, the command line). On SQLite a session begins as a reader of one
consistent snapshot; its first write (`writing`) ends that snapshot and takes the write lock at once (BEGIN IMMEDIATE) until the
session ends, so that no two writers can block each other for good. Waiting for the lock is bounded by `BUSY_SECONDS`.
"""

import re
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any, TypeAlias

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

from app.domain.vocabulary import Vocabulary
from app.errors import StoreError
from app.settings import with_driver
from app.store import failures, migrate
from app.store.rows import StoredExcerpts

if TYPE_CHECKING:
    from app.store.semantic import Vectors

Session: TypeAlias = Connection

BUSY_SECONDS = 15.0
# Rows of 5 to 9 KB leave much of a larger page empty; here they spill into overflow pages that are full.
PAGE_BYTES = 4096
CACHE_KIB = 8192  # a connection
CHECKPOINT_BYTES = 16 << 20  # about one layer of the demo: a commit seldom has to wait for the disk twice
JOURNAL_LIMIT_BYTES = 64 << 20


class Store:
    """One database. Safe to share between threads; every thread uses sessions of its own."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self._reader = engine.execution_options(reading=True)
        if engine.dialect.name == "postgresql":  # there each statement of a session sees the newest anyway
            self._reader = self._reader.execution_options(isolation_level="AUTOCOMMIT")
        # What is read once and kept in memory: see excerpts.ExcerptCache, models.cached_vocabulary, semantic and spreads.
        self.lock = Lock()
        self.excerpts: dict[str, StoredExcerpts] = {}
        self.vocabularies: dict[str, tuple[str, Vocabulary]] = {}
        self.vectors: dict[tuple[int, int], Vectors] = {}  # by embedder and model
        self.spreads: dict[tuple[object, ...], Any] = {}

    @classmethod
    def open(cls, url: str, *, create: bool = True) -> "Store":
        """Open the store and bring it to this version's form.

        Raises StoreError in one line: not reachable, from a newer version, not a store, or (without `create`) not there.
        """
        address = _address(url)
        shown = _shown(address)
        if address.get_backend_name() == "sqlite":
            _prepare_file(address, create)
        engine = _engine(address)
        try:
            if address.get_backend_name() == "sqlite":
                _use_wal(engine)
            migrate.to_head(engine, create=create)
        except failures.any_error(engine) as error:
            engine.dispose()
            raise failures.translate(error, shown, BUSY_SECONDS) from error
        except StoreError:
            engine.dispose()
            raise
        return cls(engine)

    def session(self) -> AbstractContextManager[Session]:
        """One transaction: committed at the end, rolled back on any exception. Keep it short."""
        return self._begun(self.engine)

    def reading(self) -> AbstractContextManager[Session]:
        """A session that only reads. It spares PostgreSQL the statements that begin and end a transaction."""
        return self._begun(self._reader)

    @contextmanager
    def _begun(self, engine: Engine) -> Iterator[Session]:
        try:
            with engine.begin() as connection:
                yield connection
        except failures.any_error(self.engine) as error:
            raise failures.translate(error, self.url, BUSY_SECONDS) from error

    def close(self) -> None:
        """Give all connections back, and what is kept in memory."""
        for each in self.vectors.values():
            each.close()
        self.vectors.clear()
        self.engine.dispose()

    @property
    def dialect(self) -> str:
        """`sqlite` or `postgresql`."""
        return self.engine.dialect.name

    @property
    def url(self) -> str:
        """The address, without its password."""
        return _shown(self.engine.url)


def writing(s: Session) -> None:
    """To be called before every write: take SQLite's write lock now, not in the middle of a transaction."""
    if s.get_execution_options().get("reading"):
        raise StoreError("a session that only reads was asked to write: this is a fault of Neuronarium")
    if s.dialect.name != "sqlite" or s.info.get("writing"):
        return
    raw = s.connection.driver_connection
    if raw is None:
        raise StoreError("the store's connection is gone: try again")
    raw.execute("COMMIT")
    raw.execute("BEGIN IMMEDIATE")
    s.info["writing"] = True


def _address(url: str) -> URL:
    """The address taken apart. Raises StoreError without any part of what was given: it may be of a password."""
    try:
        address = make_url(with_driver(url))
    except (ArgumentError, ValueError):
        raise _unreadable() from None
    if address.drivername not in ("sqlite", "sqlite+pysqlite", "postgresql+psycopg"):
        raise StoreError(
            f"no store is kept in {address.drivername}: use sqlite:///FILE or postgresql+psycopg://USER@HOST/NAME"
        )
    _, at, rest = url.rpartition("@")
    if at and address.get_backend_name() == "postgresql" and _host(rest) != (address.host or ""):
        raise _unreadable()  # the password was cut at a sign of its own, and what remained taken for the host
    return address


def _host(rest: str) -> str:
    """The host that what comes after the password begins with; an IPv6 address is in brackets."""
    return rest[1:].partition("]")[0] if rest.startswith("[") else re.split("[:/?]", rest, maxsplit=1)[0]


def _unreadable() -> StoreError:
    return StoreError(
        "the store's address cannot be read: use sqlite:///FILE or postgresql+psycopg://USER:PASSWORD@HOST:PORT/NAME, "
        "and percent-encode what is special in user and password (@ is %40, / is %2F, # is %23, ? is %3F)"
    )


def without_secrets(url: str) -> str:
    """A store's address as people may see it. Raises StoreError where it cannot be read."""
    return _shown(_address(url))


def _shown(address: URL) -> str:
    """The address for people: no password, and no query, which may hold one too."""
    return address.set(query={}).render_as_string(hide_password=True)


def _prepare_file(address: URL, create: bool) -> None:
    if not address.database or address.database == ":memory:":
        raise StoreError(
            "a store in memory cannot be shared between processes: name a file, as in sqlite:///data/x.sqlite"
        )
    file = Path(address.database)
    if not create and not file.exists():
        raise StoreError(
            f"there is no store at {file}: start `neuronarium serve` or `neuronarium collect` first"
        )
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(f"cannot make the folder {file.parent} for the store: {error.strerror}") from error


def _engine(address: URL) -> Engine:
    if address.get_backend_name() == "postgresql":
        try:
            return create_engine(address, pool_pre_ping=True, pool_size=8, max_overflow=32)
        except ImportError as error:
            raise StoreError("PostgreSQL needs its driver: pip install 'psycopg[binary]'") from error
    engine = create_engine(
        address,
        pool_size=8,
        max_overflow=32,
        connect_args={"isolation_level": None, "timeout": BUSY_SECONDS, "check_same_thread": False},
    )

    @event.listens_for(engine, "connect")
    def configure(raw: Any, _record: Any) -> None:
        for pragma in (
            f"page_size={PAGE_BYTES}",  # matters before the first page is written only
            f"busy_timeout={int(BUSY_SECONDS * 1000)}",
            "synchronous=NORMAL",
            "foreign_keys=ON",
            f"cache_size=-{CACHE_KIB}",
            f"wal_autocheckpoint={CHECKPOINT_BYTES // PAGE_BYTES}",
            f"journal_size_limit={JOURNAL_LIMIT_BYTES}",
            "temp_store=MEMORY",
        ):
            raw.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        connection.info["writing"] = False
        connection.exec_driver_sql("BEGIN")

    return engine


def _use_wal(engine: Engine) -> None:
    """Write-ahead logging stays with the file; asked for outside any transaction."""
    raw = engine.raw_connection()
    try:
        mode = raw.cursor().execute("PRAGMA journal_mode=WAL").fetchone()[0]
        if mode != "wal":
            raise StoreError(
                f"the folder of {engine.url.database} takes no shared files: put the store on a local disk"
            )
    finally:
        raw.close()
