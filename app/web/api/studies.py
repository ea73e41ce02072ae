"""Studies over the API: made, looked at, started, followed, ended; raters under their numbers, and who they are to the owner alone."""

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query
from pydantic import Field

from app.domain import study_files
from app.domain.definition_files import kind_of
from app.domain.experiments import Measure
from app.domain.explanations import Metric, Protocol, Sample
from app.domain.studies import StudyArm, StudyDefinition
from app.domain.study_power import Components
from app.errors import BadInput, Refused
from app.jobs.experiment_service import Experiments
from app.jobs.study_explaining import begin, missing
from app.settings import Settings
from app.store import Store, study_raters
from app.store import studies as stored
from app.store.study_rows import Identity, RaterRow, RaterSource, RaterState, StudyRow, StudyState
from app.study.overview import RaterDone, overview
from app.study.planning import plan
from app.study.presets import LEE_METHODS, LEE_RATERS, LEE_SCORE, Design, lee
from app.study.service import Actor, Studies, may_act
from app.web.api.experiments import ExperimentOut, experiment_out
from app.web.api.parameters import Cursor, Limit
from app.web.api.schemas import ListOf, PageOf, Schema
from app.web.author import Who, WhoDep
from app.web.dependencies import JobsDep, SettingsDep, StoreDep
from app.web.rating_links import invitation, open_link, prolific_link
from app.web.study_words import material_lines

router = APIRouter(tags=["studies"])

Number = Annotated[int, Path(ge=1, le=2**62, description="Number of the study.", examples=[1])]
RaterNumber = Annotated[
    int, Path(ge=1, le=2**31 - 1, description="Number of the rater's pseudonym.", examples=[3])
]
_DEFINITION = [
    {"name": "Two formats", "arms": ["summary", "original"], "samples": [{"rule": "random", "n": 1}]}
]


class StudyIn(Schema):
    """A study to look at, to keep or to change."""

    definition: dict[str, Any] | str = Field(
        description="The definition: an object with the keys of a file, or the text of a TOML or JSON file.",
        examples=_DEFINITION,
    )


class NewStudyIn(StudyIn):
    """A study to keep as a draft."""

    version_of: int | None = Field(
        default=None, description="The study that it is a new version of.", examples=[None]
    )


class ExplainIn(Schema):
    """Who is to explain."""

    explainer: str = Field(
        default="", description="Endpoint for arms that name nobody; empty: the first.", examples=["vllm"]
    )


class CloseIn(Schema):
    """How to end a study."""

    anyway: bool = Field(default=False, description="Although items are unfinished.", examples=[True])


class UnblindIn(Schema):
    """Why results are opened before the close."""

    why: str = Field(description="It is kept, and printed in every export.", examples=["a pilot"])


class InviteIn(Schema):
    """Whom to invite."""

    names: list[str] = Field(
        description="What you call each; raters never see it.", examples=[["Grace", "Alan"]]
    )
    days: float | None = Field(
        default=None, description="How long the invitations are good; null: no end.", examples=[14]
    )


class StudyOut(Schema):
    """A study."""

    id: int = Field(examples=[1])
    name: str = Field(examples=["Two formats"])
    state: StudyState
    version: int = Field(examples=[1])
    version_of: int | None = Field(
        description="The study that it is a new version of; null for a first one.", examples=[None]
    )
    definition_hash: str = Field(
        description="sha256 of the definition in its canonical form.", examples=["9f86d0…"]
    )
    registered_hash: str = Field(
        description="sha256 of definition, texts and places; empty before the start.", examples=["60303a…"]
    )
    notes: list[str] = Field(description="What is to be known of what raters see.", examples=[[]])
    results_open: bool = Field(description="Whether results may be read.")
    author: str = Field(examples=["me"])
    created_at: datetime
    started_at: datetime | None
    closed_at: datetime | None
    unblinded_at: datetime | None = Field(
        description="When results were opened before the close; null: never."
    )


class LackingOut(Schema):
    """What one arm lacks."""

    arm: str = Field(examples=["summary"])
    neurons: list[str] = Field(
        description="As model/layer/index.", examples=[["smollm2-135m-instruct/8-mlp/101"]]
    )


