"""Explanations can be searched by their words.

Both databases keep one index of the words of every explanation but those of token lookup, whose tokens have a search of their
own. It is kept by triggers, and made here of what is in the store already. A word is the same on both (app/domain/text_query.py):
letters and the digits 0 to 9, without capitals and without accents of Latin letters.

SQLite: `explanation_words` is an FTS5 table without a copy of the text (it reads the view `searched_explanations`) and
without the number of words of each row, which only a ranking by bm25 would need.
PostgreSQL: `explanation_words` has one tsvector an explanation, so that phrases need not parse texts again.
"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

SEARCHED = "e.state = 0 AND o.method <> 'token_lookup'"
# Pictures that came after the Unicode version that FTS5 knows (6.1), which would take them for letters.
PICTURES = (
    (0x1F321, 0x1F3FF), (0x1F43F, 0x1F441), (0x1F4F8, 0x1F4FF), (0x1F53E, 0x1F5FA), (0x1F641, 0x1F650),
    (0x1F6C6, 0x1F6FF), (0x1F7E0, 0x1F7FF), (0x1F900, 0x1F9FF), (0x1FA70, 0x1FAFF),
)  # fmt: skip


def _sqlite() -> None:
    pictures = "".join(chr(code) for first, last in PICTURES for code in range(first, last + 1))
    op.execute(
        "CREATE VIEW searched_explanations AS SELECT e.id AS id, e.text AS text FROM explanations e "  # noqa: S608
        f"JOIN origins o ON o.id = e.origin_id WHERE {SEARCHED}"
    )
    op.get_bind().exec_driver_sql(
        "CREATE VIRTUAL TABLE explanation_words USING fts5(text, content='searched_explanations', content_rowid='id', "
        "columnsize=0, tokenize=\"unicode61 remove_diacritics 2 categories 'L*' tokenchars '0123456789' "
        f"separators '{pictures}'\")"
    )
    op.execute("INSERT INTO explanation_words(explanation_words) VALUES ('rebuild')")
    for event, row, insert in (
        ("INSERT", "NEW", "INSERT INTO explanation_words(rowid, text) VALUES (NEW.id, NEW.text)"),
        (
            "DELETE",
            "OLD",
            "INSERT INTO explanation_words(explanation_words, rowid, text) VALUES ('delete', OLD.id, OLD.text)",
        ),
    ):
        op.get_bind().exec_driver_sql(
            f"CREATE TRIGGER words_of_explanations_{event.lower()} AFTER {event} ON explanations FOR EACH ROW "  # noqa: S608
            f"WHEN {row}.state = 0 AND (SELECT method FROM origins WHERE id = {row}.origin_id) <> 'token_lookup' "
            f"BEGIN {insert}; END"
        )


def _postgresql() -> None:
    run = op.get_bind().exec_driver_sql
    # From version 17 on there is one notion of letters that does not depend on how the database was made.
    version: int = (
        op.get_bind().exec_driver_sql("SELECT current_setting('server_version_num')::int").scalar_one()
    )
    letters = " COLLATE pg_c_utf8" if version >= 170000 else ""
    run(
        "CREATE FUNCTION words_of(said text) RETURNS tsvector LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$ "
        f"DECLARE line text := lower(translate(said, '“”‘’…–—⏎⇥', '         '){letters}); BEGIN "
        r"IF line ~ '[^\x01-\x7f]' THEN "
        r"line := normalize(regexp_replace(normalize(line, NFD), '([a-z])[\u0300-\u036f]+', '\1', 'g'), NFC); END IF; "
        f"RETURN to_tsvector('simple', regexp_replace(line{letters}, '[^[:alnum:]]+', ' ', 'g')); END $$"
    )
    op.create_table(
        "explanation_words",
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("words", sa.dialects.postgresql.TSVECTOR(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_explanation_words"),
    )
    searched = f"FROM {{}} e JOIN origins o ON o.id = e.origin_id WHERE {SEARCHED}"
    fill = f"INSERT INTO explanation_words SELECT e.id, words_of(e.text) {searched}"
    run(fill.format("explanations"))
    # Without a list of what is still to be sorted in, so that a search is as quick after an import as before.
    run(
        "CREATE INDEX ix_explanation_words_words ON explanation_words USING gin (words) WITH (fastupdate = off)"
    )
    # The index, whatever the planner thinks of reading everything with several workers: searches come side by side.
    run(
        "CREATE FUNCTION explanations_with(wanted tsquery) RETURNS int8[] LANGUAGE sql STABLE SET enable_seqscan = off "
        "SET max_parallel_workers_per_gather = 0 AS $$ SELECT array_agg(id) FROM explanation_words WHERE words @@ wanted $$"
    )
    remove = "DELETE FROM explanation_words w USING changed e WHERE w.id = e.id"
    for event, body, image in (("insert", fill.format("changed"), "NEW"), ("delete", remove, "OLD")):
        name = f"words_of_explanations_{event}"
        run(
            f"CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {body}; RETURN NULL; END $$"
        )
        run(
            f"CREATE TRIGGER {name} AFTER {event.upper()} ON explanations REFERENCING {image} TABLE AS changed "
            f"FOR EACH STATEMENT EXECUTE FUNCTION {name}()"
        )


def upgrade() -> None:
    if op.get_bind().dialect.name == "sqlite":
        _sqlite()
    else:
        _postgresql()


def downgrade() -> None:
    sqlite = op.get_bind().dialect.name == "sqlite"
    for event in ("insert", "delete"):
        name = f"words_of_explanations_{event}"
        op.execute(f"DROP TRIGGER {name}" if sqlite else f"DROP TRIGGER {name} ON explanations")
        if not sqlite:
            op.execute(f"DROP FUNCTION {name}()")
    if not sqlite:
        op.execute("DROP FUNCTION explanations_with(tsquery)")
    op.drop_table("explanation_words")
    op.execute("DROP VIEW searched_explanations" if sqlite else "DROP FUNCTION words_of(text)")
