"""What every sandbox grants and hides alike, whichever program makes it."""

import stat
import unicodedata
from pathlib import Path, PurePosixPath
from typing import Final

from lc_node.ports.sandbox import Limits, RunRequest, SandboxFailed

INSIDE_USER: Final = 65534
SHM_BYTES: Final = 64 * 1024 * 1024
SHM_INODES: Final = 4096
"""Files in /dev/shm: each takes memory of the kernel that no size says."""
INPUTS_MAX: Final = 1024
OPEN_FILES: Final = 1024
BACKGROUND_NICE: Final = 10
"""About a tenth of the weight of others. A control group says the same of a whole run; without one, a kernel with
``sched_autogroup_enabled`` lets niceness count only among the processes of one run."""

LOG_TAIL_BYTES: Final = 8 * 1024
NO_PROGRAM: Final = 127
"""The exit code where the image has no such program, as shells count."""

UNCOUNTED: Final = ("memfd_create", "msgget", "semget", "shmget")
"""Calls that keep bytes in no process and in no folder: refused where nothing but these is counted."""

SECRETS: Final = ("cmdline", "config.gz", "kallsyms", "keys", "modules", "timer_list")
"""Files of /proc that tell of the host and that no training needs."""


def safe_input_name(name: str) -> str:
    """Return a relative path that stays below its folder.

    Raises:
        SandboxFailed: it would not.
    """
    parts = name.split("/")
    if "\0" in name or any(part in {"", ".", ".."} for part in parts):
        raise SandboxFailed(f"unsafe name of an input: {name!r}")
    return name


def file_bytes_max(limits: Limits) -> int:
    """Return how large one file may grow: one byte more than fits, so that a full folder says that it is full."""
    return max(limits.out_bytes, limits.scratch_bytes) + 1


def cpu_seconds_max(limits: Limits) -> int:
    """Return how long one process may compute: what all processors can do until the wall time ends the run."""
    cores = -(-limits.millicpus // 1000)
    return -(-limits.wall // 1000) * cores + 1


def for_people(log: bytes) -> str:
    """Return a log's text without what could move a cursor or hide text."""
    text = log.decode(errors="replace")
    return "".join(c for c in text if c == "\n" or not unicodedata.category(c).startswith("C"))


def working_folder(request: RunRequest) -> str:
    """Return where a run starts: looked for without following links, which would lead into our own file system."""
    wanted, place = PurePosixPath("/", request.working_folder), request.rootfs
    for part in wanted.parts[1:]:
        place /= part
        if part == ".." or not _may_be_entered(place):
            return "/"
    return str(wanted)


def _may_be_entered(place: Path) -> bool:
    """Whether a path is a folder itself, not a link to one, and open to the job's user."""
    try:
        mode = place.lstat().st_mode
    except (OSError, ValueError):
        return False
    return stat.S_ISDIR(mode) and bool(mode & stat.S_IXOTH)
