"""The GPU side in this process: one model, loaded when first needed, used by one thread at a time."""

import asyncio
import logging
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, TypeVar

from app.domain.collection import ModelCard
from app.domain.neurons import Float32, Int32
from app.domain.simulator_card import SimulatorCard
from app.domain.token_weights import TokenWeights
from app.gpu.protocol import SubjectService
from app.settings import Settings

if TYPE_CHECKING:  # torch is loaded only with the first model
    from app.subject.load import Subject
    from app.subject.simulator import LocalSimulator

log = logging.getLogger(__name__)

T = TypeVar("T")


class InProcess:
    """`SubjectService` on a thread of its own, which takes one call after the other.

    `source` is what `app.subject.load.load` takes: a hub name, a folder or a GGUF file. A load that failed is
    tried again by the next call. May be used from any event loop.
    """

    def __init__(self, settings: Settings, source: str) -> None:
        self.settings, self.source = settings, source
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="subject")
        self._subject: Subject | None = None
        self._simulator: LocalSimulator | None = None

    async def card(self) -> ModelCard:
        """See `SubjectService`."""
        return await self._run(lambda _: self._loaded().card)

    async def simulator(self) -> SimulatorCard:
        """See `SubjectService`."""
        return await self._run(lambda _: self._simulating().card)

    async def simulate(
        self, explanation: str, token_pieces: Sequence[Sequence[bytes]], seed: int = 0
    ) -> Float32:
        """See `SubjectService`."""

        def work(cancelled: Callable[[], bool]) -> Float32:
            values: Float32 = self._simulating().simulate([explanation], token_pieces, seed, cancelled)[0]
            return values

        return await self._run(work)

    async def tokenize(self, texts: Sequence[str]) -> list[list[int]]:
        """See `SubjectService`."""

        def work(_: Callable[[], bool]) -> list[list[int]]:
            tokenizer = self._loaded().tokenizer
            return [list(tokenizer(text, add_special_tokens=False).input_ids) for text in texts]

        return await self._run(work)

    async def activations(
        self, layer: int, neurons: Sequence[int], tokens: Sequence[Sequence[int]]
    ) -> list[Float32]:
        """See `SubjectService`."""

        def work(cancelled: Callable[[], bool]) -> list[Float32]:
            from app.subject.live import activations

            return activations(self._loaded(), layer, neurons, tokens, cancelled)

        return await self._run(work)

    async def token_weights(self, layer: int, neurons: Sequence[int]) -> TokenWeights:
        """See `SubjectService`."""

        def work(cancelled: Callable[[], bool]) -> TokenWeights:
            from app.subject.weights import token_weights

            return token_weights(self._loaded(), layer, neurons, cancelled)

        return await self._run(work)

    async def divergences(
        self, layer: int, neuron: int, tokens: Int32, replacements: Sequence[Float32]
    ) -> Float32:
        """See `SubjectService`."""

        def work(cancelled: Callable[[], bool]) -> Float32:
            from app.subject.ablation import divergences

            return divergences(self._loaded(), layer, neuron, tokens, replacements, cancelled)

        return await self._run(work)

    async def close(self) -> None:
        """See `SubjectService`. Waits for the call under way."""

        def unload(_: Callable[[], bool]) -> None:
            self._subject = self._simulator = None

        await self._run(unload)

    async def _run(self, work: Callable[[Callable[[], bool]], T]) -> T:
        """`work` on the service's thread, told by its argument when the caller has gone away."""
        gone = threading.Event()
        future: Future[T] = self._thread.submit(work, gone.is_set)
        try:
            return await asyncio.wrap_future(future)
        finally:
            gone.set()

    def _loaded(self) -> "Subject":
        if self._subject is None:
            from app.subject.load import load

            log.info("loading %s", self.source)
            models = self.settings.data_dir / "models"
            self._subject = load(self.source, self.settings.device, self.settings.threads, models)
        return self._subject

    def _simulating(self) -> "LocalSimulator":
        if self._simulator is None:
            from app.subject.simulator import LocalSimulator

            self._simulator = LocalSimulator(self._loaded())
        return self._simulator


_services: dict[tuple[str, str, int | None, str], InProcess] = {}
_guard = threading.Lock()


def service_for(settings: Settings, source: str) -> SubjectService:
    """The process's one service for a model source, made when first asked for; a model is loaded once, not
    per caller.

    It stays until `close_services`; a caller who wants one model in memory at a time closes the other first.
    """
    key = (source, settings.device, settings.threads, str(settings.data_dir))
    with _guard:
        if key not in _services:
            _services[key] = InProcess(settings, source)
        return _services[key]


async def close_services() -> None:
    """Give back the memory of every service made by `service_for`, and forget them."""
    with _guard:
        services = list(_services.values())
        _services.clear()
    for service in services:
        await service.close()
