"""The rival: a JSON row a record, tokens as text, and a Jinja loop over tokens; the rest of the page is ours."""

import json
import sqlite3
import threading
from pathlib import Path

from fastapi import FastAPI, Request
from jinja2 import Environment
from starlette.responses import HTMLResponse
from starlette.testclient import TestClient

from app.domain.neurons import BANDS, Kind, NeuronRef, Split
from app.store import Store, neurons
from app.store.excerpts import ExcerptCache
from app.store.models import cached_vocabulary
from app.store.sheets import sheet
from app.web.exemplars import BAND_NAMES, USES
from app.web.neuron_contexts import Section
from app.web.neuron_view import Context, Show, View
from app.web.pages.neuron import Main, Seen, neuron_page
from app.web.rendering import chrome, page

ROWS = Environment(autoescape=True).from_string(
    """{% for record in records %}
    <li class="rec"><span class="val">{{ "%+.2f"|format(record.activations[record.peak]) }}</span>
    <div class="txt" role="group" tabindex="0" aria-label="Excerpt {{ loop.index }}">
    {%- for token in record.tokens -%}
    <bdi class="a{{ (record.activations[loop.index0] / maximum * 8)|round|int }}
    {%- if loop.index0 == record.peak %} pk{% endif %}" data-v="{{ record.activations[loop.index0] }}">{{ token }}</bdi>
    {%- endfor -%}
    </div><div class="src"><a href="{{ here }}?show=values&amp;excerpt={{ record.excerpt }}">{{ record.document }}</a>
    <small>token {{ record.start }} · {{ record.use }}</small></div></li>
    {% endfor %}"""
)
SECTIONS = (
    ("Strongest", Kind.TOP, -1),
    ("Most negative", Kind.BOTTOM, 1),
    *((BAND_NAMES[band], band, -1) for band in reversed(BANDS)),
    ("Random", Kind.RANDOM, 0),
)


def write_rows(connection: sqlite3.Connection, store: Store, refs: list[NeuronRef]) -> None:
    """The same records of neurons of one model as JSON, a row each."""
    connection.execute("CREATE TABLE records (neuron INTEGER, kind INTEGER, body TEXT)")
    slug = refs[0].model
    excerpts, shown = ExcerptCache.get(store, slug), cached_vocabulary(store, slug).shown
    with store.session() as session:
        for index, ref in enumerate(refs):
            records = neurons.records(session, excerpts, ref)
            for r in range(len(records)):
                body = {
                    "excerpt": int(records.excerpts[r]),
                    "document": f"Document {records.documents[r]}",
                    "start": int(excerpts.starts[records.excerpts[r]]),
                    "use": USES[Split(int(records.splits[r]))],
                    "tokens": [shown[i] for i in records.tokens[r].tolist()],
                    "activations": records.activations[r].tolist(),
                }
                row = (index, int(records.kinds[r]), json.dumps(body))
                connection.execute("INSERT INTO records VALUES (?, ?, ?)", row)
    connection.execute("CREATE INDEX by_neuron ON records (neuron)")


class NaivePage:
    """Makes the page from those rows."""

    def __init__(self, app: FastAPI, rows: Path, refs: list[NeuronRef], view: str) -> None:
        self.app, self.rows, self.refs, self.query = app, rows, refs, view
        self.view = View(Show.ALL, context=Context.WHOLE, duplicates=True, more=True)
        self._local = threading.local()

    def ours(self, index: int) -> bytes:
        """Our page of a neuron by its place in the list, for the constant body."""
        ref = self.refs[index]
        client = TestClient(self.app, base_url="http://127.0.0.1")
        answer = client.get(f"/m/{ref.model}/{ref.layer}/{ref.index}{self.query}")
        answer.raise_for_status()
        return bytes(answer.content)

    def connection(self) -> sqlite3.Connection:
        """One a thread."""
        if not hasattr(self._local, "connection"):
            self._local.connection = sqlite3.connect(self.rows)
        return self._local.connection

    def show(self, request: Request, index: int) -> HTMLResponse:
        """The page."""
        ref = self.refs[index]
        state = self.app.state
        query = "SELECT kind, body FROM records WHERE neuron = ?"
        records = [(kind, json.loads(body)) for kind, body in self.connection().execute(query, (index,))]
        here = f"/m/{ref.model}/{ref.layer}/{ref.index}"
        maximum = max(abs(a) for _, record in records for a in record["activations"])
        sections = []
        for title, kind, order in SECTIONS:
            mine = [record for of, record in records if of == kind]
            for record in mine:
                extreme = min if kind == Kind.BOTTOM else max
                record["peak"] = record["activations"].index(extreme(record["activations"]))
            if order:
                mine.sort(key=lambda r: order * r["activations"][r["peak"]])
            rows = ROWS.render(records=mine, maximum=maximum, here=here)
            sections.append(Section(title, "", rows.encode(), "", len(mine)))
        facts = state.facts.get(ref.model)
        with state.store.session() as session:
            evidence = sheet(session, facts.excerpts, ref)
        main = Main(tuple(sections))
        seen = Seen(
            chrome(request, f"{facts.layer(ref.layer).ordinal}:{ref.index} in {facts.card.name}", "browse"),
            facts,
            evidence,
        )
        context = neuron_page(ref, self.view, seen, main, state.jobs.endpoints())
        return page("neuron.html", context, inserts=main.inserts)
