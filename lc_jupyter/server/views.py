"""A job's page: what the notebook's widget is told by its kernel, told by the server instead."""

import asyncio
import time
from typing import Final

from lc_jupyter.feed import JobFeed, State
from lc_jupyter.server.following import FollowingHandler, Told
from lc_node.api.calls import EventsSince, GetJob
from lc_node.api.schema import Place
from lc_node.api.schema_jobs import JobStory

LOOK_SECONDS: Final = 2.0
"""Without an event it is looked again this often: how far this node has come is no event."""

REDRAW_SECONDS: Final = 0.2
"""What changes all the time is told at most five times a second."""

BUSY_SHARE: Final = 4
"""A story that took long to fetch is fetched again after this many times as long."""


class ViewTold(Told, frozen=True, kw_only=True, omit_defaults=True):
    """What a view shows: ``anew`` with everything, or ``delta`` with what is new."""

    kind: str
    snapshot: State | None = None
    delta: State | None = None


class ViewHandler(FollowingHandler):
    """Sends what a view of the job of ``?job=ID`` shows: everything once, then only what is new."""

    needs_job = True

    async def follow_while_there(self) -> None:
        """Tell what changes of the job, until the node is gone."""
        stirred = asyncio.Event()
        batch = await self.link.call(EventsSince(place=Place()))
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._listen(batch.latest, stirred))
                group.create_task(self._show(stirred))
        except ExceptionGroup as errors:
            raise errors.exceptions[0] from errors

    async def _listen(self, place: Place, stirred: asyncio.Event) -> None:
        async for _event in self.link.client().events(job=self.job, place=place):
            stirred.set()

    async def _show(self, stirred: asyncio.Event) -> None:
        feed: JobFeed | None = None
        while True:
            stirred.clear()
            began = time.monotonic()
            story = await self._story()
            took = time.monotonic() - began
            if feed is None:
                feed = JobFeed(story)
                await self.tell(ViewTold(kind="anew", snapshot=feed.snapshot))
            else:
                await self._tell_new(feed, story)
            await asyncio.sleep(max(REDRAW_SECONDS, BUSY_SHARE * took))
            await _wait(stirred, None if story.summary.phase.is_over else LOOK_SECONDS)

    async def _story(self) -> JobStory:
        assert self.job is not None, "it needs a job"
        return await self.link.call(GetJob(job=self.job))

    async def _tell_new(self, feed: JobFeed, story: JobStory) -> None:
        delta = feed.take(story)
        if delta is None:
            await self.tell(ViewTold(kind="anew", snapshot=feed.snapshot))
        elif delta:
            await self.tell(ViewTold(kind="delta", delta=delta))


async def _wait(stirred: asyncio.Event, seconds: float | None) -> None:
    """Return when something has happened, or after a while."""
    try:
        async with asyncio.timeout(seconds):
            await stirred.wait()
    except TimeoutError:
        return
