"""A scripted server, a ledger in memory, and clients that do not sit through their waits."""

from collections.abc import Callable, Iterator
from typing import Any

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
def make_client(server: ScriptedServer, ledger: MemoryLedger) -> Callable[..., Client]:
    async def at_once(seconds: float) -> None:
        """No wait is sat through."""

    def make(cap_usd: float | None = None, **fields: Any) -> Client:
        return Client(server.endpoint(**fields), ledger, lambda _: Caps(total_usd=cap_usd), sleep=at_once)

    return make