class MaterialOut(Schema):
    """What a definition comes to in this store."""

    neurons: int = Field(examples=[30])
    texts: int = Field(description="Different ones, over all neurons.", examples=[148])
    same_texts: int = Field(description="Neurons in which two or more arms say the same.", examples=[2])
    lines: list[str] = Field(
        description="The same in words.", examples=[["30 neurons, 5 ways of explaining …"]]
    )
    notes: list[str] = Field(examples=[[]])
    problems: list[str] = Field(description="Why it cannot start; empty where it can.", examples=[[]])
    lacking: list[LackingOut]


class RaterCountOut(Schema):
    """How many raters are in one state."""

    state: RaterState
    raters: int = Field(examples=[3])


class ItemOut(Schema):
    """One neuron, and how many raters have finished it."""

    item: int = Field(description="Its number in the results.", examples=[0])
    neuron: str = Field(examples=["smollm2-135m-instruct/8-mlp/101"])
    done: int = Field(examples=[4])


class StandingOut(Schema):
    """A study with its definition and how far it is. Nothing of the answers."""

    study: StudyOut
    definition: dict[str, Any] = Field(description="As a JSON file holds it.", examples=_DEFINITION)
    items_wanted: int = Field(description="Neurons times the raters of each; 0 of a draft.", examples=[150])
    items_done: int = Field(examples=[40])
    answers: int = Field(description="Stored answers, those that were changed later too.", examples=[260])
    raters: list[RaterCountOut]
    items: list[ItemOut]
    median_seconds: float | None = Field(
        description="From opening an item to having answered it; null before the first.", examples=[48.5]
    )
    comments: int = Field(examples=[2])


class RaterOut(Schema):
    """A rater, as the owner sees one."""

    number: int = Field(examples=[3])
    label: str = Field(description="What the owner called the invitation.", examples=["Grace"])
    participant: str = Field(description="The recruiting platform's id.", examples=[""])
    source: RaterSource
    state: RaterState
    done: int = Field(description="Items answered whole, practice aside.", examples=[12])
    of: int = Field(examples=[30])
    median_seconds: float | None = Field(examples=[51.0])
    gold_right: int = Field(examples=[2])
    gold: int = Field(description="Items with a known answer that were answered.", examples=[2])
    comments: int = Field(examples=[0])
    practice_failed: int = Field(examples=[0])
    expires_at: datetime | None
    link: str = Field(
        description="The invitation's path, while it can be opened; else empty.", examples=["/rate/…"]
    )


class LinksOut(Schema):
    """How raters come, as paths on this server."""

    open: str = Field(examples=["/rate/…?join=…"])
    prolific: str = Field(examples=["/rate/…?join=…&PROLIFIC_PID={{%PROLIFIC_PID%}}"])


class RatersOut(Schema):
    """All raters of a study."""

    links: LinksOut
    items: list[RaterOut]


class ErasedOut(Schema):
    """What erasing took away."""

    answers_deleted: int = Field(examples=[84])


class LogOut(Schema):
    """One entry of the audit log."""

    at: datetime
    who: str = Field(examples=["me"])
    what: str = Field(examples=["started"])
    detail: str = Field(examples=["registered as 60303a…"])


class DefinitionOut(Schema):
    """A definition, as a JSON file holds it."""

    definition: dict[str, Any] = Field(examples=_DEFINITION)


class EffectOut(Schema):
    """One difference and the share of simulated studies that found it."""

    difference: float = Field(description="Points of the scale.", examples=[0.2])
    power: float = Field(examples=[0.71])


class PowerOut(Schema):
    """What simulated studies of one plan found."""

    detectable: float | None = Field(
        description="The smallest difference that 80 % of them find; null where none does.", examples=[0.22]
    )
    blocks: int = Field(description="Of a neuron and a rater.", examples=[240])
    sd: float = Field(description="Of a block's difference between two methods.", examples=[1.0])
    se: float = Field(description="Of the mean difference, by theory.", examples=[0.0645])
    alpha: float = Field(description="Of a single contrast.", examples=[0.0125])
    effects: list[EffectOut]


