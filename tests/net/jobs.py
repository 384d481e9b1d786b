"""A light job after the other on a graph whose nodes come and go: each of them comes to an end."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Final, TypeVar

from msgspec.structs import replace

from lc_node.api.calls import GetJob, GetPolicy, SetPolicy, Submit
from lc_node.api.client import ApiError, Client
from lc_node.api.schema import JobId, Phase, Policy
from lc_node.api.schema_jobs import JobRequest
from lc_node.runtime.devnet import Devnet
from tests.e2e.light_job import light_request, send_light_image
from tests.net.payments import SILENCE_SECONDS

_PAUSE_SECONDS: Final = 1.0
_JOB_SECONDS_MAX: Final = 240.0

Answer = TypeVar("Answer")


class Jobs:
    """One node's jobs, and another's work; a call that fails, as the node was killed, is made again."""

    def __init__(self, devnet: Devnet, *, poster: str, trainer: str) -> None:
        """Let one of these nodes post jobs, and the other train."""
        self._poster = devnet.place(poster).home.path
        self._trainer = devnet.place(trainer).home.path
        self._over = threading.Event()
        self._request: JobRequest | None = None
        self.ends: dict[JobId, Phase] = {}
        """How each posted job has ended."""

    @contextmanager
    def running(self) -> Iterator[None]:
        """Post job after job for as long as the context lasts; return once the last is over."""
        _insist(self._trainer, partial(_work, wished=True))
        self._request = _insist(
            self._poster, lambda client: send_light_image(client, light_request())
        )
        thread = threading.Thread(target=self._post_and_wait, name="poster")
        thread.start()
        try:
            yield
        finally:
            self._over.set()
            thread.join()
            _insist(self._trainer, partial(_work, wished=False))

    def _post_and_wait(self) -> None:
        while not self._over.is_set():
            job = _insist(self._poster, self._posted)
            # Entered at once: a job whose end is never seen must be missed.
            self.ends[job] = Phase.OPEN
            deadline = time.monotonic() + _JOB_SECONDS_MAX
            while not self.ends[job].is_over and time.monotonic() < deadline:
                time.sleep(_PAUSE_SECONDS)
                self.ends[job] = _insist(self._poster, partial(_phase, job))

    def _posted(self, client: Client) -> JobId:
        assert self._request is not None, "there is an image before the thread begins"
        return client.call(Submit(request=self._request)).job


def _insist(home: Path, ask: Callable[[Client], Answer]) -> Answer:
    """Ask until the node lives long enough to answer."""
    deadline = time.monotonic() + _JOB_SECONDS_MAX
    while True:
        try:
            with Client(home, silence_seconds=SILENCE_SECONDS) as client:
                return ask(client)
        except ApiError:
            assert time.monotonic() < deadline, "the node does not come back"
            time.sleep(_PAUSE_SECONDS)


def _phase(job: JobId, client: Client) -> Phase:
    return client.call(GetJob(job=job)).summary.phase


def _work(client: Client, *, wished: bool) -> Policy:
    return client.call(SetPolicy(policy=replace(client.call(GetPolicy()), work=wished)))
