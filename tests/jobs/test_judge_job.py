"""Detection and fuzzing through real workers, a real store, a real small model and a scripted judge."""

import json
import re
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from app.domain.explanations import (
    Method,
    Metric,
    Protocol,
    Provenance,
    Sample,
    ScoreValue,
    State,
)
from app.domain.judging import JudgeOptions, verdicts_of
from app.domain.ledger import Outcome
from app.domain.neurons import NeuronRef, Polarity, Split
from app.domain.windows import WINDOW_TOKENS, Decoys, WindowSource, levels
from app.errors import BadInput, Conflict, NotFound, Refused
from app.gpu.inprocess import InProcess
from app.jobs.neuron import load_neuron
from app.judge import prompts
from app.store import explanations, heldout, ledger, models, scores
from app.store.excerpts import ExcerptCache
from app.store.rows import JobState
from tests.jobs.world import World
from tests.scripted_server import Recorded, Reply, ScriptedServer, chat, down_endpoint, held, refusal

REF = NeuronRef("tiny-gpt2", "1-mlp", 7)
STORED = JudgeOptions(Metric.DETECTION, "scripted", source=WindowSource.STORED)
LIVE = JudgeOptions(Metric.DETECTION, "scripted", sampled=60)
Make = Callable[..., World]


def explained(world: World, polarity: Polarity = Polarity.POSITIVE, **changes: object) -> int:
    """An explanation whose maker saw two of the neuron's explain records."""
    neuron = load_neuron(world.store, REF)
    seen = neuron.records.where(splits=(Split.EXPLAIN,)).excerpts[:2]
    values = {"excerpts": tuple(seen.tolist()), **changes}
    provenance = Provenance(Method.SUMMARY, "scripted / scripted-model", **values)  # type: ignore[arg-type]
    with world.store.session() as s:
        return explanations.add(
            s, REF, "words about rain", polarity, provenance, State.OK, "", None, f"e {polarity} {changes}"
        )


class Oracle:
    """Knows of every window what the neuron does there."""

    def __init__(self, world: World, metric: Metric, values: dict[int, np.ndarray], sign: int = 1) -> None:
        neuron = load_neuron(world.store, REF)
        table = ExcerptCache.get(world.store, REF.model)
        at = levels(neuron.statistics, Polarity.POSITIVE if sign > 0 else Polarity.NEGATIVE)
        assert at is not None and not neuron.statistics.position0
        self.right: set[str] = set()  # passages to which the answer is yes
        self.fires: dict[tuple[int, int], bool] = {}
        for excerpt, row in values.items():
            for start in range(0, 64, WINDOW_TOKENS):
                span = slice(start, start + WINDOW_TOKENS)
                pieces = [neuron.vocabulary.pieces[t] for t in table.tokens[excerpt, span].tolist()]
                inside = sign * row[span]
                self.fires[excerpt, start] = bool((inside > at.active).any())
                marked = np.flatnonzero(inside >= at.mark).tolist() if metric is Metric.FUZZING else []
                if self.fires[excerpt, start] and (marked or metric is Metric.DETECTION):
                    self.right.add(prompts.passage(pieces, marked, metric))

    def __call__(self, request: Recorded) -> Reply:
        return chat(prompts.answer([text in self.right for text in asked(request)]))

    def wrongly(self, request: Recorded) -> Reply:
        return chat(prompts.answer([text not in self.right for text in asked(request)]))


def asked(request: Recorded) -> list[str]:
    return re.findall(r"^Passage \d+: (.*)$", request.messages[-1]["content"], re.M)


def stored_values(world: World) -> dict[int, np.ndarray]:
    records = load_neuron(world.store, REF).records.where(splits=(Split.SCORE,))
    return dict(zip(records.excerpts.tolist(), records.activations, strict=True))


def judged(world: World, id_: int) -> ScoreValue:
    """The newest score."""
    with world.store.session() as s:
        row = scores.of_explanation(s, id_)[0]
    assert (row.simulator, row.simulator_model) == ("judge", "scripted / scripted-model")
    assert (row.value.protocol, row.value.sample) == (Protocol.WINDOWS, Sample.WINDOWS)
    return row.value


