"""Revising through a real worker, a planted model and a scripted explainer: what came of it is known exactly."""

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import update

from app.domain.explanations import (
    ExplainOptions,
    Method,
    Metric,
    Protocol,
    Sample,
    ScoreOptions,
    SimulatorName,
    State,
)
from app.domain.ledger import Outcome
from app.domain.live_texts import Role, Sentence
from app.domain.neurons import NeuronRef, Split
from app.domain.revising import ReviseOptions
from app.errors import BadInput, NotFound
from app.jobs.requests import ReviseRequest
from app.store import explanations, ledger, models, revisions, simulations, tables
from app.store.excerpts import ExcerptCache
from app.store.rows import JobRow, JobState
from tests.jobs.planted import LAYER, NEURON
from tests.jobs.world import World, tokens_of
from tests.scripted_server import Recorded, Reply, ScriptedServer, chat, held

REF = NeuronRef("tiny-planted", LAYER, NEURON)
BROAD, RIGHT = "numbers written in digits", "the digit seven"
EXPLAIN = ExplainOptions(Method.SUMMARY, explainer="scripted")
SCORE = ScoreOptions(SimulatorName.CHAT_JSON, "scripted", Protocol.HELDOUT_5_5)
SENTENCES = [  # four with a 7
    "They met in 1987 at noon.",
    "Room 42 was empty.",
    "She paid 15 pounds for it.",
    "The train left at 7 sharp.",
    "He owned 300 sheep.",
    "In 1865 the war was over.",
    "Only 72 people came.",
    "Chapter 9 is the longest.",
    "About 170 ships were lost.",
    "It weighs 6 tons.",
]


def levels(request: Recorded) -> Reply | None:
    """What a good simulator predicts from either statement; None where levels are not asked for."""
    tokens = tokens_of(request)
    if tokens is None:
        return None
    digits = "7" if RIGHT in json.loads(request.messages[-1]["content"])["neuron"] else "0123456789"
    entries = [{"token": t, "activation": 10 if t in digits else 0} for t in tokens]
    return chat(json.dumps({"activations": entries}))


def explainer(request: Recorded) -> Reply:
    """Believes in numbers, writes the sentences, and learns from them."""
    predicted = levels(request)
    if predicted is not None:
        return predicted
    if "response_format" in request.body:
        return chat(json.dumps({"sentences": SENTENCES}))
    return chat(RIGHT if "What was said" in request.text else BROAD)


class Here:
    """One installation with a worker, and an explanation that is too broad."""

    def __init__(self, world: World, server: ScriptedServer) -> None:
        self.world, self.server = world, server
        done = world.ended(world.jobs.enqueue_explain(REF, EXPLAIN, None))
        assert done.state is JobState.DONE, done.reason
        self.source = json.loads(done.result_json)["explanation"]

    def revise(
        self, method: Method = Method.REVISION, score: ScoreOptions | None = SCORE, **more: object
    ) -> JobRow:
        fields: dict[str, object] = {"explanation_id": self.source, **more}
        request = ReviseRequest(REF, ReviseOptions("scripted", method), score=score, fresh=True, **fields)  # type: ignore[arg-type]
        return self.world.ended(self.world.jobs.enqueue_revise(request), 240)

    def row(self, explanation: int) -> explanations.ExplanationRow:
        with self.world.store.session() as session:
            return explanations.get(session, explanation)

    def sentences(self, explanation: int) -> list[Sentence]:
        with self.world.store.session() as session:
            return revisions.sentences(session, explanation)

    def newest(self) -> explanations.ExplanationRow:
        with self.world.store.session() as session:
            return explanations.get(session, explanations.of_neuron(session, REF)[0].id)


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory, collected_planted: Path) -> Iterator[Here]:
    import shutil

    folder = tmp_path_factory.mktemp("revise")
    shutil.copytree(collected_planted, folder / "data")
    with ScriptedServer(explainer) as server:
        made = World(folder, [server.endpoint(price_in=1.0)])
        try:
            made.worker()
            yield Here(made, server)
        finally:
            made.close()


@pytest.fixture
def asked(here: Here) -> Iterator[Here]:
    """The same with the explainer as it is at first."""
    here.server.default = explainer
    here.server.requests.clear()
    yield here
    here.server.default = explainer


