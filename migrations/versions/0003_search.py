"""Explanations can be searched by their words, on SQLite.

An index of the words of every explanation but those of token lookup, whose tokens have a search of their own. It is kept by
triggers, and made here of what is in the store already. A word is (app/domain/text_query.py): letters and the digits 0 to
9, without capitals and without accents of Latin letters.

`explanation_words` is an FTS5 table without a copy of the text (it reads the view `searched_explanations`) and without the number of
words of each row, which only a ranking by bm25 would need. PostgreSQL has no index of the same words: see app/store/word_memory.py.
"""

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


def upgrade() -> None:
    if op.get_bind().dialect.name == "sqlite":
        _sqlite()


def downgrade() -> None:
    if op.get_bind().dialect.name == "sqlite":
        for event in ("insert", "delete"):
            op.execute(f"DROP TRIGGER words_of_explanations_{event}")
        op.drop_table("explanation_words")
        op.execute("DROP VIEW searched_explanations")
