"""ui.many: what an update of a job's widget costs when the job has 10,000 bids, against the same with 100.

An update is a further bid: what the kernel makes of the grown story, and all that the page's main thread does until
the frame that shows it, script, layout and painting. How the kernel comes by the story is not in it.
"""

import asyncio
import json
import time
from typing import Any, Final

from playwright.async_api import CDPSession

from bench.harness import PAIRS_MIN, Measured, Target, from_samples
from lc_jupyter.feed import JobFeed
from lc_node.api.schema_jobs import JobStory
from tests.browser.pages import Window, open_window
from tests.jupyter.test_feed import announced, grown

MANY: Final = Target(name="ui.many", unit="ms an update", limit=2, at_least=False)
BIDS_MANY: Final = 10_000
BIDS_FEW: Final = 100
UPDATES: Final = 50
"""In each sample."""

_BIDDERS: Final = tuple(f"lc1{name * 8}{name * 8}" for name in "abcdefgh")
_FRAME: Final = "() => new Promise((done) => requestAnimationFrame(() => setTimeout(done)))"


def run() -> list[Measured]:
    """Measure."""
    many, few = asyncio.run(_both())
    return [from_samples(MANY, many, few)]


async def _both() -> tuple[list[float], list[float]]:
    many, few = list[float](), list[float]()
    for _ in range(PAIRS_MIN):
        few.append(await _update_ms(BIDS_FEW))
        many.append(await _update_ms(BIDS_MANY))
    return many, few


async def _update_ms(bids: int) -> float:
    """Return the milliseconds of the kernel and of the page's main thread for an update, in a window of its own."""
    stories = [_story(bids + more) for more in range(UPDATES + 2)]
    feed = JobFeed(stories[0])
    async with open_window() as window:
        await window.mount(feed.snapshot)
        session = await window.page.context.new_cdp_session(window.page)
        await session.send("Performance.enable")
        await _update(window, feed, stories[1])
        kernel, before = 0.0, await _busy_seconds(session)
        for story in stories[2:]:
            kernel += await _update(window, feed, story)
        page = await _busy_seconds(session) - before
    return 1000 * (kernel + page) / UPDATES


async def _update(window: Window, feed: JobFeed, story: JobStory) -> float:
    """Show a story, and return the seconds that the kernel's part of it took."""
    since = time.perf_counter()
    delta = feed.take(story)
    message = json.dumps({"kind": "delta", "delta": delta})
    kernel = time.perf_counter() - since
    await window.tell(json.loads(message))
    await window.page.evaluate(_FRAME)
    return kernel


async def _busy_seconds(session: CDPSession) -> float:
    """Return how long the page's main thread has been at work so far."""
    found: dict[str, Any] = await session.send("Performance.getMetrics")
    return next(float(one["value"]) for one in found["metrics"] if one["name"] == "TaskDuration")


def _story(bids: int) -> JobStory:
    """Return the story of a job at its so many bids, each better than the one before."""
    names = len(_BIDDERS)
    events = [
        announced(_BIDDERS[at % names], 10**9 - 10_000 * at, 1_000 + 100 * at)
        for at in range(bids)
    ]
    return grown(*events)