@pytest.mark.parametrize("metric", [Metric.DETECTION, Metric.FUZZING])
def test_judges_right_wrong_and_always_yes(world: Make, collected: Path, metric: Metric) -> None:
    with ScriptedServer() as server:
        here = world(data=collected, endpoints=[server.endpoint(concurrency=16)])
        oracle = Oracle(here, metric, stored_values(here))
        here.worker()
        id_ = explained(here)
        options = replace(STORED, metric=metric)
        for answers, expected in (
            (oracle, 1.0),
            (oracle.wrongly, 0.0),
            (lambda request: chat(prompts.answer([True] * len(asked(request)))), 0.5),
        ):
            server.default = answers
            row = here.ended(here.jobs.enqueue_judge(id_, options, author="a person", fresh=True))
            assert row.state is JobState.DONE, row.reason
            value = judged(here, id_)
            assert (value.metric, value.state, value.value) == (metric, State.OK, expected)
            assert (row.done, row.total, row.unit) == (value.n_records, value.n_records, "windows")
    verdicts = verdicts_of(value.parameters_json)
    assert len(verdicts) == value.n_records and all(v.said for v in verdicts)
    said = json.loads(value.parameters_json)
    assert said["usage"]["calls"] == value.n_records and said["source"] == "stored" and said["alpha"] == 0.01
    table = ExcerptCache.get(here.store, REF.model)
    for verdict in verdicts:
        example = verdict.example
        assert table.splits[example.excerpt] == Split.SCORE
        if metric is Metric.DETECTION:
            assert example.truth == oracle.fires[example.excerpt, example.start]
        else:
            assert example.marked
    assert said["collection"] == table.collection_id and 0 < said["active"] <= 50


