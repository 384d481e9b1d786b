"""One run on a worker of a Dask cluster, as its node sees it."""

import asyncio
import contextlib
import itertools
from collections.abc import AsyncIterator, Coroutine, Mapping
from pathlib import Path
from typing import Any, Final, TypeVar

from lc_node.adapters.blob_hashing import hasher
from lc_node.adapters.dask_cluster import SILENCE_SECONDS_MAX, DaskCluster
from lc_node.adapters.dask_messages import (
    LINES_AHEAD_MAX,
    Begin,
    Data,
    Done,
    Drop,
    Ended,
    Heard,
    Kill,
    Listen,
    Message,
    Put,
    Read,
    Release,
    Renew,
    Say,
    Take,
    Taken,
    Wait,
    encode_request,
    pieces_of,
)
from lc_node.chain.types import ByteCount, Digest
from lc_node.ports.sandbox import Outcome, RunRequest, SandboxFailed, TakenFile, WorkerLost
from lc_node.ports.stores import Naming

RENEWALS: Final = 4
"""How often a lease is renewed in its time."""

RELEASE_SECONDS_MAX: Final = 15.0
"""How long to wait for a worker's word that nothing of a run is left; its lease ends it in any case."""

_T = TypeVar("_T", bound=Message)


class DaskRun:
    """A run on a worker; see ``ports.sandbox.Run``."""

    def __init__(self, cluster: DaskCluster, worker: str, name: str) -> None:
        """Follow the run ``name``, for which a worker holds room; see ``kept``."""
        self.lost: Final = asyncio.Event()
        self._cluster = cluster
        self._worker = worker
        self._name = name
        self._lines: asyncio.Queue[bytes | None] = asyncio.Queue(LINES_AHEAD_MAX)
        self._failure: SandboxFailed | None = None
        self._said = itertools.count(1)
        self._saying = asyncio.Lock()
        self._taken = itertools.count()
        self._killed = asyncio.Event()

    @contextlib.asynccontextmanager
    async def kept(self) -> AsyncIterator[None]:
        """Keep it alive; leaving the context ends it on the worker."""
        async with _beside(self._renew(), self._see_worker(), self._kill_when_told()):
            try:
                yield
            finally:
                with contextlib.suppress(SandboxFailed, TimeoutError):
                    async with asyncio.timeout(RELEASE_SECONDS_MAX):
                        await self._ask(Release(run=self._name), Done)

    @contextlib.asynccontextmanager
    async def begun(self, request: RunRequest) -> AsyncIterator["DaskRun"]:
        """Send the inputs, start the job, and listen to it.

        Raises:
            SandboxFailed: it could not be started.
        """
        assert request.manifest is not None, "only named images are sent"
        await self._put_all(request.inputs)
        begin = Begin(run=self._name, manifest=request.manifest, request=encode_request(request))
        await self._ask(begin, Done)
        async with _beside(self._listen()):
            yield self

    async def read_line(self) -> bytes | None:
        """Return the next line of stdout without its newline; None when there will be no more."""
        line = await self._lines.get()
        if line is None:
            self._lines.put_nowait(None)
        return line

    async def write_line(self, line: bytes) -> None:
        """Write one line to stdin; silently lost if the job no longer reads."""
        async with self._saying:
            with contextlib.suppress(SandboxFailed):  # whoever reads and waits will hear of it
                await self._ask(Say(run=self._name, number=next(self._said), line=line), Done)

    async def take(self, name: str, into: Path, *, bytes_max: ByteCount) -> TakenFile:
        """Copy a file out of the sandbox, and from the worker to ``into``; its digest is that of what has come.

        Raises:
            BadOutputFile: it is missing, a link, not a regular file, or larger than ``bytes_max``.
            SandboxFailed: other bytes have come than were taken.
        """
        number = next(self._taken)
        wish = Take(run=self._name, number=number, name=name, bytes_max=bytes_max)
        taken = await self._ask(wish, Taken)
        try:
            digest = await self._fetch(number, taken.size, into)
        finally:
            with contextlib.suppress(SandboxFailed):
                await self._ask(Drop(run=self._name, number=number), Done)
        if digest != taken.digest:
            raise SandboxFailed("a model came from a worker with other bytes than it took")
        return TakenFile(path=into, digest=digest, size=ByteCount(taken.size))

    def kill(self) -> None:
        """End the run now; ``wait`` then reports CANCELLED."""
        self._killed.set()

    async def wait(self) -> Outcome:
        """Return when the run has ended and everything of it is gone.

        Raises:
            SandboxFailed: the job never began, or could not be watched; WorkerLost if its worker is gone.
        """
        while True:
            if self._failure is not None:
                raise self._failure
            ended = await self._ask(Wait(run=self._name), Ended)
            if ended.outcome is not None:
                return ended.outcome

    async def _ask(self, question: Message, wanted: type[_T]) -> _T:
        return await self._cluster.ask(self._worker, question, wanted, lost=self.lost)

    async def _put_all(self, inputs: Mapping[str, Path]) -> None:
        for name, path in inputs.items():
            with path.open("rb") as file:
                for offset, size in pieces_of(path):
                    data = await asyncio.to_thread(file.read, size)
                    await self._ask(Put(run=self._name, name=name, offset=offset, data=data), Done)

    async def _fetch(self, number: int, size: int, into: Path) -> Digest:
        """Bring a taken file piece by piece; return what names the bytes that came."""
        named, offset = hasher(Naming.CHUNKS), 0
        with into.open("xb") as file:
            while offset < size:
                piece = await self._ask(Read(run=self._name, number=number, offset=offset), Data)
                if not piece.data:
                    break
                named.update(piece.data)
                await asyncio.to_thread(file.write, piece.data)
                offset += len(piece.data)
        return named.digest()

    # Beside whatever else happens.

    async def _listen(self) -> None:
        """Bring what the job says, in order, once."""
        heard, is_over = 0, False
        try:
            while not is_over:
                news = await self._ask(Listen(run=self._name, heard=heard), Heard)
                heard, is_over = heard + len(news.lines), news.is_over
                for line in news.lines:
                    await self._lines.put(line)
        except SandboxFailed as error:
            self._failure = error
        await self._lines.put(None)

    async def _renew(self) -> None:
        """Say that the run is wanted; a worker that hears nothing of it for long counts as lost."""
        loop = asyncio.get_running_loop()
        answered = loop.time()
        while loop.time() < answered + self._cluster.lease_seconds + SILENCE_SECONDS_MAX:
            try:
                async with asyncio.timeout(self._cluster.lease_seconds):
                    await self._ask(Renew(run=self._name), Done)
                answered = loop.time()
            except (WorkerLost, TimeoutError):
                pass
            except SandboxFailed:
                break
            await asyncio.sleep(self._cluster.lease_seconds / RENEWALS)
        self.lost.set()

    async def _see_worker(self) -> None:
        await self._cluster.lost(self._worker).wait()
        self.lost.set()

    async def _kill_when_told(self) -> None:
        await self._killed.wait()
        with contextlib.suppress(SandboxFailed):
            await self._ask(Kill(run=self._name), Done)


@contextlib.asynccontextmanager
async def _beside(*works: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    """Do some work beside the body, and stop it with the body; it must not fail."""
    loop = asyncio.get_running_loop()
    tasks = [loop.create_task(work) for work in works]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
