"""All at once, all or nothing."""

import asyncio

import pytest

from app.domain.explanations import Usage
from app.errors import AnswerError
from app.simulate.parallel import all_or_nothing, sum_usage


async def test_results_come_in_order_whatever_ends_first() -> None:
    second_done = asyncio.Event()

    async def one(index: int) -> int:
        if index == 0:
            await second_done.wait()
        else:
            second_done.set()
        return index * 10

    assert await all_or_nothing(2, one) == [0, 10]
    assert await all_or_nothing(0, one) == []


async def test_the_first_failure_ends_the_others_and_is_raised_as_it_is() -> None:
    ended: list[int] = []

    async def one(index: int) -> int:
        if index == 1:
            raise AnswerError("broken")
        try:
            await asyncio.Event().wait()
        finally:
            ended.append(index)
        return index

    with pytest.raises(AnswerError, match=r"^broken$"):
        await all_or_nothing(3, one)
    assert sorted(ended) == [0, 2]


async def test_cancelling_ends_them_all() -> None:
    started, ended = asyncio.Event(), []

    async def one(index: int) -> None:
        started.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.append(index)

    task = asyncio.create_task(all_or_nothing(2, one))
    await started.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert sorted(ended) == [0, 1]


def test_usage_adds_up() -> None:
    assert sum_usage([Usage(1, 2, 0.5, 1.0, 1), Usage(10, 20, 1.5, 2.0, 2)]) == Usage(11, 22, 2.0, 3.0, 3)
    assert sum_usage([]) == Usage()
