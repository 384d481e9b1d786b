"""The embedded sandbox: bubblewrap, with control groups where we may make them."""

import asyncio
import contextlib
import itertools
import os
import platform
import secrets
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

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
from lc_node.adapters.output_disk import OutputDisks, find_output_disks, needs_disk
from lc_node.adapters.sandbox_canary import Canary
from lc_node.adapters.sandbox_policy import UNCOUNTED
from lc_node.adapters.seccomp import bpf_program, syscall_table
from lc_node.ports.sandbox import (
    Capabilities,
    Enforced,
    RunRequest,
    SandboxFailed,
    SandboxUnavailable,
)

PROBE_SECONDS_MAX: Final = 30
"""For one that hangs: what does not work says so at once. It takes a second where nothing else runs, ten and more
on two processors that forty others want, and a node that then does not start is worse than one that starts late."""
DISK_SECONDS_MAX: Final = 10
FIRST_USER: Final = 231_100
"""The host's user id of the first run at a time, where the node is root; the next run has the next."""

RUNS_MAX: Final = 100

_REMEDY: Final = (
    "allow user namespaces: sysctl -w user.max_user_namespaces=10000; on Debian also "
    "kernel.unprivileged_userns_clone=1, on Ubuntu kernel.apparmor_restrict_unprivileged_userns=0"
)

