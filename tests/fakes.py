"""Stand-ins for the world behind the ports: a sandbox that plays a script, a graph that has blobs."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from lc_node.adapters.blobs import DirectoryBlobStore
from lc_node.chain.crypto import sha256
from lc_node.chain.types import ByteCount, Digest, MillisSpan
from lc_node.ports.images import BlobReference, ImageRefused, PreparedImage
from lc_node.ports.sandbox import (
    BadOutputFile,
    Capabilities,
    Layout,
    Outcome,
    RunRequest,
    SandboxFailed,
    Status,
    TakenFile,
)
from lc_node.ports.stores import Naming
from lc_node.runtime.blob_exchange import BlobUnavailable
from lc_node.worker.hours import Minute
from lc_node.worker.policy import Circumstances

Program = Callable[["ScriptedRun"], Awaitable[None]]
"""What a job does; what it raises is its exit."""


class Exit(Exception):
    """A job ends otherwise than well."""

    def __init__(self, *, code: int = 1, status: Status = Status.EXITED, tail: str = "") -> None:
        super().__init__(tail)
        self.code, self.status, self.tail = code, status, tail


class ScriptedRun:
    """A run whose job is a coroutine of the test."""

    def __init__(self, request: RunRequest) -> None:
        self.request = request
        self.files: dict[str, bytes] = {}
        self.was_killed = False
        self._said: asyncio.Queue[bytes | None] = asyncio.Queue(100)
        self._told: asyncio.Queue[bytes] = asyncio.Queue(100)
        self._task: asyncio.Task[None] | None = None
        self._exit = Exit(code=0)

    # The job's side.

    async def say(self, **fields: object) -> None:
        await self._said.put(json.dumps(fields).encode())

    async def call(self, **fields: object) -> dict[str, object]:
        """Say something and return the answer."""
        await self.say(**fields)
        answer: dict[str, object] = json.loads(await self._told.get())
        return answer

    async def offer(self, trial: int, content: bytes) -> None:
        """Train a model: its content is its loss in digits."""
        await self.call(lc="begin", trial=trial)
        await self.call(lc="report", trial=trial, step=0, loss=float(content))
        self.files["m"] = content
        await self.call(lc="model", trial=trial, file="m")
        await self.call(lc="end", trial=trial, state="complete")

    @property
    def model(self) -> bytes:
        return self.request.inputs["model"].read_bytes()

    async def play(self, program: Program) -> None:
        self._task = asyncio.current_task()
        try:
            await program(self)
        except Exit as error:
            self._exit = error
        finally:
            await self._said.put(None)

    # The host's side.

    async def read_line(self) -> bytes | None:
        line = await self._said.get()
        if line is None:
            await self._said.put(None)
        return line

    async def write_line(self, line: bytes) -> None:
        await self._told.put(line)

    async def take(self, name: str, into: Path, *, bytes_max: ByteCount) -> TakenFile:
        data = self.files.get(name, b"")
        if not data or len(data) > bytes_max:
            raise BadOutputFile(f"{name} is missing or too large")
        into.write_bytes(data)  # noqa: ASYNC240  # a few bytes
        return TakenFile(path=into, digest=sha256(data), size=ByteCount(len(data)))

    def kill(self) -> None:
        self.was_killed = True
        if self._task is not None:
            self._task.cancel()

    async def wait(self) -> Outcome:
        return Outcome(
            status=Status.CANCELLED if self.was_killed else self._exit.status,
            exit_code=self._exit.code,
            wall=MillisSpan(1_500),
            cpu=MillisSpan(0),
            memory_peak_bytes=ByteCount(0),
            log_tail=self._exit.tail,
        )


async def tell_loss(run: ScriptedRun) -> None:
    """Evaluate: the model says its loss itself."""
    await run.say(lc="losses", values=[float(run.model)])


async def train_two(run: ScriptedRun) -> None:
    """Find two models, the second one better."""
    await run.offer(1, b"0.5")
    await run.offer(2, b"0.25")


async def train_on(run: ScriptedRun) -> None:
    """Find a model and go on until killed."""
    await run.offer(1, b"0.5")
    await asyncio.Event().wait()


async def leave_inputs(run: ScriptedRun) -> None:
    """Leave what came in, before the model's own bytes."""
    run.files["predictions"] = run.request.inputs["inputs"].read_bytes() + run.model


