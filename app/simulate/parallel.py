"""Many excerpts at once, and all or nothing."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import TypeVar

from app.domain.explanations import Usage

T = TypeVar("T")


async def all_or_nothing(count: int, one: Callable[[int], Awaitable[T]]) -> list[T]:
    """`[await one(0), …, await one(count - 1)]`, all at once; how many really are is the endpoint's bound.

    The first failure ends the others, so that nothing more is paid for what cannot be whole, and is raised as it
    stands. Of several failures at one moment the lowest index wins.
    """

    async def run(index: int) -> T:
        return await one(index)

    tasks = [asyncio.create_task(run(index)) for index in range(count)]
    try:
        if tasks:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_EXCEPTION)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    for task in tasks:
        if not task.cancelled() and (error := task.exception()) is not None:
            raise error
    return [task.result() for task in tasks]


def sum_usage(usages: Iterable[Usage]) -> Usage:
    """What several calls took together."""
    total = Usage()
    for usage in usages:
        total = total.plus(usage)
    return total
