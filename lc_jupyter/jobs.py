"""A job as an object in the kernel: look at it, wait for it, take its model."""

import asyncio
import threading
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Final

from lc_jupyter.display import paragraph
from lc_jupyter.errors import StoppedWaiting, UserError, render_as
from lc_jupyter.inspection.contents import Contents
from lc_jupyter.inspection.reading import read_contents
from lc_jupyter.job_models import JobModels, models_of
from lc_jupyter.models import load_checked, validate_digest, validate_opened
from lc_jupyter.predicting import predict
from lc_jupyter.refusals import change, explained, validate_settled
from lc_jupyter.stopwatch import Stopwatch
from lc_jupyter.stories import show_story
from lc_jupyter.units import (
    Written,
    parse_credits,
    parse_seconds,
    short_job,
    show_bytes,
)
from lc_jupyter.watching import DrawnView, StoryView, follow, now_ms, open_view
from lc_node.api.calls import Cancel, Extend, FetchModel, GetJob, GetJobs, TopUp
from lc_node.api.client import ApiError, Client
from lc_node.api.schema import JobId, MicroCredits, Receipt
from lc_node.api.schema_jobs import BidView, FetchedModel, JobStory

_HEARTBEAT_SECONDS: Final = 0.1
"""An interrupt reaches an awaiting cell only when its loop wakes, so it wakes this often."""

_RETRY_SECONDS: Final = 2.0
"""A view that has lost its node looks for it this often."""

_ID_DIGITS: Final = 64
_NAMED_MAX: Final = 4
_TELLING_DIGITS: Final = 4
"""With fewer digits anything comes near."""
_LOOKED_AT_MAX: Final = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """What only the kernel that posted a job knows of it."""

    load: Callable[..., object] | None = None
    """How the job's cell loads its models, if it says so."""
    seconds: Mapping[str, float] = field(default_factory=dict)
    """How long each step of posting took."""


_ELSEWHERE: Final = Origin()
"""Of a job that another kernel has posted, or another node."""


