import asyncio
import threading

from app.llm.limits import Gate, gate_of
from tests.scripted_server import down_endpoint


class Watch:
    """A clock that only waiting moves."""

    def __init__(self) -> None:
        self.now = 0.0

    def clock(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.now += seconds


async def test_no_minute_holds_more_starts_than_allowed():
    gate, watch, starts = Gate(1, 3), Watch(), []
    for _ in range(8):
        async with gate.entered(watch.sleep, watch.clock):
            starts.append(watch.now)
        watch.now += 5
    assert starts == [0, 5, 10, 60, 65, 70, 120, 125]


async def test_a_pause_holds_for_all_and_the_longest_counts():
    gate, watch, starts = Gate(4, None), Watch(), []
    gate.pause(7, watch.clock)
    gate.pause(3, watch.clock)
    for _ in range(3):
        async with gate.entered(watch.sleep, watch.clock):
            starts.append(watch.now)
        watch.now += 5
    assert starts == [7, 12, 17]


async def test_a_pause_and_the_bound_of_a_minute_hold_together():
    gate, watch, starts = Gate(1, 2), Watch(), []
    gate.pause(30, watch.clock)
    for _ in range(3):
        async with gate.entered(watch.sleep, watch.clock):
            starts.append(watch.now)
    assert starts == [30, 30, 90]


async def test_places_are_given_in_order_of_asking():
    gate, order = Gate(1, None), []
    release, entered = asyncio.Event(), asyncio.Event()

    async def enter(name: int) -> None:
        async with gate.entered():
            order.append(name)
            entered.set()
            await release.wait()

    tasks = [asyncio.create_task(enter(i)) for i in range(4)]
    await entered.wait()
    assert order == [0]
    release.set()
    await asyncio.gather(*tasks)
    assert order == [0, 1, 2, 3]


async def test_a_waiter_that_is_cancelled_loses_no_place():
    gate = Gate(1, None)
    first = gate.entered()
    await first.__aenter__()
    waiting = [asyncio.create_task(gate.entered().__aenter__()) for _ in range(3)]
    await asyncio.sleep(0)
    waiting[0].cancel()
    await asyncio.sleep(0)
    await first.__aexit__(None, None, None)  # gives the place to the second waiter…
    waiting[1].cancel()  # …which is cancelled before it runs
    async with asyncio.timeout(5):
        await waiting[2]
    assert waiting[0].cancelled()
    assert waiting[1].cancelled()


def test_the_bound_holds_across_event_loops():
    gate, inside, most = Gate(2, None), 0, 0
    lock = threading.Lock()

    async def work() -> None:
        nonlocal inside, most
        for _ in range(20):
            async with gate.entered():
                with lock:
                    inside += 1
                    most = max(most, inside)
                await asyncio.sleep(0)
                with lock:
                    inside -= 1

    async def several() -> None:
        await asyncio.gather(*(work() for _ in range(4)))

    threads = [threading.Thread(target=lambda: asyncio.run(several())) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not any(thread.is_alive() for thread in threads)
    assert most == 2
    assert inside == 0


def test_an_endpoint_has_one_gate_and_its_bounds_follow_the_settings():
    one = down_endpoint(name="gated", base_url="http://127.0.0.1:1/v1", concurrency=3)
    gate = gate_of(one)
    changed = one.model_copy(update={"concurrency": 7, "requests_per_minute": 9})
    assert gate_of(changed) is gate
    assert (gate.concurrency, gate.per_minute) == (7, 9)
    assert gate_of(down_endpoint(name="other")) is not gate
