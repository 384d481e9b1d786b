"""Machines that are lost under a run: it is tried elsewhere, not for ever."""

import pytest

from lc_node.ports.sandbox import SandboxFailed, WorkerLost
from lc_node.runtime.elsewhere import ATTEMPTS_MAX, elsewhere


class Attempts:
    """Loses so many machines, and then succeeds."""

    def __init__(self, lost: int) -> None:
        self.made: list[int] = []
        self._lost = lost

    async def make(self, number: int) -> str:
        self.made.append(number)
        if len(self.made) <= self._lost:
            raise WorkerLost("the machine is gone")
        return "done"


async def test_what_is_done_at_once_is_tried_once() -> None:
    attempts = Attempts(lost=0)

    assert await elsewhere(attempts.make) == "done"
    assert attempts.made == [1]


async def test_a_lost_machine_is_followed_by_another() -> None:
    attempts = Attempts(lost=ATTEMPTS_MAX - 1)

    assert await elsewhere(attempts.make) == "done"
    assert attempts.made == list(range(1, ATTEMPTS_MAX + 1))


async def test_one_machine_too_many_is_a_failure_of_ours() -> None:
    attempts = Attempts(lost=ATTEMPTS_MAX)

    with pytest.raises(SandboxFailed):
        await elsewhere(attempts.make)


async def test_what_fails_otherwise_is_not_tried_again() -> None:
    async def fail(_number: int) -> str:
        raise SandboxFailed("it could not be started")

    with pytest.raises(SandboxFailed, match="could not be started"):
        await elsewhere(fail)