class Job:
    """A job of the graph, by its id; ``await job`` waits without blocking the kernel."""

    def __init__(self, client: Client, job_id: JobId, origin: Origin | None = None) -> None:
        """Speak of job ``job_id`` with the node behind ``client``."""
        self._client = client
        self._origin = origin or _ELSEWHERE
        self.id = job_id
        self.seconds = dict(self._origin.seconds)

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

    def wait(self, timeout_seconds: float | None = None) -> JobStory:
        """Draw its story whenever something happens, until it is over.

        Raises:
            StoppedWaiting: interrupted; the job goes on.
            UserError: it is not over after ``timeout_seconds``; the job goes on.
        """
        end = None if timeout_seconds is None else time.monotonic() + timeout_seconds
        try:
            with DrawnView() as view, self._client.events(job=self.id) as events:
                return follow(events, self.story, view, lambda story: self._is_done(story, end))
        except KeyboardInterrupt:
            raise StoppedWaiting(self.id) from None

    def watch(self) -> None:
        """Show it below this cell until it is over, with buttons, while the kernel is free for other cells."""
        view = open_view(self._act, in_background=True)
        story = self.story()
        view.__enter__()
        view.show(story)
        watching = threading.Thread(target=self._watch, args=(view, story), daemon=True)
        watching.start()

    def __await__(self) -> Generator[Any, None, JobStory]:
        """Wait without blocking the kernel; interrupting the cell stops the waiting, not the job."""
        return self._until_over().__await__()

    def top_up(self, amount: Written) -> Receipt:
        """Raise its bounty by some credits.

        Raises:
            Malformed: it is no amount.
            ApiError: the chain refuses, and says why.
        """
        micro = MicroCredits(parse_credits(amount, "the amount"))
        return change(self._client, TopUp(job=self.id, amount=micro))

    def extend(self, expires: str) -> Receipt:
        """Let bidding end so long from now, such as ``10m``; possible while it has no bid.

        Raises:
            Malformed: it is no duration.
            ApiError: the chain refuses, and says why.
        """
        seconds = parse_seconds(expires, "the time")
        return change(self._client, Extend(job=self.id, expiry_seconds=seconds))

    def cancel(self) -> Receipt:
        """Take it back; possible while it is open and has no bid.

        Raises:
            ApiError: the chain refuses, and says why.
        """
        return change(self._client, Cancel(job=self.id))

    @property
    def models(self) -> JobModels:
        """Its opened models; of the winner's file also what it says of itself, without loading it."""
        story = self.story()
        models = models_of(story)
        contents, problem = self._inspect(story) if story.summary.winner else (None, "")
        return JobModels(
            job=self.id,
            models=models,
            unopened=len(story.bids) - len(models),
            contents=contents,
            problem=problem,
        )

    def fetch(self) -> FetchedModel:
        """Bring the winner's model to the node's disk, and check here that it is the one that won.

        Raises:
            UserError: there is no winner, nobody who has the model can be reached, or the file is not what
                the chain settled on.
        """
        fetched = self._fetch(self.story())
        validate_digest(fetched)
        return fetched

    def result(
        self,
        *,
        trust: bool = False,
        load: Callable[..., object] | None = None,
        timeout_seconds: float | None = None,
    ) -> object:
        """Wait until the job is over, and return the winner's model, loaded by a format that cannot run code.

        Args:
            trust: load a pickle all the same; it runs whatever its author put into it.
            load: the job's own ``load``, if another kernel posted it.
            timeout_seconds: how long to wait at most; 0 does not wait.

        Raises:
            StoppedWaiting: interrupted; the job goes on.
            UserError: it is not over yet, there is no winner, another key posted the job, or the format is
                unsafe and not trusted.
        """
        if timeout_seconds != 0 and not self.is_over:
            self.wait(timeout_seconds)
        watch = Stopwatch()
        model = load_checked(self._fetch(self.story()), load or self._origin.load, trust=trust)
        watch.lap("pull")
        self.seconds |= watch.seconds
        return model

    @property
    def own_load(self) -> bool | None:
        """Whether its cell has said how its models are loaded; None where another kernel posted it."""
        return None if self._origin is _ELSEWHERE else self._origin.load is not None

    def predict(self, *data: object) -> object:
        """Let the winner's model predict in the sandbox of the own node: nothing of it is loaded here.

        The sandbox runs the job's own image, with the limits of an evaluation. It calls the cell's
        ``predict(model, *data)`` if there is one, else ``model.predict(*data)``. Plain data goes in and
        comes back: numbers, texts, lists, dicts, arrays, tables of pandas.

        Raises:
            UserError: there is no winner, the data is not plain, or the run failed, with its last words.
            ApiError: the node refuses, by name.
        """
        story = self.story()
        validate_settled(story)
        try:
            return predict(self._client, self.id, data)
        except ApiError as error:
            raise explained(error, story) from error

    def _repr_mimebundle_(self, **_: object) -> dict[str, str]:
        """Serve IPython: the story as it stands, asked for once."""
        try:
            shown = show_story(self.story(), now_ms())
        except ApiError as error:
            shown = paragraph(f"Job {short_job(self.id)}: {error}", "bad")
        return {"text/html": shown._repr_html_(), "text/plain": shown.text}

    def __repr__(self) -> str:
        return f"<Job {short_job(self.id)}>"

    def _fetch(self, story: JobStory) -> FetchedModel:
        """Bring the winner's model to the node's disk; whether it has its digest is still to be checked."""
        validate_settled(story)
        try:
            fetched = self._client.call(FetchModel(job=self.id))
        except ApiError as error:
            raise explained(error, story) from error
        validate_opened(fetched, story)
        return fetched

    def _inspect(self, story: JobStory) -> tuple[Contents | None, str]:
        """Return what the winner's file says of itself, or why that cannot be told."""
        try:
            fetched = self._fetch(story)
            validate_digest(fetched)
            return read_contents(Path(fetched.path), fetched.model_format.value), ""
        except (ApiError, UserError, OSError) as error:
            return None, str(error)

    def _is_done(self, story: JobStory, end: float | None) -> bool:
        if story.summary.phase.is_over:
            return True
        if end is not None and time.monotonic() > end:
            message = f"Job {short_job(self.id)} is not over yet; it goes on by itself."
            raise UserError(message)
        return False

    def _watch(self, view: StoryView, story: JobStory) -> None:
        """Feed a view until the job is over; a node that is gone is looked for again."""
        is_over = story.summary.phase.is_over
        while not is_over:
            try:
                with self._client.events(job=self.id) as events:
                    follow(events, self.story, view, lambda story: story.summary.phase.is_over)
                is_over = True
            except ApiError as error:
                view.warn(str(error))
                time.sleep(_RETRY_SECONDS)
        view.__exit__(None, None, None)

    def _act(self, do: str, amount: str) -> str:
        """Do what a button of the widget asks for, and say what came of it."""
        match do:
            case "top_up":
                self.top_up(amount)
                return f"The bounty is {amount} credits higher."
            case "cancel":
                self.cancel()
                return "Cancelled; its credits are back."
            case "pull":
                size, name = show_bytes(self.fetch().size), short_job(self.id)
                return f"The model ({size}) is here; `%lc_pull {name} model` loads it."
            case _:
                message = f"The widget asks for {do!r}: reload the page, it is of another version."
                raise UserError(message)

    async def _until_over(self) -> JobStory:
        stop = threading.Event()
        listening = asyncio.wrap_future(_begin(lambda: self._listen(stop)))
        try:
            while not listening.done():
                await asyncio.wait({listening}, timeout=_HEARTBEAT_SECONDS)
        except asyncio.CancelledError as error:
            render_as(error, str(StoppedWaiting(self.id)))
            raise  # as it came: asyncio.timeout of Python 3.11 knows no subclass
        finally:
            stop.set()
            listening.cancel()  # so that nobody misses what it might still bring
        return listening.result()

    def _listen(self, stop: threading.Event) -> JobStory:
        """Return the story when the job is over, or when nobody waits for it any more."""
        with self._client.events(job=self.id) as events:
            while True:
                story = self.story()
                if story.summary.phase.is_over or stop.is_set():
                    return story
                while not stop.is_set() and events.next(_HEARTBEAT_SECONDS) is None:
                    continue


