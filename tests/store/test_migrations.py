"""The store's form: made by migrations, up and down, on both databases; never that of a newer version."""

import subprocess
import sys
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine, inspect, text
from sqlalchemy.exc import DBAPIError

from app.errors import StoreError
from app.store import Store, migrate
from app.store.tables import metadata
from tests import factories


def test_head_is_the_newest_migration() -> None:
    scripts = ScriptDirectory(str(migrate.FOLDER))
    assert scripts.get_heads() == [migrate.HEAD]


def is_ours(name: str | None, kind: str, _: object) -> bool:
    return kind != "table" or not str(name).startswith("explanation_words")


def test_migrations_give_the_tables_of_the_code(empty_url: str) -> None:
    store = Store.open(empty_url)
    with store.session() as s:
        # The index of words is SQLite's alone (FTS5 has tables of its own); tests of searching hold it.
        context = MigrationContext.configure(s, opts={"compare_type": True, "include_name": is_ours})
        assert compare_metadata(context, metadata) == []
    store.close()


def test_down_to_nothing_and_up_again(empty_url: str) -> None:
    store = Store.open(empty_url)
    factories.fill(store)
    with store.engine.begin() as connection:
        migrate.run(connection, "base")
    with store.engine.begin() as connection:
        assert set(inspect(connection).get_table_names()) <= {"alembic_version"}
        assert migrate.revision(connection) is None
        left = "SELECT count(*) FROM sqlite_master WHERE type = 'trigger'"
        if store.dialect == "postgresql":
            left = "SELECT count(*) FROM pg_proc WHERE proname LIKE 'keep_%'"
        assert connection.execute(text(left)).scalar() == 0
    store.close()
    again = Store.open(empty_url)
    assert factories.fill(again).slug == factories.SLUG
    again.close()


def test_opening_twice_changes_nothing(empty_url: str) -> None:
    Store.open(empty_url).close()
    store = Store.open(empty_url)
    with store.session() as s:
        assert s.execute(text("SELECT version_num FROM alembic_version")).scalars().all() == [migrate.HEAD]
    store.close()


def test_a_store_from_a_newer_version_is_left_alone(empty_url: str) -> None:
    store = Store.open(empty_url)
    with store.engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    store.close()
    with pytest.raises(StoreError, match=r"newer version.*9999.*update Neuronarium") as caught:
        Store.open(empty_url)
    assert "\n" not in str(caught.value)


def test_a_failed_migration_leaves_nothing_behind(empty_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    engine_url = empty_url
    ran = migrate.run

    def breaks(connection: object, target: str) -> None:
        ran(connection, target)  # type: ignore[arg-type]
        raise StoreError("the power went")

    monkeypatch.setattr(migrate, "run", breaks)
    with pytest.raises(StoreError, match="the power went"):
        Store.open(engine_url)
    engine = create_engine(engine_url)
    assert inspect(engine).get_table_names() == []
    engine.dispose()


def test_without_create_nothing_is_made(empty_url: str, tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="no store"):
        Store.open(empty_url, create=False)
    assert not list(tmp_path.iterdir())


def test_another_programs_database_is_refused(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'other.sqlite'}"
    engine = create_engine(url)
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE theirs (id INTEGER)"))
    engine.dispose()
    with pytest.raises(StoreError, match="something else"):
        Store.open(url)


def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "store.sqlite"
    file.write_text("Dear diary, " * 400)
    with pytest.raises(StoreError, match="damaged or no store"):
        Store.open(f"sqlite:///{file}")
    assert file.read_text().startswith("Dear diary")


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("nonsense", "cannot be read"),
        ("mysql://x@localhost/y", "no store is kept in mysql"),
        ("sqlite://", "name a file"),
        ("postgresql+psycopg://u:secret@127.0.0.1:1/x", "does not answer"),
    ],
)
def test_addresses_that_lead_nowhere(url: str, words: str) -> None:
    with pytest.raises(StoreError, match=words) as caught:
        Store.open(url)
    assert "secret" not in str(caught.value)
    assert "\n" not in str(caught.value)


def test_two_processes_may_make_the_same_store_at_once(empty_url: str) -> None:
    code = "import sys; from app.store import Store; Store.open(sys.argv[1]).close()"
    both = [subprocess.Popen([sys.executable, "-c", code, empty_url]) for _ in range(2)]
    assert [process.wait(60) for process in both] == [0, 0]
    store = Store.open(empty_url, create=False)
    store.close()


@pytest.mark.parametrize("table", ["explanations", "simulations", "scores", "llm_calls"])
def test_evidence_is_only_ever_added(store: Store, table: str) -> None:
    from app.store import ledger
    from tests.store.test_ledger import entry

    factories.fill(store)
    with store.session() as s:
        ledger.record(s, entry())
    for statement in (f"UPDATE {table} SET reason = 'better'", f"DELETE FROM {table}"):
        with pytest.raises((StoreError, DBAPIError), match="append-only"), store.session() as s:
            s.execute(text(statement))
    with store.session() as s:
        assert s.execute(text(f"SELECT count(*) FROM {table}")).scalar_one() > 0
