"""Folders of collections: which are kept for a retry, which go, and what a retry takes over."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from safetensors import SafetensorError
from sqlalchemy import update

from app.domain.collection import Document, ExcerptTable
from app.errors import StoreError
from app.jobs import scratch
from app.jobs.requests import CollectRequest, dumps
from app.store import Store, collections, jobs
from app.store import tables as t
from app.store.rows import JobState
from app.subject import partials
from app.subject.partials import LayerPilot, shard_path
from tests import factories

REQUEST = CollectRequest("x/tiny-random", ("corpus",), 40)
OURS = "ours"


@pytest.fixture
def home(tmp_path: Path) -> Path:
    folder = tmp_path / "jobs"
    folder.mkdir()
    return folder


def collection_job(
    store: Store, home: Path, name: str, state: JobState, asked: CollectRequest = REQUEST
) -> Path:
    """A collection that has ended, or not, with one shard in its folder."""
    with store.session() as session:
        jobs.add(session, name, "collect", "Collect", dumps(asked), model=factories.SLUG)
        jobs.claim(session, name, "worker")
        jobs.set_state(session, name, state)
    return shard_in(home / name, name)


def shard_in(folder: Path, fingerprint: str) -> Path:
    pilot = LayerPilot(np.zeros(3, bool), np.ones((4, 3), np.float32))
    partials.write(shard_path(scratch.shards(folder), 0), fingerprint, {0: pilot})
    return folder


def ended_ago(store: Store, name: str, ago: timedelta) -> None:
    with store.session() as session:
        query = update(t.jobs).where(t.jobs.c.id == name)
        session.execute(query.values(ended_at=datetime.now(UTC) - ago))


def names(home: Path) -> list[str]:
    return sorted(path.name for path in home.iterdir())


def test_what_failed_lately_is_kept_and_all_else_that_has_ended_goes(store: Store, home: Path) -> None:
    for name, state in (
        ("failed", JobState.FAILED), ("old", JobState.FAILED), ("cancelled", JobState.CANCELLED), ("done", JobState.DONE),
        ("running", JobState.RUNNING),
    ):  # fmt: skip
        collection_job(store, home, name, state)
    shard_in(home / "unknown", OURS)
    ended_ago(store, "old", timedelta(days=8))
    scratch.sweep(store, home)
    assert names(home) == ["failed", "running"]


def test_a_store_s_jobs_are_safe_from_another_store_with_the_same_data_folder(
    store: Store, tmp_path: Path
) -> None:
    ours = scratch.home(tmp_path, "sqlite:///other.sqlite")
    theirs = shard_in(
        scratch.home(tmp_path, "postgresql+psycopg://me:secret@db/neurons") / "collect-1", "theirs"
    )
    collection_job(store, ours, "failed", JobState.FAILED)
    shard_in(ours / "unknown", OURS)
    scratch.sweep(store, ours)
    assert names(ours) == ["failed"] and shard_path(theirs / "shards", 0).exists()


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("sqlite:///{}/a/x.sqlite", "sqlite:///{}/b/x.sqlite", True),  # each in its data folder: it was moved
        ("sqlite:///{}/a/x.sqlite", "sqlite:///{}/b/y.sqlite", False),
        ("sqlite:////far/x.sqlite", "sqlite+pysqlite:////far/../far/x.sqlite", True),
        ("sqlite:////far/x.sqlite", "sqlite:////near/x.sqlite", False),
        ("postgresql://me:1@db/n", "postgresql+psycopg://you:2@db/n?sslmode=require", True),
        ("postgresql://me:1@db/n", "postgresql://me:1@db/m", False),
        ("postgresql:///n?host=/run/a", "postgresql:///n?host=/run/b", False),
    ],
)
def test_a_store_is_known_by_where_it_lies(tmp_path: Path, one: str, other: str, same: bool) -> None:
    homes = [scratch.home(tmp_path / d, url.format(tmp_path)) for d, url in (("a", one), ("b", other))]
    assert (homes[0].name == homes[1].name) == same


def test_what_failed_is_kept_until_its_model_is_collected(store: Store, home: Path) -> None:
    collection_job(store, home, "failed", JobState.FAILED)
    with store.session() as session:
        factories.collect(session)
    mine = collection_job(store, home, "mine", JobState.RUNNING)
    scratch.finished(store, mine)
    assert names(home) == []


def test_what_an_ended_job_left_half_written_is_swept_from_the_store(store: Store, home: Path) -> None:
    documents, excerpts = factories.corpus()
    with store.session() as session:
        factories.collect(session)
        jobs.add(session, "j", "collect", "Collect", dumps(REQUEST), model=factories.SLUG)
        collections.begin(session, factories.SLUG, "corpus", documents, excerpts, REQUEST.profile, "{}", "j")
    scratch.sweep(store, home / "none")
    with store.session() as session:
        assert [c.job_id for c in collections.under_way(session)] == ["j"]
        jobs.set_state(session, "j", JobState.CANCELLED)
    scratch.sweep(store, home / "none")
    with store.session() as session:
        assert (
            collections.under_way(session) == [] and len(collections.of_model(session, factories.SLUG)) == 1
        )


def test_a_retry_takes_over_the_shards_of_the_last_failure_at_the_same_work(store: Store, home: Path) -> None:
    collection_job(store, home, "other", JobState.FAILED, replace(REQUEST, seed=1))
    collection_job(store, home, "first", JobState.FAILED)
    collection_job(store, home, "last", JobState.FAILED)
    scratch.adopt(store, home / "retry", replace(REQUEST, retry_of="first"))
    assert names(home) == ["first", "other", "retry"]
    with partials.opened(shard_path(home / "retry" / "shards", 0), "last"):
        pass
    scratch.adopt(store, home / "retry", REQUEST)  # it has shards of its own now
    assert names(home) == ["first", "other", "retry"]


def test_a_cancelled_collection_s_shards_are_not_taken_over(store: Store, home: Path) -> None:
    collection_job(store, home, "cancelled", JobState.CANCELLED)
    scratch.adopt(store, home / "retry", REQUEST)
    assert not any((home / "retry" / "shards").iterdir())


@pytest.mark.parametrize("harm", ["none", "foreign", "torn", "bit"])
def test_only_whole_shards_of_the_same_excerpts_are_used(tmp_path: Path, harm: str) -> None:
    folder = shard_in(tmp_path, "other" if harm == "foreign" else OURS)
    path = shard_path(folder / "shards", 0)
    data = bytearray(path.read_bytes())
    if harm == "torn":
        path.write_bytes(data[: len(data) // 2])
    elif harm == "bit":
        data[data.index(np.ones((4, 3), np.float32).tobytes())] ^= 1
        path.write_bytes(data)
    scratch.drop_unusable(folder, OURS)
    assert path.exists() == (harm == "none")


def test_a_shard_can_be_read_by_who_may_read_the_folder(tmp_path: Path) -> None:
    (tmp_path / "like").touch()
    path = shard_path(shard_in(tmp_path, OURS) / "shards", 0)
    assert path.stat().st_mode == (tmp_path / "like").stat().st_mode


def test_a_full_disk_is_named_although_safetensors_tells_it_in_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise SafetensorError("Error while serializing: I/O error: No space left on device (os error 28)")

    monkeypatch.setattr(partials, "save_file", full)
    with pytest.raises(StoreError, match=r"the disk is full\. Free some space"):
        shard_in(tmp_path, OURS)
    assert not any((tmp_path / "shards").iterdir())


def test_excerpts_survive_their_file(tmp_path: Path) -> None:
    documents, excerpts = factories.corpus()
    assert scratch.load_excerpts(tmp_path) is None
    scratch.save_excerpts(tmp_path, list(documents), excerpts)
    found = scratch.load_excerpts(tmp_path)
    assert found is not None and found[0] == [Document(**vars(d)) for d in documents]
    for name in ExcerptTable.__dataclass_fields__:
        assert np.array_equal(getattr(found[1], name), getattr(excerpts, name))
