"""Which sandbox of this machine runs take place in: as its owner says, or else the best that works here.

Bubblewrap comes first where it bounds memory hard: it needs no daemon, starts in a tenth of the time, and lies apart from
whatever else runs in containers here. Where it could only look often (a plain user), an engine that this user may speak to is better.
Bubblewrap with soft limits is the last choice; without any of them nothing is run.
"""

from collections.abc import Callable, Iterator
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Final, cast

from lc_node.adapters.bubblewrap_sandbox import BubblewrapSandbox
from lc_node.ports.sandbox import (
    Capabilities,
    Enforced,
    Run,
    RunRequest,
    Sandbox,
    SandboxUnavailable,
    SandboxWishes,
)

AUTO: Final = "auto"
BUBBLEWRAP: Final = "bubblewrap"
DOCKER: Final = "docker"


@dataclass(frozen=True, slots=True, kw_only=True)
class Tried:
    """One sandbox that was looked at."""

    name: str
    capabilities: Capabilities | None
    """None where it does not work."""
    problem: str
    """Why it does not, and the remedy; else empty."""

    @property
    def is_hard(self) -> bool:
        """Whether it works, and bounds memory hard."""
        return self.capabilities is not None and _is_hard(self.capabilities)


class ChosenSandbox:
    """Implements ``ports.sandbox.Sandbox`` by whichever sandbox its probe has chosen."""

    def __init__(self, wishes: SandboxWishes, owner: str, *, disks: Path) -> None:
        """Prepare to choose; nothing is looked at yet.

        Args:
            wishes: what the machine's owner says.
            owner: a name that no other node on this machine has, and that this one keeps over restarts.
            disks: where large outputs may lie.
        """
        self._wishes = wishes
        self._make: dict[str, Callable[[], Sandbox]] = {
            BUBBLEWRAP: lambda: BubblewrapSandbox(owner, disks=disks),
            DOCKER: lambda: _docker(wishes, owner),
        }
        self._made: dict[str, Sandbox] = {}
        self._chosen: Sandbox | None = None

    async def probe(self) -> Capabilities:
        """Choose, and report what the chosen one really enforces.

        Raises:
            SandboxUnavailable: nothing works, or not what the owner has named; the message names the remedies.
        """
        tried: list[Tried] = []
        for name in self._names():
            tried.append(await self._try(name))
            if tried[-1].is_hard:
                break
        return self._choose(tried)

    async def try_all(self) -> list[Tried]:
        """Probe every sandbox that the owner allows, whether needed or not; chooses nothing."""
        return [await self._try(name) for name in self._names()]

    def open(self, request: RunRequest) -> AbstractAsyncContextManager[Run]:
        """Start a run in the chosen sandbox.

        Raises:
            SandboxFailed: the run could not be started, or could not be ended.
            SandboxUnavailable: none has been chosen.
        """
        if self._chosen is None:
            raise SandboxUnavailable("no sandbox has been found to work here: lc-node doctor")
        return self._chosen.open(request)

    async def reap(self) -> None:
        """Remove what an earlier life of this node left behind in the chosen one.

        Raises:
            SandboxUnavailable: none has been chosen.
        """
        if self._chosen is None:
            await self.probe()
        assert self._chosen is not None, "else the probe has raised"
        await self._chosen.reap()

    def _names(self) -> Iterator[str]:
        engine = self._wishes.engine
        yield from (BUBBLEWRAP, DOCKER) if engine == AUTO else (engine,)

    async def _try(self, name: str) -> Tried:
        if name not in self._made:
            self._made[name] = self._make[name]()
        try:
            found = await self._made[name].probe()
        except SandboxUnavailable as error:
            return Tried(name=name, capabilities=None, problem=str(error))
        return Tried(name=name, capabilities=found, problem="")

    def _choose(self, tried: list[Tried]) -> Capabilities:
        working = [one for one in tried if one.capabilities is not None]
        if not working:
            raise SandboxUnavailable("; or ".join(f"{one.name}: {one.problem}" for one in tried))
        best = next((one for one in working if one.is_hard), working[0])
        self._chosen = self._made[best.name]
        assert best.capabilities is not None, "it works"
        return best.capabilities


def _is_hard(capabilities: Capabilities) -> bool:
    return Enforced.MEMORY_HARD in capabilities.enforced


def _docker(wishes: SandboxWishes, owner: str) -> Sandbox:
    """Import late: the package takes as long to import as all of the node, and most nodes do without."""
    module = import_module("lc_node.adapters.docker_sandbox")
    return cast("Sandbox", module.DockerSandbox(owner, host=wishes.host, runtime=wishes.runtime))
