"""Blobs in a folder, each in a file named by its content, published whole or not at all.

A blob is written beside its place, fsynced, and renamed: who sees the name sees all the bytes. What was
used last is known from the files' times, so that the order of eviction survives a restart.
"""

import os
import re
import secrets
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from shutil import disk_usage
from typing import Final, NamedTuple

from lc_node.adapters.blob_files import PartialFile, file_digest, publish, room_checked
from lc_node.adapters.blob_hashing import hasher
from lc_node.chain.crypto import sha256
from lc_node.chain.types import ByteCount, Digest
from lc_node.ports.stores import BlobBusy, BlobQuotaExceeded, DiskReserved, Naming

_NO_RESERVE: Final = ByteCount(0)
_READ_BYTES: Final = 1024 * 1024
_TEMPORARY: Final = "new-"
_NAME: Final = re.compile("[0-9a-f]{64}")


class DirectoryBlobStore:
    """A blob store; its methods may be called from any thread."""

    def __init__(
        self, root: Path, *, bytes_max: ByteCount, disk_reserve: ByteCount = _NO_RESERVE
    ) -> None:
        """Take over the folder ``root``, made if need be, for at most ``bytes_max`` bytes.

        What is stored leaves ``disk_reserve`` bytes of the disk free, for those that cannot do without.
        """
        self._root = root
        self._disk_reserve = disk_reserve
        self._complete_folder = root / "complete"
        self._partial_folder = root / "partial"
        for folder in (root, self._complete_folder, self._partial_folder):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for leftover in self._partial_folder.glob(f"{_TEMPORARY}*"):
            leftover.unlink()
        self._bytes_max = bytes_max
        self._lock = threading.RLock()
        self._pins: Counter[Digest] = Counter()
        self._complete = dict(_scan(self._complete_folder))
        self._waiting = dict(_scan(self._partial_folder))
        self._reserved: dict[Digest, ByteCount] = {}

    @property
    def used(self) -> ByteCount:
        """Bytes of complete blobs, of partial ones, and reserved for those on their way in."""
        with self._lock:
            parts = (self._complete, self._waiting, self._reserved)
            return ByteCount(sum(sum(part.values()) for part in parts))

    @property
    def bytes_max(self) -> ByteCount:
        """The quota."""
        return self._bytes_max

    def path_of(self, digest: Digest) -> Path | None:
        """Return where a complete, verified blob lies, None if we lack it; counts as a use."""
        with self._lock:
            size = self._complete.pop(digest, None)
            path = self._complete_path(digest)
            if size is None or not _is_file_of(path, size):
                return None
            self._complete[digest] = size  # last in the order: used most recently
        try:
            os.utime(path)
        except FileNotFoundError:  # evicted by another thread since
            return None
        return path

    def put_bytes(self, data: bytes) -> Digest:
        """Store a small blob under its SHA-256."""
        digest = sha256(data)
        if self.path_of(digest) is None:
            with self._lock:
                self._make_room(ByteCount(len(data)))  # refuse before writing
            with self._written() as temporary, room_checked(temporary):
                temporary.write_bytes(data)
                self._keep(temporary, digest)
        return digest

    def put_file(self, path: Path, naming: Naming) -> tuple[Digest, ByteCount]:
        """Store a copy of a file; blocks for as long as reading it takes."""
        taken = hasher(naming)
        with self._lock:
            self._make_room(ByteCount(path.stat().st_size))  # refuse before copying
        with self._written() as temporary, room_checked(temporary):
            with path.open("rb") as source, temporary.open("wb") as target:
                while piece := source.read(_READ_BYTES):
                    taken.update(piece)
                    target.write(piece)
            digest = taken.digest()
            size = ByteCount(temporary.stat().st_size)
            if self.path_of(digest) is None:
                self._keep(temporary, digest)
        return digest, size

    def partial(self, digest: Digest, size: ByteCount, naming: Naming) -> PartialFile:
        """Open a download, resumed where an earlier one ended; reserves its room."""
        with self._lock:
            if digest in self._reserved:
                raise BlobBusy(digest)
            resumed = self._waiting.pop(digest, None)
            try:
                self._make_room(size, written=resumed or 0)
            except (BlobQuotaExceeded, DiskReserved):
                if resumed is not None:
                    self._waiting[digest] = resumed
                raise
            self._reserved[digest] = size
        try:
            return PartialFile(
                path=self._partial_folder / digest.hex(),
                final=self._complete_path(digest),
                digest=digest,
                size=size,
                naming=naming,
                on_end=self._end_partial,
            )
        except BaseException:
            self._end_partial(digest)
            raise

    def verify(self, digest: Digest, naming: Naming) -> bool:
        """Read a blob again; one that has rotted is removed and reported as absent."""
        path = self.path_of(digest)
        if path is None:
            return False
        if file_digest(path, naming) == digest:
            return True
        with self._lock:
            self._complete.pop(digest, None)
            path.unlink(missing_ok=True)
        return False

    def holds(self, digest: Digest) -> bool:
        """Tell whether a blob is here and whole; unlike ``path_of`` that is no use of it."""
        with self._lock:
            size = self._complete.get(digest)
            return size is not None and _is_file_of(self._complete_path(digest), size)

    def remove(self, digest: Digest) -> ByteCount:
        """Delete a blob unless it is pinned; return how many bytes that has freed."""
        with self._lock:
            if digest in self._pins or digest not in self._complete:
                return ByteCount(0)
            self._complete_path(digest).unlink(missing_ok=True)
            return self._complete.pop(digest)

    def pin(self, digest: Digest) -> None:
        """Keep a blob, present or yet to come, until as many ``unpin`` calls."""
        with self._lock:
            self._pins[digest] += 1

    def unpin(self, digest: Digest) -> None:
        """Allow a blob to be evicted again."""
        with self._lock:
            self._pins[digest] -= 1
            if self._pins[digest] <= 0:
                del self._pins[digest]

    def _complete_path(self, digest: Digest) -> Path:
        name = digest.hex()
        return self._complete_folder / name[:2] / name

    @contextmanager
    def _written(self) -> Iterator[Path]:
        """Give a name for a new file; what is still there at the end is removed."""
        temporary = self._partial_folder / f"{_TEMPORARY}{secrets.token_hex(8)}"
        try:
            yield temporary
        finally:
            temporary.unlink(missing_ok=True)

    def _keep(self, temporary: Path, digest: Digest) -> None:
        size = ByteCount(temporary.stat().st_size)
        with self._lock:
            self._make_room(size, written=size)
            publish(temporary, self._complete_path(digest))
            self._complete[digest] = size

    def _end_partial(self, digest: Digest) -> None:
        """Book what has become of a partial blob: published, kept for later, or gone."""
        complete = self._complete_path(digest)
        partial = self._partial_folder / digest.hex()
        with self._lock:
            self._reserved.pop(digest, None)
            if complete.exists():
                self._complete[digest] = ByteCount(complete.stat().st_size)
                partial.unlink(missing_ok=True)
            elif partial.exists():
                self._waiting[digest] = ByteCount(partial.stat().st_size)

    def _make_room(self, size: ByteCount, *, written: int = 0) -> None:
        """Evict what was not used for longest, abandoned downloads first, until ``size`` fits.

        ``written`` of these bytes are on the disk already.
        """
        over_quota = self.used + size - self._bytes_max
        over_disk = self._over_disk(size - written) if self._disk_reserve else over_quota
        excess = max(over_quota, over_disk)
        victims: list[_Victim] = []
        for victim in self._evictable():
            if excess <= 0:
                break
            victims.append(victim)
            excess -= victim.booked_in[victim.digest]
        if excess > 0 and over_quota >= over_disk:
            raise BlobQuotaExceeded(size=size, bytes_max=self._bytes_max)
        if excess > 0:
            raise DiskReserved(self._root, size=size, reserve=self._disk_reserve)
        for victim in victims:
            del victim.booked_in[victim.digest]
            victim.path.unlink(missing_ok=True)

    def _over_disk(self, size: int) -> int:
        """Return what the disk lacks to take ``size`` more bytes, and what downloads under way still need."""
        paths = {self._partial_folder / name.hex(): want for name, want in self._reserved.items()}
        owed = sum(max(0, want - _size_of(path)) for path, want in paths.items())
        return size + owed + self._disk_reserve - disk_usage(self._root).free

    def _evictable(self) -> Iterator["_Victim"]:
        for digest in self._waiting:
            if digest not in self._pins:
                yield _Victim(self._waiting, digest, self._partial_folder / digest.hex())
        for digest in self._complete:
            if digest not in self._pins:
                yield _Victim(self._complete, digest, self._complete_path(digest))


class _Victim(NamedTuple):
    """A blob that may go, and where it is booked."""

    booked_in: dict[Digest, ByteCount]
    digest: Digest
    path: Path


def _scan(folder: Path) -> list[tuple[Digest, ByteCount]]:
    """Return the blobs of a folder, least recently used first."""
    files = (path for path in folder.rglob("*") if _NAME.fullmatch(path.name) and path.is_file())
    found = [(path.stat(), path.name) for path in files]
    found.sort(key=lambda entry: (entry[0].st_mtime_ns, entry[1]))
    return [(Digest(bytes.fromhex(name)), ByteCount(stat.st_size)) for stat, name in found]


def _size_of(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def _is_file_of(path: Path, size: ByteCount) -> bool:
    """Tell whether the file still has the size we know; another means that it was tampered with."""
    try:
        return path.stat().st_size == size
    except FileNotFoundError:
        return False
