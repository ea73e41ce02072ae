"""A job's progress on the page that asked for it, and its result in place when it ends."""

from app.store.rows import JobRow
from app.web.neuron_contexts import Live


def live(job: JobRow | None, here: str) -> Live:
    """The panel of a job; followed by server-sent events until it has ended."""
    events = "" if job is None or job.state.ended else f"{here}/live/{job.id}"
    return Live(job, events, here)
