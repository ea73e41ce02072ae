"""Studies: the list, a page for each with how it stands, its raters, its audit log, and what its owner can do."""

from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Form, Query, Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from app.domain import study_files
from app.domain.definition_files import FileKind
from app.errors import BadInput, Refused
from app.jobs.experiment_service import Experiments
from app.jobs.study_explaining import begin
from app.store import Store, study_raters, study_versions
from app.store import studies as stored
from app.store.study_rows import LogRow, RaterSource, StudyRow, StudyState
from app.study.material import Material
from app.study.overview import RaterDone, overview
from app.study.service import Actor, Progress, Studies, may_act
from app.web import study_words as words
from app.web.author import Who, WhoDep
from app.web.contexts import Chrome
from app.web.dependencies import JobsDep, SettingsDep, StoreDep
from app.web.measures import address
from app.web.rating_links import invitation, open_link, prolific_link
from app.web.rendering import chrome, page

router = APIRouter(include_in_schema=False)

LISTED = 50
NAMES = 120_000  # characters of names to invite


@dataclass(frozen=True)
class StudiesPage:
    """`studies.html`."""

    chrome: Chrome
    rows: tuple[tuple[StudyRow, str], ...]  # with the state in words
    total: int
    newer: str
    older: str


@dataclass(frozen=True)
class StudyPage:
    """`study.html`."""

    chrome: Chrome
    row: StudyRow
    state: str
    may: bool  # whoever looks may act
    progress: Progress | None  # None of a draft
    raters: str
    quality: str
    by_count: tuple[tuple[int, int], ...]
    design: str
    evidence: str
    tasks: tuple[str, ...]
    gold: tuple[str, ...]
    exclusions: tuple[str, ...]
    definition: str  # as TOML
    versions: tuple[int, ...]  # made of this one


@dataclass(frozen=True)
class MaterialPage:
    """`study_material.html`: what a draft comes to; its page asks for it."""

    chrome: Chrome
    row: StudyRow
    lines: tuple[str, ...]
    found: Material
    lacking: bool
    endpoints: tuple[str, ...]
    may: bool


@dataclass(frozen=True)
class RaterLine:
    """One rater in the owner's table."""

    line: RaterDone
    label: str  # what the owner called the invitation
    participant: str
    state: str
    source: str
    link: str  # of an invitation that may still be opened
    renewable: bool


@dataclass(frozen=True)
class RatersPage:
    """`study_raters.html`: for the owner alone."""

    chrome: Chrome
    row: StudyRow
    open: bool
    open_link: str
    prolific_link: str
    lines: tuple[RaterLine, ...]


@dataclass(frozen=True)
class ConfirmPage:
    """`study_confirm.html`: what cannot be undone is asked for twice."""

    chrome: Chrome
    row: StudyRow
    what: str
    warning: str
    action: str
    button: str
    back: str


@dataclass(frozen=True)
class LogPage:
    """`study_log.html`."""

    chrome: Chrome
    row: StudyRow
    entries: tuple[LogRow, ...]


@router.get("/studies")
def show_all(
    request: Request, store: StoreDep, cursor: Annotated[str, Query(max_length=30)] = ""
) -> HTMLResponse:
    """All studies, newest first."""
    with store.session() as session:
        found = stored.page(session, cursor or None, LISTED)
    context = StudiesPage(
        chrome(request, "Studies", "lab"),
        tuple((row, words.STATE_WORDS[row.state]) for row in found.items),
        found.total,
        address("/studies", cursor=found.previous) if found.previous else "",
        address("/studies", cursor=found.next) if found.next else "",
    )
    return page("studies.html", context)


@router.get("/studies/{study:index}")
def show(request: Request, store: StoreDep, who: WhoDep, study: int) -> HTMLResponse:
    """One study. Whoever did not make it sees the same without what can be done."""
    studies = Studies(store)
    row = studies.get(study)
    begun = row.state is not StudyState.DRAFT
    seen = overview(store, study) if begun else None
    progress = studies.progress(study) if begun else None
    with store.reading() as session:
        versions = study_versions.later(session, study)
    d = row.definition
    context = StudyPage(
        chrome=chrome(request, row.name, "lab"),
        row=row,
        state=words.STATE_WORDS[row.state],
        may=may_act(row, _actor(who)),
        progress=progress,
        raters=words.rater_counts(progress) if progress else "",
        quality=words.quality_line(seen) if seen else "",
        by_count=seen.by_count if seen else (),
        design=words.design(d),
        evidence=words.evidence(d),
        tasks=tuple(words.TASK_WORDS[task] for task in d.tasks),
        gold=tuple(f"{words.GOLD_WORDS[each.kind]}: {each.n}" for each in d.gold),
        exclusions=tuple(words.exclusions(d.exclusions)),
        definition=study_files.write(d, FileKind.TOML),
        versions=tuple(versions),
    )
    return page("study.html", context)