def augmented(row: explanations.ExplanationRow, revision: int, metric: Metric = Metric.CORRELATION) -> float:
    [value] = {
        score.value.value
        for score in row.scores
        if (score.value.protocol, score.value.sample, score.value.metric)
        == (Protocol.GENERATED, Sample.GENERATED, metric)
        and json.loads(score.value.parameters_json)["revision"] == revision
    }
    assert value is not None
    return value


def test_a_statement_that_is_too_broad_is_found_out_by_its_own_sentences(asked: Here) -> None:
    done = asked.revise()
    assert done.state is JobState.DONE, done.reason
    found = json.loads(done.result_json)
    revision = asked.row(found["explanation"])
    assert (revision.text, revision.method, revision.source_id) == (RIGHT, Method.REVISION, asked.source)
    sentences = asked.sentences(revision.id)
    assert [s.live.text for s in sentences] == SENTENCES
    assert [s.false_positive for s in sentences] == ["7" not in text for text in SENTENCES]  # exactly six
    assert Counter(s.role for s in sentences) == {Role.EVIDENCE: 5, Role.KEPT: 5}
    for sentence in sentences:  # it is the token itself that fires, where it stands
        active = np.flatnonzero(np.array(sentence.live.activations) > sentence.threshold).tolist()
        assert (
            active == [i for i, char in enumerate(sentence.live.text) if char == "7"]
            or "th" in sentence.live.text
        )
    [prompt] = [r.text for r in asked.server.requests if "What was said" in r.text]
    for sentence in sentences:
        shown = sentence.live.text.replace("7", "[7]")
        assert (shown in prompt) is (sentence.role is Role.EVIDENCE)
        assert sentence.role is Role.EVIDENCE or sentence.live.text not in prompt
    assert revision.provenance.usage.calls == 2 and revision.provenance.usage.tokens_in == 200
    before = asked.row(asked.source)
    assert augmented(revision, revision.id) > 0.9 > augmented(before, revision.id) + 0.1
    [value] = [
        s.value
        for s in revision.scores
        if (s.value.protocol, s.value.metric) == (Protocol.GENERATED, Metric.CORRELATION)
    ]
    kept = [s for s in sentences if s.role is Role.KEPT]
    assert value.n_records == 15
    assert value.n_tokens == 10 * 64 + sum(len(s.live.tokens) for s in kept)
    for row in (revision, before):  # on the original records too
        assert any(s.value.protocol is Protocol.HELDOUT_5_5 and s.value.state is State.OK for s in row.scores)
    with asked.world.store.session() as session:
        counted = revisions.false_positives(session, REF.model)
    assert (counted.sentences, counted.wrong, counted.neurons, counted.neurons_with) == (10, 6, 1, 1)


def test_controls_are_scored_on_the_same_set_and_shown_nothing_of_it(asked: Here) -> None:
    revision = json.loads(asked.revise().result_json)["explanation"]
    kept = [s.live.text for s in asked.sentences(revision) if s.role is Role.KEPT]
    asked.server.requests.clear()
    for method in (Method.REVISION_RANDOM, Method.RE_EXPLANATION):
        done = asked.revise(method)
        assert done.state is JobState.DONE, done.reason
        made = asked.row(json.loads(done.result_json)["explanation"])
        assert made.method == method and made.source_id == asked.source
        assert augmented(made, revision) > augmented(asked.row(asked.source), revision)
        drawn = asked.sentences(made.id)
        if method is Method.RE_EXPLANATION:
            assert drawn == []
            continue
        held_in = ExcerptCache.get(asked.world.store, REF.model)
        assert len(drawn) == 5 and all(s.role is Role.EVIDENCE and s.active for s in drawn)
        assert all(held_in.splits[s.excerpt] == Split.EXPLAIN for s in drawn)
        assert {s.excerpt for s in drawn} <= set(made.provenance.excerpts)
        assert not any(s.false_positive for s in drawn)
    random, again = (r.text for r in asked.server.requests if "What was said" in r.text)
    assert random.count("Excerpt") == again.count("Excerpt") + 5
    assert "Drawn at random" in random and "Drawn at random" not in again
    assert not any(text in random + again for text in kept)
    assert not any(
        "response_format" in r.body and "sentences" in r.text
        for r in asked.server.requests
        if tokens_of(r) is None
    )


