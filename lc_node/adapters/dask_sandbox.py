"""A sandbox whose runs are on the workers of a Dask cluster, each in the sandbox of its worker."""

import asyncio
import contextlib
import secrets
from collections.abc import AsyncIterator, Mapping
from typing import Final

from lc_node.adapters.dask_cluster import DaskCluster
from lc_node.adapters.dask_images import DaskImages
from lc_node.adapters.dask_member import CPU, GPU, MEMORY, Member
from lc_node.adapters.dask_run import DaskRun
from lc_node.ports.images import ImageRefused
from lc_node.ports.sandbox import (
    Capabilities,
    Enforced,
    RunRequest,
    SandboxFailed,
    SandboxUnavailable,
)

ROOM_SECONDS_MAX: Final = 30.0
"""How long a training waits for room before it is put off."""

OWN_ROOM_SECONDS_MAX: Final = 5.0
"""How long an evaluation does, for which others wait, before it shares a worker with a training."""


class DaskSandbox:
    """Implements ``ports.sandbox.Sandbox``."""

    def __init__(self, cluster: DaskCluster, images: DaskImages) -> None:
        """Run on the workers of ``cluster``."""
        self._cluster = cluster
        self._images = images

    async def probe(self) -> Capabilities:
        """Say what holds on each worker that may be given work; each has run a canary when it was looked at.

        Raises:
            SandboxUnavailable: there is none; the message names the remedy.
        """
        found = self.look()
        if found is None:
            raise SandboxUnavailable(self._cluster.problem)
        return found

    def look(self) -> Capabilities | None:
        """Return what holds on each worker that may be given work now, None if there is none."""
        greetings = [self._cluster.members[name].greeting for name in self._cluster.usable]
        if not greetings:
            return None
        engines = sorted({f"{greeting.engine} {greeting.version}" for greeting in greetings})
        enforced = frozenset(Enforced).intersection(
            *(map(Enforced, greeting.enforced) for greeting in greetings)
        )
        workers = f"{len(greetings)} worker{'s' if len(greetings) > 1 else ''}"
        problems = [one.gpu_problem for one in greetings if one.gpu_problem]
        return Capabilities(
            engine=f"dask, {workers}",
            version=", ".join(engines),
            enforced=enforced,
            gpus=sum(one.gpus for one in greetings),
            gpu_problem=problems[0] if len(problems) == len(greetings) else "",
        )

    @contextlib.asynccontextmanager
    async def open(self, request: RunRequest) -> AsyncIterator[DaskRun]:
        """Start a run on a worker that has room for it; leaving the context ends it there.

        Raises:
            SandboxFailed: no worker has room now, or the run could not be started; WorkerLost if its worker is gone.
        """
        if request.manifest is None:
            raise SandboxFailed("only an image that has a name can be run on a Dask cluster")
        async with self._room(request) as (worker, name):
            run = DaskRun(self._cluster, worker, name)
            async with run.kept():
                try:
                    await self._images.bring(worker, request.manifest, run.lost)
                except ImageRefused as error:
                    raise SandboxFailed(
                        f"the worker {worker} refuses the image: {error}"
                    ) from error
                async with run.begun(request):
                    yield run

    async def reap(self) -> None:
        """Do nothing: workers end what their nodes do not ask for any more."""

    @contextlib.asynccontextmanager
    async def _room(self, request: RunRequest) -> AsyncIterator[tuple[str, str]]:
        """Hold room on a worker; gives the worker, and the name under which it knows the run."""
        needs = _needs(request)
        workers = self._large_enough(needs)
        tries: list[tuple[Mapping[str, float], float, int]] = [
            (needs, OWN_ROOM_SECONDS_MAX, 1),
            ({}, ROOM_SECONDS_MAX, 1),
        ]
        if request.is_background:
            tries = [(needs, ROOM_SECONDS_MAX, 0)]
        for claimed, patience, priority in tries:
            name = secrets.token_hex(8)
            room = self._cluster.room(name, claimed, workers, priority=priority)
            async with room as placed:
                await asyncio.wait({placed}, timeout=patience)
                if placed.done():
                    yield placed.result(), name
                    return
        raise SandboxFailed(f"no worker of the Dask cluster has {_words(needs)} free now")

    def _large_enough(self, needs: Mapping[str, float]) -> list[str]:
        """Return the workers that could ever run it.

        Raises:
            SandboxFailed: there are none.
        """
        if self._cluster.problem:
            raise SandboxFailed(self._cluster.problem)
        found = [
            name for name in self._cluster.usable if _fits(needs, self._cluster.members[name])
        ]
        if not found:
            raise SandboxFailed(
                f"no worker of the Dask cluster declares {_words(needs)}; "
                f"start one with `dask worker ... --resources`"
            )
        return found


def _needs(request: RunRequest) -> dict[str, float]:
    """Return what a run needs, in the words of Dask workers."""
    needs: dict[str, float] = {
        CPU: request.limits.millicpus / 1000,
        MEMORY: request.limits.memory_bytes,
    }
    if request.gpu_count:
        needs[GPU] = request.gpu_count
    return needs


def _fits(needs: Mapping[str, float], member: Member) -> bool:
    is_enough = all(member.resources.get(name, 0) >= needs[name] for name in sorted(needs))
    return is_enough and member.greeting.gpus >= needs.get(GPU, 0)


def _words(needs: Mapping[str, float]) -> str:
    return " ".join(f"{name}={needs[name]:g}" for name in sorted(needs))