NO_GPUS: Final = "bubblewrap cannot give a run a GPU; use docker with the NVIDIA container runtime"
"""Device files alone would be half of it: the driver's libraries, which must match it, are not in the image."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Means:
    """What this machine offers."""

    bubblewrap: Bubblewrap
    syscall_filter: bytes
    tree: CgroupTree | None
    disks: OutputDisks | None
    is_root: bool


class BubblewrapSandbox:
    """Runs unpacked images under bubblewrap; see ``ports.sandbox.Sandbox``.

    As root, each run has a user id and a control group of its own. Otherwise memory and processes are bounded by
    limits of single processes and by looking often, which ``probe`` reports as a soft limit.
    """

    def __init__(
        self,
        owner: str,
        *,
        bubblewrap: Bubblewrap | None = None,
        use_cgroups: bool = True,
        disks: Path | None = None,
        probe_seconds_max: int = PROBE_SECONDS_MAX,
    ) -> None:
        """Prepare to run jobs; nothing is started yet.

        Args:
            owner: a name that no other node on this machine has, and that this one keeps over restarts.
            bubblewrap: which to use, if not the one found.
            use_cgroups: False to go without them even where they can be had.
            disks: the folder for large outputs, on a disk, this node's alone; without it they lie in memory.
            probe_seconds_max: how long a probe may take; whoever waits for it should not wait long.
        """
        self._owner = owner
        self._bubblewrap = bubblewrap
        self._use_cgroups = use_cgroups
        self._disks = disks
        self._probe_seconds_max = probe_seconds_max
        self._means: _Means | None = None
        self._slots: set[int] = set()
        self._life = secrets.token_hex(4)
        self._runs = itertools.count()

    async def probe(self) -> Capabilities:
        """Run a canary and report what is really enforced.

        Raises:
            SandboxUnavailable: nothing could be isolated; the message names the remedy.
        """
        means = self._ready()
        canary = Canary(self.open, has_cgroups=means.tree is not None)
        try:
            async with asyncio.timeout(self._probe_seconds_max):
                enforced = await canary.enforced()
        except SandboxFailed as error:
            raise SandboxUnavailable(f"bubblewrap cannot run: {error}; {_REMEDY}") from error
        except TimeoutError as error:
            raise SandboxUnavailable("the sandbox's self-test did not end in time") from error
        if await self._has_disks(means, canary):
            enforced |= {Enforced.OUT_ON_DISK}
        else:
            self._means = replace(means, disks=None)  # loop devices may be forbidden
        return Capabilities(
            engine="bubblewrap", version=means.bubblewrap.version, enforced=enforced
        )

    async def _has_disks(self, means: _Means, canary: Canary) -> bool:
        """Try a disk for outputs, for longer than what must hold: without one there is still memory."""
        try:
            async with asyncio.timeout(DISK_SECONDS_MAX):
                return means.disks is not None and await canary.has_out_on_disk()
        except TimeoutError:
            return False

    @contextlib.asynccontextmanager
    async def open(self, request: RunRequest) -> AsyncIterator[BubblewrapRun]:
        """Start a run; leaving the context kills whatever is left of it.

        Raises:
            SandboxFailed: the run could not be started, or could not be ended.
            SandboxUnavailable: there is no bubblewrap.
        """
        means = self._ready()
        if request.gpus or request.gpu_count:
            raise SandboxFailed(NO_GPUS)
        slot = self._lend_slot()
        name = f"{self._life}-{next(self._runs)}"
        user = FIRST_USER + slot
        disk: Path | None = None
        try:
            if means.disks is not None and needs_disk(request.limits):
                disk = await asyncio.to_thread(means.disks.make, request.limits, user)
            cgroup = _make_cgroup(means.tree, name, request)
            run = _spawn(means, request, cgroup, user=user, disk=disk)
            try:
                await run.start()
                yield run
            finally:
                await run.close()
        finally:
            self._slots.discard(slot)
            if disk is not None:
                disk.unlink(missing_ok=True)  # else the launcher has
            if means.tree is not None:
                await asyncio.to_thread(_remove, means.tree, name)

    async def reap(self) -> None:
        """Kill and remove what is left of an earlier life: mounts and processes die with a node, groups do not."""
        tree, disks = self._ready().tree, self._ready().disks
        if disks is not None:
            disks.reap()
        if tree is not None:
            for folder in tree.folders():
                for leftover in _leftovers(folder, self._life):
                    await asyncio.to_thread(remove_groups, leftover)

    def _ready(self) -> _Means:
        """Find out, once, what there is to work with.

        Raises:
            SandboxUnavailable: no bubblewrap, or a machine whose system calls we do not know.
        """
        if self._means is None:
            table = syscall_table()
            if platform.machine() != table.architecture:
                raise SandboxUnavailable(
                    f"system calls of {platform.machine()} are not known; use the docker sandbox"
                )
            is_root = _may_become_other_users()
            tree = self._find_tree() if is_root else None
            self._means = _Means(
                bubblewrap=self._bubblewrap or find_bubblewrap(),
                syscall_filter=bpf_program(table if tree else table.without(UNCOUNTED)),
                tree=tree,
                disks=find_output_disks(self._disks) if is_root else None,
                is_root=is_root,
            )
        return self._means

    def _find_tree(self) -> CgroupTree | None:
        if not self._use_cgroups:
            return None
        try:
            return find_tree(self._owner, Path("/proc/self/mounts").read_text())
        except CgroupsUnusable:
            return None

    def _lend_slot(self) -> int:
        """Lend the lowest free number: which user the run is on the host."""
        for slot in range(RUNS_MAX):
            if slot not in self._slots:
                self._slots.add(slot)
                return slot
        raise SandboxFailed(f"{RUNS_MAX} runs are open already")


def _may_become_other_users() -> bool:
    """Whether we are root, and of a namespace in which the users of runs exist: user_namespaces(7)."""
    if os.geteuid() != 0:
        return False
    for line in Path("/proc/self/uid_map").read_text().splitlines():
        first, _, count = map(int, line.split())
        if first <= FIRST_USER and first + count >= FIRST_USER + RUNS_MAX:
            return True
    return False


def _leftovers(folder: Path, life: str) -> list[Path]:
    groups = (child for child in folder.iterdir() if child.is_dir())
    return sorted(group for group in groups if not group.name.startswith(f"{life}-"))


def _make_cgroup(tree: CgroupTree | None, name: str, request: RunRequest) -> Cgroup | None:
    if tree is None:
        return None
    try:
        return tree.make(name, request.limits, is_background=request.is_background)
    except OSError as error:
        raise SandboxFailed(f"no control group: {error}") from error


def _remove(tree: CgroupTree, name: str) -> None:
    for folder in tree.folders():
        remove_groups(folder / name)


def _spawn(
    means: _Means, request: RunRequest, cgroup: Cgroup | None, *, user: int, disk: Path | None
) -> BubblewrapRun:
    words = launcher_words(
        request,
        means.bubblewrap,
        user=user if means.is_root else None,
        cgroups=() if cgroup is None else cgroup.folders,
        disk=disk,
    )
    try:
        spawned = spawn_launcher(words, syscall_filter=means.syscall_filter)
    except OSError as error:
        raise SandboxFailed(f"the sandbox cannot be started: {error}") from error
    return BubblewrapRun(spawned, request.limits, cgroup, has_disk=disk is not None)
