"""A job's progress on the page that asked for it, and its result in place when it ends."""

from collections.abc import AsyncIterator

from app.jobs.watch import changes, look
from app.store import Store
from app.web.neuron_contexts import Live

NO_JOB = Live(None, "", "", False)


def live(store: Store, job_id: str, here: str) -> Live:
    """The panel of a job; followed by server-sent events until it has ended. Raises NotFound."""
    job, nobody = look(store, job_id)
    return Live(job, "" if job.state.ended else f"{here}/live/{job.id}", here, nobody)


def panels(store: Store, job_id: str, here: str) -> AsyncIterator[Live]:
    """The panel now and after every change, of the job or of who is there to do it. Raises NotFound."""
    return changes(lambda: live(store, job_id, here), lambda panel: not panel.events)
