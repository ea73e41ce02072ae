"""Jobs and workers as people see them."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import update

from app.errors import BadInput, Conflict, NotFound, StoreError
from app.store import Session, Store, jobs, workers
from app.store import tables as t
from app.store.rows import JobRow, JobState


def test_a_jobs_life(store: Store) -> None:
    with store.session() as s:
        made = jobs.add(
            s, "j", "explain", "Explain 1-mlp:3 <b>", '{"a": 1}', total=6, unit="calls", model="tiny-random"
        )
        assert (made.state, made.done, made.total, made.unit, made.attempts) == (
            JobState.QUEUED,
            0,
            6,
            "calls",
            0,
        )
        assert (made.started_at, made.ended_at, made.share) == (None, None, 0.0)
    with store.session() as s:
        running = jobs.claim(s, "j", "worker-1")
        assert (running.state, running.worker, running.attempts) == (JobState.RUNNING, "worker-1", 1)
        assert running.started_at is not None and running.started_at >= made.created_at
        jobs.update_progress(s, "j", 3, note="simulating")
        half = jobs.get(s, "j")
        assert (half.done, half.total, half.unit, half.note, half.share) == (3, 6, "calls", "simulating", 0.5)
        jobs.update_progress(s, "j", 4, total=8, unit="records")
        assert (jobs.get(s, "j").total, jobs.get(s, "j").note) == (8, "simulating")
        done = jobs.set_state(s, "j", JobState.DONE, result_json='{"explanation": 1}')
        assert (done.state, done.result_json) == (JobState.DONE, '{"explanation": 1}')
        assert done.ended_at is not None and done.started_at == running.started_at


def test_adding_twice_gives_the_same_job(store: Store) -> None:
    with store.session() as s:
        first = jobs.add(s, "j", "explain", "One", "{}")
        assert jobs.add(s, "j", "explain", "Two", "{}") == first


@pytest.mark.parametrize("state", [JobState.DONE, JobState.FAILED, JobState.CANCELLED])
def test_what_has_ended_stays_as_it_ended(store: Store, state: JobState) -> None:
    with store.session() as s:
        jobs.add(s, "j", "explain", "One", "{}")
        ended = jobs.set_state(s, "j", state, reason="because")
        assert ended.state.ended
        for other in JobState:
            assert jobs.set_state(s, "j", other, reason="no", result_json="1") == ended
        assert jobs.claim(s, "j", "w") == ended
        jobs.update_progress(s, "j", 5)
        assert jobs.resumed(s, "j") == 0
        assert jobs.get(s, "j") == ended


def test_a_job_whose_worker_died_goes_back_into_the_queue(store: Store) -> None:
    with store.session() as s:
        jobs.add(s, "j", "explain", "One", "{}")
        first = jobs.claim(s, "j", "dead")
        assert [jobs.resumed(s, "j"), jobs.resumed(s, "j")] == [1, 2]
        again = jobs.get(s, "j")
        assert (again.state, again.worker) == (JobState.QUEUED, "")
        second = jobs.claim(s, "j", "living")
        assert (second.attempts, second.worker, second.resumptions) == (2, "living", 2)
        assert second.started_at == first.started_at


def test_jobs_are_listed_newest_first_and_by_state(store: Store) -> None:
    with store.session() as s:
        for i in range(4):
            jobs.add(s, f"j{i}", "explain", str(i), "{}")
            moment = datetime.now(UTC) + timedelta(seconds=i)
            s.execute(update(t.jobs).where(t.jobs.c.id == f"j{i}").values(created_at=moment))
        jobs.claim(s, "j1", "w")
        jobs.set_state(s, "j2", JobState.FAILED, reason="x")

        def ids(rows: list[JobRow]) -> list[str]:
            return [row.id for row in rows]

        assert ids(jobs.list_jobs(s)) == ["j3", "j2", "j1", "j0"]
        assert ids(jobs.list_jobs(s, limit=2)) == ["j3", "j2"]
        assert ids(jobs.list_jobs(s, JobState.QUEUED)) == ["j3", "j0"]
        assert ids(jobs.list_jobs(s, JobState.RUNNING, JobState.FAILED)) == ["j2", "j1"]
        with pytest.raises(NotFound, match="no job j9"):
            jobs.get(s, "j9")


def asked_for(s: Session, n: int, together: bool = False) -> list[str]:
    """`n` waiting jobs, a second apart or all in one moment; their ids, oldest first."""
    first = datetime.now(UTC)
    ids = [f"j{i:02}" for i in range(n)]
    for i, id in enumerate(ids):
        jobs.add(s, id, "explain", id, "{}")
        moment = first + timedelta(seconds=0 if together else i)
        s.execute(update(t.jobs).where(t.jobs.c.id == id).values(created_at=moment))
    return ids


def test_what_runs_is_listed_before_what_waits_and_the_oldest_first(store: Store) -> None:
    with store.session() as s:
        asked_for(s, 9)
        jobs.set_state(s, "j03", JobState.DONE)
        for id in ("j07", "j05"):
            jobs.claim(s, id, "w")
        found = jobs.active(s, 4)
        assert [row.id for row in found.rows] == ["j05", "j07", "j00", "j01"]
        assert (found.more_running, found.more_waiting) == (0, 4)
        few = jobs.active(s, 1)
        assert [row.id for row in few.rows] == ["j05"]
        assert (few.more_running, few.more_waiting) == (1, 6)
        assert jobs.count(s, JobState.RUNNING, JobState.QUEUED) == 8
        assert jobs.count(s) == 9


@pytest.mark.parametrize("together", [False, True])
def test_pages_of_jobs_join_both_ways_without_gap_or_repeat(store: Store, together: bool) -> None:
    with store.session() as s:
        asked_for(s, 7, together)
        whole = [row.id for row in jobs.list_jobs(s)]
        pages = [jobs.page(s, limit=3)]
        while (cursor := pages[-1].next) is not None:
            pages.append(jobs.page(s, cursor=cursor, limit=3))
        assert [row.id for page in pages for row in page.items] == whole
        assert [len(page.items) for page in pages] == [3, 3, 1]
        assert {page.total for page in pages} == {7}
        back = [pages[-1]]
        while (cursor := back[-1].previous) is not None:
            back.append(jobs.page(s, cursor=cursor, limit=3))
        assert [page.items for page in back] == [page.items for page in reversed(pages)]


def test_a_page_of_jobs_keeps_to_its_states_and_its_place(store: Store) -> None:
    with store.session() as s:
        for id in (ids := asked_for(s, 6)):
            if id != "j02":
                jobs.set_state(s, id, JobState.DONE)
        first = jobs.page(s, JobState.DONE, JobState.FAILED, limit=2)
        jobs.add(s, "new", "explain", "new", "{}")
        jobs.set_state(s, "new", JobState.DONE)
        second = jobs.page(s, JobState.DONE, JobState.FAILED, cursor=first.next, limit=2)
        assert [row.id for row in first.items + second.items] == [id for id in ids[::-1] if id != "j02"][:4]
        assert second.total == 6
        with pytest.raises(BadInput, match="begin at the list's first page"):
            jobs.page(s, cursor="nothing")


def test_a_model_has_one_collection_at_a_time(store: Store) -> None:
    with store.session() as s:
        jobs.add(s, "a", "collect", "Collect", "{}", model="m")
        jobs.add(s, "other", "collect", "Collect", "{}", model="other")
        jobs.add(s, "explain", "explain", "Explain", "{}", model="m")
        found = jobs.running_collection_of(s, "m")
        assert found is not None and found.id == "a"
        assert jobs.running_collection_of(s, "nobody") is None
        with pytest.raises(Conflict, match="“m” is being collected already by job a"):
            jobs.add(s, "b", "collect", "Collect", "{}", model="m")
        jobs.claim(s, "a", "w")
        with pytest.raises(Conflict):
            jobs.add(s, "b", "collect", "Collect", "{}", model="m")
        jobs.set_state(s, "a", JobState.CANCELLED)
        assert jobs.running_collection_of(s, "m") is None
        assert jobs.add(s, "b", "collect", "Collect", "{}", model="m").id == "b"


def test_the_database_itself_keeps_one_collection_of_a_model(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two processes may both have looked before either wrote."""
    with store.session() as s:
        jobs.add(s, "a", "collect", "Collect", "{}", model="m")
    monkeypatch.setattr(jobs, "running_collection_of", lambda s, slug: None)
    with pytest.raises(Conflict, match="being collected already"), store.session() as s:
        jobs.add(s, "b", "collect", "Collect", "{}", model="m")


