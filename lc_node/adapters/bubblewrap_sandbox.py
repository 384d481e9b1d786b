"""The embedded sandbox: bubblewrap, with control groups where we may make them."""

import asyncio
import contextlib
import os
import platform
import secrets
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final

from lc_node.adapters.bubblewrap_canary import Canary
from lc_node.adapters.bubblewrap_command import Bubblewrap, find_bubblewrap, launcher_words
from lc_node.adapters.bubblewrap_process import spawn_launcher
from lc_node.adapters.bubblewrap_run import BubblewrapRun
from lc_node.adapters.cgroups import (
    Cgroup,
    CgroupsUnusable,
    CgroupTree,
    find_tree,
    remove_groups,
)
from lc_node.adapters.seccomp import bpf_program, syscall_table
from lc_node.ports.sandbox import (
    Capabilities,
    RunRequest,
    SandboxFailed,
    SandboxUnavailable,
)

PROBE_SECONDS_MAX: Final = 5
FIRST_USER: Final = 231_100
"""The host's user id of the first run at a time, where the node is root; the next run has the next."""

RUNS_MAX: Final = 100


class BubblewrapSandbox:
    """Runs unpacked images under bubblewrap; see ``ports.sandbox.Sandbox``.

    As root, each run has a user id and a control group of its own. Otherwise memory and processes are bounded by
    limits of single processes and by looking often, which ``probe`` reports as a soft limit.
    """

    def __init__(
        self, owner: str, *, bubblewrap: Bubblewrap | None = None, use_cgroups: bool = True
    ) -> None:
        """Prepare to run jobs; nothing is started yet.

        Args:
            owner: a name that no other node on this machine has, and that this one keeps over restarts.
            bubblewrap: which to use, if not the one found.
            use_cgroups: False to go without them even where they can be had.
        """
        self._owner = owner
        self._bubblewrap = bubblewrap
        self._use_cgroups = use_cgroups
        self._tree: CgroupTree | None = None
        self._is_ready = False
        self._filter = b""
        self._slots: set[int] = set()

    async def probe(self) -> Capabilities:
        """Run a canary and report what is really enforced.

        Raises:
            SandboxUnavailable: nothing could be isolated; the message names the remedy.
        """
        self._prepare()
        assert self._bubblewrap is not None
        try:
            async with asyncio.timeout(PROBE_SECONDS_MAX):
                enforced = await Canary(self.open, has_cgroups=self._tree is not None).enforced()
        except TimeoutError as error:
            raise SandboxUnavailable("the sandbox's self-test did not end in time") from error
        return Capabilities(
            engine="bubblewrap", version=self._bubblewrap.version, enforced=enforced
        )

    @contextlib.asynccontextmanager
    async def open(self, request: RunRequest) -> AsyncIterator[BubblewrapRun]:
        """Start a run; leaving the context kills whatever is left of it.

        Raises:
            SandboxFailed: the run could not be started, or could not be ended.
            SandboxUnavailable: there is no bubblewrap.
        """
        self._prepare()
        with contextlib.ExitStack() as undo:
            slot = self._lend_slot()
            undo.callback(self._slots.discard, slot)
            cgroup = self._make_cgroup(request, undo)
            run = self._spawn(request, cgroup, user=FIRST_USER + slot)
            try:
                await run.start()
                yield run
            finally:
                await run.close()

    async def reap(self) -> None:
        """Kill and remove what is left of an earlier life: mounts and processes die with a node, groups do not."""
        self._prepare()
        if self._tree is not None:
            for folder in self._tree.folders():
                for leftover in sorted(folder.iterdir()):
                    await asyncio.to_thread(remove_groups, leftover)

    def _prepare(self) -> None:
        if self._is_ready:
            return
        table = syscall_table()
        if platform.machine() != table.architecture:
            raise SandboxUnavailable(
                f"no list of system calls for {platform.machine()}; use the docker sandbox"
            )
        self._filter = bpf_program(table)
        self._bubblewrap = self._bubblewrap or find_bubblewrap()
        if self._use_cgroups and os.geteuid() == 0:
            with contextlib.suppress(CgroupsUnusable):
                self._tree = find_tree(self._owner, Path("/proc/self/mounts").read_text())
        self._is_ready = True

    def _lend_slot(self) -> int:
        """Lend the lowest free number: which user the run is on the host."""
        for slot in range(RUNS_MAX):
            if slot not in self._slots:
                self._slots.add(slot)
                return slot
        raise SandboxFailed(f"{RUNS_MAX} runs are open already")

    def _make_cgroup(self, request: RunRequest, undo: contextlib.ExitStack) -> Cgroup | None:
        if self._tree is None:
            return None
        try:
            cgroup = self._tree.make(secrets.token_hex(8), request.limits)
        except OSError as error:
            raise SandboxFailed(f"no control group: {error}") from error
        for folder in cgroup.folders:
            undo.callback(remove_groups, folder)
        return cgroup

    def _spawn(self, request: RunRequest, cgroup: Cgroup | None, *, user: int) -> BubblewrapRun:
        assert self._bubblewrap is not None
        words = launcher_words(
            request,
            self._bubblewrap,
            user=user if os.geteuid() == 0 else None,
            cgroups=() if cgroup is None else cgroup.folders,
        )
        try:
            spawned = spawn_launcher(words, syscall_filter=self._filter)
        except OSError as error:
            raise SandboxFailed(f"the sandbox cannot be started: {error}") from error
        return BubblewrapRun(spawned, request.limits, cgroup)
