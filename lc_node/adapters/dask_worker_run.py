"""One run on a Dask worker: room reserved, then begun, listened to, and ended with its node's interest in it."""

import asyncio
import contextlib
import os
import shutil
from collections import deque
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import assert_never

from lc_node.adapters.dask_messages import (
    LINES_AHEAD_MAX,
    LISTEN_SECONDS,
    PIECE_BYTES,
    Answer,
    Begin,
    Data,
    Done,
    Drop,
    Ended,
    FileQuestion,
    Heard,
    Kill,
    Listen,
    Put,
    Read,
    Renew,
    RunQuestion,
    Say,
    Take,
    Taken,
    Wait,
    decode_request,
)
from lc_node.chain.errors import LearningChainError
from lc_node.chain.types import ByteCount
from lc_node.ports.images import PreparedImage
from lc_node.ports.sandbox import Outcome, Run, Sandbox, SandboxFailed, TakenFile


class WorkerRun:
    """A run whose node asks for it from elsewhere; it dies when it is released, or not asked for any more."""

    def __init__(self, folder: Path, sandbox: Sandbox, *, lease_seconds: float) -> None:
        """Keep files in ``folder``, run in ``sandbox``, and live as long as ``renew`` is called."""
        self._folder = folder
        self._sandbox = sandbox
        self._lease_seconds = lease_seconds
        self._lease: asyncio.Timeout | None = None
        self._begun: Begin | None = None
        self._image: PreparedImage | None = None
        self._run: Run | None = None
        self._said = 0
        self._heard = 0
        self._lines: deque[bytes] = deque()
        self._is_over = False
        self._outcome: Outcome | None = None
        self._failure: Exception | None = None
        self._taken: dict[int, TakenFile] = {}
        self._taking = asyncio.Lock()
        self._changed = asyncio.Condition()
        self._released = asyncio.Event()
        self._gone = asyncio.Event()

    def renew(self) -> None:
        """Live for another lease."""
        if self._lease is not None and not self._lease.expired():
            self._lease.reschedule(asyncio.get_running_loop().time() + self._lease_seconds)

    def release(self) -> None:
        """End it, and whoever waits for it."""
        self._released.set()

    async def end(self) -> None:
        """End it, and return when nothing of it is left."""
        self.release()
        await self._gone.wait()

    async def live(self) -> None:
        """Serve until released, or until nobody has asked for a lease's time; then nothing of it is left."""
        (self._folder / "in").mkdir(parents=True)
        try:
            async with asyncio.TaskGroup() as group:
                serving = group.create_task(self._serve())
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(self._lease_seconds) as self._lease:
                        await self._released.wait()
                self.release()
                serving.cancel()
        finally:
            await asyncio.to_thread(shutil.rmtree, self._folder, ignore_errors=True)
            self._gone.set()

    # What its node asks.

    async def begin(self, begin: Begin, image: PreparedImage) -> Done:
        """Start the job, and return when it has started.

        Raises:
            SandboxFailed: it could not be started.
        """
        if self._begun is None:
            self._begun, self._image = begin, image
            await self._tell()
        await self._until(lambda: self._run is not None)
        return Done()

    async def answer(self, question: RunQuestion) -> Answer:
        """Answer a question about the run.

        Raises:
            LearningChainError: what has made it fail, or why a file cannot be taken.
        """
        match question:
            case Put() | Take() | Read() | Drop():
                return await self._answer_of_file(question)
            case Listen(heard=heard):
                return await self._listen(heard)
            case Wait():
                return await self._wait()
            case Say():
                await self._say(question)
            case Kill():
                self._running().kill()
            case Renew():
                pass
            case _:
                assert_never(question)
        return Done()

    async def _answer_of_file(self, question: FileQuestion) -> Answer:
        match question:
            case Put(name=name, offset=offset, data=data):
                await asyncio.to_thread(_write_at, self._input(name), offset, data)
            case Take():
                return await self._take(question)
            case Read():
                return await self._read(question)
            case Drop(number=number):
                if (file := self._taken.get(number)) is not None:
                    file.path.unlink(missing_ok=True)
            case _:
                assert_never(question)
        return Done()

    async def _listen(self, heard: int) -> Heard:
        """Return the lines after the first ``heard``, waiting for a while until there are some."""
        while self._heard < heard and self._lines:
            self._lines.popleft()
            self._heard += 1
        await self._tell()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LISTEN_SECONDS):
                await self._until(lambda: bool(self._lines) or self._is_over)
        return Heard(lines=tuple(self._lines), is_over=self._is_over)

    async def _say(self, say: Say) -> None:
        """Hand a line to the job, once."""
        if say.number == self._said + 1:
            self._said = say.number
            await self._running().write_line(say.line)

    async def _take(self, take: Take) -> Taken:
        """Copy a file out of the sandbox.

        Raises:
            BadOutputFile: it is none that can be taken.
        """
        async with self._taking:
            if take.number not in self._taken:
                into = self._folder / f"taken-{take.number}"
                limit = ByteCount(take.bytes_max)
                self._taken[take.number] = await self._running().take(
                    take.name, into, bytes_max=limit
                )
        file = self._taken[take.number]
        return Taken(digest=file.digest, size=file.size)

    async def _read(self, read: Read) -> Data:
        """Return the next bytes of a taken file."""
        if (file := self._taken.get(read.number)) is None:
            raise SandboxFailed("a file was asked for that was never taken")
        return Data(data=await asyncio.to_thread(_read_at, file.path, read.offset))

    async def _wait(self) -> Ended:
        """Return how it ended, or that it has not ended yet.

        Raises:
            SandboxFailed: the sandbox failed.
        """
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LISTEN_SECONDS):
                await self._until(lambda: self._outcome is not None)
        return Ended(outcome=self._outcome)

    # How it lives.

    async def _serve(self) -> None:
        await self._until(lambda: self._begun is not None)
        try:
            await self._run_job()
        except (LearningChainError, OSError) as error:
            self._failure, self._is_over = error, True
            await self._tell()

    async def _run_job(self) -> None:
        assert self._begun is not None, "it was waited for"
        assert self._image is not None, "it came with the beginning"
        request = decode_request(self._begun.request)
        request = replace(
            request,
            rootfs=self._image.rootfs,
            inputs={name: self._input(name) for name in request.inputs},
        )
        async with self._sandbox.open(request) as run:
            self._run = run
            await self._tell()
            await self._read_all(run)
            self._is_over = True
            await self._tell()
            self._outcome = await run.wait()
            await self._tell()
            await self._released.wait()  # until then files can be taken

    async def _read_all(self, run: Run) -> None:
        while (line := await run.read_line()) is not None:
            await self._until(lambda: len(self._lines) < LINES_AHEAD_MAX)
            self._lines.append(line)
            await self._tell()

    async def _until(self, is_so: Callable[[], bool]) -> None:
        """Return when something is so; raise what has made the run fail."""
        async with self._changed:
            await self._changed.wait_for(lambda: self._failure is not None or is_so())
        if self._failure is not None:
            raise self._failure

    async def _tell(self) -> None:
        async with self._changed:
            self._changed.notify_all()

    def _running(self) -> Run:
        if self._failure is not None:
            raise self._failure
        if self._run is None:
            raise SandboxFailed("the run has not begun")
        return self._run

    def _input(self, name: str) -> Path:
        if Path(name).name != name:
            raise SandboxFailed(f"an input cannot be called {name!r}")
        return self._folder / "in" / name


def _write_at(path: Path, offset: int, data: bytes) -> None:
    descriptor = os.open(
        path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o644
    )  # the job is another user
    try:
        left = memoryview(data)
        while left:
            written = os.pwrite(descriptor, left, offset)
            left, offset = left[written:], offset + written
    finally:
        os.close(descriptor)


def _read_at(path: Path, offset: int) -> bytes:
    with path.open("rb") as file:
        file.seek(offset)
        return file.read(PIECE_BYTES)