def test_workers_beat_and_die(store: Store) -> None:
    with store.session() as s:
        workers.beat(s, "w1", "here", 100)
        workers.beat(s, "w2", "here", 101)
        long_ago = datetime.now(UTC) - timedelta(seconds=60)
        s.execute(
            update(t.workers).where(t.workers.c.name == "w2").values(beat_at=long_ago, started_at=long_ago)
        )
        assert [w.name for w in workers.alive(s)] == ["w1"]
        assert [(w.name, w.host, w.pid) for w in workers.dead(s)] == [("w2", "here", 101)]
        assert [w.name for w in workers.alive(s, 120)] == ["w1", "w2"]
        workers.beat(s, "w2", "here", 101)
        back = workers.alive(s)
        assert [w.name for w in back] == ["w1", "w2"]
        assert back[1].started_at == long_ago.replace(microsecond=long_ago.microsecond)
        workers.beat(s, "w2", "there", 7)
        assert workers.alive(s)[1].started_at > long_ago
        workers.forget(s, "w2")
        assert [w.name for w in workers.alive(s)] == ["w1"]
        assert workers.dead(s) == []


def test_a_moment_without_a_time_zone_is_refused(store: Store) -> None:
    with pytest.raises((StoreError, TypeError)), store.session() as s:
        s.execute(update(t.workers).values(beat_at=datetime(2026, 1, 1)))