def test_a_revision_is_revised_with_sentences_that_nobody_has_seen(asked: Here) -> None:
    """Its source's evidence can be no test of it: sentences that repeat one are no answer."""
    revision = json.loads(asked.revise(score=None).result_json)["explanation"]
    done = asked.revise(score=None, explanation_id=revision)
    assert done.state is JobState.FAILED and "repeats an earlier one" in done.reason
    failed = asked.newest()
    assert (failed.state, failed.source_id) == (State.FAILED, revision)


def test_garbled_sentences_are_a_failure_with_what_was_tried(asked: Here) -> None:
    nine = chat(json.dumps({"sentences": SENTENCES[:9]}))
    empty = chat(json.dumps({"sentences": [*SENTENCES[:9], "  "]}))
    asked.server.script(nine, empty, chat("I would rather not write sentences."))
    done = asked.revise()
    assert done.state is JobState.FAILED
    failed = asked.newest()
    assert (failed.state, failed.text, failed.method) == (State.FAILED, "", Method.REVISION)
    assert failed.reason == done.reason
    for reason in ("9 texts under “sentences” instead of 10", "text 10 is empty", "no JSON"):
        assert reason in failed.reason
    with asked.world.store.session() as session:
        steps = explanations.steps_of(session, failed.id)
        assert simulations.of_explanation(session, failed.id) == []
    assert [step.kind for step in steps] == ["rejected"] * 3
    assert "rather not" in json.loads(steps[2].data_json)["answer"]
    assert failed.provenance.usage.calls == 3 and "10 sentences" in failed.provenance.messages_json


def test_one_bad_answer_is_asked_again_and_nothing_is_cut(asked: Here) -> None:
    long = [*SENTENCES[:9], "It was the year 7 " + "and so on " * 10]  # 118 tokens of the 64 that may be
    asked.server.script(chat(json.dumps({"sentences": long})))
    done = asked.revise(score=None)
    assert done.state is JobState.DONE, done.reason
    revision = json.loads(done.result_json)["explanation"]
    with asked.world.store.session() as session:
        steps = explanations.steps_of(session, revision)
    assert [step.kind for step in steps] == ["rejected"] + ["sentence"] * 10
    assert "tokens instead of 3 to 64" in json.loads(steps[0].data_json)["reason"]


def test_a_first_explanation_is_made_on_the_spot(asked: Here) -> None:
    request = ReviseRequest(REF, ReviseOptions("scripted"), first=EXPLAIN, fresh=True)
    done = asked.world.ended(asked.world.jobs.enqueue_revise(request), 240)
    assert done.state is JobState.DONE, done.reason
    found = json.loads(done.result_json)
    first, revision = asked.row(found["source"]), asked.row(found["explanation"])
    assert (first.text, first.method, revision.source_id) == (BROAD, Method.SUMMARY, first.id)
    assert first.provenance.usage.calls == 1 and revision.provenance.usage.calls == 2


def test_a_revised_statement_that_is_none_is_a_failure_with_its_sentences(asked: Here) -> None:
    asked.server.script(explainer, *[chat("1. sevens\n2. eights")] * 3)
    done = asked.revise()
    assert done.state is JobState.FAILED and "list" in done.reason
    failed = asked.newest()
    assert failed.state is State.FAILED and len(asked.sentences(failed.id)) == 10


def test_what_cannot_be_done_is_refused_before_it_begins(asked: Here) -> None:
    jobs = asked.world.jobs
    good = ReviseRequest(REF, ReviseOptions("scripted"), explanation_id=asked.source, score=SCORE)
    with pytest.raises(NotFound, match="scripted"):
        jobs.enqueue_revise(replace(good, revise=ReviseOptions("gpt-9")))
    with pytest.raises(BadInput, match="no way to revise"):
        jobs.enqueue_revise(replace(good, revise=ReviseOptions("scripted", Method.SUMMARY)))
    with pytest.raises(BadInput, match="one of the two"):
        jobs.enqueue_revise(replace(good, first=EXPLAIN))
    with pytest.raises(BadInput, match="is of tiny-planted"):
        jobs.enqueue_revise(replace(good, ref=replace(REF, index=6)))
    with pytest.raises(BadInput, match="comes by itself"):
        jobs.enqueue_revise(replace(good, score=replace(SCORE, protocol=Protocol.GENERATED)))
    with pytest.raises(BadInput, match="no revision"):
        control = ReviseOptions("scripted", Method.RE_EXPLANATION)
        jobs.enqueue_revise(replace(good, revise=control, score=replace(SCORE, revision=asked.source)))
    with pytest.raises(BadInput, match="say which revision"):
        jobs.enqueue_score(asked.source, replace(SCORE, protocol=Protocol.GENERATED))
    with pytest.raises(BadInput, match="score it afterwards"):
        jobs.enqueue_explain(REF, EXPLAIN, replace(SCORE, revision=asked.source))


