"""Studies over the API: made, looked at, started, followed, ended; raters under their numbers, and who they are to the owner alone."""

from typing import Annotated

from fastapi import APIRouter, Path, Query

from app.domain import study_files
from app.domain.definition_files import kind_of
from app.domain.experiments import Measure
from app.domain.explanations import Metric, Protocol, Sample
from app.domain.studies import StudyArm, StudyDefinition
from app.domain.study_power import Components
from app.errors import BadInput, Refused
from app.jobs.experiment_service import Experiments
from app.jobs.study_explaining import begin
from app.store import Store, study_raters
from app.store import studies as stored
from app.store.study_rows import Identity, StudyRow
from app.study.overview import RaterDone, overview
from app.study.planning import plan
from app.study.presets import LEE_METHODS, LEE_RATERS, LEE_SCORE, Design, lee
from app.study.service import Actor, Studies, may_act
from app.web.api.experiments import ExperimentOut, experiment_out
from app.web.api.parameters import Cursor, Limit
from app.web.api.schemas import ListOf, PageOf
from app.web.api.study_convert import material_out, one_rater_out, rater_out, standing_out, study_out
from app.web.api.study_schemas import (
    CloseIn,
    DefinitionOut,
    EffectOut,
    ErasedOut,
    ExplainIn,
    InviteIn,
    LinksOut,
    LogOut,
    MaterialOut,
    NewStudyIn,
    PowerOut,
    RaterOut,
    RatersOut,
    StandingOut,
    StudyIn,
    StudyOut,
    UnblindIn,
)
from app.web.author import Who, WhoDep
from app.web.dependencies import JobsDep, SettingsDep, StoreDep
from app.web.rating_links import open_link, prolific_link

router = APIRouter(tags=["studies"])

Number = Annotated[int, Path(ge=1, le=2**62, description="Number of the study.", examples=[1])]
RaterNumber = Annotated[
    int, Path(ge=1, le=2**31 - 1, description="Number of the rater's pseudonym.", examples=[3])
]


@router.get("/studies")
def get_studies(store: StoreDep, cursor: Cursor = None, limit: Limit = 50) -> PageOf[StudyOut]:
    """Studies, newest first."""
    with store.reading() as session:
        found = stored.page(session, cursor, limit)
    return PageOf(
        items=[study_out(row) for row in found.items],
        next=found.next,
        previous=found.previous,
        total=found.total,
    )


@router.post("/studies", status_code=201)
def keep_study(store: StoreDep, who: WhoDep, request: NewStudyIn) -> StudyOut:
    """Keep a study as a draft. Everything that is wrong with its definition is said at once."""
    return study_out(Studies(store).make(_definition(request), _actor(who), request.version_of))


@router.post("/studies/look")
def look_at_study(store: StoreDep, request: StudyIn) -> MaterialOut:
    """What a definition comes to in this store, and what stands in its way. Nothing is kept."""
    return material_out(store, _definition(request))


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
    return standing_out(store, study)


@router.put("/studies/{study}")
def change_study(store: StoreDep, who: WhoDep, study: Number, request: StudyIn) -> StudyOut:
    """Another definition for a draft. A study that has started is frozen: keep a new version of it."""
    return study_out(Studies(store).change(study, _definition(request), _actor(who)))


@router.get("/studies/{study}/material")
def get_material(store: StoreDep, study: Number) -> MaterialOut:
    """What a draft comes to in this store, now."""
    return material_out(store, Studies(store).get(study).definition)


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
    return study_out(Studies(store).start(study, _actor(who)))


@router.post("/studies/{study}/close")
def close_study(store: StoreDep, who: WhoDep, study: Number, request: CloseIn | None = None) -> StudyOut:
    """End it for good. With items unfinished it is refused, unless `anyway`."""
    return study_out(Studies(store).close(study, _actor(who), anyway=bool(request and request.anyway)))


@router.post("/studies/{study}/unblind")
def unblind_study(store: StoreDep, who: WhoDep, study: Number, request: UnblindIn) -> StudyOut:
    """Open its results before the close. It is logged, and every export says so."""
    return study_out(Studies(store).unblind(study, _actor(who), request.why))


@router.get("/studies/{study}/raters")
def get_raters(store: StoreDep, settings: SettingsDep, who: WhoDep, study: Number) -> RatersOut:
    """Who its raters are and how far each is. For its owner alone."""
    row = _mine(store, study, who)
    seen = overview(store, study)
    with store.reading() as session:
        known = study_raters.identities(session, study)
    return RatersOut(
        links=LinksOut(open=open_link(settings, row), prolific=prolific_link(settings, row)),
        items=[rater_out(settings, row, line, known.get(line.rater.id, Identity())) for line in seen.raters],
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
            rater_out(settings, row, RaterDone(rater, 0, 0, None, 0, 0, 0), Identity(label=name))
            for rater, name in zip(made, request.names, strict=True)
        ]
    )


@router.post("/studies/{study}/raters/{number}/renew")
def renew_invitation(
    store: StoreDep, settings: SettingsDep, who: WhoDep, study: Number, number: RaterNumber
) -> RaterOut:
    """Let an invitation be opened once more, on another device."""
    rater = Studies(store).renew(study, number, _actor(who))
    return one_rater_out(store, settings, _mine(store, study, who), rater)


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
