"""Control groups, version 1 or 2: what bounds the memory, processor time and number of a run's processes.

After the kernel's ``Documentation/admin-guide/cgroup-v1/{memory,pids}.rst``, ``scheduler/sched-bwc.rst`` and
``admin-guide/cgroup-v2.rst``. Both versions charge the pages of a tmpfs to the group that wrote them.

A quota rather than a set of processors (cpuset): it can be a part of a processor, runs come and go without anything to
be divided anew, and none waits for its own processor while another is idle. How many threads are sensible a job
is told by its variables.
"""

import contextlib
import os
import signal
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

from lc_node.ports.sandbox import Limits

FAMILY: Final = "learningchain"
PERIOD_US: Final = 100_000
QUOTA_US_MIN: Final = 1_000
BACKGROUND: Final = 10
"""On a busy processor a run in the foreground gets this many times what one in the background gets."""
SHARES: Final = 1024
"""What a group of version 1 weighs by default; one of version 2: ``WEIGHT``."""
WEIGHT: Final = 100
SHARES_MAX: Final = 262_144
WEIGHT_MAX: Final = 10_000
NEEDED: Final = ("memory", "pids", "cpu")
LAUNCHERS: Final = 2
"""Bubblewrap's own two processes, which live in the group of their job."""

_REMOVE_ATTEMPTS: Final = 50
_REMOVE_PAUSE_S: Final = 0.02


class CgroupsUnusable(Exception):
    """No control group can be made here; the message says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """What a run has used so far."""

    cpu_ms: int
    memory_peak_bytes: int
    out_of_memory: bool
    held_back_ms: int | None = None
    """For how long the quota has let nothing of it run; None: there is no quota."""


class Cgroup(Protocol):
    """The control group of one run."""

    @property
    def folders(self) -> tuple[Path, ...]:
        """The folders whose ``cgroup.procs`` a process writes itself into, to join."""
        ...

    def usage(self) -> Usage:
        """Read the kernel's accounts."""
        ...

    def hasten(self) -> None:
        """Let its processes have the processors first, now that they are to die: dying takes a turn, too.

        Raises:
            OSError: the group is gone.
        """
        ...


class CgroupTree(Protocol):
    """All control groups of this node."""

    def make(self, name: str, limits: Limits, *, is_background: bool = False) -> Cgroup:
        """Make an empty group with limits on it; the processors go to those in the foreground first."""
        ...

    def folders(self) -> tuple[Path, ...]:
        """Return every folder under which groups of ours may lie."""
        ...


@dataclass(frozen=True, slots=True)
class CgroupV1:
    """A run's group in the separate hierarchies of version 1."""

    by_controller: Mapping[str, Path]

    @property
    def folders(self) -> tuple[Path, ...]:
        """One folder a hierarchy; two controllers may share one."""
        return tuple(dict.fromkeys(self.by_controller.values()))

    def usage(self) -> Usage:
        """Read the accounts of the memory and cpuacct controllers."""
        memory = self.by_controller["memory"]
        oom_control = _fields(memory / "memory.oom_control")
        return Usage(
            cpu_ms=_number(self.by_controller["cpuacct"] / "cpuacct.usage") // 1_000_000,
            memory_peak_bytes=_number(memory / "memory.max_usage_in_bytes"),
            out_of_memory=oom_control.get("oom_kill", 0) > 0,
            held_back_ms=_fields(self.by_controller["cpu"] / "cpu.stat").get("throttled_time", 0)
            // 1_000_000,
        )

    def hasten(self) -> None:
        """Lift the quota, and weigh as much as can be."""
        _write(self.by_controller["cpu"] / "cpu.cfs_quota_us", -1)
        _write(self.by_controller["cpu"] / "cpu.shares", SHARES_MAX)


