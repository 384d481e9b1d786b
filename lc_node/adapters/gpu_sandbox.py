"""A sandbox that gives runs the GPUs they ask for: which, for how long, and none that it could not give."""

from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import replace

from lc_node.adapters.sandbox_canary import Canary
from lc_node.ports.gpus import FindGpus, Gpu
from lc_node.ports.sandbox import Capabilities, Run, RunRequest, Sandbox, SandboxFailed


class GpuSandbox:
    """Implements ``ports.sandbox.Sandbox`` around one that is told which devices a run gets.

    A training has its devices alone among trainings. An evaluation, for which others wait, gets those that are used
    least: alone where there are enough, else beside a training, as it shares everything else.
    """

    def __init__(self, inside: Sandbox, find: FindGpus, *, wanted: tuple[str, ...] = ()) -> None:
        """Run in ``inside`` with the GPUs that ``find`` finds, or those ``wanted`` of them, by identifier or index."""
        self._inside = inside
        self._find = find
        self._wanted = wanted
        self._gpus: tuple[Gpu, ...] = ()
        self._problem = "GPUs have not been looked for yet"
        self._training: set[str] = set()
        self._uses: Counter[str] = Counter()

    async def probe(self) -> Capabilities:
        """Run a canary and report what is really enforced, and how many GPUs a run could have.

        Raises:
            SandboxUnavailable: nothing could be isolated; the message names the remedy.
        """
        found = await self._inside.probe()
        await self._look()
        return replace(found, gpus=len(self._gpus), gpu_problem=self._problem)

    def open(self, request: RunRequest) -> AbstractAsyncContextManager[Run]:
        """Start a run, with GPUs if it asks for some.

        Raises:
            SandboxFailed: it cannot have them, or could not be started.
        """
        return self._with_gpus(request) if request.gpu_count else self._inside.open(request)

    async def reap(self) -> None:
        """Remove what an earlier life of this node left behind."""
        await self._inside.reap()

    async def _look(self) -> None:
        """Find the GPUs, and try whether the sandbox gives one to a run."""
        found = await self._find()
        names = {name for gpu in found.gpus for name in (gpu.identifier, gpu.index)}
        unknown = [name for name in self._wanted if name not in names]
        self._gpus, self._problem = (), found.problem
        if found.gpus and unknown:
            self._problem = f"no GPU is called {unknown[0]!r} here; `nvidia-smi -L` lists them"
        elif found.gpus:
            gpus = tuple(gpu for gpu in found.gpus if _is_wanted(gpu, self._wanted))
            canary = Canary(self._inside.open, has_cgroups=False)
            self._problem = await canary.problem_with((gpus[0].identifier,))
            self._gpus = () if self._problem else gpus

    @asynccontextmanager
    async def _with_gpus(self, request: RunRequest) -> AsyncIterator[Run]:
        chosen = self._choose(request)
        self._uses.update(chosen)
        self._training.update(chosen if request.is_background else ())
        try:
            async with self._inside.open(replace(request, gpus=chosen)) as run:
                yield run
        finally:
            self._uses.subtract(chosen)
            self._training.difference_update(chosen if request.is_background else ())

    def _choose(self, request: RunRequest) -> tuple[str, ...]:
        """Return the identifiers of the devices that a run gets.

        Raises:
            SandboxFailed: there are too few, or other trainings have them.
        """
        names = [gpu.identifier for gpu in self._gpus]
        if request.gpu_count > len(names):
            why = self._problem or f"{len(names)} are here"
            raise SandboxFailed(f"it cannot be given {request.gpu_count} GPUs: {why}")
        if request.is_background:
            names = [name for name in names if name not in self._training]
        if request.gpu_count > len(names):
            raise SandboxFailed("other trainings have the GPUs")
        names.sort(key=lambda name: self._uses[name])
        return tuple(names[: request.gpu_count])


def _is_wanted(gpu: Gpu, wanted: tuple[str, ...]) -> bool:
    return not wanted or gpu.identifier in wanted or gpu.index in wanted
