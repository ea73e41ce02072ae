"""The small parts of jobs, each by itself."""

import logging
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app import logs
from app.domain.explanations import ExplainOptions, Method, Protocol, ScoreOptions, SimulatorName
from app.domain.neurons import NeuronRef, Polarity, Profile, Quota
from app.errors import BadInput, NotFound
from app.jobs import endpoints, prepare_demo
from app.jobs.alive import left_alone
from app.jobs.requests import CollectRequest, ExplainRequest, Kind, ScoreRequest, dumps, loads
from app.jobs.service import Jobs
from app.jobs.slugs import slug_of
from app.jobs.watch import Rate, watch
from app.settings import Endpoint, Settings
from app.store import Store, jobs, workers
from app.store.rows import JobRow, JobState

EXPLAIN = st.builds(
    ExplainOptions, st.sampled_from(Method), st.sampled_from(Polarity), st.text(), seed=st.integers(0, 2**31)
)
SCORE = st.builds(
    ScoreOptions, st.sampled_from(SimulatorName), st.text(), st.sampled_from(Protocol), st.integers(0, 9)
)
QUOTA = st.builds(Quota, *[st.integers(0, 50)] * 4)
REQUESTS = st.one_of(
    st.builds(
        CollectRequest, st.text(), st.tuples(st.text(), st.text()), st.integers(1, 10**6),
        st.tuples(st.integers(0, 99)), st.builds(Profile, QUOTA, QUOTA, QUOTA), st.integers(), st.text(), st.text(),
    ),
    st.builds(ExplainRequest, st.builds(NeuronRef, st.text(), st.text(), st.integers(0)), EXPLAIN, st.none() | SCORE),
    st.builds(ScoreRequest, st.integers(0), SCORE, author=st.text(), retry_of=st.text()),
)  # fmt: skip


@given(REQUESTS)
def test_a_request_survives_its_row(request: CollectRequest | ExplainRequest | ScoreRequest) -> None:
    assert loads(type(request), dumps(request)) == request


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"explanation_id": "x"}', "null"])
def test_parameters_that_are_not_understood_are_said_to_be(text: str) -> None:
    with pytest.raises(BadInput, match="anew"):
        loads(ScoreRequest, text)


@pytest.mark.parametrize(
    "source",
    [
        "HuggingFaceTB/SmolLM2-135M-Instruct",
        "gpt2",
        "x/Model 1 (b)",
        "weights/A.Q4_1.gguf",
        "b-f16.gguf",
        "c.gguf",
    ],
)
def test_the_slug_is_foreseen_as_loading_will_give_it(source: str) -> None:
    from app.subject import load

    assert slug_of(source) == load.slug_of(load.model_name(source))


def row(done: int, total: int = 100) -> JobRow:
    now = datetime.now(UTC)
    return JobRow(
        "j", "collect", "t", "{}", JobState.RUNNING, done, total, "excerpts", "", "", 0.0, "w", 1, 0, None, now, now,
        None, "{}",
    )  # fmt: skip


def test_rate_and_time_left_follow_from_rows() -> None:
    rate = Rate()
    rate.update(row(0), at=0.0)
    assert rate.per_second is None and rate.seconds_left(row(0)) is None
    rate.update(row(20), at=4.0)
    assert rate.per_second == 5.0
    assert rate.seconds_left(row(20)) == 16.0
    rate.update(row(10), at=5.0)  # taken up again by another worker: it begins anew
    assert rate.per_second is None
    rate.update(row(12), at=6.0)
    assert rate.per_second == 2.0


def test_rate_leaves_out_the_time_before_the_first_was_done() -> None:
    rate = Rate()
    for second in range(0, 30, 5):
        rate.update(row(0), at=float(second))  # a model being loaded
    rate.update(row(10), at=26.0)
    assert rate.per_second == 10.0


def test_rate_forgets_what_was_long_ago() -> None:
    rate = Rate()
    for second in range(0, 100, 10):
        rate.update(row(second if second < 50 else 50 + 3 * (second - 50), 1000), at=float(second))
    assert rate.per_second == pytest.approx(3.0)


async def test_watching_gives_every_change_and_ends_with_the_job(tmp_path: Path) -> None:
    store = Store.open(f"sqlite:///{tmp_path}/s.sqlite")
    with store.session() as session:
        jobs.add(session, "j", Kind.SCORE, "t", "{}")
    seen = []
    async for found, _ in watch(store, "j", poll_seconds=0.01):
        seen.append((found.state, found.done))
        with store.session() as session:
            if found.state is JobState.QUEUED:
                jobs.claim(session, "j", "w")
            elif found.done == 0:
                jobs.update_progress(session, "j", 5, total=9)
            else:
                jobs.set_state(session, "j", JobState.DONE)
    assert seen == [(JobState.QUEUED, 0), (JobState.RUNNING, 0), (JobState.RUNNING, 5), (JobState.DONE, 5)]
    with pytest.raises(NotFound):
        await anext(watch(store, "nobody"))
    store.close()


def test_a_job_is_left_alone_when_nobody_can_be_on_the_way_to_it(tmp_path: Path) -> None:
    store = Store.open(f"sqlite:///{tmp_path}/s.sqlite")
    with store.session() as session:
        fresh = jobs.add(session, "j", Kind.SCORE, "t", "{}")
    waiting = replace(fresh, created_at=fresh.created_at - timedelta(minutes=1))
    ended = replace(waiting, state=JobState.DONE)
    assert left_alone(store, [fresh, waiting])
    assert not left_alone(store, [fresh, ended])
    with store.session() as session:
        workers.beat(session, "w", "another machine", 1)
    assert not left_alone(store, [waiting])
    store.close()


def test_the_demo_s_endpoint_is_there_when_no_other_is(tmp_path: Path) -> None:
    other = Endpoint(name="other", base_url="http://127.0.0.1:9/v1", model="m")
    assert [e.name for e in endpoints.endpoints(Settings(data_dir=tmp_path, demo=True))] == ["demo"]
    assert endpoints.endpoints(Settings(data_dir=tmp_path)) == []
    both = Settings(data_dir=tmp_path, demo=True, endpoints=[other])
    assert endpoints.endpoints(both) == [other] and not endpoints.serves_demo(both)
    with pytest.raises(NotFound, match="other"):
        endpoints.endpoint(both, "demo")


def test_the_demo_is_begun_once(tmp_path: Path) -> None:
    config = Settings(data_dir=tmp_path, demo=True)
    store = Store.open(config.store_url)
    service = Jobs(config, store)
    try:
        prepare_demo.corpus_folders(config)
    except Exception as error:  # noqa: BLE001
        pytest.skip(str(error))
    first = prepare_demo.ensure(service)
    assert first is not None and prepare_demo.ensure(service) is None
    with store.session() as session:
        jobs.set_state(session, first, JobState.FAILED, reason="x")
    second = prepare_demo.ensure(service)
    assert second not in (None, first)
    service.cancel(second)  # type: ignore[arg-type]
    assert prepare_demo.ensure(service) is None
    store.close()


def test_a_log_line_is_one_line_whatever_is_said() -> None:
    record = logging.LogRecord("app.jobs.worker", logging.INFO, "f", 1, 'say "%s"', ("a\nb",), None)
    line = logs.Line().format(record)
    assert "\n" not in line
    assert line.endswith('level=info at=jobs.worker msg="say \\"a\\nb\\""')