@router.get("/studies/{study:index}/material")
def show_material(request: Request, jobs: JobsDep, who: WhoDep, study: int) -> HTMLResponse:
    """What a draft comes to in this store, now."""
    studies = Studies(jobs.store)
    row = studies.get(study)
    found = studies.material(row.definition)
    context = MaterialPage(
        chrome(request, row.name, "lab"),
        row,
        tuple(words.material_lines(row.definition, found)),
        found,
        bool(found.lacking or found.exposed),
        tuple(endpoint.name for endpoint in jobs.endpoints()),
        may_act(row, _actor(who)) and row.state is StudyState.DRAFT,
    )
    return page("study_material.html", context)


@router.get("/studies/{study:index}/definition.{kind}")
def download(store: StoreDep, study: int, kind: FileKind) -> Response:
    """The definition as a file."""
    row = Studies(store).get(study)
    return Response(
        study_files.write(row.definition, kind),
        media_type="application/json" if kind is FileKind.JSON else "application/toml",
        headers={"content-disposition": f'attachment; filename="study-{study}.{kind}"'},
    )


@router.get("/studies/{study:index}/log")
def show_log(request: Request, store: StoreDep, study: int) -> HTMLResponse:
    """Who did what to it."""
    studies = Studies(store)
    row = studies.get(study)
    context = LogPage(chrome(request, f"Audit log of {row.name}", "lab"), row, tuple(studies.log(study)))
    return page("study_log.html", context)


@router.get("/studies/{study:index}/raters")
def show_raters(
    request: Request, store: StoreDep, settings: SettingsDep, who: WhoDep, study: int
) -> HTMLResponse:
    """Who its raters are, how far each is, and their links. Refused for anybody but the owner."""
    row = _mine(store, study, who)
    seen = overview(store, study)
    with store.reading() as session:
        known = study_raters.identities(session, study)
    base = f"{request.url.scheme}://{request.url.netloc}"
    lines = []
    for line in seen.raters:
        rater = line.rater
        said = known.get(rater.id)
        invited = rater.source is RaterSource.INVITATION and not rater.state.ended
        unopened = invited and not rater.claimed and row.state is StudyState.OPEN
        lines.append(
            RaterLine(
                line,
                said.label if said else "",
                said.participant if said else "",
                words.RATER_WORDS[rater.state],
                words.SOURCE_WORDS[rater.source],
                base + invitation(settings, row, rater) if unopened else "",
                invited and rater.claimed and row.state is StudyState.OPEN,
            )
        )
    context = RatersPage(
        chrome(request, f"Raters of {row.name}", "lab"),
        row,
        row.state is StudyState.OPEN,
        base + open_link(settings, row),
        base + prolific_link(settings, row),
        tuple(lines),
    )
    return page("study_raters.html", context)


@router.post("/studies/{study:index}/explain")
def explain(
    jobs: JobsDep, who: WhoDep, study: int, explainer: Annotated[str, Form(max_length=200)] = ""
) -> Response:
    """Begin the experiments that make what it lacks."""
    row = _mine(jobs.store, study, who)
    found = Studies(jobs.store).material(row.definition)
    made = begin(Experiments(jobs), row.definition, found, who.name, explainer)
    return RedirectResponse(f"/experiments/{made[0].id}" if len(made) == 1 else "/experiments", 303)


@router.post("/studies/{study:index}/start")
def start(store: StoreDep, who: WhoDep, study: int) -> Response:
    """Freeze it and let raters in."""
    Studies(store).start(study, _actor(who))
    return _back(study)


