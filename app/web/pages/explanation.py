"""One explanation for itself: where it comes from down to the exact prompt, and every score it has."""

import json
from dataclasses import dataclass
from typing import NamedTuple

from fastapi import APIRouter, Request
from markupsafe import Markup
from starlette.responses import HTMLResponse

from app.domain.explanations import Metric, Protocol, Sample, State
from app.errors import NotFound
from app.store import explanations, people, scores, simulations
from app.store.explanation_rows import ExplanationRow, ScoreRow, SimulationRow
from app.store.people import Heard
from app.web import charts, explanation_tests, judged_windows, live_page, own_trust, trust_marks, wording
from app.web.contexts import Chrome
from app.web.dependencies import FactsDep, JobsDep, StoreDep
from app.web.explanation_items import path_of
from app.web.explanation_tests import Tests
from app.web.judged_windows import Judged
from app.web.judging_forms import JudgeForm, SimilarityForm, judge_form, similarity_form
from app.web.live_forms import LiveForms
from app.web.live_text_views import KINDS, Tested
from app.web.own_trust import Own
from app.web.rendering import chrome, page
from app.web.score_words import basis
from app.web.sentence_forms import SentenceForm
from app.web.step_views import Tried, tried

router = APIRouter(include_in_schema=False)

MOST_DIGITS = 40  # more than any number has; Python refuses to read thousands


class ScoreLine(NamedTuple):
    """One stored score as a line of the table."""

    metric: str
    protocol: str
    sample: str
    simulator: str
    value: float | None
    interval: Markup
    has_interval: bool
    problem: str
    records: int
    documents: int
    unit: str  # "record", "window"; empty where no text is looked at
    indicative: bool
    basis: str  # what the value cannot be understood without
    trust: Markup


@dataclass(frozen=True)
class ExplanationPage:
    """`explanation.html`."""

    chrome: Chrome
    row: ExplanationRow
    here: str
    method: str
    messages: tuple[tuple[str, str], ...]  # role, content
    scores: tuple[ScoreLine, ...]
    failed_simulations: tuple[SimulationRow, ...]
    tried: tuple[Tried, ...]
    tested: Tested | None  # on the live model
    live_forms: LiveForms | None
    sentence_form: SentenceForm | None
    judged: tuple[Judged, ...]  # windows of detection and fuzzing, with their verdicts
    judge_form: JudgeForm
    similarity_form: SimilarityForm
    seen_documents: int | None  # None: nobody knows what an imported explanation's maker saw
    own: Own | None  # the trust checks on its own simulation
    heard: tuple[Heard, ...]  # what people said of it, in closed studies
    tests: Tests | None  # what it can be put to, and what came of it; None where there is nothing to test
    api: str


def parse_id(text: str) -> int:
    """Raises NotFound for what is no explanation's number."""
    if not (text.isascii() and text.isdigit()):
        raise NotFound(
            f"there is no explanation “{text[:40]}”: explanations have numbers, such as /explanations/1"
        )
    return int(text[:MOST_DIGITS])


@router.get("/explanations/{explanation}")
def show_explanation(
    request: Request, explanation: str, store: StoreDep, facts: FactsDep, jobs: JobsDep
) -> HTMLResponse:
    """The explanation, its provenance and all its scores."""
    id = parse_id(explanation)
    with store.session() as session:
        row = explanations.get(session, id)
        stored = scores.of_explanation(session, id)
        simulated = simulations.of_explanation(session, id)
        failed = [s for s in simulated if s.state is not State.OK]
        seen = scores.seen_documents(session, id)
        steps = explanations.steps_of(session, id)
        beside = explanations.of_neuron(session, row.ref)
        on_model = live_page.of(session, row, steps, beside, facts.get(row.ref.model), jobs)
        judged = judged_windows.judged(store, session, row.ref.model, stored)
        heard = people.of_explanation(session, id)
    context = ExplanationPage(
        chrome(request, f"Explanation {row.id} of {row.ref.layer}:{row.ref.index}", "browse", row.ref.model),
        row,
        path_of(row.ref),
        wording.name(row.method),
        _messages(row.provenance.messages_json),
        tuple(_line(s) for s in sorted(stored, key=_place)),
        tuple(failed),
        tried([step for step in steps if step.kind not in KINDS]),
        on_model.tested,
        on_model.forms,
        on_model.sentences,
        judged,
        judge_form(jobs, facts.get(row.ref.model).imported, known=seen.known),
        similarity_form(jobs, row, beside),
        len(seen.documents) if seen.known else None,
        own_trust.own(store, facts, row, stored, simulated),
        tuple(heard),
        explanation_tests.of_page(store, jobs, facts, row, simulated),
        f"/api/v1/explanations/{row.id}",
    )
    return page("explanation.html", context)


UNITS = {Protocol.WINDOWS: "window", Protocol.REFERENCE: ""}
METRICS, SAMPLES = list(Metric), list(Sample)


def _place(row: ScoreRow) -> tuple[int, int, int]:
    """The newest simulation's scores first; within them the one that pages lead with."""
    return -(row.simulation_id or 0), SAMPLES.index(row.value.sample), METRICS.index(row.value.metric)


def _line(row: ScoreRow) -> ScoreLine:
    score = row.value
    defined = score.state is State.OK and score.value is not None
    return ScoreLine(
        wording.METRICS[score.metric],
        score.protocol.value,
        wording.SAMPLES[score.sample],
        wording.simulated_by(row.simulator, row.simulator_model),
        score.value,
        charts.interval(score.value, score.low, score.high)
        if defined and score.value is not None
        else Markup(""),
        score.low is not None and score.high is not None,
        "" if defined else ". ".join(filter(None, (wording.STATES[score.state], score.reason))),
        score.n_records,
        score.n_documents,
        UNITS.get(score.protocol, "record"),
        score.indicative,
        basis(score),
        trust_marks.html(score.protocol, score.sample, score.metric) if defined else Markup(""),
    )


def _messages(text: str) -> tuple[tuple[str, str], ...]:
    """The exact messages, stored as JSON; none where no language model was asked."""
    if not text:
        return ()
    return tuple((str(m["role"]), str(m["content"])) for m in json.loads(text))