class ScriptedSandbox:
    """Plays a program for each role; counts what was started."""

    def __init__(self) -> None:
        self.train: Program = train_two
        self.evaluate: Program = tell_loss
        self.predict: Program = leave_inputs
        self.failures = 0
        """So many runs fail from now on, as if the sandbox itself were broken."""
        self.started: list[str] = []
        self.running: list[ScriptedRun] = []

    async def probe(self) -> Capabilities:
        return Capabilities(engine="script", version="0", enforced=frozenset())

    @asynccontextmanager
    async def open(self, request: RunRequest) -> AsyncIterator[ScriptedRun]:
        role = _role_of(request)
        self.started.append(role)
        if self.failures:
            self.failures -= 1
            raise SandboxFailed("no room in the sandbox")
        run = ScriptedRun(request)
        async with asyncio.TaskGroup() as group:
            programs = {"train": self.train, "predict": self.predict}
            task = group.create_task(run.play(programs.get(role, self.evaluate)))
            self.running.append(run)
            try:
                yield run
            finally:
                self.running.remove(run)
                task.cancel()

    async def reap(self) -> None:
        return


def _role_of(request: RunRequest) -> str:
    if request.layout is Layout.APART:
        return str(request.argv[-1])
    return "evaluate" if "VALIDATION" in request.environment else "train"


class SketchedImages:
    """Images of one layer, never really unpacked."""

    LAYER = b"a layer"

    def __init__(self, blobs: DirectoryBlobStore) -> None:
        self._blobs = blobs
        self.refusal = ""
        self.layers = (BlobReference(digest=sha256(self.LAYER), size=ByteCount(len(self.LAYER))),)

    def blobs_of(self, manifest: Digest) -> tuple[BlobReference, ...]:
        return self.layers

    async def prepare(self, manifest: Digest) -> PreparedImage:
        if self.refusal:
            raise ImageRefused(self.refusal)
        return PreparedImage(rootfs=Path("/nowhere"), argv=("job",), environment={})

    async def forget(self, manifest: Digest) -> None:
        return


class Graph:
    """A fetcher of blobs that others have; what is here already is not fetched."""

    def __init__(self, blobs: DirectoryBlobStore, folder: Path) -> None:
        self._blobs = blobs
        self._folder = folder
        self.has: dict[Digest, bytes] = {}
        self.asked: list[Digest] = []
        self.gate = asyncio.Event()
        self.gate.set()

    def offer(self, data: bytes) -> Digest:
        """Let others have a blob, named as parts of images are."""
        self.has[sha256(data)] = data
        return sha256(data)

    async def fetch_blob(
        self,
        digest: Digest,
        *,
        naming: Naming,
        size_max: ByteCount,
        progress: Callable[[ByteCount, ByteCount], None] = lambda _here, _whole: None,
    ) -> Path:
        path = self._blobs.path_of(digest)
        if path is not None:
            return path
        self.asked.append(digest)
        await self.gate.wait()
        if digest not in self.has:
            raise BlobUnavailable(digest, "nobody has it")
        file = self._folder / "incoming"
        file.write_bytes(self.has[digest])
        name, size = self._blobs.put_file(file, naming)
        progress(size, size)
        path = self._blobs.path_of(name)
        assert path is not None, "it was just put there"
        return path


_CALM = Circumstances(minute=Minute(720), on_battery=False, others_percent=0)


@dataclass
class FixedSurroundings:
    """A machine on which nothing happens that its test does not say."""

    now: Circumstances = _CALM

    def look(self) -> Circumstances:
        return self.now
