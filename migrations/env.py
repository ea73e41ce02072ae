"""Alembic's entry: run by app.store.migrate with an open connection, or by `alembic` on the configured store."""

from alembic import context
from sqlalchemy import Connection, create_engine

from app.settings import Settings
from app.store.tables import metadata


def _run(connection: Connection) -> None:
    # The caller's transaction is used as it is: a migration is applied whole or not at all, on SQLite too.
    context.configure(connection=connection, target_metadata=metadata, transaction_per_migration=False)
    context.run_migrations()


given = context.config.attributes.get("connection")
if given is not None:
    _run(given)
else:
    with create_engine(Settings().store_url).begin() as own:
        _run(own)
