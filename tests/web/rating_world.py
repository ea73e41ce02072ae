"""A study like LEE's whose every secret is a word or number that stands nowhere else, and raters who go through its pages."""

import re
import sqlite3
from base64 import urlsafe_b64decode
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import httpx2 as httpx
from fastapi import FastAPI
from starlette.testclient import TestClient

from app.domain.experiments import Rule, SampleRule
from app.domain.explanations import Metric, Protocol, Sample, ScoreValue, State
from app.domain.neurons import Polarity
from app.domain.studies import Codes, Consent, Gold, GoldKind, StudyArm, StudyContrast, StudyDefinition
from app.settings import Settings
from app.store import Store, explanations, neurons, scores
from app.store.excerpts import ExcerptCache
from app.store.study_rows import RaterRow, StudyRow
from app.study.service import Actor, Studies
from app.web import rating_links
from tests import factories
from tests.study_world import refs
from tests.web.conftest import BASE
from tests.web.markup import Markup, read

OWNER = Actor("Zqauthor", "browser-zqowner")
METHODS = tuple(f"zqmethod{n}" for n in range(1, 6))
EXPLAINER = "zqendpoint / zqexplainer"
SCORE = 0.87654
# What each method says; the second neuron is described twice alike. Raw texts have blanks that raters never see.
WORDS = ("rivers", "prices", "letters", "colours", "animals")
FIRST_ID = {
    "explanations": 76_543_210,
    "studies": 65_432_100,
    "study_raters": 87_654_320,
    "study_places": 54_321_000,
}
SECRETS = (
    *METHODS,
    "zqmethod",
    "zqendpoint",
    "zqexplainer",
    "zqauthor",
    "zqowner",
    "zqname",
    "zqquestion",
    "zqarm",
    "zqstopping",
    "zqlabel",
    "0.8765",
    "  about",
    *(str(first)[:6] for first in FIRST_ID.values()),
    factories.SLUG,
)


def definition(n: int = 3, **changes: Any) -> StudyDefinition:
    """Five methods, n neurons, ratings and the best choice, one practice puzzle."""
    arms = tuple(StudyArm(method, EXPLAINER, f"zqarm {method}") for method in METHODS)
    usual = StudyDefinition(
        name="zqname of the study",
        title="Describing units",
        question="zqquestion: which is better?",
        instructions="Look at the texts.\nThen rate each description.",
        samples=(SampleRule(Rule.NEURONS, neurons=tuple(str(ref) for ref in refs(n))),),
        arms=arms,
        raters=3,
        contrasts=(StudyContrast(arms[0].label, arms[1].label),),
        stopping="zqstopping",
        consent=Consent("You may stop at any time.", "ada@example.org", "nothing", "until May", "2030"),
        codes=Codes("DONE42", "OUT42"),
        seed=11,
    )
    return replace(usual, **changes)


def describe(store: Store, n: int = 3, polarity: Polarity = Polarity.POSITIVE) -> None:
    """An explanation and its score of each neuron by each method."""
    table = ExcerptCache.get(store, factories.SLUG)
    with store.session() as s:
        for i, ref in enumerate(refs(n)):
            records = neurons.records(s, table, ref)
            for k, method in enumerate(METHODS):
                word = WORDS[0] if i == 1 and k == 4 else WORDS[k]
                made = replace(
                    factories.provenance(records, polarity),
                    method=method,
                    explainer=EXPLAINER,
                    author="zqauthor",
                )
                text = f"talk  about {word} {i}"
                id_ = explanations.add(s, ref, text, polarity, made, State.OK, "", None, f"zq-{ref}-{method}")
                value = ScoreValue(
                    Metric.CORRELATION, Protocol.HELDOUT_FULL, Sample.TOP_AND_RANDOM, State.OK, SCORE
                )
                scores.add(s, id_, None, [value], None, f"zq-score-{id_}")


def from_far(store: Store, table: str) -> None:
    """Let ids of a table begin where no other number of a page is."""
    file = store.url.removeprefix("sqlite:///")
    with sqlite3.connect(
        file
    ) as raw:  # it does not watch over foreign keys, so that a first row may be a stranger's
        columns = [row[1:4] for row in raw.execute(f"pragma table_info({table})")]
        values = [
            FIRST_ID[table] if name == "id" else f"zq{name}" if "CHAR" in type_ or "TEXT" in type_ else 0
            for name, type_, _ in columns
        ]
        marks = ", ".join("?" * len(values))
        raw.execute(f"insert into {table} values ({marks})", values)