@router.get("/studies")
def get_studies(store: StoreDep, cursor: Cursor = None, limit: Limit = 50) -> PageOf[StudyOut]:
    """Studies, newest first."""
    with store.reading() as session:
        found = stored.page(session, cursor, limit)
    return PageOf(
        items=[_out(row) for row in found.items],
        next=found.next,
        previous=found.previous,
        total=found.total,
    )


@router.post("/studies", status_code=201)
def keep_study(store: StoreDep, who: WhoDep, request: NewStudyIn) -> StudyOut:
    """Keep a study as a draft. Everything that is wrong with its definition is said at once."""
    return _out(Studies(store).make(_definition(request), _actor(who), request.version_of))


@router.post("/studies/look")
def look_at_study(store: StoreDep, request: StudyIn) -> MaterialOut:
    """What a definition comes to in this store, and what stands in its way. Nothing is kept."""
    return _material(store, _definition(request))


@router.get("/studies/presets/lee")
def get_lee(
    model: Annotated[list[str], Query(min_length=1, max_length=100, description="Slugs.", examples=[["gpt2-xl"]])],
    method: Annotated[
        list[str] | None, Query(max_length=20, description="To be compared; without it the five of the paper.")
    ] = None,
    explainer: Annotated[str, Query(max_length=200, description="Whose explanations; empty: anybody's.")] = "",
    design: Annotated[Design, Query(description="Whether raters share neurons.")] = Design.CROSSED,
    raters: Annotated[int, Query(ge=1, le=1000, description="Of every neuron, or with a nested design in all.")] = LEE_RATERS,
    above: Annotated[float, Query(description="Neurons with a score above this.")] = LEE_SCORE,
    protocol: Annotated[Protocol, Query(description="Of that score.")] = Measure.protocol,
    sample: Annotated[Sample, Query(description="Of that score.")] = Measure.sample,
    metric: Annotated[Metric, Query(description="Of that score.")] = Measure.metric,
    chosen_by: Annotated[str, Query(max_length=100, description="Method whose scores they are; empty: the best of any.")] = "token_lookup",
    against: Annotated[str, Query(max_length=200, description="Method that the others are compared with.")] = "original",
    seed: Annotated[int, Query(ge=0, lt=2**31, description="Of the neurons, places and orders.")] = 0,
) -> DefinitionOut:  # fmt: skip
    """The human study of Lee, Oikarinen et al. (2023) as a definition."""
    made = lee(
        model,
        tuple(StudyArm(each, explainer, each if explainer else "") for each in method or LEE_METHODS),
        design=design,
        raters=raters,
        above=above,
        measure=Measure(protocol, sample, metric),
        chosen_by=chosen_by,
        against=against,
        seed=seed,
    )
    values = study_files.to_values(made)
    study_files.from_values(values)
    return DefinitionOut(definition=values)


@router.get("/studies/power")
def get_power(
    neurons: Annotated[int, Query(ge=2, le=10**6, description="That are rated.", examples=[48])] = 48,
    raters: Annotated[int, Query(ge=1, le=10**6, description="In all.", examples=[5])] = 5,
    per_neuron: Annotated[int, Query(ge=0, le=10**6, description="Raters that each neuron gets; 0: all.")] = 0,
    contrasts: Annotated[int, Query(ge=1, le=10**6, description="That are registered.")] = 4,
    alpha: Annotated[float, Query(description="Family-wise error.")] = 0.05,
    other_raters: Annotated[bool, Query(description="It is to hold for raters who did not take part as well.")] = False,
    rater: Annotated[float, Query(description="SD: how kind a rater is, in points of the scale.")] = Components.rater,
    neuron: Annotated[float, Query(description="SD: how easy a neuron is.")] = Components.neuron,
    method_rater: Annotated[float, Query(description="SD: a rater's taste for a method.")] = Components.method_rater,
    method_neuron: Annotated[float, Query(description="SD: how good a method's text happens to be for a neuron.")] = Components.method_neuron,
    residual: Annotated[float, Query(description="SD: all else.")] = Components.residual,
) -> PowerOut:  # fmt: skip
    """How small a difference a planned study would find, by simulation."""
    components = Components(rater, neuron, method_rater, method_neuron, residual)
    found = plan(neurons, raters, per_neuron, contrasts, components, alpha=alpha, other_raters=other_raters)
    return PowerOut(
        detectable=found.power.detectable,
        blocks=found.power.blocks,
        sd=found.power.sd,
        se=found.power.se,
        alpha=found.power.alpha,
        effects=[EffectOut(difference=effect, power=share) for effect, share in found.rows],
    )


