"""The sandbox of a container engine: Docker's, or any other that speaks its API on this machine."""

import asyncio
import contextlib
import itertools
import json
import platform
import secrets
import threading
from collections.abc import AsyncIterator
from typing import Any, Final

from lc_node.adapters.docker_engine import LIFE_LABEL, OWNER_LABEL, DockerEngine, ImageGone
from lc_node.adapters.docker_request import OUT, container_words
from lc_node.adapters.docker_run import DockerRun, uninterrupted
from lc_node.adapters.docker_tree import Skeleton, Tree, image_archive, lay_out
from lc_node.adapters.elf_program import MACHINE
from lc_node.adapters.sandbox_canary import Canary
from lc_node.adapters.seccomp import docker_profile, syscall_table
from lc_node.chain.types import MillisSpan
from lc_node.ports.sandbox import (
    Capabilities,
    RunRequest,
    SandboxFailed,
    SandboxUnavailable,
)

PROBE_SECONDS_MAX: Final = 60
MEMORY_MS: Final = MillisSpan(20_000)
"""For a canary beside all others, each of which costs the engine more than itself."""

SKELETONS_MAX: Final = 64
"""Images of ours that are remembered; each is a few kilobytes in the engine."""


class DockerSandbox:
    """Runs unpacked images in containers; see ``ports.sandbox.Sandbox``.

    The engine is given the limits and what is isolated; it never sees a stranger's image. A run's container dies with
    this process, by the end of its stdin, and is removed by ``reap`` in the next life.
    """

    def __init__(self, owner: str, *, host: str = "", runtime: str = "") -> None:
        """Prepare to run jobs; nothing is started or connected yet.

        Args:
            owner: a name that no other node on this machine has, and that this one keeps over restarts.
            host: where the engine listens; empty for ``DOCKER_HOST``, or else the usual place.
            runtime: which of the engine's runtimes, such as ``runsc``; empty for its default.
        """
        self._owner, self._host, self._runtime = owner, host, runtime
        self._engine: DockerEngine | None = None
        self._images: dict[Skeleton, str] = {}
        self._loading = threading.Lock()
        self._life = secrets.token_hex(4)
        self._runs = itertools.count()
        self._seccomp = json.dumps(docker_profile(syscall_table()))

    async def probe(self) -> Capabilities:
        """Run a canary and report what is really enforced.

        Raises:
            SandboxUnavailable: no engine, or nothing could be isolated; the message names the remedy.
        """
        engine = await self._connected()
        canary = Canary(self.open, has_cgroups=True, memory_ms=MEMORY_MS)
        try:
            async with asyncio.timeout(PROBE_SECONDS_MAX):
                enforced = await canary.enforced()
        except SandboxFailed as error:
            raise SandboxUnavailable(f"docker cannot run: {error}") from error
        except TimeoutError as error:
            raise SandboxUnavailable("docker's self-test did not end in time") from error
        runtime = f" with {self._runtime}" if self._runtime else ""
        return Capabilities(
            engine="docker", version=f"{engine.version}{runtime}", enforced=enforced
        )

    @contextlib.asynccontextmanager
    async def open(self, request: RunRequest) -> AsyncIterator[DockerRun]:
        """Start a run; leaving the context kills whatever is left of it.

        Raises:
            SandboxFailed: the run could not be started, or could not be ended.
            SandboxUnavailable: there is no engine.
        """
        engine = await self._connected()
        name = f"learningchain-{self._owner}-{self._life}-{next(self._runs)}"
        run = DockerRun(engine, name, request.limits, OUT[request.layout])
        try:
            await uninterrupted(self._make, engine, name, request)
            await run.start()
            yield run
        finally:
            run.close()
            await uninterrupted(engine.end, name)

    async def reap(self) -> None:
        """Remove the containers that an earlier life of this node has left.

        Raises:
            SandboxUnavailable: there is no engine.
        """
        engine = await self._connected()
        for container in await uninterrupted(self._leftovers, engine):
            await uninterrupted(engine.remove, container)

    def _make(self, engine: DockerEngine, name: str, request: RunRequest) -> None:
        """Make a container; blocks, and may be called from several threads."""
        tree = lay_out(request.rootfs)
        image = self._image(engine, tree.skeleton)
        try:
            engine.create(name, self._words(request, image, tree))
        except ImageGone:
            image = self._image(engine, tree.skeleton, gone=image)
            engine.create(name, self._words(request, image, tree))

    def _words(self, request: RunRequest, image: str, tree: Tree) -> dict[str, Any]:
        return container_words(
            request,
            image=image,
            tree=tree,
            seccomp=self._seccomp,
            runtime=self._runtime,
            labels={OWNER_LABEL: self._owner, LIFE_LABEL: self._life},
        )

    def _image(self, engine: DockerEngine, skeleton: Skeleton, *, gone: str = "") -> str:
        """Return the id of a skeleton's image, which the engine keeps, unless it is the one that is gone."""
        with self._loading:
            if self._images.get(skeleton, gone) == gone:
                self._images.pop(skeleton, None)
                while len(self._images) >= SKELETONS_MAX:
                    del self._images[next(iter(self._images))]
                self._images[skeleton] = engine.load(image_archive(skeleton))
            return self._images[skeleton]

    def _leftovers(self, engine: DockerEngine) -> list[str]:
        return engine.owned(self._owner, but=self._life)

    async def _connected(self) -> DockerEngine:
        if self._engine is None:
            if platform.machine() != MACHINE:
                raise SandboxUnavailable(f"programs for {platform.machine()} are not known")
            self._engine = await uninterrupted(DockerEngine, self._host)
        return self._engine