def opened(store: Store, n: int = 3, **changes: Any) -> StudyRow:
    """The study, with ids far from small numbers."""
    describe(store, n)
    made = Studies(store)
    return made.start(made.make(definition(n, **changes), OWNER).id, OWNER)


def gold() -> tuple[Gold, ...]:
    return (Gold(GoldKind.FALSE), Gold(GoldKind.PUZZLES))


def invite(store: Store, study: StudyRow, n: int = 1, days: float | None = None) -> list[RaterRow]:
    return Studies(store).invite(study.id, OWNER, [f"zqlabel {i}" for i in range(n)], days)


@dataclass
class Rater:
    """A browser without scripts, and all that the server ever sent it."""

    app: FastAPI
    settings: Settings
    base: str = BASE
    traffic: list[str] = field(default_factory=list)
    client: TestClient = field(init=False)
    at: str = ""  # path of the page that is shown
    page: str = ""

    def __post_init__(self) -> None:
        hooks = {"response": [self._keep]}
        self.client = TestClient(self.app, base_url=self.base, follow_redirects=False)
        self.client.event_hooks = hooks  # type: ignore[assignment]

    def _keep(self, response: httpx.Response) -> None:
        response.read()
        headers = "\n".join(f"{name}: {value}" for name, value in response.headers.items())
        cookies = [each.value or "" for each in self.client.cookies.jar]
        said = response.content.decode("utf-8", "replace")
        self.traffic.append("\n".join([str(response.request.url), headers, said, *map(decoded, cookies)]))

    def get(self, path: str, **more: Any) -> httpx.Response:
        """A page, wherever it leads to."""
        answer = self.client.get(path, **more)
        for _ in range(5):
            if answer.status_code not in (302, 303):
                break
            path = answer.headers["location"]
            answer = self.client.get(path)
        self.at, self.page = path, answer.text
        return answer

    def post(self, path: str, fields: Mapping[str, Any], **more: Any) -> httpx.Response:
        """A form, and the page that it leads to."""
        answer = self.client.post(path, data=dict(fields), **more)
        if answer.status_code == 303:
            return self.get(answer.headers["location"])
        self.at, self.page = path, answer.text
        return answer

    def save(self, path: str, fields: Mapping[str, Any]) -> httpx.Response:
        """As the script does it."""
        return self.client.post(path, data=dict(fields), headers={"accept": "application/json"})

    @property
    def read(self) -> Markup:
        return read(self.page)

    @property
    def checked(self) -> list[tuple[str, str]]:
        """What is ticked on the page that is shown."""
        found = self.read.find("input")
        return [
            (e["name"], e["value"]) for e in found if "checked" in e.attributes and "name" in e.attributes
        ]

    def begin(self, study: StudyRow) -> "Rater":
        """Come by the open link and agree."""
        assert self.get(rating_links.open_link(self.settings, study)).status_code == 200
        form = self.read.one("form")
        fields = {e["name"]: e["value"] for e in form.inside if e.tag == "input"}
        assert self.post(form["action"], fields).status_code == 200
        return self

    def answer(self, rating: int = 4, **more: str) -> httpx.Response:
        """Answer the page that is shown, the truth of the practice best of all, and go on."""
        names = {e["name"] for e in self.read.find("input", type="radio")}
        texts = [e.text for e in self.read.find("q")]
        right = next((i for i, text in enumerate(texts, 1) if text in TRUTHS), 1)
        fields = {"try": self.read.one("input", name="try")["value"], "go": "next"}
        for name in sorted(names):
            at = int(name.partition("-")[2] or 0)
            fields[name] = str(right) if name == "best" else "5" if at == right else str(min(rating, 4))
        return self.post(self.at, {**fields, **more})

    def to_the_study(self, study: StudyRow) -> "Rater":
        """Through the practice."""
        self.begin(study)
        self.answer()
        assert re.fullmatch(r"/rate/[^/]+/1", self.at), self.at
        return self


def _truths() -> frozenset[str]:
    from app.domain.study_texts import alike
    from app.exchange.puzzles import built_in

    return frozenset(alike(puzzle.truth) for puzzle in built_in())


TRUTHS = _truths()


def decoded(cookie: str) -> str:
    """A cookie, and what its parts are the base64 of."""
    parts = []
    for part in cookie.strip('"').split("."):
        try:
            parts.append(urlsafe_b64decode(part + "=" * (-len(part) % 4)).decode("utf-8", "replace"))
        except ValueError:
            continue
    return " ".join([cookie, *parts])
