"""Which workers are alive."""

import os
import socket

from app.store import Store, workers
from app.store.rows import WorkerRow

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