def _begin(listen: Callable[[], JobStory]) -> Future[JobStory]:
    """Listen in a thread of its own: a loop's threads are few, and a kernel that ends waits for each of them."""
    heard = Future[JobStory]()
    heard.set_running_or_notify_cancel()

    def run() -> None:
        try:
            heard.set_result(listen())
        except BaseException as error:  # noqa: BLE001  # whoever awaits it sees it
            heard.set_exception(error)

    threading.Thread(target=run, daemon=True).start()
    return heard


def note_posted(job: Job) -> None:
    """Remember a job that this kernel has posted."""
    _posted[job.id] = job


def get_last_job(client: Client | None = None) -> Job:
    """Return the job that was posted last from this kernel.

    Raises:
        UserError: none was posted yet; the latest own job that ``client`` knows of is named.
    """
    if not _posted:
        own = () if client is None else client.call(GetJobs(mine=True, jobs_max=1))
        hint = "%lc_jobs --all lists them."
        if own:
            hint = f"{short_job(own[0].job)} ({own[0].title}) is your latest, %lc_jobs --mine lists yours."
        message = f"No job was posted from this notebook yet; name one: {hint}"
        raise UserError(message)
    return _posted[next(reversed(_posted))]


def find_job(client: Client, prefix: str) -> Job:
    """Return the one job whose id begins so.

    Raises:
        UserError: there is none, or more than one.
    """
    if not 0 < len(prefix) <= _ID_DIGITS or prefix.strip("0123456789abcdef"):
        message = f"{prefix!r} is no job id; %lc_jobs --all lists them."
        raise UserError(message)
    found = client.call(GetJobs(prefix=prefix))
    if not found:
        message = (
            f"No job begins with {prefix}{_nearest(client, prefix)}; %lc_jobs --all lists them."
        )
        raise UserError(message)
    if len(found) > 1:
        named = ", ".join(f"{short_job(job.job)} ({job.title})" for job in found[:_NAMED_MAX])
        more = " ..." if len(found) > _NAMED_MAX else ""
        message = f"{len(found)} jobs begin with {prefix}: {named}{more}; give more digits."
        raise UserError(message)
    return _posted.get(found[0].job) or Job(client, found[0].job)


def _nearest(client: Client, prefix: str) -> str:
    """Return the job that was probably meant, to be put into a message; empty where none comes near."""
    heads = {job.job[: len(prefix)]: job for job in client.call(GetJobs(jobs_max=_LOOKED_AT_MAX))}
    close = get_close_matches(prefix, sorted(heads), n=1)
    if len(prefix) < _TELLING_DIGITS or not close:
        return ""
    meant = heads[close[0]]
    return f"; did you mean {short_job(meant.job)} ({meant.title})?"


def forget_posted() -> None:
    """Forget what this kernel has posted."""
    _posted.clear()


_posted: Final[dict[JobId, Job]] = {}
