"""One process a home: a lock that the kernel lets go of when its holder dies, however it dies."""

import fcntl
import os
from pathlib import Path
from typing import Self

from lc_node.ports.stores import NodeAlreadyRunning


class ProcessLock:
    """An exclusive ``flock`` on a file that names its holder; the file itself stays."""

    def __init__(self, descriptor: int) -> None:
        """Own a descriptor that is locked already; see ``acquire``."""
        self._descriptor: int | None = descriptor

    @classmethod
    def acquire(cls, path: Path) -> Self:
        """Lock ``path`` and write our process id into it.

        Raises:
            NodeAlreadyRunning: another process holds it.
        """
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            holder = os.read(descriptor, 32).decode("ascii", "replace").strip()
            os.close(descriptor)
            raise NodeAlreadyRunning(path, int(holder) if holder.isdigit() else None) from error
        os.ftruncate(descriptor, 0)
        os.write(descriptor, f"{os.getpid()}\n".encode())
        return cls(descriptor)

    def release(self) -> None:
        """Let go; a second call changes nothing."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None
