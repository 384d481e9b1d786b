"""The machine's clock tells Unix time and wakes sleepers no sooner than asked."""

import asyncio
import time

from lc_node.adapters.system_clock import SystemClock
from lc_node.chain.types import Millis


def test_now_is_unix_time_in_milliseconds() -> None:
    before = int(time.time() * 1000)

    assert before <= SystemClock().now() <= before + 1000


async def test_a_sleeper_wakes_when_the_time_has_come() -> None:
    clock = SystemClock()
    at = Millis(clock.now() + 20)
    await clock.sleep_until(at)

    assert clock.now() >= at


async def test_a_time_that_is_past_is_not_waited_for() -> None:
    async with asyncio.timeout(0.5):
        await SystemClock().sleep_until(Millis(0))
