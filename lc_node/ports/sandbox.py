"""A place where strangers' code can do no harm."""

from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final, Protocol

from lc_node.chain.errors import LearningChainError
from lc_node.chain.types import ByteCount, Digest, MillisSpan, Seconds

WORKING_FOLDER: Final = "/lc/work"
"""Where a job starts that does not ask for another place."""


class Enforced(StrEnum):
    """What a sandbox really enforces on this machine, as its canary found."""

    NAMESPACES = "namespaces"
    SECCOMP = "seccomp"
    MEMORY_HARD = "memory_hard"
    MEMORY_SOFT = "memory_soft"
    CPU = "cpu"
    PIDS = "pids"
    DISK = "disk"
    INODES = "inodes"
    WALL_TIME = "wall_time"
    OUT_ON_DISK = "out_on_disk"
    """Large outputs lie on a disk of their own; else all that a job puts out lies in memory."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Capabilities:
    """The result of a probe: which engine, which version, what holds."""

    engine: str
    version: str
    enforced: frozenset[Enforced]
    gpus: int = 0
    """How many GPUs there are for runs."""
    gpu_problem: str = ""
    """Why there are none, if that is known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SandboxWishes:
    """Which sandbox the owner of a machine wants there: what ``[sandbox]`` of config.toml says."""

    engine: str = "auto"
    """``bubblewrap``, ``docker``, or ``auto``: the best that works."""
    host: str = ""
    """Where docker's engine listens; empty: where ``DOCKER_HOST`` says, or the usual place."""
    runtime: str = ""
    """Which of the engine's runtimes; empty: its default."""


class SandboxUnavailable(LearningChainError):
    """No sandbox works here; the message says what to install or to switch on."""


class SandboxFailed(LearningChainError):
    """The sandbox itself failed while running a job: our fault, never the job's."""


class WorkerLost(SandboxFailed):
    """The machine that a run was on is gone, and the run with it; another machine can try again at once."""


class BadOutputFile(LearningChainError):
    """A file that the job left is missing, a link, not a regular file, or too large."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What one run may use; reaching one ends the run."""

    millicpus: int
    memory_bytes: ByteCount
    """Of all processes together, and of what they store in /tmp, /dev/shm, and in /lc/out unless it is on a disk."""
    pids: int
    out_bytes: ByteCount
    """Size of the folder that ``take`` reads from, which the layout names."""
    scratch_bytes: ByteCount
    """Size of /tmp, where that is another one."""
    inodes: int
    """Files in each of these folders."""
    wall: MillisSpan
    log_bytes: ByteCount
    """Bytes on stdout and stderr together before the run is ended."""
    line_bytes: ByteCount
    """The longest line on stdout."""
    grace: Seconds
    """How long after ``stop`` the job may take to end by itself."""


class Layout(StrEnum):
    """Where a run finds its inputs, and where it leaves its files."""

    APART = "apart"
    """Inputs lie in /lc/in, ``take`` reads from /lc/out, and /tmp is for whatever else is written."""
    TMP = "tmp"
    """Everything is in /tmp, the one folder that can be written: inputs too, and ``take`` reads from it.

    Its size is the limits' ``out_bytes``; ``scratch_bytes`` says nothing then, and /lc is not there.
    """


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRequest:
    """One run of an image's entrypoint."""

    rootfs: Path
    """The unpacked image, read-only to the job."""
    argv: tuple[str, ...]
    environment: Mapping[str, str]
    inputs: Mapping[str, Path]
    """Files that appear read-only, by name, in the folder that the layout says."""
    limits: Limits
    layout: Layout = Layout.APART
    working_folder: str = WORKING_FOLDER
    """Where the job starts; / if the image has no such folder, or only behind a link."""
    is_background: bool = False
    """Whether other runs, and where possible all others on the machine, come first for the processors."""
    gpu_count: int = 0
    """How many GPUs the run needs, for whoever assigns them."""
    gpus: tuple[str, ...] = ()
    """The devices that the run may use, by the identifiers of their driver (``GPU-...``); no other is visible.

    A sandbox that cannot give them raises ``SandboxFailed``: a run never goes without what it was promised.
    """
    manifest: Digest | None = None
    """What the image is called, for sandboxes that keep unpacked images of their own; None: it has no name."""


class Status(StrEnum):
    """How a run ended."""

    EXITED = "exited"
    OUT_OF_MEMORY = "out_of_memory"
    TIMED_OUT = "timed_out"
    OUTPUT_LIMIT = "output_limit"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What is known of a run once nothing of it is left."""

    status: Status
    exit_code: int
    wall: MillisSpan
    cpu: MillisSpan
    memory_peak_bytes: ByteCount
    log_tail: str
    """The last lines of stderr, control characters removed, for the owner's eyes."""
    held_back: MillisSpan | None = None
    """How long its share of the processors has held the run back; None where that is not told."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TakenFile:
    """A file copied out of the sandbox."""

    path: Path
    digest: Digest
    """The root over its chunks, as blob stores name models."""
    size: ByteCount


class Run(Protocol):
    """A running job: lines in both directions, files copied out while it runs."""

    async def read_line(self) -> bytes | None:
        """Return the next line of stdout without its newline; None when there will be no more."""
        ...

    async def write_line(self, line: bytes) -> None:
        """Write one line to stdin; silently lost if the job no longer reads."""
        ...

    async def take(self, name: str, into: Path, *, bytes_max: ByteCount) -> TakenFile:
        """Copy the file ``name`` of the folder for outputs to ``into``; also after the run's end.

        Raises:
            BadOutputFile: it is missing, a link, not a regular file, or larger than ``bytes_max``.
        """
        ...

    def kill(self) -> None:
        """End the run now; ``wait`` then reports CANCELLED."""
        ...

    async def wait(self) -> Outcome:
        """Return when the run has ended and everything of it is gone.

        Raises:
            SandboxFailed: the job never began, or could not be watched.
        """
        ...


class Sandbox(Protocol):
    """Runs unpacked images in isolation: no network, nothing of the host, hard limits."""

    async def probe(self) -> Capabilities:
        """Run a canary and report what is really enforced.

        Raises:
            SandboxUnavailable: nothing could be isolated; the message names the remedy.
        """
        ...

    def open(self, request: RunRequest) -> AbstractAsyncContextManager[Run]:
        """Start a run; leaving the context kills whatever is left of it.

        Raises:
            SandboxFailed: the run could not be started, or could not be ended.
        """
        ...

    async def reap(self) -> None:
        """Remove what an earlier life of this node left behind; for the start, before the first job."""
        ...
