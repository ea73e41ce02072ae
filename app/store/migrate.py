"""Bringing a store to the form that this version knows. Alembic is imported only when there is something to do."""

from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Connection, Engine, inspect, text

from app.errors import StoreError

if TYPE_CHECKING:
    from alembic.config import Config

HEAD = "0013"  # a test holds it against migrations/versions
FOLDER = Path(__file__).resolve().parents[2] / "migrations"
_LOCK = 0x6E6575726F  # PostgreSQL advisory lock: "neuro"


def revision(connection: Connection) -> str | None:
    """The store's revision, None for an empty database. Raises StoreError for one that is not ours."""
    names = set(inspect(connection).get_table_names())
    if "alembic_version" in names and "models" in names:
        found: str | None = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
        return found
    if "models" in names or (names - {"alembic_version"} and connection.dialect.name == "sqlite"):
        raise StoreError("this database holds something else than a Neuronarium store: name another one")
    return None


def to_head(engine: Engine, *, create: bool) -> None:
    """Migrate to `HEAD`, once, whichever process comes first. A store from a newer version is left alone."""
    with engine.begin() as connection:
        found = revision(connection)
    if found == HEAD:
        return
    if found is None and not create:
        raise StoreError(
            "the database holds no store yet: start `neuronarium serve` or `neuronarium collect` first"
        )
    with engine.begin() as connection:
        _alone(connection)
        found = revision(connection)  # another process may have been quicker
        if found != HEAD:
            _refuse_newer(found)
            run(connection, HEAD)


def run(connection: Connection, target: str) -> None:
    """Run the migrations up or down to `target` ("base" for none) inside the connection's transaction."""
    from alembic import command

    config = _config(connection)
    current = revision(connection)
    if target == "base" or (current is not None and target < current):
        command.downgrade(config, target)
    else:
        command.upgrade(config, target)


def _config(connection: Connection) -> "Config":
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(FOLDER))
    config.attributes["connection"] = connection
    return config


def _alone(connection: Connection) -> None:
    """Keep other processes from migrating at the same time."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
        return
    connection.exec_driver_sql("COMMIT")
    connection.exec_driver_sql("BEGIN IMMEDIATE")


def _refuse_newer(found: str | None) -> None:
    known = {file.name.split("_")[0] for file in (FOLDER / "versions").glob("*.py")}
    if found is not None and found not in known:
        raise StoreError(
            f"the store was written by a newer version (its form is {found}, this one knows {HEAD}): update Neuronarium"
        )
