"""What a study's definition must hold to by itself, whatever neurons and explanations there are."""

from collections.abc import Iterable, Iterator
from math import isfinite

from app.domain.experiment_checks import sample_problems
from app.domain.experiments import BY_NAME
from app.domain.studies import COMPARING, Gold, GoldKind, StudyDefinition, Task
from app.domain.written import DESCRIPTION, NAME, STATEMENT, one_line, prose
from app.errors import BadInput

MOST_RATERS = 1_000
MOST_SHOWN = 20  # records of a neuron
MOST_ARMS = 10
MOST_PRACTICE = 5
CONSENT = 10_000  # characters
CODE = 100
INSTRUCTIONS = 10_000
ALONE = (Task.WRITE, Task.SIMULATE)  # they show other records than the rest, or none of their values
_SEEDS = 2**31


def problems(definition: StudyDefinition) -> list[str]:
    """Everything that is wrong with a definition, in sentences; empty for a sound one."""
    return [
        *_words(definition),
        *_asked(definition),
        *sample_problems(definition.samples),
        *_people(definition),
        *_gold(definition),
        *_plan(definition),
    ]


def demand_sound(definition: StudyDefinition) -> None:
    """BadInput that says all that is wrong at once."""
    found = problems(definition)
    if found:
        raise BadInput(" ".join(found))


def _words(d: StudyDefinition) -> Iterator[str]:
    for text, what, most in (
        (d.name, "a study's name", NAME),
        (d.title, "a study's title", NAME),
        (d.statement, "a statement to rate", STATEMENT),
        (d.best_question, "a question", STATEMENT),
    ):
        try:
            one_line(text, what, most)
        except BadInput as error:
            yield f"{error}."
    for text, what, most in (
        (d.question, "a question", DESCRIPTION),
        (d.instructions, "instructions", INSTRUCTIONS),
        (d.stopping, "a stopping rule", DESCRIPTION),
        (d.consent.text, "a consent text", CONSENT),
        (d.consent.contact, "a contact", NAME),
        (d.consent.pay, "what is paid", NAME),
        (d.consent.withdraw_until, "a withdrawal deadline", NAME),
        (d.consent.kept_until, "a retention date", NAME),
        (d.codes.completed, "a completion code", CODE),
        (d.codes.screened_out, "a screen-out code", CODE),
    ):
        try:
            prose(text, what, most)
        except BadInput as error:
            yield f"{error}."
    if Task.RATE in d.tasks and "[description]" not in d.statement:
        yield "statement: write [description] where the description is to stand."
    for code in (d.codes.completed, d.codes.screened_out):
        if code and not (code.isascii() and code.isalnum()):
            yield f"codes: “{code[:30]}” has other signs than letters and digits."


def _asked(d: StudyDefinition) -> Iterator[str]:
    if not d.tasks:
        yield "tasks is empty: ask raters at least one thing."
    yield from _repeated("tasks", d.tasks)
    yield from _repeated("models", d.models)
    yield from _repeated("the names of arms", d.arm_labels())
    for task in ALONE:
        if task in d.tasks and len(d.tasks) > 1:
            yield f"tasks: {task} stands alone: the other tasks show the neuron's held-out records."
    if not d.samples:
        yield "samples is empty: give at least one."
    if not d.models and any(sample.rule not in BY_NAME for sample in d.samples):
        yield "models is empty: name the model whose neurons are drawn."
    several = [task for task in d.tasks if task in COMPARING and task is not Task.RATE]
    needed = 2 if several else 1 if Task.RATE in d.tasks or Task.SIMULATE in d.tasks else 0
    if len(d.arms) < needed:
        why = several[0] if several else d.tasks[0]
        yield f"arms: {why} needs {'descriptions of at least two methods' if needed == 2 else 'the descriptions of a method'}; {len(d.arms)} given."
    if len(d.arms) > MOST_ARMS:
        yield f"arms: at most {MOST_ARMS} can be compared at once, and {len(d.arms)} are given."
    if Task.WRITE in d.tasks and d.arms:
        yield "arms: who writes an explanation is shown none: leave arms out."
    for arm in d.arms:
        if not arm.method:
            yield "arms: name the method of each."
    shown = d.evidence
    if shown.top < 1 or shown.random < 0 or shown.top + shown.random > MOST_SHOWN:
        yield f"evidence: show at least one top record and at most {MOST_SHOWN} in all, not {shown.top} and {shown.random} random ones."


def _people(d: StudyDefinition) -> Iterator[str]:
    if not 1 <= d.raters <= MOST_RATERS:
        yield f"raters: {d.raters} is not between 1 and {MOST_RATERS}."
    if not 0 <= d.raters_per_item <= max(d.raters, 0):
        yield f"raters_per_item: {d.raters_per_item} of {d.raters} raters cannot see an item; 0 means all of them."
    if d.repeats < 0:
        yield f"repeats: {d.repeats} is less than none."
    if not 0 <= d.practice <= MOST_PRACTICE:
        yield f"practice: {d.practice} is not between 0 and {MOST_PRACTICE}."
    if d.practice and not d.compares:
        yield "practice: there is a practice for tasks that show descriptions; give practice = 0."
    if not (isfinite(d.timeout_hours) and d.timeout_hours > 0):
        yield "timeout_hours must be a positive number."
    if not 0 <= d.seed < _SEEDS:
        yield f"seed: {d.seed} is not between 0 and {_SEEDS - 1}."


def _gold(d: StudyDefinition) -> Iterator[str]:
    if d.gold and not d.compares:
        yield "gold: items with a known answer need a task that shows descriptions."
    for i, gold in enumerate(d.gold, 1):
        for problem in _one_gold(gold, d):
            yield f"gold {i} ({gold.kind}): {problem}."


def _one_gold(gold: Gold, d: StudyDefinition) -> Iterator[str]:
    if gold.kind is GoldKind.GIVEN:
        if gold.neuron.count("/") != 2:
            yield f"“{gold.neuron[:60]}” names no neuron: write model/layer/index"
        if not gold.right.strip() or not any(text.strip() for text in gold.wrong):
            yield "give the right description and at least one wrong one"
    elif gold.n < 1:
        yield f"n is {gold.n}: give at least 1"
    if gold.kind is GoldKind.FALSE and len(d.samples) < 1:
        yield "there is no neuron to put a false description to"


def _plan(d: StudyDefinition) -> Iterator[str]:
    labels = d.arm_labels()
    for contrast in d.contrasts:
        for name in contrast:
            if name not in labels:
                yield f"contrasts: there is no arm “{name}”; there is {', '.join(labels) or 'none'}."
        if contrast.arm == contrast.against:
            yield f"contrasts: “{contrast.arm}” is set against itself."
    # The other way round it is the same contrast.
    yield from _repeated("contrasts", [" - ".join(sorted(contrast)) for contrast in d.contrasts])
    yield from d.exclusions.problems()


def _repeated(name: str, values: Iterable[object]) -> Iterator[str]:
    seen: list[object] = []
    for value in values:
        if value in seen:
            yield f"{name}: “{value}” is there twice."
        seen.append(value)
