"""Forms of an explanation's page: have it judged, compare it with another one of the same neuron."""

from collections.abc import Sequence
from typing import NamedTuple

from app.domain.explanations import Method, State
from app.domain.judging import JUDGED, MOST_A_PROMPT
from app.domain.windows import Decoys, WindowSource
from app.jobs import embedders
from app.jobs.service import Jobs
from app.store.explanation_rows import ExplanationRow
from app.web import wording
from app.web.explanation_items import endpoint_choices
from app.web.formats import statement
from app.web.neuron_contexts import Choice

SHOWN_CHARACTERS = 70


class JudgeForm(NamedTuple):
    """`_judge_form.html`. With a problem there is nothing to choose."""

    problem: str
    metrics: tuple[Choice, ...] = ()
    endpoints: tuple[Choice, ...] = ()
    sources: tuple[Choice, ...] = ()
    decoys: tuple[Choice, ...] = ()
    most: int = MOST_A_PROMPT


class SimilarityForm(NamedTuple):
    """`_similarity_form.html`. With a problem there is nothing to choose."""

    problem: str
    references: tuple[Choice, ...] = ()


def judge_form(jobs: Jobs, imported: bool, *, known: bool) -> JudgeForm:
    """What may be chosen; `known` says whether anybody knows what the explanation's maker saw."""
    if imported:
        return JudgeForm("Imported data has no documents to hold out, so that nothing in it can be judged.")
    if not known:
        return JudgeForm("Nobody knows which text its maker saw, so that no text is held out from it.")
    there = tuple((e.name, e.model) for e in jobs.endpoints() if e.chat)
    if not there:
        return JudgeForm("No language model is configured: add one under [[endpoints]] in neuronarium.toml.")
    return JudgeForm(
        "",
        tuple(Choice(wording.JUDGED[m], m.value, i == 0) for i, m in enumerate(JUDGED)),
        endpoint_choices(there),
        tuple(Choice(wording.SOURCES[s], s.value, i == 0) for i, s in enumerate(WindowSource)),
        tuple(Choice(wording.DECOYS[d], d.value, i == 0) for i, d in enumerate(Decoys)),
    )


def similarity_form(jobs: Jobs, row: ExplanationRow, of_neuron: Sequence[ExplanationRow]) -> SimilarityForm:
    """The explanations that this one can be compared with: others of the same neuron and sign."""
    if problem := embedders.not_set_up(jobs.settings):
        return SimilarityForm(problem)
    others = [
        other
        for other in of_neuron
        if other.id != row.id and other.state is State.OK and other.polarity is row.polarity
    ]
    if not others:
        return SimilarityForm("This neuron has no other explanation to compare it with.")
    return SimilarityForm("", tuple(_reference(other) for other in others))


def _reference(row: ExplanationRow) -> Choice:
    text = statement(row.text)
    cut = text if len(text) <= SHOWN_CHARACTERS else f"{text[: SHOWN_CHARACTERS - 1]}…"
    by = row.provenance.author if row.method == Method.HUMAN else wording.name(row.method)
    return Choice(f"{by}: {cut}", str(row.id), False)
