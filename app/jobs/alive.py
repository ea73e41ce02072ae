"""Which workers are alive."""

import os
import socket
from collections.abc import Iterable
from datetime import UTC, datetime

from app.store import Store, workers
from app.store.rows import JobRow, WorkerRow

START_SECONDS = 5.0  # what a worker that is started together with the server takes until it is heard of
SILENT_SECONDS = 15.0  # a worker that has not been heard of for so long is dead


def gone(worker: WorkerRow) -> bool:
    """Whether a worker of this machine has no process any more, however lately it was heard of."""
    if worker.host != socket.gethostname():
        return False
    try:
        os.kill(worker.pid, 0)
    except ProcessLookupError:
        return True
    except PermissionError:  # somebody else's, but there
        return False
    return False


def anyone_alive(store: Store) -> bool:
    """Whether some worker will take up what is queued now."""
    with store.session() as session:
        return any(not gone(worker) for worker in workers.alive(session, SILENT_SECONDS))


def left_alone(store: Store, rows: Iterable[JobRow]) -> bool:
    """Whether one of these jobs has not ended and no worker is alive to see to it, nor can be on its way."""
    now = datetime.now(UTC)
    old = any(not row.state.ended and (now - row.created_at).total_seconds() > START_SECONDS for row in rows)
    return old and not anyone_alive(store)
