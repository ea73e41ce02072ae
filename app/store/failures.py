"""What a database says when it fails, in one line that tells people what to do."""

from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from app.errors import StoreError

# The words of SQLite and the SQLSTATE classes of PostgreSQL, most telling first.
_FULL = ("database or disk is full", "no space left", "disk i/o error")
_BUSY = ("database is locked", "database table is locked", "database schema is locked")


def driver_errors(engine: Engine) -> tuple[type[Exception], ...]:
    """What the driver raises where SQLAlchemy does not stand between (bulk loading, the write lock)."""
    dbapi = engine.dialect.dbapi
    return () if dbapi is None else (dbapi.Error,)


def any_error(engine: Engine) -> tuple[type[Exception], ...]:
    """All that a session can fail with."""
    return (SQLAlchemyError, *driver_errors(engine))


def translate(error: Exception, address: str, busy_seconds: float) -> StoreError:
    """The same failure as a StoreError; `address` must not hold a password."""
    cause = error.orig if isinstance(error, DBAPIError) and error.orig is not None else error
    words = str(cause).lower()
    state = getattr(cause, "sqlstate", None) or ""
    if isinstance(error, PoolTimeout):
        return StoreError("too many requests are waiting for the store: try again in a moment")
    if any(w in words for w in _FULL) or state == "53100":
        return StoreError(f"the disk of the store {address} is full: free some space and try again")
    if any(w in words for w in _BUSY) or state == "55P03":
        return StoreError(f"another process kept writing to the store for {busy_seconds:.0f} s: try again")
    if "unable to open database file" in words:
        return StoreError(f"the store {address} cannot be opened: check that its folder may be written to")
    if "readonly database" in words or state == "25006":
        return StoreError(f"the store {address} may not be written to: check its file's owner and mode")
    if "not a database" in words or "malformed" in words:
        return StoreError(f"{address} is damaged or no store: restore a copy, or name another file")
    if state.startswith("08") or "connection refused" in words or "connection failed" in words:
        return StoreError(f"PostgreSQL at {address} does not answer: start it, or correct the address")
    return StoreError(f"the store failed: {_first_line(cause)}")


def _first_line(cause: Exception | SQLAlchemyError) -> str:
    text = str(cause).strip()
    return text.splitlines()[0] if text else type(cause).__name__
