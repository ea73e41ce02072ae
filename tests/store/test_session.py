"""Sessions: what several processes may do to one store, and what is said when it cannot be done."""

import sqlite3
import threading
from pathlib import Path

import pytest
from sqlalchemy import text

from app.errors import BadInput, StoreError
from app.settings import sqlite_url
from app.store import Store, jobs, lists, models, session
from tests import factories


def test_settings_of_a_new_sqlite_store(sqlite_store: Store) -> None:
    with sqlite_store.session() as s:
        pragmas = {
            name: s.exec_driver_sql(f"PRAGMA {name}").scalar()
            for name in ("journal_mode", "page_size", "foreign_keys", "synchronous", "busy_timeout")
        }
    assert pragmas == {
        "journal_mode": "wal",
        "page_size": session.PAGE_BYTES,
        "foreign_keys": 1,
        "synchronous": 1,
        "busy_timeout": session.BUSY_SECONDS * 1000,
    }


def test_a_session_commits_at_its_end_and_rolls_back_on_an_error(store: Store) -> None:
    with store.session() as s:
        jobs.add(s, "kept", "explain", "Kept", "{}")
    with pytest.raises(BadInput, match="changed my mind"), store.session() as s:
        jobs.add(s, "lost", "explain", "Lost", "{}")
        raise BadInput("changed my mind")
    with store.session() as s:
        assert [row.id for row in jobs.list_jobs(s)] == ["kept"]


def test_a_reader_sees_one_moment_and_blocks_nobody(sqlite_store: Store) -> None:
    with sqlite_store.session() as reader:
        assert jobs.list_jobs(reader) == []
        with sqlite_store.session() as writer:
            jobs.add(writer, "new", "explain", "New", "{}")
        assert jobs.list_jobs(reader) == []
    with sqlite_store.session() as reader:
        assert len(jobs.list_jobs(reader)) == 1


def test_reading_before_writing_cannot_lose_to_another_writer(sqlite_store: Store) -> None:
    """A deferred transaction would fail here at once with SQLITE_BUSY_SNAPSHOT, whatever the timeout."""
    with sqlite_store.session() as first:
        assert jobs.list_jobs(first) == []
        with sqlite_store.session() as second:
            jobs.add(second, "second", "explain", "Second", "{}")
        jobs.add(first, "first", "explain", "First", "{}")
    with sqlite_store.session() as s:
        assert {row.id for row in jobs.list_jobs(s)} == {"first", "second"}


def test_many_threads_write_and_nothing_is_lost(store: Store) -> None:
    failures: list[Exception] = []

    def add(thread: int) -> None:
        try:
            for i in range(10):
                with store.session() as s:
                    jobs.list_jobs(s, limit=1)
                    jobs.add(s, f"{thread}-{i}", "explain", "Some", "{}")
        except Exception as error:  # noqa: BLE001 - told below
            failures.append(error)

    threads = [threading.Thread(target=add, args=(n,)) for n in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    with store.session() as s:
        assert len(jobs.list_jobs(s, limit=100)) == 60


def test_a_writer_that_never_ends_is_waited_for_and_then_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session, "BUSY_SECONDS", 0.05)
    file = tmp_path / "store.sqlite"
    store = Store.open(f"sqlite:///{file}")
    other = sqlite3.connect(file, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreError, match="another process kept writing"), store.session() as s:
        jobs.add(s, "late", "explain", "Late", "{}")
    other.execute("ROLLBACK")
    other.close()
    with store.session() as s:
        jobs.add(s, "late", "explain", "Late", "{}")
        assert jobs.get(s, "late").title == "Late"
    store.close()


