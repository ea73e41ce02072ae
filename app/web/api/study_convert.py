"""From the store's values of studies to the API's."""

from app.domain import study_files
from app.domain.studies import StudyDefinition
from app.jobs.study_explaining import missing
from app.settings import Settings
from app.store import Store, study_raters
from app.store.study_rows import Identity, RaterRow, RaterSource, StudyRow, StudyState
from app.study.overview import RaterDone, overview
from app.study.service import Studies
from app.web.api.study_schemas import (
    ItemOut,
    LackingOut,
    MaterialOut,
    RaterCountOut,
    RaterOut,
    StandingOut,
    StudyOut,
)
from app.web.rating_links import invitation
from app.web.study_words import material_lines


def study_out(row: StudyRow) -> StudyOut:
    """A study."""
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


def material_out(store: Store, definition: StudyDefinition) -> MaterialOut:
    """What a definition comes to in this store."""
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


def standing_out(store: Store, study: int) -> StandingOut:
    """A study with how far it is, without a word of what was answered."""
    studies = Studies(store)
    row = studies.get(study)
    progress, seen = studies.progress(study), overview(store, study)
    return StandingOut(
        study=study_out(row),
        definition=study_files.to_values(row.definition),
        items_wanted=progress.items,
        items_done=progress.done,
        answers=progress.answers,
        raters=[RaterCountOut(state=state, raters=n) for state, n in progress.raters.items()],
        items=[ItemOut(item=each.item, neuron=str(each.neuron), done=each.done) for each in seen.items],
        median_seconds=seen.median_s,
        comments=seen.comments,
    )


def one_rater_out(store: Store, settings: Settings, row: StudyRow, rater: RaterRow) -> RaterOut:
    """A rater, with how far that is."""
    [line] = [each for each in overview(store, row.id).raters if each.rater.id == rater.id]
    with store.reading() as session:
        known = study_raters.identities(session, row.id)
    return rater_out(settings, row, line, known.get(rater.id, Identity()))


def rater_out(settings: Settings, row: StudyRow, line: RaterDone, known: Identity) -> RaterOut:
    """A rater as the owner sees one; the link while it can be opened."""
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