@router.get("/studies/{study:index}/close")
def ask_close(request: Request, store: StoreDep, who: WhoDep, study: int) -> HTMLResponse:
    """What closing it would leave undone."""
    row = _mine(store, study, who)
    progress = Studies(store).progress(study)
    left = progress.unfinished
    warning = (
        f"{left} of {progress.items} items are unfinished, and stay so for good."
        if left
        else "Every item is finished."
    )
    at_work = sum(n for state, n in progress.raters.items() if state.at_work)
    if at_work:
        warning += (
            f" {at_work} {'rater is' if at_work == 1 else 'raters are'} at work, and can answer no more."
        )
    context = ConfirmPage(
        chrome(request, f"Close {row.name}", "lab"),
        row,
        "Close the study",
        f"{warning} A closed study cannot be opened again; its results are shown from then on.",
        f"/studies/{study}/close",
        "Close it all the same" if left else "Close it",
        f"/studies/{study}",
    )
    return page("study_confirm.html", context)


@router.post("/studies/{study:index}/close")
def close(
    store: StoreDep, who: WhoDep, study: int, sure: Annotated[str, Form(max_length=10)] = ""
) -> Response:
    """End it for good."""
    Studies(store).close(study, _actor(who), anyway=sure == "yes")
    return _back(study)


@router.post("/studies/{study:index}/unblind")
def unblind(
    store: StoreDep, who: WhoDep, study: int, why: Annotated[str, Form(max_length=1_000)] = ""
) -> Response:
    """Open its results before the close."""
    Studies(store).unblind(study, _actor(who), why)
    return _back(study)


@router.post("/studies/{study:index}/invite")
def invite(
    store: StoreDep,
    who: WhoDep,
    study: int,
    names: Annotated[str, Form(max_length=NAMES)] = "",
    days: Annotated[str, Form(max_length=30)] = "",
) -> Response:
    """An invitation for each line."""
    labels = [line.strip() for line in names.splitlines() if line.strip()]
    Studies(store).invite(study, _actor(who), labels, _days(days))
    return RedirectResponse(f"/studies/{study}/raters", 303)


@router.post("/studies/{study:index}/raters/{number:index}/renew")
def renew(store: StoreDep, who: WhoDep, study: int, number: int) -> Response:
    """Let an invitation be opened once more."""
    Studies(store).renew(study, number, _actor(who))
    return RedirectResponse(f"/studies/{study}/raters", 303)


@router.get("/studies/{study:index}/raters/{number:index}/erase")
def ask_erase(request: Request, store: StoreDep, who: WhoDep, study: int, number: int) -> HTMLResponse:
    """What erasing a rater takes away."""
    row = _mine(store, study, who)
    with store.reading() as session:
        rater = study_raters.by_number(session, study, number)
    context = ConfirmPage(
        chrome(request, f"Erase {rater.pseudonym}", "lab"),
        row,
        f"Erase {rater.pseudonym}",
        "All answers of this rater, the comments and who it was are deleted for good. A tombstone stays, and results say how many raters were erased."
        + (" The place is given to somebody else." if row.state is StudyState.OPEN else ""),
        f"/studies/{study}/raters/{number}/erase",
        "Erase for good",
        f"/studies/{study}/raters",
    )
    return page("study_confirm.html", context)


@router.post("/studies/{study:index}/raters/{number:index}/erase")
def erase(
    store: StoreDep, who: WhoDep, study: int, number: int, sure: Annotated[str, Form(max_length=10)] = ""
) -> Response:
    """Delete all that a rater said."""
    if sure != "yes":
        raise BadInput("Erasing cannot be undone: say that you are sure.")
    Studies(store).erase(study, number, _actor(who))
    return RedirectResponse(f"/studies/{study}/raters", 303)


def _mine(store: Store, study: int, who: Who) -> StudyRow:
    """The study, for its owner. Refused for anybody else."""
    row = Studies(store).get(study)
    if not may_act(row, _actor(who)):
        raise Refused(f"Only who made the study “{row.name}” ({row.author}) may see that.")
    return row


def _actor(who: Who) -> Actor:
    return Actor(who.name, who.owner)


def _back(study: int) -> Response:
    return RedirectResponse(f"/studies/{study}", 303)


def _days(text: str) -> float | None:
    if not text.strip():
        return None
    try:
        return float(text)
    except ValueError:
        raise BadInput(f"“{text[:30]}” is no number of days: give one such as 14, or nothing.") from None
