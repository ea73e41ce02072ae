"""Studies as published, made in one step."""

from collections.abc import Sequence
from enum import StrEnum

from app.domain.experiments import Measure, Rule, SampleRule
from app.domain.explanations import Method
from app.domain.studies import Consent, StudyArm, StudyContrast, StudyDefinition, Task
from app.errors import BadInput

# The five prompt formats that LEE compares, in the order of its tables.
LEE_METHODS = (Method.ORIGINAL, Method.SUMMARY, Method.HIGHLIGHT, Method.HS, Method.AVHS)
LEE_ARMS = tuple(StudyArm(method.value) for method in LEE_METHODS)
LEE_SCORE = 0.35
LEE_RATERS = 5
INSTRUCTIONS = """\
Each page is about one “neuron”: a number that rises and falls while a language model reads. You see texts, with the words marked on \
which the number was high: the stronger the mark, the higher the number.

Read the texts and find out what the marked words have in common. Then rate each description below them, and choose the one that fits best. \
There may be several good ones, or none. Do not look anything up, and do not talk about it with others while the study lasts."""
CONSENT = """\
Taking part is voluntary. You may stop at any time, and need not say why. What is kept are your answers, your comments and the time that they took, \
under a number in place of your name. Your answers are deleted if you ask for it within the time named below."""


class Design(StrEnum):
    """Whether raters share neurons; LEE does not say which it was."""

    CROSSED = "crossed"  # one neuron a layer, and every rater sees all of them
    NESTED = (
        "nested"  # as many neurons a layer as raters, and every rater sees one of each that nobody else sees
    )


def lee(
    models: Sequence[str],
    arms: Sequence[StudyArm] = LEE_ARMS,
    *,
    design: Design = Design.CROSSED,
    raters: int = LEE_RATERS,
    above: float = LEE_SCORE,
    measure: Measure | None = None,
    chosen_by: str = Method.TOKEN_LOOKUP.value,
    against: str = Method.ORIGINAL.value,
    seed: int = 0,
) -> StudyDefinition:
    """LEE's human study: each description rated from 1 to 5, then the best of them chosen.

    Neurons are drawn at random of each layer from those whose score is above `above`, by `measure` of the explanations of method
    `chosen_by` (empty: the best of any method). With 48 layers, five raters and either design these are the paper's 240 blocks of neuron and rater. Every other arm is set `against` the one of that
    method, or of that name. BadInput where there is none.
    """
    base = next((arm for arm in arms if against in (arm.label, arm.method)), None)
    if base is None:
        raise BadInput(
            f"There is no arm “{against}” to compare the others with; there is {', '.join(arm.label for arm in arms) or 'none'}."
        )
    nested = design is Design.NESTED
    sample = SampleRule(
        Rule.RANDOM_ABOVE_PER_LAYER,
        n=raters if nested else 1,
        seed=seed,
        measure=measure or Measure(),
        method=chosen_by,
        above=above,
    )
    return StudyDefinition(
        name=f"LEE's study of {len(arms)} ways of explaining, {design}",
        samples=(sample,),
        arms=tuple(arms),
        question="Which way of explaining do people find better?",
        instructions=INSTRUCTIONS,
        models=tuple(models),
        tasks=(Task.RATE, Task.BEST),
        name_neuron=True,  # as published: “k/48 - Neuron layer:index”
        raters=raters,
        raters_per_item=1 if nested else 0,
        consent=Consent(CONSENT, withdraw_until="the study is closed"),
        contrasts=tuple(StudyContrast(arm.label, base.label) for arm in arms if arm is not base),
        stopping=(
            f"It ends when every neuron has been rated by {'one rater' if nested else f'all {raters} raters'}. Nobody looks at results before."
        ),
        seed=seed,
    )