@dataclass(frozen=True, slots=True)
class CgroupV2:
    """A run's group in the one hierarchy of version 2."""

    folder: Path

    @property
    def folders(self) -> tuple[Path, ...]:
        """The one folder."""
        return (self.folder,)

    def usage(self) -> Usage:
        """Read the accounts; ``memory.peak`` is there since Linux 5.19."""
        peak = self.folder / "memory.peak"
        cpu = _fields(self.folder / "cpu.stat")
        return Usage(
            cpu_ms=cpu.get("usage_usec", 0) // 1000,
            memory_peak_bytes=_number(peak if peak.exists() else self.folder / "memory.current"),
            out_of_memory=_fields(self.folder / "memory.events").get("oom_kill", 0) > 0,
            held_back_ms=cpu.get("throttled_usec", 0) // 1000,
        )

    def hasten(self) -> None:
        """Lift the quota, and weigh as much as can be."""
        _write(self.folder / "cpu.max", f"max {PERIOD_US}")
        _write(self.folder / "cpu.weight", WEIGHT_MAX)


@dataclass(frozen=True, slots=True)
class TreeV1:
    """Groups under ``learningchain/OWNER`` in each hierarchy of version 1."""

    roots: Mapping[str, Path]

    def make(self, name: str, limits: Limits, *, is_background: bool = False) -> CgroupV1:
        """Make a group in every hierarchy; without swap where the kernel accounts for swap."""
        group = CgroupV1({controller: root / name for controller, root in self.roots.items()})
        for folder in group.folders:
            folder.mkdir(parents=True)
        memory, cpu = group.by_controller["memory"], group.by_controller["cpu"]
        _write(memory / "memory.limit_in_bytes", limits.memory_bytes)
        _write(memory / "memory.swappiness", 0)
        if (with_swap := memory / "memory.memsw.limit_in_bytes").exists():
            _write(with_swap, limits.memory_bytes)
        _write(group.by_controller["pids"] / "pids.max", limits.pids + LAUNCHERS)
        _write(cpu / "cpu.cfs_period_us", PERIOD_US)
        _write(cpu / "cpu.cfs_quota_us", _quota_us(limits))
        if is_background:
            _write(cpu / "cpu.shares", SHARES // BACKGROUND)
        return group

    def folders(self) -> tuple[Path, ...]:
        """One folder a hierarchy; two controllers may share one."""
        return tuple(dict.fromkeys(self.roots.values()))


@dataclass(frozen=True, slots=True)
class TreeV2:
    """Groups under ``learningchain/OWNER`` in the unified hierarchy."""

    root: Path

    def make(self, name: str, limits: Limits, *, is_background: bool = False) -> CgroupV2:
        """Make a group; all of it dies when one of its processes runs out of memory."""
        group = CgroupV2(self.root / name)
        group.folder.mkdir(parents=True)
        _write(group.folder / "memory.max", limits.memory_bytes)
        if (swap := group.folder / "memory.swap.max").exists():
            _write(swap, 0)
        _write(group.folder / "memory.oom.group", 1)
        _write(group.folder / "pids.max", limits.pids + LAUNCHERS)
        _write(group.folder / "cpu.max", f"{_quota_us(limits)} {PERIOD_US}")
        if is_background:
            _write(group.folder / "cpu.weight", WEIGHT // BACKGROUND)
        return group

    def folders(self) -> tuple[Path, ...]:
        """The one folder."""
        return (self.root,)


def find_tree(owner: str, mounts: str) -> CgroupTree:
    """Make this node's folder where control groups are mounted.

    Args:
        owner: a name that no other node on this machine has.
        mounts: the text of ``/proc/self/mounts``.

    Raises:
        CgroupsUnusable: no suitable hierarchy, or we may not write there.
    """
    hierarchies, unified = _mounted(mounts)
    try:
        if all(controller in hierarchies for controller in (*NEEDED, "cpuacct")):
            wanted = (*NEEDED, "cpuacct")
            roots = {name: hierarchies[name] / FAMILY / owner for name in wanted}
            for root in roots.values():
                root.mkdir(parents=True, exist_ok=True)
            return TreeV1(roots)
        if unified is not None:
            return TreeV2(_prepare_unified(unified, owner))
    except OSError as error:
        raise CgroupsUnusable(str(error)) from error
    raise CgroupsUnusable("memory, pids and cpu controllers are not mounted")


def group_of(pid: int, mounts: str) -> Cgroup:
    """Return the group that somebody else has made for a process, to read its accounts.

    Args:
        pid: the process.
        mounts: the text of ``/proc/self/mounts``.

    Raises:
        CgroupsUnusable: its group is not to be seen from here.
    """
    hierarchies, unified = _mounted(mounts)
    by_controller: dict[str, Path] = {}
    try:
        lines = Path(f"/proc/{pid}/cgroup").read_text().splitlines()
    except OSError as error:
        raise CgroupsUnusable(str(error)) from error
    for line in lines:
        _, controllers, path = line.split(":", 2)
        for name in controllers.split(","):
            mount = hierarchies.get(name) if name else unified
            if mount is not None:
                by_controller[name] = mount / path.lstrip("/")
    if {"memory", "cpuacct"} <= by_controller.keys():
        return CgroupV1(by_controller)
    if "" in by_controller:
        return CgroupV2(by_controller[""])
    raise CgroupsUnusable(f"the control group of process {pid} is not to be seen")


def remove_groups(folder: Path) -> None:
    """Kill whatever runs in the groups under a folder, and remove them and the folder.

    Raises:
        OSError: a group stayed busy for a second.
    """
    if not folder.is_dir():
        return
    for child in sorted(folder.iterdir()):
        if child.is_dir():
            remove_groups(child)
    for attempt in range(_REMOVE_ATTEMPTS):
        _kill_all(folder)
        try:
            folder.rmdir()
        except FileNotFoundError:
            return
        except OSError:
            if attempt == _REMOVE_ATTEMPTS - 1:
                raise
            time.sleep(_REMOVE_PAUSE_S)
        else:
            return


def _mounted(mounts: str) -> tuple[dict[str, Path], Path | None]:
    """Read where each controller of version 1, and version 2, are mounted."""
    hierarchies: dict[str, Path] = {}
    unified: Path | None = None
    for line in mounts.splitlines():
        _, target, kind, options, *_ = line.split(" ")
        if kind == "cgroup":
            hierarchies |= dict.fromkeys(options.split(","), Path(target))
        elif kind == "cgroup2":
            unified = Path(target)
    return hierarchies, unified


def _prepare_unified(mount: Path, owner: str) -> Path:
    """Hand the controllers down to our folder: version 2 asks for that level by level."""
    available = (mount / "cgroup.controllers").read_text().split()
    if missing := sorted(set(NEEDED) - set(available)):
        raise CgroupsUnusable(f"cgroup v2 lacks the controllers {', '.join(missing)}")
    folder = mount
    for part in ("", FAMILY, owner):
        folder = folder / part
        folder.mkdir(exist_ok=True)
        handed_down = (folder / "cgroup.subtree_control").read_text().split()
        if not set(NEEDED) <= set(handed_down):
            _write(folder / "cgroup.subtree_control", " ".join(f"+{name}" for name in NEEDED))
    return folder


def _kill_all(folder: Path) -> None:
    for pid in _members(folder):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def _members(folder: Path) -> Iterator[int]:
    with contextlib.suppress(OSError):
        yield from map(int, (folder / "cgroup.procs").read_text().split())


def _quota_us(limits: Limits) -> int:
    return max(QUOTA_US_MIN, limits.millicpus * PERIOD_US // 1000)


def _write(path: Path, value: object) -> None:
    path.write_text(str(value))


def _number(path: Path) -> int:
    return int(path.read_text())


def _fields(path: Path) -> dict[str, int]:
    pairs = (line.split() for line in path.read_text().splitlines())
    return {name: int(value) for name, value in pairs if value.isdigit()}