def test_a_full_disk_is_said_and_nothing_half_written(sqlite_store: Store) -> None:
    with sqlite_store.session() as s:
        pages = s.exec_driver_sql("PRAGMA page_count").scalar_one()
    full = Store.open(sqlite_store.url)
    raw = full.engine.raw_connection()
    raw.cursor().execute(
        f"PRAGMA max_page_count={pages + 4}"
    )  # this connection's limit; the pool gives it again
    raw.close()
    with pytest.raises(StoreError, match=r"disk .* is full: free some space") as caught, full.session() as s:
        factories.collect(s)
    assert "\n" not in str(caught.value)
    with full.session() as s:
        assert models.models(s) == []
        assert s.execute(text("SELECT count(*) FROM exemplars")).scalar() == 0
        assert s.execute(text("PRAGMA integrity_check")).scalar() == "ok"
    full.close()


def test_a_full_disk_in_the_middle_of_bulk_loading(sqlite_store: Store) -> None:
    """Bulk loading goes past SQLAlchemy: the driver's own error is put into words too."""
    with sqlite_store.session() as s:
        models.add_model(s, factories.card(), factories.vocabulary())
        pages = s.exec_driver_sql("PRAGMA page_count").scalar_one()
    full = Store.open(sqlite_store.url)
    raw = full.engine.raw_connection()
    raw.cursor().execute(f"PRAGMA max_page_count={pages + 40}")
    raw.close()
    with pytest.raises(StoreError, match="is full"), full.session() as s:
        factories.collect(s)
    with full.session() as s:
        assert models.model(s, factories.SLUG).collecting is None
    full.close()


def test_foreign_keys_hold(store: Store) -> None:
    with pytest.raises(StoreError, match="the store failed"), store.session() as s:
        s.execute(text("INSERT INTO layers (model_id, ordinal, slug) VALUES (99, 0, 'x')"))


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="cannot make the folder"):
        Store.open(f"sqlite:///{tmp_path}/file/store.sqlite")


def test_an_address_without_a_driver_gets_ours(postgres, monkeypatch: pytest.MonkeyPatch) -> None:  # type: ignore[no-untyped-def]
    url = postgres.migrated()
    store = Store.open(url.replace("postgresql+psycopg://", "postgresql://"))
    assert store.dialect == "postgresql"
    assert store.engine.driver == "psycopg"
    store.close()
    postgres.drop(url)


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://me:s3cr/et@word@host/name",
        "postgresql://me:s3cr@et/word@host/name",
        "postgresql://me:s3cr@et?word@host/name",
        "postgresql://me:s3cr@/word@host/name",
        "postgresql://me:pw@host:s3cret/name",
        "postgresql//me:s3cret@host/name",
        "s3cret",
    ],
)
def test_an_address_that_cannot_be_read_is_told_without_its_password(url: str) -> None:
    with pytest.raises(StoreError, match="percent-encode") as caught:
        Store.open(url)
    message = str(caught.value)
    assert "\n" not in message
    assert not any(part in message for part in ("s3cr", "word@", "host/"))
    assert caught.value.__context__ is None or caught.value.__suppress_context__


def test_a_server_that_does_not_answer_is_named_without_any_password() -> None:
    with pytest.raises(StoreError, match="does not answer") as caught:
        Store.open("postgres://me:p%40ss@127.0.0.1:9/name?password=s3cret&connect_timeout=3")
    assert "127.0.0.1:9/name" in str(caught.value)
    assert "ss@" not in str(caught.value) and "s3cret" not in str(caught.value)


def test_a_file_with_a_question_mark_in_its_path(tmp_path: Path) -> None:
    folder = tmp_path / "we?ird 100%25 #1"
    store = Store.open(sqlite_url(folder / "store.sqlite"))
    assert (folder / "store.sqlite").is_file() and store.dialect == "sqlite"
    store.close()


def test_a_session_for_reading_sees_what_was_written_and_writes_nothing(store: Store) -> None:
    with store.session() as s:
        factories.collect(s)
    with store.reading() as s:
        assert models.model(s, factories.SLUG).card.slug == factories.SLUG
        with pytest.raises(StoreError, match="only reads"):
            lists.create(s, "a list", "", "somebody")
    with store.session() as s:  # the same connection, as it was
        made = lists.create(s, "a list", "", "somebody")
    with store.reading() as s:
        assert [each.name for each in lists.every(s)] == ["a list"], made