@router.get("/studies/{study}")
def get_study(store: StoreDep, study: Number) -> StandingOut:
    """How a study stands. Nothing of the answers: those are at its results, when it is closed."""
    return _standing(store, study)


@router.put("/studies/{study}")
def change_study(store: StoreDep, who: WhoDep, study: Number, request: StudyIn) -> StudyOut:
    """Another definition for a draft. A study that has started is frozen: keep a new version of it."""
    return _out(Studies(store).change(study, _definition(request), _actor(who)))


@router.get("/studies/{study}/material")
def get_material(store: StoreDep, study: Number) -> MaterialOut:
    """What a draft comes to in this store, now."""
    return _material(store, Studies(store).get(study).definition)


@router.post("/studies/{study}/explain", status_code=201)
def explain_study(
    jobs: JobsDep, who: WhoDep, study: Number, request: ExplainIn | None = None
) -> ListOf[ExperimentOut]:
    """Begin the experiments that make the explanations it lacks."""
    row = _mine(jobs.store, study, who)
    found = Studies(jobs.store).material(row.definition)
    explainer = request.explainer if request else ""
    made = begin(Experiments(jobs), row.definition, found, who.name, explainer)
    return ListOf(items=[experiment_out(each) for each in made])


@router.post("/studies/{study}/start")
def start_study(store: StoreDep, who: WhoDep, study: Number) -> StudyOut:
    """Freeze it and let raters in. Everything that stands in its way is said at once."""
    return _out(Studies(store).start(study, _actor(who)))


@router.post("/studies/{study}/close")
def close_study(store: StoreDep, who: WhoDep, study: Number, request: CloseIn | None = None) -> StudyOut:
    """End it for good. With items unfinished it is refused, unless `anyway`."""
    return _out(Studies(store).close(study, _actor(who), anyway=bool(request and request.anyway)))


@router.post("/studies/{study}/unblind")
def unblind_study(store: StoreDep, who: WhoDep, study: Number, request: UnblindIn) -> StudyOut:
    """Open its results before the close. It is logged, and every export says so."""
    return _out(Studies(store).unblind(study, _actor(who), request.why))


@router.get("/studies/{study}/raters")
def get_raters(store: StoreDep, settings: SettingsDep, who: WhoDep, study: Number) -> RatersOut:
    """Who its raters are and how far each is. For its owner alone."""
    row = _mine(store, study, who)
    seen = overview(store, study)
    with store.reading() as session:
        known = study_raters.identities(session, study)
    return RatersOut(
        links=LinksOut(open=open_link(settings, row), prolific=prolific_link(settings, row)),
        items=[_rater(settings, row, line, known.get(line.rater.id, Identity())) for line in seen.raters],
    )


@router.post("/studies/{study}/raters", status_code=201)
def invite_raters(
    store: StoreDep, settings: SettingsDep, who: WhoDep, study: Number, request: InviteIn
) -> ListOf[RaterOut]:
    """Make an invitation for each name."""
    row = _mine(store, study, who)
    made = Studies(store).invite(study, _actor(who), request.names, request.days)
    return ListOf(
        items=[
            _rater(settings, row, RaterDone(rater, 0, 0, None, 0, 0, 0), Identity(label=name))
            for rater, name in zip(made, request.names, strict=True)
        ]
    )


@router.post("/studies/{study}/raters/{number}/renew")
def renew_invitation(
    store: StoreDep, settings: SettingsDep, who: WhoDep, study: Number, number: RaterNumber
) -> RaterOut:
    """Let an invitation be opened once more, on another device."""
    rater = Studies(store).renew(study, number, _actor(who))
    return _one_rater(store, settings, _mine(store, study, who), rater)


