"""A scripted server and a client whose waits are noted instead of sat through."""

from collections.abc import Iterator

import pytest

from app.domain.spending import Caps
from app.llm.client import Client
from app.llm.ledger import MemoryLedger
from tests.scripted_server import ScriptedServer


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    with ScriptedServer() as scripted:
        yield scripted


@pytest.fixture
def ledger() -> MemoryLedger:
    return MemoryLedger()


@pytest.fixture
def waits() -> list[float]:
    """Seconds that the client wanted to wait, in order."""
    return []


@pytest.fixture
def make_client(server, ledger, waits):
    async def note(seconds: float) -> None:
        waits.append(seconds)

    def clock() -> float:
        return sum(waits)

    def make(cap_usd: float | None = None, **fields) -> Client:
        return Client(
            server.endpoint(**fields), ledger, lambda _: Caps(total_usd=cap_usd), sleep=note, clock=clock
        )

    return make
