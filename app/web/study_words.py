"""A rating study in words, for pages, the API and the command line."""

from collections.abc import Iterator

from app.domain.studies import GoldKind, StudyDefinition, Task
from app.domain.study_items import ItemKind
from app.domain.study_quality import Exclusions
from app.jobs.study_explaining import missing
from app.store.study_rows import RaterSource, RaterState, StudyState
from app.study.material import Material
from app.study.overview import Overview
from app.study.service import Progress
from app.web.formats import count, plural, seconds

STATE_WORDS = {
    StudyState.DRAFT: "draft",
    StudyState.OPEN: "open",
    StudyState.CLOSED: "closed",
}
RATER_WORDS = {
    RaterState.INVITED: "invited",
    RaterState.ARRIVED: "reading the first page",
    RaterState.PRACTISING: "practising",
    RaterState.RATING: "rating",
    RaterState.DONE: "done",
    RaterState.SCREENED_OUT: "screened out",
    RaterState.RETURNED: "gave the place back",
    RaterState.TIMED_OUT: "timed out",
    RaterState.ERASED: "erased",
}
SOURCE_WORDS = {
    RaterSource.INVITATION: "invitation",
    RaterSource.OPEN: "open link",
    RaterSource.PROLIFIC: "Prolific",
}
TASK_WORDS = {
    Task.RATE: "rate each description from 1 to 5",
    Task.BEST: "choose the best description",
    Task.RANK: "put the descriptions in order",
    Task.PAIR: "compare two descriptions at a time, ties allowed",
    Task.WRITE: "write an explanation",
    Task.SIMULATE: "mark where the neuron will fire",
}
GOLD_WORDS = {
    GoldKind.PUZZLES: "puzzles whose truth is known",
    GoldKind.GIVEN: "neurons with their right description given",
    GoldKind.FALSE: "neurons of the study with another one's description among their own",
}
_EXCLUDED = {
    "min_gold": "a share of less than {} of the items with a known answer right",
    "max_straight": "one value on all texts in a share of more than {} of the items",
    "min_seconds": "less than {} s an answer at the median",
    "min_consistency": "a share of less than {} of the repeated items answered within 1",
}


def design(definition: StudyDefinition) -> str:
    """Who sees what, in one sentence."""
    d = definition
    if d.crossed:
        return f"crossed: each of {plural(d.raters, 'rater')} sees every neuron"
    if d.per_item == 1:
        return f"nested: {plural(d.raters, 'rater')}, each neuron is seen by one"
    return f"{plural(d.raters, 'rater')}, each neuron is seen by {d.per_item}"


def evidence(definition: StudyDefinition) -> str:
    """Which records raters see."""
    d = definition
    if Task.WRITE in d.tasks:
        return "those that an explainer is shown"
    kinds = f"{plural(d.evidence.top, 'top record')} and {d.evidence.random} random ones"
    if d.evidence.top_only:
        kinds = f"{plural(d.evidence.top, 'top record')} only"
    return f"{kinds}, held out from explainers"


def exclusions(rules: Exclusions) -> list[str]:
    """Each rule by which a rater's answers are left out."""
    found = []
    for name, words in _EXCLUDED.items():
        value = getattr(rules, name)
        if value is not None:
            found.append(words.format(f"{value:g}"))
    return found


def material_lines(definition: StudyDefinition, found: Material) -> Iterator[str]:
    """What a definition comes to, a line each; problems are not among them."""
    blocks = len(found.main) * definition.per_item
    yield (
        f"{plural(len(found.main), 'neuron')}, {plural(len(definition.arms), 'way')} of explaining, {design(definition)}:"
        f" {count(blocks)} answers to whole items."
    )
    texts = sum(len(item.texts) for item in found.main)
    if definition.arms:
        yield f"{count(texts)} different texts; in {plural(found.same_texts, 'neuron')} two or more arms say the same."
    gold = sum(item.kind is ItemKind.GOLD for item in found.items)
    practice = sum(item.kind is ItemKind.PRACTICE for item in found.items)
    repeats = min(definition.repeats, len(found.main))
    yield (
        f"Each rater: {load(definition, len(found.main))}, {count(gold)} with a known answer, {count(repeats)} asked again,"
        f" {count(practice)} to practise on."
    )
    for lack in missing(definition, found):
        yield f"Lacking: “{lack.arm.label}” for {plural(len(lack.refs), 'neuron')}."


def load(definition: StudyDefinition, neurons: int) -> str:
    """How many neurons a rater sees."""
    least, rest = divmod(neurons * definition.per_item, definition.raters)
    return f"{least} or {least + 1} neurons" if rest else plural(least, "neuron")


def progress_line(progress: Progress) -> str:
    """How far a study is."""
    return f"{count(progress.done)} of {count(progress.items)} items answered, {plural(progress.answers, 'answer')} stored"


def rater_counts(progress: Progress) -> str:
    """Raters by state."""
    said = [
        f"{n} {RATER_WORDS[state]}"
        for state, n in sorted(progress.raters.items(), key=lambda each: list(RaterState).index(each[0]))
    ]
    return ", ".join(said) or "nobody yet"


def quality_line(seen: Overview) -> str:
    """Whether the data will be any good, without a word of what was answered."""
    took = (
        "no item answered yet" if seen.median_s is None else f"{seconds(seen.median_s)} an item at the median"
    )
    return f"{took}, {plural(seen.comments, 'comment')}"