@router.delete("/studies/{study}/raters/{number}")
def erase_rater(store: StoreDep, who: WhoDep, study: Number, number: RaterNumber) -> ErasedOut:
    """Delete all that a rater answered, and who it was, for good."""
    return ErasedOut(answers_deleted=Studies(store).erase(study, number, _actor(who)))


@router.get("/studies/{study}/log")
def get_log(store: StoreDep, study: Number) -> ListOf[LogOut]:
    """Who did what to it, oldest first."""
    return ListOf(
        items=[
            LogOut(at=entry.at, who=entry.who, what=entry.what, detail=entry.detail)
            for entry in Studies(store).log(study)
        ]
    )


def _definition(request: StudyIn) -> StudyDefinition:
    given = request.definition
    if isinstance(given, str):
        return study_files.read(given, kind_of(given))
    if not given:
        raise BadInput("The definition is empty: see docs/studies.md for what it holds.")
    return study_files.from_values(given)


def _mine(store: Store, study: int, who: Who) -> StudyRow:
    """The study, for its owner. Refused for anybody else."""
    row = Studies(store).get(study)
    if not may_act(row, _actor(who)):
        raise Refused(f"Only who made the study “{row.name}” ({row.author}) may see that.")
    return row


def _actor(who: Who) -> Actor:
    return Actor(who.name, who.owner)


def _out(row: StudyRow) -> StudyOut:
    return StudyOut(
        id=row.id,
        name=row.name,
        state=row.state,
        version=row.version,
        version_of=row.previous_id,
        definition_hash=row.definition_hash,
        registered_hash=row.registered_hash,
        notes=list(row.notes),
        results_open=row.results_open,
        author=row.author,
        created_at=row.created_at,
        started_at=row.started_at,
        closed_at=row.closed_at,
        unblinded_at=row.unblinded_at,
    )


def _material(store: Store, definition: StudyDefinition) -> MaterialOut:
    found = Studies(store).material(definition)
    return MaterialOut(
        neurons=len(found.main),
        texts=sum(len(item.texts) for item in found.main),
        same_texts=found.same_texts,
        lines=list(material_lines(definition, found)),
        notes=found.notes,
        problems=found.problems,
        lacking=[
            LackingOut(arm=each.arm.label, neurons=[str(ref) for ref in each.refs])
            for each in missing(definition, found)
        ],
    )


def _standing(store: Store, study: int) -> StandingOut:
    studies = Studies(store)
    row = studies.get(study)
    progress, seen = studies.progress(study), overview(store, study)
    return StandingOut(
        study=_out(row),
        definition=study_files.to_values(row.definition),
        items_wanted=progress.items,
        items_done=progress.done,
        answers=progress.answers,
        raters=[RaterCountOut(state=state, raters=n) for state, n in progress.raters.items()],
        items=[ItemOut(item=each.item, neuron=str(each.neuron), done=each.done) for each in seen.items],
        median_seconds=seen.median_s,
        comments=seen.comments,
    )


def _one_rater(store: Store, settings: Settings, row: StudyRow, rater: RaterRow) -> RaterOut:
    [line] = [each for each in overview(store, row.id).raters if each.rater.id == rater.id]
    with store.reading() as session:
        known = study_raters.identities(session, row.id)
    return _rater(settings, row, line, known.get(rater.id, Identity()))


def _rater(settings: Settings, row: StudyRow, line: RaterDone, known: Identity) -> RaterOut:
    rater = line.rater
    opens = (
        rater.source is RaterSource.INVITATION
        and not rater.claimed
        and not rater.state.ended
        and row.state is StudyState.OPEN
    )
    return RaterOut(
        number=rater.number,
        label=known.label,
        participant=known.participant,
        source=rater.source,
        state=rater.state,
        done=line.done,
        of=line.of,
        median_seconds=line.median_s,
        gold_right=line.gold_right,
        gold=line.gold,
        comments=line.comments,
        practice_failed=rater.practice_failed,
        expires_at=rater.expires_at,
        link=invitation(settings, row, rater) if opens else "",
    )
