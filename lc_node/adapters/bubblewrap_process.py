"""Starting the launcher: three pipes, a socket, and nothing else of the node's."""

import array
import contextlib
import os
import signal
import socket
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from lc_node.adapters import sandbox_launcher

VOLUMES_MAX: Final = 3
_SCRIPT: Final = Path(sandbox_launcher.__file__)
_IGNORED_BY_PYTHON: Final = (signal.SIGPIPE, signal.SIGXFSZ)


@dataclass(frozen=True, slots=True, kw_only=True)
class Spawned:
    """A started launcher and our ends of what leads to it; whoever gets this closes them."""

    pid: int
    pidfd: int
    stdin: int
    stdout: int
    stderr: int
    control: socket.socket


def spawn_launcher(words: Sequence[str], *, syscall_filter: bytes) -> Spawned:
    """Start the launcher; takes about a millisecond.

    Raises:
        OSError: no process, pipe or descriptor is left.
    """
    with contextlib.ExitStack() as theirs, contextlib.ExitStack() as ours:
        stdin_theirs, stdin = _pipe(theirs, ours)
        stdout, stdout_theirs = _pipe(ours, theirs)
        stderr, stderr_theirs = _pipe(ours, theirs)
        control, control_theirs = socket.socketpair()
        ours.callback(control.close)
        theirs.callback(control_theirs.close)
        filter_reader, filter_writer = _pipe(theirs, theirs)
        os.write(filter_writer, syscall_filter)
        standing_in_for = (stdin_theirs, stdout_theirs, stderr_theirs, control_theirs.fileno())
        pid = _start([str(os.getpid()), *words], (*standing_in_for, filter_reader))
        pidfd = os.pidfd_open(pid)
        for end in (stdin, stdout, stderr):
            os.set_blocking(end, False)
        control.settimeout(0)
        ours.pop_all()
        return Spawned(
            pid=pid, pidfd=pidfd, stdin=stdin, stdout=stdout, stderr=stderr, control=control
        )


def receive(control: socket.socket) -> tuple[bytes, list[int]]:
    """Return the next bytes and descriptors from the launcher; no bytes at its end."""
    descriptors = array.array("i")
    data, ancillary, _, _ = control.recvmsg(
        4096, socket.CMSG_SPACE(VOLUMES_MAX * descriptors.itemsize), socket.MSG_CMSG_CLOEXEC
    )
    for level, kind, payload in ancillary:
        if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
            descriptors.frombytes(payload[: len(payload) // 4 * 4])
    return data, list(descriptors)


def _pipe(reader: contextlib.ExitStack, writer: contextlib.ExitStack) -> tuple[int, int]:
    read_end, write_end = os.pipe()
    reader.callback(os.close, read_end)
    writer.callback(os.close, write_end)
    return read_end, write_end


def _start(words: Sequence[str], descriptors: Sequence[int]) -> int:
    """Spawn rather than fork: the node has threads, whose locks a fork would copy as they are."""
    return os.posix_spawn(
        sys.executable,
        [sys.executable, "-I", "-S", "-B", str(_SCRIPT), *words],
        {name: value for name, value in os.environ.items() if name == "LD_LIBRARY_PATH"},
        file_actions=list(_renumber(descriptors)),
        setsigmask=(),
        setsigdef=_IGNORED_BY_PYTHON,
    )


def _renumber(descriptors: Sequence[int]) -> Iterator[tuple[int, int, int]]:
    """Give the descriptors the numbers from 0 on, by way of high ones so that none is overwritten.

    ``dup2`` also clears the close-on-exec flag, but only when the number changes.
    """
    above = max((*descriptors, len(descriptors))) + 1
    for place, descriptor in enumerate(descriptors):
        yield (os.POSIX_SPAWN_DUP2, descriptor, above + place)
    for place in range(len(descriptors)):
        yield (os.POSIX_SPAWN_DUP2, above + place, place)
