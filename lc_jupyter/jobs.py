"""A job as an object in the kernel: look at it, wait for it, take its model."""

import asyncio
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from lc_jupyter.display import Shown
from lc_jupyter.errors import UserError
from lc_jupyter.models import load_model, validate_digest
from lc_jupyter.stopwatch import Stopwatch
from lc_jupyter.stories import show_story
from lc_node.api.calls import Cancel, FetchModel, GetJob, GetJobs, TopUp
from lc_node.api.client import Client
from lc_node.api.schema import JobId, MicroCredits, Receipt
from lc_node.api.schema_jobs import BidView, FetchedModel, JobStory

_REDRAW_SECONDS: Final = 0.2
"""A waiting cell is drawn at most five times a second."""

_HEARTBEAT_SECONDS: Final = 0.25
"""An interrupt reaches an awaiting cell only when its loop wakes, so it wakes this often."""

_LOOK_SECONDS: Final = 1.0
"""Without an event the countdown is drawn this often."""

Draw = Callable[[Shown], None]


@dataclass(frozen=True, slots=True)
class Source:
    """What the notebook that posted a job knows of it: how it saves and loads its models."""

    load: Callable[..., object] | None = None
    seconds: Mapping[str, float] = field(default_factory=dict)
    """How long each step of posting it took."""


class Job:
    """A job of the graph, by its id."""

    def __init__(self, client: Client, job_id: JobId, source: Source | None = None) -> None:
        """Speak of job ``job_id`` with the node behind ``client``."""
        self._client = client
        self._source = source or Source()
        self.id = job_id
        self.seconds = dict(self._source.seconds)

    def story(self) -> JobStory:
        """Return all that the node knows of it."""
        return self._client.call(GetJob(job=self.id))

    def bids(self) -> Sequence[BidView]:
        """Return its bids, the leader first."""
        return self.story().bids

    @property
    def is_over(self) -> bool:
        """Whether nothing more can happen to it."""
        return self.story().summary.phase.is_over

    def wait(self, draw: Draw, timeout_seconds: float | None = None) -> JobStory:
        """Draw its story whenever something happens, until it is over; interrupt to stop waiting.

        Raises:
            UserError: it is not over after ``timeout_seconds``; the job goes on.
        """
        end = None if timeout_seconds is None else time.monotonic() + timeout_seconds
        with self._client.events(job=self.id) as events:
            while True:
                story = self.story()
                draw(show_story(story, _now_ms()))
                if story.summary.phase.is_over:
                    return story
                if end is not None and time.monotonic() > end:
                    message = f"Job {self.id[:8]} is not over yet; it goes on by itself."
                    raise UserError(message)
                if events.next(_LOOK_SECONDS) is not None:
                    _drain(events.next)

    def __await__(self) -> Generator[Any, None, JobStory]:
        """Wait without blocking the kernel; interrupting the cell stops the waiting, not the job."""
        return self._until_over().__await__()

    async def _until_over(self) -> JobStory:
        while True:
            story = await asyncio.to_thread(self.story)
            if story.summary.phase.is_over:
                return story
            await asyncio.sleep(_HEARTBEAT_SECONDS)

    def top_up(self, micro_credits: int) -> Receipt:
        """Raise its bounty."""
        return self._client.call(TopUp(job=self.id, amount=MicroCredits(micro_credits)))

    def cancel(self) -> Receipt:
        """Take it back; possible while it is open and has no bid."""
        return self._client.call(Cancel(job=self.id))

    def fetch(self) -> FetchedModel:
        """Bring the winner's model to the node's disk, and check its digest here once more.

        Raises:
            UserError: the file does not have the digest that the chain settled on.
        """
        fetched = self._client.call(FetchModel(job=self.id))
        validate_digest(fetched)
        return fetched

    def result(self, *, trust: bool = False) -> object:
        """Return the winner's model, loaded by a format that cannot run code.

        Args:
            trust: load a pickle all the same; it runs whatever its author put into it.

        Raises:
            UserError: there is no winner, or the format is unsafe and not trusted.
        """
        watch = Stopwatch()
        model = load_model(self.fetch(), self._source.load, trust=trust)
        watch.lap("pull")
        self.seconds |= watch.seconds
        return model

    def _repr_html_(self) -> str:
        return show_story(self.story(), _now_ms())._repr_html_()

    def __repr__(self) -> str:
        return show_story(self.story(), _now_ms()).text


def find_job(client: Client, prefix: str) -> JobId:
    """Return the one job whose id begins so.

    Raises:
        UserError: there is none, or more than one.
    """
    if not prefix or not all(digit in "0123456789abcdef" for digit in prefix):
        message = f"{prefix!r} is no job id; %lc_jobs lists them."
        raise UserError(message)
    found = client.call(GetJobs(prefix=prefix))
    if not found:
        message = f"No job begins with {prefix}; %lc_jobs lists them."
        raise UserError(message)
    if len(found) > 1:
        message = f"{len(found)} jobs begin with {prefix}; give more digits."
        raise UserError(message)
    return found[0].job


def _drain(take: Callable[[float], object | None]) -> None:
    """Gather what comes within one redraw, so that a storm of bids is drawn once."""
    end = time.monotonic() + _REDRAW_SECONDS
    while (left := end - time.monotonic()) > 0:
        if take(left) is None:
            return


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
