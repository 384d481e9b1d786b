"""Evaluations share memory: what fits runs at once, the rest waits its turn."""

import asyncio

from lc_node.chain.types import ByteCount
from lc_node.runtime.memory_share import MemoryShare


class Borrowers:
    """Tasks that borrow; ``holding`` is what those hold that have it."""

    def __init__(self, group: asyncio.TaskGroup, limit: int) -> None:
        self.share = MemoryShare()
        self.share.limit = ByteCount(limit)
        self.holding: list[int] = []
        self._group = group

    async def ask(self, need: int) -> "asyncio.Task[None]":
        """Ask for memory, and return once whoever could go on did; cancelled, it returns the memory."""
        task = self._group.create_task(self._borrow(need))
        await self.settle()
        return task

    async def settle(self) -> None:
        """Let every task go on as far as it can."""
        for _ in range(5):
            await asyncio.sleep(0)

    async def give_back(self, task: "asyncio.Task[None]") -> None:
        """End a borrower."""
        task.cancel()
        await self.settle()

    async def _borrow(self, need: int) -> None:
        async with self.share.lend(ByteCount(need)):
            self.holding.append(need)
            try:
                await asyncio.Event().wait()
            finally:
                self.holding.remove(need)


async def test_what_fits_is_lent_at_once() -> None:
    async with asyncio.TaskGroup() as group:
        borrowers = Borrowers(group, limit=10)
        tasks = [await borrowers.ask(5), await borrowers.ask(5)]

        assert borrowers.holding == [5, 5]
        for task in tasks:
            task.cancel()


async def test_what_does_not_fit_waits_until_enough_is_returned() -> None:
    async with asyncio.TaskGroup() as group:
        borrowers = Borrowers(group, limit=10)
        first, second = await borrowers.ask(6), await borrowers.ask(5)
        assert borrowers.holding == [6]

        await borrowers.give_back(first)
        assert borrowers.holding == [5]
        second.cancel()


async def test_a_small_one_does_not_overtake_a_large_one() -> None:
    async with asyncio.TaskGroup() as group:
        borrowers = Borrowers(group, limit=10)
        tasks = [await borrowers.ask(need) for need in (6, 5, 1)]

        assert borrowers.holding == [6]
        for task in tasks:
            task.cancel()


async def test_more_than_there_is_is_lent_alone() -> None:
    async with asyncio.TaskGroup() as group:
        borrowers = Borrowers(group, limit=10)
        tasks = [await borrowers.ask(need) for need in (11, 1)]

        assert borrowers.holding == [11]
        for task in tasks:
            task.cancel()


async def test_who_stops_waiting_leaves_its_turn_to_the_next() -> None:
    async with asyncio.TaskGroup() as group:
        borrowers = Borrowers(group, limit=10)
        tasks = [await borrowers.ask(need) for need in (6, 5, 4)]
        await borrowers.give_back(tasks[1])

        assert borrowers.holding == [6, 4]
        for task in tasks:
            task.cancel()