@pytest.mark.parametrize("polarity", [Polarity.NEGATIVE])
def test_windows_of_live_text_are_what_the_model_does_there(
    world: Make, collected: Path, materials: Path, polarity: Polarity
) -> None:
    with ScriptedServer() as server:
        here = world(data=collected, endpoints=[server.endpoint(concurrency=16)])
        table = ExcerptCache.get(here.store, REF.model)
        held_out = np.flatnonzero(table.splits == Split.SCORE).tolist()
        service = InProcess(here.settings, str(materials / "tiny-gpt2"))
        import asyncio

        rows = asyncio.run(service.activations(1, [7], table.tokens[held_out].tolist()))
        values = {e: row[:, 0] for e, row in zip(held_out, rows, strict=True)}
        oracle = Oracle(here, Metric.FUZZING, values, polarity.sign)
        server.default = oracle
        here.worker()
        id_ = explained(here, polarity)
        options = replace(LIVE, metric=Metric.FUZZING, decoys=Decoys.ACTIVE, per_prompt=5)
        row = here.ended(here.jobs.enqueue_judge(id_, options))
        assert row.state is JobState.DONE, row.reason
        value = judged(here, id_)
    assert value.value == 1.0 and server.calls == -(-value.n_records // 5)
    assert (row.done, row.total, row.unit) == (value.n_records, value.n_records, "windows")
    said = json.loads(value.parameters_json)
    assert (said["source"], said["sampled_excerpts"], said["decoys"]) == ("live", 60, "active")
    assert said["live_active"] + said["stored_active"] == said["active"] and said["live_active"] > 0
    assert all(oracle.fires[v.example.excerpt, v.example.start] for v in verdicts_of(value.parameters_json))


@pytest.mark.parametrize("answered", [7])
def test_a_killed_worker_s_job_is_finished_with_no_recorded_call_made_again(
    world: Make, collected: Path, answered: int
) -> None:
    with ScriptedServer() as server:
        here = world(data=collected, endpoints=[server.endpoint(concurrency=1)])
        oracle = Oracle(here, Metric.DETECTION, stored_values(here))
        server.script(*[oracle] * answered)
        server.default = lambda request: held(oracle(request))
        first = here.worker()
        id_ = explained(here)
        job = here.jobs.enqueue_judge(id_, STORED)
        assert server.wait_for_calls(answered + 1)
        here.kill(first)
        server.default = oracle
        server.release()
        here.worker()
        row = here.ended(job)
        assert (row.state, row.attempts) == (JobState.DONE, 2), row.reason
        calls = Counter(json.dumps(r.body, sort_keys=True) for r in server.requests)
    value = judged(here, id_)
    assert value.value == 1.0
    assert sorted(calls.values()) == [1] * (value.n_records - 1) + [
        2
    ]  # only the call in flight was made twice
    with here.store.session() as s:
        [score] = scores.of_explanation(s, id_)
        recorded = [e for e in ledger.of_job(s, job) if e.outcome is Outcome.OK]
    assert len(recorded) == value.n_records and score.job_id == job


def test_answers_that_cannot_be_used_are_a_failed_score_that_can_be_tried_again(
    world: Make, collected: Path
) -> None:
    with ScriptedServer() as server:
        here = world(data=collected, endpoints=[server.endpoint(price_in=1.0)])
        oracle = Oracle(here, Metric.DETECTION, stored_values(here))
        here.worker()
        id_ = explained(here)
        server.default = refusal()
        job = here.jobs.enqueue_judge(id_, STORED)
        row = here.ended(job)
        assert row.state is JobState.FAILED and "no usable verdict in 3 tries" in row.reason
        value = judged(here, id_)
        assert (value.state, value.value, value.reason) == (State.FAILED, None, row.reason)
        assert row.cost_usd > 0
        server.default = oracle
        again = here.ended(here.jobs.retry(job))
        assert again.state is JobState.DONE and judged(here, id_).value == 1.0
        with pytest.raises(Conflict, match="done"):
            here.jobs.retry(again.id)


def test_an_endpoint_that_is_down_and_a_model_that_is_gone_are_failed_scores(
    world: Make, collected: Path
) -> None:
    here = world(
        data=collected, endpoints=[down_endpoint(name="scripted", model="scripted-model", attempts=1)]
    )
    here.worker()
    id_ = explained(here)
    row = here.ended(here.jobs.enqueue_judge(id_, STORED))
    assert row.state is JobState.FAILED and "scripted" in row.reason
    assert judged(here, id_).state is State.FAILED
    with here.store.session() as s:
        gone = replace(models.model(s, REF.model).card, source="/nowhere/at-all")
        from sqlalchemy import update

        from app.store import tables

        s.execute(update(tables.models).values(source=gone.source))
    row = here.ended(here.jobs.enqueue_judge(id_, LIVE))
    assert row.state is JobState.FAILED and "source: stored" in row.reason
    assert judged(here, id_).reason == row.reason


def test_another_model_than_the_one_collected_is_found_out(
    world: Make, collected: Path, materials: Path
) -> None:
    from sqlalchemy import update

    from app.store import tables

    with ScriptedServer() as server:
        here = world(data=collected, endpoints=[server.endpoint()])
        id_ = explained(here)
        with here.store.session() as s:
            s.execute(update(tables.models).values(source=str(materials / "tiny-llama")))
        here.worker()
        row = here.ended(here.jobs.enqueue_judge(id_, LIVE))
        assert row.state is JobState.FAILED and server.calls == 0
    assert judged(here, id_).state is State.FAILED


def test_too_few_windows_are_a_state_and_nobody_is_asked(world: Make, collected: Path) -> None:
    from sqlalchemy import select, update

    from app.store import tables

    with ScriptedServer() as server:
        here = world(data=collected, endpoints=[server.endpoint()])
        with here.store.session() as s:  # all of its held-out records are in other splits now
            for part in s.execute(select(tables.parts.c.id, tables.parts.c.splits)).all():
                splits = part.splits.replace(bytes([Split.SCORE]), bytes([Split.DEV]))
                s.execute(update(tables.parts).where(tables.parts.c.id == part.id).values(splits=splits))
        here.worker()
        id_ = explained(here)
        row = here.ended(here.jobs.enqueue_judge(id_, STORED))
        assert row.state is JobState.DONE and json.loads(row.result_json)["defined"] == 0
        value = judged(here, id_)
        assert value.state is State.TOO_FEW_ACTIVE and "Only 0 windows" in value.reason
        assert server.calls == 0


def test_no_document_that_the_maker_saw_is_judged(world: Make, collected: Path) -> None:
    """Nor one that another explanation's maker saw from which this one was made."""
    with ScriptedServer() as server:
        here = world(data=collected, endpoints=[server.endpoint(concurrency=16)])
        oracle = Oracle(here, Metric.DETECTION, stored_values(here))
        server.default = oracle
        here.worker()
        table = ExcerptCache.get(here.store, REF.model)
        records = load_neuron(here.store, REF).records.where(splits=(Split.SCORE,))
        seen = sorted(set(records.excerpts.tolist()))[:6]
        source = explained(here, excerpts=tuple(seen))
        with here.store.session() as s:
            made_from = explanations.add(
                s, REF, "words about storms", Polarity.POSITIVE, Provenance(Method.REVISION, "x"), State.OK, "", None,
                "revised", source_id=source,
            )  # fmt: skip
            with pytest.raises(BadInput, match="not held out"):
                heldout.demand(s, made_from, seen, table.collection_id, {Protocol.WINDOWS})
            rest = heldout.unseen(s, made_from, table.collection_id, records.excerpts.tolist())
        documents = set(table.documents[seen].tolist())
        assert rest and documents.isdisjoint(table.documents[rest].tolist())
        for id_ in (source, made_from):
            row = here.ended(here.jobs.enqueue_judge(id_, STORED))
            assert row.state is JobState.DONE, row.reason
            shown = [v.example.excerpt for v in verdicts_of(judged(here, id_).parameters_json)]
            assert shown and documents.isdisjoint(table.documents[shown].tolist())


def test_what_does_not_fit_is_refused_when_asked(world: Make, collected: Path) -> None:
    with ScriptedServer() as server:
        paid = server.endpoint(name="paid", price_in=1.0)
        mute = server.endpoint(name="mute", chat=False)
        here = world(data=collected, endpoints=[server.endpoint(), paid, mute], spending_cap_usd=0.0)
        id_ = explained(here)
        ask = here.jobs.enqueue_judge
        for options, error, said in (
            (replace(STORED, endpoint="nobody"), NotFound, "scripted, paid, mute"),
            (replace(STORED, endpoint=""), BadInput, "Which language model"),
            (replace(STORED, endpoint="mute"), BadInput, "needs chats"),
            (replace(STORED, endpoint="paid"), Refused, "cap"),
            (replace(STORED, metric=Metric.CORRELATION), BadInput, "detection or fuzzing"),
            (replace(STORED, per_prompt=11), BadInput, "1 to 10"),
            (replace(LIVE, sampled=0), BadInput, "From 1 to"),
        ):
            with pytest.raises(error, match=said):
                ask(id_, options)
        with pytest.raises(NotFound):
            ask(10**9, STORED)
        with here.store.session() as s:
            failed = explanations.add(
                s,
                REF,
                None,
                Polarity.POSITIVE,
                Provenance(Method.SUMMARY, "x"),
                State.FAILED,
                "no",
                None,
                "f",
            )
        with pytest.raises(BadInput, match="no statement"):
            ask(failed, STORED)
        job = here.jobs.enqueue_judge(id_, STORED)  # waits, since no worker is there
        here.jobs.cancel(job)
        assert here.job(here.jobs.retry(job)).parameters_json.count(job) == 1
        assert server.calls == 0


def test_the_command_line(world: Make, collected: Path) -> None:
    with ScriptedServer() as server:
        here = world(data=collected, endpoints=[server.endpoint(concurrency=16, price_in=1.0)])
        server.default = Oracle(here, Metric.DETECTION, stored_values(here))
        id_ = explained(here)
        dry = here.run("judge", str(id_), "--metric", "fuzzing", "--per-prompt", "5", "--dry-run")
        assert dry.returncode == 0, dry.stderr
        assert (
            "20 calls" in dry.stdout and "Nothing was sent" in dry.stdout and "words about rain" in dry.stdout
        )
        assert "8,192 tokens of text through the model" in dry.stdout and server.calls == 0
        here.worker()
        done = here.run("judge", str(id_), "--source", "stored", "--no-probabilities")
        assert done.returncode == 0, done.stderr
        assert "detection" in done.stdout and "+1.000" in done.stdout and "chance 0.50" in done.stdout
        assert "judge by scripted / scripted-model" in done.stdout
