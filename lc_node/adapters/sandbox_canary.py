"""A canary for any sandbox: a program of a few hundred bytes that tries what a sandbox must refuse."""

import asyncio
import errno
import re
import signal
import tempfile
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import AbstractAsyncContextManager, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Final

from lc_node.adapters.elf_program import elf_program
from lc_node.adapters.oci_unpack import MOUNT_POINTS
from lc_node.adapters.output_disk import OUT_MEMORY_MAX
from lc_node.adapters.sandbox_policy import INSIDE_USER
from lc_node.chain.types import ByteCount, MillisSpan, Seconds
from lc_node.ports.sandbox import (
    Enforced,
    Limits,
    Outcome,
    Run,
    RunRequest,
    SandboxFailed,
    SandboxUnavailable,
    Status,
)

_CODE: Final = bytes.fromhex(
    # take argv[1] and argv[2]; jump by the first letter of argv[1]
    "488b5c2410488b6c24180fb6033c72742e3c6d74673c700f84980000003c770f84bd0000003c730f84e6000000"
    "3c690f84fa0000003c6c0f844a010000"
    "ebfe"  # any other letter: spin for ever
    "31f6e821010000"  # r: open argv[2] for reading
    "4489e7488db42400f0ffffba0008000031c00f054885c00f8e17010000"  # read, done at the end
    "bf01000000488db42400f0ffff4889c2b8010000000f05ebca"  # write that to stdout, read on
    "41bd00010000"  # m: 256 times
    "31ffbe00001000ba0300000041ba2280000049c7c0ffffffff4531c9b8090000000f05"  # map a MiB, filled
    "4885c00f88cc00000041ffcd75cfeb24"  # done if refused; after the last one wait
    "41bd40000000"  # p: 64 times
    "b8390000000f054885c074120f88ad000000"  # fork; a child waits; done if refused
    "41ffcd75e931c0e9a1000000"  # done with them all
    "b8220000000f05ebf7"  # wait: pause for ever
    "be41020000e87b000000"  # w: open argv[2] for writing
    "4489e74889e64881e600f0ffff4881ee00100000ba00100000b8010000000f05"  # write a page
    "4885c07fdbeb67"  # again until refused
    "bf28000000be0100000031d2b8290000000f054885c0784f31c0eb4b"  # s: socket(AF_VSOCK, STREAM, 0)
    "4889ef488b6c242041bd00100000"  # i: argv[2] and argv[3]; 4,096 times
    "b8500000000f054885c07831"  # go there; done if refused
    "4889efbec0010000b8530000000f054885c0781d"  # make a folder argv[3]; done if refused
    "4889ef41ffcd75d8eb13"  # go there, and so on
    "4889efbab6010000b8020000000f054989c4c3"  # open(argv[2], flags, 0666)
    "4889c748f7dfb83c0000000f05"  # done: exit with the error's number, 0 if all went well
    "4c8d642418498b3c2431c04885ff74e3"  # l: argv[2] and what follows it; done after the last one
    "488db42400f0ffffba00100000b8590000000f054885c078ca"  # read the link; done if refused
    "4889c2bf01000000488db42400f0ffffb8010000000f054983c408ebbf"  # write that to stdout, and so on
)
_MIB: Final = 1024 * 1024

_LIMITS: Final = Limits(
    millicpus=1000,
    memory_bytes=ByteCount(48 * _MIB),
    pids=16,
    out_bytes=ByteCount(_MIB),
    scratch_bytes=ByteCount(4 * _MIB),
    inodes=64,
    wall=MillisSpan(4000),
    log_bytes=ByteCount(_MIB),
    line_bytes=ByteCount(4096),
    grace=Seconds(0),
)
_MEMORY_WALL: Final = MillisSpan(12_000)
_AGAIN_WALL: Final = MillisSpan(20_000)
"""Three and five times the first; with that it ends before the sandbox gives the self-test up, after 30 s."""
_ENDLESS: Final = "w"
"""A deed that goes on until it is refused: it gets no more time than the first."""
_SPIN_MS: Final = 500
_SPIN_MILLICPUS: Final = 20
_OWN: Final = ("cgroup", "ipc", "mnt", "net", "pid", "uts")
"""Namespaces that a job must have to itself: namespaces(7). Bubblewrap adds the one of users."""
_CLOSED: Final = ("/x", "/dev/x")
_TOO_LARGE: Final = frozenset({errno.EFBIG, 128 + signal.SIGXFSZ})
_CAPABILITY_SETS: Final = ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")
_MUST_HOLD: Final = frozenset(
    {
        Enforced.NAMESPACES,
        Enforced.SECCOMP,
        Enforced.PIDS,
        Enforced.DISK,
        Enforced.INODES,
        Enforced.WALL_TIME,
    }
)