def test_any_explanation_is_scored_on_the_augmented_set_of_a_revision(asked: Here) -> None:
    revision = json.loads(asked.revise(score=None).result_json)["explanation"]
    other = json.loads(asked.world.ended(asked.world.jobs.enqueue_explain(REF, EXPLAIN, None)).result_json)[
        "explanation"
    ]
    alone = replace(SCORE, protocol=Protocol.GENERATED, revision=revision)
    done = asked.world.ended(asked.world.jobs.enqueue_score(other, alone))
    assert done.state is JobState.DONE, done.reason
    scored = asked.row(other)
    assert {s.value.protocol for s in scored.scores} == {Protocol.GENERATED}
    assert augmented(scored, revision) < 0.9


def test_a_simulation_that_fails_is_a_failed_score_on_both_sets(asked: Here) -> None:
    def short(request: Recorded) -> Reply:
        return chat(json.dumps({"activations": []})) if tokens_of(request) is not None else explainer(request)

    asked.server.default = short
    done = asked.revise()
    assert done.state is JobState.FAILED
    revision = asked.newest()
    assert revision.state is State.OK
    assert {s.value.state for s in revision.scores} == {State.FAILED}
    assert {s.value.protocol for s in revision.scores} == {Protocol.HELDOUT_5_5, Protocol.GENERATED}


@pytest.mark.parametrize("answered", [1, 4])
def test_a_killed_worker_s_revision_is_finished_with_no_answered_call_made_again(
    world, collected_planted: Path, answered: int
) -> None:
    with ScriptedServer(explainer) as server:
        here = world(data=collected_planted, endpoints=[server.endpoint(concurrency=1)])
        first = here.worker()
        source = json.loads(here.ended(here.jobs.enqueue_explain(REF, EXPLAIN, None)).result_json)[
            "explanation"
        ]
        server.requests.clear()
        server.script(*[explainer] * answered)
        server.default = lambda request: held(explainer(request))
        job = here.jobs.enqueue_revise(
            ReviseRequest(REF, ReviseOptions("scripted", seed=3), explanation_id=source, score=SCORE)
        )
        assert server.wait_for_calls(answered + 1, 120)
        here.kill(first)
        server.default = explainer
        server.release()
        here.worker()
        row = here.ended(job, 240)
        assert row.state is JobState.DONE, row.reason
        assert row.attempts == 2
        calls = Counter(json.dumps(r.body, sort_keys=True) for r in server.requests)
        with here.store.session() as session:
            keys = Counter(e.request_key for e in ledger.of_job(session, job) if e.outcome is Outcome.OK)
            made = explanations.get(session, json.loads(row.result_json)["explanation"])
            roles = [s.role for s in revisions.sentences(session, made.id)]
            mine = [e for e in explanations.of_neuron(session, REF) if e.job_id == job]
    assert max(keys.values()) == 1 and sorted(calls.values()) == [1] * (len(calls) - 1) + [2]
    assert len(mine) == 1 and made.text == RIGHT and roles.count(Role.KEPT) == 5
    assert augmented(made, made.id) > 0.9


def test_the_subject_that_cannot_be_loaded_is_said(asked: Here) -> None:
    with asked.world.store.session() as session:
        source = models.model(session, REF.model).card.source
    moved(asked.world, "/nowhere/at/all")
    done = asked.revise()
    moved(asked.world, source)
    assert done.state is JobState.FAILED and "nowhere" in done.reason and "Traceback" not in done.reason
    failed = asked.newest()
    assert (failed.state, failed.method, failed.reason) == (State.FAILED, Method.REVISION, done.reason)


def moved(world: World, source: str) -> None:
    with world.store.session() as session:
        session.execute(update(tables.models).values(source=source))
