"""Runs on this machine, in its own sandbox."""

import asyncio
from typing import Final

from lc_node.chain.transactions import Resources
from lc_node.chain.types import ByteCount
from lc_node.ports.images import ImageStore
from lc_node.ports.sandbox import Capabilities, Sandbox, SandboxUnavailable

_NO_LIMIT: Final = ByteCount(2**62)


class LocalExecutor:
    """Implements ``ports.executor.Executor``."""

    def __init__(self, sandbox: Sandbox, images: ImageStore) -> None:
        """Run ``images`` in ``sandbox``."""
        self.sandbox = sandbox
        self.images = images
        self._capabilities: Capabilities | None = None
        self._problem = "the sandbox has not been probed yet"

    async def start(self) -> None:
        """See what the sandbox enforces, and remove what an earlier life of this node has left in it.

        Raises:
            SandboxUnavailable: nothing can be isolated; the message names the remedy.
        """
        try:
            self._capabilities, self._problem = await self.sandbox.probe(), ""
            await self.sandbox.reap()
        except SandboxUnavailable as error:
            self._problem = str(error)
            raise

    def capabilities(self) -> Capabilities | None:
        """Return what the sandbox enforces, None if none works."""
        return self._capabilities

    def problem(self) -> str:
        """Say why nothing can be run, with the remedy; empty if something can."""
        return self._problem

    def most(self) -> Resources | None:
        """Return how many GPUs a run can get; what else a machine has, its owner's policy says."""
        gpus = 0 if self._capabilities is None else self._capabilities.gpus
        return Resources(
            millicpus=1_000_000, memory_bytes=_NO_LIMIT, disk_bytes=_NO_LIMIT, gpus=min(64, gpus)
        )

    async def keep_up(self) -> None:
        """Wait for nothing: this machine is here as long as we are."""
        await asyncio.Event().wait()

    async def close(self) -> None:
        """Do nothing: runs end with their contexts."""
