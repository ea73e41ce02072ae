"""Home: the models, what is running, and what was said last."""

from dataclasses import dataclass

from fastapi import APIRouter, Request
from markupsafe import Markup
from starlette.responses import HTMLResponse

from app.jobs.alive import left_alone
from app.store import explanations as stored_explanations
from app.store import jobs as stored_jobs
from app.store import models as stored_models
from app.store.explanation_rows import ExplanationRow, ScoreRow
from app.store.rows import JobRow, JobState, ModelSummary
from app.web import charts, trust_marks
from app.web.contexts import Chrome
from app.web.dependencies import SettingsDep, StoreDep
from app.web.job_views import Unfinished, unfinished
from app.web.measures import DEFAULT, Measure
from app.web.rendering import chrome, page

router = APIRouter(include_in_schema=False)

RECENT = 12
UNFINISHED_SHOWN = 8


@dataclass(frozen=True)
class RecentLine:
    """One recent explanation with one of its scores."""

    row: ExplanationRow
    address: str
    place: str
    score: ScoreRow | None
    interval: Markup | None
    measure: str
    trust: Markup


@dataclass(frozen=True)
class HomePage:
    """`home.html`."""

    chrome: Chrome
    models: tuple[ModelSummary, ...]
    running: Unfinished
    running_shown: int
    nobody: bool  # to do them: no worker is alive
    failed: tuple[JobRow, ...]
    recent: tuple[RecentLine, ...]
    neurons: int
    demo: bool


def headline(row: ExplanationRow) -> ScoreRow | None:
    """The score that stands for an explanation in a list: by the default measure if it has one, else its newest."""
    defined = [score for score in row.scores if score.value.value is not None]
    for score in defined:
        value = score.value
        if Measure(value.protocol, value.sample, value.metric) == DEFAULT:
            return score
    return defined[0] if defined else None


def recent_line(row: ExplanationRow) -> RecentLine:
    """A recent explanation as the list shows it."""
    score = headline(row)
    drawn, measure, trust = None, "", Markup("")
    if score is not None and score.value.value is not None:
        value = score.value
        drawn = charts.interval(value.value or 0.0, value.low, value.high)
        measure = Measure(value.protocol, value.sample, value.metric).label
        trust = trust_marks.html(value.protocol, value.sample, value.metric)
    ref = row.ref
    place = f"{ref.layer.removesuffix('-mlp')}:{ref.index}"
    return RecentLine(row, f"/m/{ref.model}/{ref.layer}/{ref.index}", place, score, drawn, measure, trust)


@router.get("/")
def show(request: Request, store: StoreDep, settings: SettingsDep) -> HTMLResponse:
    """Everything at a glance."""
    with store.reading() as session:
        models = stored_models.models(session)
        active = stored_jobs.active(session, UNFINISHED_SHOWN)
        failed = stored_jobs.list_jobs(session, JobState.FAILED, limit=3)
        recent = stored_explanations.recent(session, RECENT)
    context = HomePage(
        chrome=chrome(request, "Neurons of language models", "browse"),
        models=tuple(models),
        running=unfinished(active, UNFINISHED_SHOWN),
        running_shown=UNFINISHED_SHOWN,
        nobody=left_alone(store, active.rows),
        failed=tuple(job for job in failed if not models or job.kind == "collect"),
        recent=tuple(recent_line(row) for row in recent),
        neurons=sum(model.neurons for model in models),
        demo=settings.demo,
    )
    return page("home.html", context)