def canary_program() -> bytes:
    """Return the canary."""
    return elf_program(_CODE)


class Canary:
    """Runs the canary in every way in which a job could try a limit."""

    def __init__(
        self,
        run: Callable[[RunRequest], AbstractAsyncContextManager[Run]],
        *,
        has_cgroups: bool,
        memory_ms: MillisSpan = _MEMORY_WALL,
    ) -> None:
        """Test the sandbox whose ``open`` is ``run``.

        Args:
            run: starts a run.
            has_cgroups: whether memory should be bounded hard.
            memory_ms: how long filling more memory than allowed may take, on a machine that does much else.
        """
        self._run = run
        self._memory = Enforced.MEMORY_HARD if has_cgroups else Enforced.MEMORY_SOFT
        self._memory_ms = memory_ms
        self._rootfs = Path()

    async def enforced(self) -> frozenset[Enforced]:
        """Return what held.

        Raises:
            SandboxUnavailable: something that must hold did not.
            SandboxFailed: the canary could not be run.
        """
        with self._at_home():
            try:
                held = await self._observations()
            except ExceptionGroup as several:
                raise _first(several) from several
        if missing := {*_MUST_HOLD, self._memory} - held:
            names = ", ".join(sorted(missing))
            raise SandboxUnavailable(f"the sandbox does not enforce {names} on this machine")
        return held

    async def has_out_on_disk(self) -> bool:
        """Return whether a large /lc/out is no memory, as the canary sees it."""
        limits = replace(_LIMITS, out_bytes=ByteCount(OUT_MEMORY_MAX + _MIB))
        with self._at_home():
            try:
                lines = await self._lines("/proc/self/mounts", limits)
            except SandboxFailed:
                return False
        return ["/lc/out", "ext4"] in [line.split()[1:3] for line in lines]

    async def problem_with(self, gpus: tuple[str, ...]) -> str:
        """Say why a run cannot have these GPUs; empty if one that has them begins."""
        with self._at_home():
            request = self._request(_LIMITS, "r", "/proc/self/status")
            try:
                async with self._run(replace(request, gpu_count=len(gpus), gpus=gpus)) as run:
                    await run.wait()
            except SandboxFailed as error:
                return str(error)
        return ""

    @contextmanager
    def _at_home(self) -> Iterator[None]:
        with tempfile.TemporaryDirectory(prefix="lc-canary-") as folder:
            self._rootfs = _build_rootfs(Path(folder) / "rootfs")
            yield

    async def _observations(self) -> frozenset[Enforced]:
        """Try everything at the same time: each run is on its own, and a start takes longer than a trial."""
        async with asyncio.TaskGroup() as group:
            trials = [
                group.create_task(trial())
                for trial in (
                    self._namespaces,
                    self._seccomp,
                    self._memory_limit,
                    self._pids,
                    self._disk,
                    self._inodes,
                    self._times,
                )
            ]
        return frozenset().union(*(trial.result() for trial in trials))

    async def _namespaces(self) -> set[Enforced]:
        held = (
            await self._has_no_rights() and await self._has_no_network() and await self._is_apart()
        )
        return {Enforced.NAMESPACES} if held else set()

    async def _seccomp(self) -> set[Enforced]:
        refused = (await self._outcome("s")).exit_code == errno.EPERM
        return {Enforced.SECCOMP} if refused else set()

    async def _memory_limit(self) -> set[Enforced]:
        limits = replace(_LIMITS, wall=self._memory_ms)
        outcome = await self._tried(limits, "m")
        return {self._memory} if outcome.status is Status.OUT_OF_MEMORY else set()

    async def _pids(self) -> set[Enforced]:
        refused = (await self._outcome("p")).exit_code == errno.EAGAIN
        return {Enforced.PIDS} if refused else set()

    async def _disk(self) -> set[Enforced]:
        """Fill what may be filled, and try to write elsewhere; of /dev/shm a file's own limit comes first."""
        full = await self._refusals("w", ("/lc/out/full", "/tmp/full"))  # noqa: S108 - the job's
        shared = await self._refusals("w", ("/dev/shm/full",))  # noqa: S108 - same
        closed = await self._refusals("w", _CLOSED)
        held = (
            full == {errno.ENOSPC} and shared <= _TOO_LARGE and closed == {errno.EBADF}
        )  # not open
        return {Enforced.DISK} if held else set()

    async def _inodes(self) -> set[Enforced]:
        places = ("/lc/out", "/tmp", "/dev/shm")  # noqa: S108 - the job's
        full = await self._refusals("i", places, "a") == {errno.ENOSPC}
        return {Enforced.INODES} if full else set()

    async def _times(self) -> set[Enforced]:
        """Spin twice at the same time, with a small share of a processor and with all of one.

        By itself a small figure proves nothing: on a busy machine nobody gets more. So the kernel is asked whether
        it was the share that held the first one back; where it is not told, the two are compared.
        """
        limits = replace(_LIMITS, wall=MillisSpan(_SPIN_MS))
        async with asyncio.TaskGroup() as group:
            free, held = (
                group.create_task(self._tried(replace(limits, millicpus=share), "x"))
                for share in (_LIMITS.millicpus, _SPIN_MILLICPUS)
            )
        outcome = held.result()
        found = set[Enforced]()
        if {free.result().status, outcome.status} == {Status.TIMED_OUT}:
            found.add(Enforced.WALL_TIME)
        if self._memory is Enforced.MEMORY_HARD and (
            2 * outcome.cpu < free.result().cpu if outcome.held_back is None else outcome.held_back
        ):
            found.add(Enforced.CPU)
        return found

    async def _has_no_rights(self) -> bool:
        """Look at the canary's own line in the kernel's books: proc_pid_status(5)."""
        lines = await self._lines("/proc/self/status")
        pairs = (line.partition(":") for line in lines)
        fields = defaultdict(list, {name: value.split() for name, _, value in pairs})
        return (
            fields["Uid"] == [str(INSIDE_USER)] * 4
            and fields["Gid"] == [str(INSIDE_USER)] * 4
            and all(fields[which] == ["0" * 16] for which in _CAPABILITY_SETS)
            and fields["NoNewPrivs"] == ["1"]
            and fields["Seccomp"] == ["2"]
            and fields["PPid"] == ["1"]  # the first process of a process namespace of its own
        )

    async def _refusals(self, deed: str, places: tuple[str, ...], *words: str) -> set[int]:
        """Try the same in several places, at the same time; return what each run ended with."""
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(self._outcome(deed, place, *words)) for place in places]
        return {task.result().exit_code for task in tasks}

    async def _is_apart(self) -> bool:
        """Compare the canary's namespaces with ours."""
        links = [f"/proc/self/ns/{kind}" for kind in _OWN]
        async with self._run(self._request(_LIMITS, "l", *links)) as run:
            found = (await run.read_line() or b"").decode()
            await run.wait()
        theirs = re.findall(r"[a-z]+:\[[0-9]+\]", found)
        ours = {str(Path(link).readlink()) for link in links}  # noqa: ASYNC240 - of the kernel
        return len(theirs) == len(_OWN) and ours.isdisjoint(theirs)

    async def _has_no_network(self) -> bool:
        """Two lines of headings, and the loopback interface."""
        interfaces = (await self._lines("/proc/self/net/dev"))[2:]
        return [line.partition(":")[0].strip() for line in interfaces] == ["lo"]

    async def _lines(self, file: str, limits: Limits = _LIMITS) -> list[str]:
        lines = []
        async with self._run(self._request(limits, "r", file)) as run:
            while (line := await run.read_line()) is not None:
                lines.append(line.decode())
            await run.wait()
        return lines

    async def _outcome(self, deed: str, *words: str) -> Outcome:
        """Try one deed; once more if its time was over, since on a busy machine that says nothing of the limit."""
        outcome = await self._tried(_LIMITS, deed, *words)
        if outcome.status is not Status.TIMED_OUT:
            return outcome
        again = _LIMITS if deed == _ENDLESS else replace(_LIMITS, wall=_AGAIN_WALL)
        return await self._tried(again, deed, *words)

    async def _tried(self, limits: Limits, *words: str) -> Outcome:
        async with self._run(self._request(limits, *words)) as run:
            return await run.wait()

    def _request(self, limits: Limits, *words: str) -> RunRequest:
        argv = ("/canary", *words)
        return RunRequest(rootfs=self._rootfs, argv=argv, environment={}, inputs={}, limits=limits)


def _first(error: Exception) -> Exception:
    """Return one error of those that came at the same time, for they have one cause."""
    return _first(error.exceptions[0]) if isinstance(error, ExceptionGroup) else error


def _build_rootfs(rootfs: Path) -> Path:
    """Make a root file system with nothing but the canary and the places that are mounted over."""
    for place in MOUNT_POINTS:
        (rootfs / place).mkdir(parents=True)
    program = rootfs / "canary"
    program.write_bytes(canary_program())
    program.chmod(0o755)
    return rootfs
