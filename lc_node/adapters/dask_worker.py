"""Our part of a Dask worker: it answers nodes, and runs their jobs in this machine's sandbox or not at all.

``learningchain[node,dask]`` is installed on the workers: a node only names ``install`` and ``hold``, and
sends no code.
"""

import asyncio
import contextlib
import hashlib
import shutil
from pathlib import Path
from typing import Final

import msgspec
from distributed import Worker, WorkerPlugin, get_worker, secede

from lc_node import __version__
from lc_node.adapters.chosen_sandbox import ChosenSandbox
from lc_node.adapters.dask_messages import (
    OPERATION,
    Answer,
    Begin,
    Done,
    Failed,
    Greeting,
    Have,
    Missing,
    Offer,
    Piece,
    Question,
    Release,
    Unpack,
    Unpacked,
    decode_question,
    encode,
    encode_image,
)
from lc_node.adapters.dask_worker_cache import WorkerCache, claim_folder
from lc_node.adapters.dask_worker_run import WorkerRun
from lc_node.adapters.gpu_sandbox import GpuSandbox
from lc_node.adapters.nvidia_gpus import find_gpus
from lc_node.chain.errors import LearningChainError
from lc_node.ports.sandbox import Sandbox, SandboxFailed, SandboxUnavailable, SandboxWishes

_FOLDER: Final = "learningchain"

_OTHER_SANDBOX: Final = (
    "another node has it run jobs in another sandbox than this one wants; "
    "let [sandbox] in config.toml of both say the same, and restart the worker"
)

_INSTALLING: Final = asyncio.Lock()


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """What a node wants of the workers; the first node that looks at a worker decides."""

    cache: str
    """Where images are kept; empty: in the worker's own folder, which goes with the worker."""
    cache_bytes_max: int
    sandbox: SandboxWishes = SandboxWishes()
    """Which sandbox of the worker's machine."""


async def install(settings: bytes, dask_worker: Worker | None = None) -> bytes:
    """Make a worker ours too, once, and return its greeting; run by ``Client.run``."""
    assert dask_worker is not None, "Dask gives it"
    wanted = msgspec.msgpack.decode(settings, type=Settings)
    async with _INSTALLING:
        host = dask_worker.plugins.get(OPERATION)
        if not isinstance(host, Host):
            try:
                host = Host(_base_of(wanted, dask_worker), wanted)
            except (LearningChainError, OSError) as error:
                return encode(Greeting(software=__version__, problem=str(error)))
            await dask_worker.plugin_add(plugin=host, name=OPERATION)
        if host.wishes != wanted.sandbox:
            return encode(Greeting(software=__version__, problem=_OTHER_SANDBOX))
        if host.greeting.problem:
            await host.look()
    return encode(host.greeting)


def hold(run: str, topic: str, lease_seconds: float) -> None:
    """Hold the room of a run for as long as the run lives; the task that a node submits.

    In a thread of its own, since a worker's threads are for tasks that compute.
    """
    worker = get_worker()
    host = worker.plugins.get(OPERATION)
    if not isinstance(host, Host):
        raise SandboxFailed("this worker was not looked at yet")
    loop = worker.loop.asyncio_loop  # type: ignore[attr-defined]  # Tornado's, over asyncio
    living = asyncio.run_coroutine_threadsafe(host.hold(run, lease_seconds), loop)
    worker.log_event(topic, {"run": run, "worker": worker.address})
    secede()
    living.result()


class Host(WorkerPlugin):
    """Answers the questions of nodes."""

    def __init__(self, base: Path, settings: Settings) -> None:
        """Claim a folder; nothing is run yet."""
        self.wishes: Final = settings.sandbox
        self.greeting = Greeting(software=__version__, problem="it was not looked at yet")
        self._folder, self._lock = claim_folder(base)
        shutil.rmtree(self._folder / "runs", ignore_errors=True)
        self._cache = WorkerCache(self._folder, bytes_max=settings.cache_bytes_max)
        owner = hashlib.sha256(str(self._folder).encode()).hexdigest()[:16]
        sandbox = ChosenSandbox(settings.sandbox, owner, disks=self._folder / "outputs")
        self._sandbox: Sandbox = GpuSandbox(sandbox, find_gpus)
        self._runs: dict[str, WorkerRun] = {}

    async def look(self) -> None:
        """Find out what can be enforced here; without a sandbox the greeting says what is missing."""
        try:
            found = await self._sandbox.probe()
            await self._sandbox.reap()
        except SandboxUnavailable as error:
            self.greeting = Greeting(software=__version__, problem=str(error))
            return
        self.greeting = Greeting(
            software=__version__,
            problem="",
            engine=found.engine,
            version=found.version,
            enforced=tuple(sorted(found.enforced)),
            gpus=found.gpus,
            gpu_problem=found.gpu_problem,
        )

    def setup(self, worker: Worker) -> None:
        """Begin to answer; called by Dask."""
        worker.handlers[OPERATION] = self.answer

    def teardown(self, worker: Worker) -> None:
        """End what runs, as the worker ends; called by Dask."""
        worker.handlers.pop(OPERATION, None)
        for run in self._runs.values():
            run.release()
        self._lock.release()

    async def hold(self, run: str, lease_seconds: float) -> None:
        """Live for a run, whatever becomes of it."""
        if self.greeting.problem:
            raise SandboxFailed(f"nothing is run without a sandbox: {self.greeting.problem}")
        folder = self._folder / "runs" / run
        self._runs[run] = WorkerRun(folder, self._sandbox, lease_seconds=lease_seconds)
        try:
            await self._runs[run].live()
        finally:
            del self._runs[run]

    async def answer(self, data: bytes) -> bytes:
        """Answer a question; whatever goes wrong is an answer too."""
        try:
            return encode(await self._answer(decode_question(data)))
        except (LearningChainError, OSError, msgspec.MsgspecError) as error:
            return encode(Failed(kind=type(error).__name__, text=str(error)))

    async def _answer(self, question: Question) -> Answer:
        match question:
            case Offer(blobs=blobs):
                return Missing(blobs=tuple(await self._cache.missing(blobs)))
            case Piece(blob=blob, size=size, offset=offset, data=data):
                return Have(bytes=await self._cache.write(blob, size, offset, data))
            case Unpack(manifest=manifest):
                image = await self._cache.unpack(manifest)
                return Unpacked(image=encode_image(image))
            case Release(run=name):
                with contextlib.suppress(SandboxFailed):
                    await self._run(name).end()
                return Done()
            case Begin(run=name, manifest=manifest):
                self._run(name).renew()
                return await self._run(name).begin(question, await self._cache.unpack(manifest))
            case _:
                run = self._run(question.run)
                run.renew()
                return await run.answer(question)

    def _run(self, name: str) -> WorkerRun:
        if (run := self._runs.get(name)) is None:
            raise SandboxFailed("the worker does not know the run any more")
        return run


def _base_of(settings: Settings, worker: Worker) -> Path:
    return Path(settings.cache) if settings.cache else Path(worker.local_directory) / _FOLDER
