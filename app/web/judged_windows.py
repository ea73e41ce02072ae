"""The windows behind detection and fuzzing scores, as an explanation's page shows them: text, truth, verdict."""

import json
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from markupsafe import Markup, escape

from app.domain.explanations import Metric, Protocol, State
from app.domain.judging import Verdict, verdicts_of
from app.domain.vocabulary import Vocabulary
from app.domain.windows import WINDOW_TOKENS
from app.store import Session, Store, excerpts, models
from app.store.excerpts import ExcerptCache
from app.store.explanation_rows import ScoreRow
from app.store.rows import StoredExcerpts
from app.web import wording
from app.web.formats import moment, number

MOST = 6  # scores whose windows one page lists


class Window(NamedTuple):
    """One judged window."""

    text: Markup
    source: str  # document and place
    truth: str
    said: str
    yes: str  # P(yes), where it was served


class Judged(NamedTuple):
    """The windows of one score."""

    title: str
    wrong: tuple[Window, ...]
    right: tuple[Window, ...]
    gone: bool  # the text that was judged is no longer in the store


ANSWERS = {
    Metric.DETECTION: ("fires", "silent"),
    Metric.FUZZING: ("marks right", "marks wrong"),
}


def judged(store: Store, s: Session, slug: str, rows: Sequence[ScoreRow]) -> tuple[Judged, ...]:
    """The newest judged scores of one explanation with all their windows, those judged wrongly first."""
    mine = [row for row in rows if row.value.protocol is Protocol.WINDOWS and row.value.state is State.OK]
    found: list[Judged] = []
    tables: dict[int, _Text | None] = {}
    for row in mine[:MOST]:
        verdicts = verdicts_of(row.value.parameters_json)
        if not verdicts:
            continue
        collection = int(json.loads(row.value.parameters_json)["collection"])
        if collection not in tables:
            tables[collection] = _text(store, s, slug, collection)
        text = tables[collection]
        title = f"{wording.METRICS[row.value.metric]} by {row.simulator_model}, {moment(row.created_at)}"
        if text is None:
            found.append(Judged(title, (), (), True))
            continue
        shown = _shown(verdicts, row.value.metric, text)
        found.append(
            Judged(
                title,
                tuple(w for v, w in shown if v.said != v.example.truth),
                tuple(w for v, w in shown if v.said == v.example.truth),
                False,
            )
        )
    return tuple(found)


class _Text(NamedTuple):
    """What is read to show windows."""

    table: StoredExcerpts
    documents: Sequence[str]  # names
    vocabulary: Vocabulary


def _text(store: Store, s: Session, slug: str, collection: int) -> _Text | None:
    """The text of the collection that was judged; None where it is gone, or written in other tokens than the model's now."""
    table = ExcerptCache.get(store, slug)
    if table.collection_id != collection:
        table = excerpts.read(s, slug, collection)
    vocabulary = models.cached_vocabulary(store, slug)
    if not len(table.tokens) or int(table.tokens.max()) >= len(vocabulary):
        return None
    return _Text(table, excerpts.document_names(s, collection), vocabulary)


def _shown(verdicts: Iterable[Verdict], metric: Metric, text: _Text) -> list[tuple[Verdict, Window]]:
    yes, no = ANSWERS[metric]
    out = []
    for verdict in verdicts:
        example = verdict.example
        ids = text.table.tokens[example.excerpt, example.start : example.start + WINDOW_TOKENS].tolist()
        marked = set(example.marked)
        tokens = [
            Markup("<mark>{}</mark>").format(text.vocabulary.shown[id_])
            if i in marked
            else escape(text.vocabulary.shown[id_])
            for i, id_ in enumerate(ids)
        ]
        at = int(text.table.starts[example.excerpt]) + example.start
        document = text.documents[int(text.table.documents[example.excerpt])]
        out.append(
            (
                verdict,
                Window(
                    Markup("").join(tokens),
                    f"{document}, from token {at:,}",
                    yes if example.truth else no,
                    yes if verdict.said else no,
                    "" if verdict.probability is None else number(verdict.probability),
                ),
            )
        )
    return out
