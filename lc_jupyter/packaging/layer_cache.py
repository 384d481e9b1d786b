"""Layers written before, on this machine's disk; several kernels may use it at once."""

import contextlib
import json
import os
import tempfile
import time
import zlib
from collections.abc import Callable, Iterator
from dataclasses import asdict
from hashlib import sha256
from pathlib import Path
from typing import BinaryIO, Final

from lc_jupyter.packaging.environment import Environment
from lc_jupyter.packaging.files import LayerPlan, SourceFile
from lc_node.oci.layers import Entry, FileEntry, FolderEntry, WrittenLayer

FORMAT: Final = "lc/layer/3"
"""Changed whenever the same files would give other bytes."""

CACHE_BYTES_MAX: Final = 8 * 1024**3
_KEYS_MAX: Final = 4096
_RECENT_S: Final = 3600
"""What was used within the hour stays even over the limit: it may be in use now."""


class LayerCache:
    """Blobs by digest, and what is known of them by a key over the files that they were made of."""

    def __init__(self, folder: Path, bytes_max: int = CACHE_BYTES_MAX) -> None:
        self._blobs = folder / "blobs"
        self._keys = folder / "keys"
        self._bytes_max = bytes_max
        for inner in (self._blobs, self._keys):
            inner.mkdir(parents=True, exist_ok=True, mode=0o700)

    @classmethod
    def of_user(cls) -> "LayerCache":
        """Return the cache in the user's cache folder (XDG base directory specification)."""
        base = os.environ.get("XDG_CACHE_HOME", "")
        root = Path(base) if base.startswith("/") else Path.home() / ".cache"
        return cls(root / "learningchain" / "layers")

    def blob(self, digest: str) -> Path:
        """Return where a blob lies, or would lie."""
        return self._blobs / digest.removeprefix("sha256:")

    def find(self, key: str) -> WrittenLayer | None:
        """Return what is known of a layer that is whole on disk, and mark it as used."""
        try:
            layer = WrittenLayer(**json.loads(self._key(key).read_text()))
            blob = self.blob(layer.digest)
            if blob.stat().st_size == layer.size:
                os.utime(blob)
                return layer
        except (OSError, ValueError, TypeError):
            # Never written, half removed, or of another version of this program.
            return None
        return None

    def store(self, key: str, write: Callable[[BinaryIO], WrittenLayer]) -> WrittenLayer:
        """Let a function write a layer and keep it; whole or not at all."""
        with self._temporary(self._blobs) as (file, path):
            layer = write(file)
            file.flush()
            path.replace(self.blob(layer.digest))
        self._write_key(key, asdict(layer))
        return layer

    def note(self, key: str, compute: Callable[[], object]) -> object:
        """Return a small JSON value that depends on the key alone, computed only once."""
        try:
            return json.loads(self._key(key).read_text())
        except (OSError, ValueError):
            value = compute()
            self._write_key(key, value)
            return json.loads(json.dumps(value))

    def trim(self) -> None:
        """Remove the layers unused for longest until the cache is within its limit."""
        blobs = _oldest_first(self._blobs)
        excess = sum(size for _, size, _ in blobs) - self._bytes_max
        for path, size, used in blobs:
            if excess <= 0 or time.time() - used < _RECENT_S:
                break
            path.unlink(missing_ok=True)
            excess -= size
        for path, _, _ in _oldest_first(self._keys)[:-_KEYS_MAX]:
            path.unlink(missing_ok=True)

    def _key(self, key: str) -> Path:
        return self._keys / f"{key}.json"

    def _write_key(self, key: str, value: object) -> None:
        with self._temporary(self._keys) as (file, path):
            file.write(json.dumps(value).encode())
            file.flush()
            path.replace(self._key(key))

    @contextlib.contextmanager
    def _temporary(self, folder: Path) -> Iterator[tuple[BinaryIO, Path]]:
        """Open a new file that vanishes unless it is renamed."""
        number, name = tempfile.mkstemp(dir=folder, prefix=".")
        path = Path(name)
        try:
            with os.fdopen(number, "wb") as file:
                yield file, path
        finally:
            path.unlink(missing_ok=True)


def _oldest_first(folder: Path) -> list[tuple[Path, int, float]]:
    """Return path, size and time of last use of each file; what another kernel removes is left out."""
    found = []
    for entry in os.scandir(folder):
        with contextlib.suppress(FileNotFoundError):
            status = entry.stat()
            found.append((Path(entry.path), status.st_size, status.st_mtime))
    return sorted(found, key=lambda item: item[2])


def layer_key(plan: LayerPlan, environment: Environment) -> str:
    """Return a key that is equal only where the same bytes would be written, without reading a file."""
    parts = [
        (FORMAT, environment.key(), zlib.ZLIB_RUNTIME_VERSION, plan.compress, plan.bytecode),
        *map(_file_key, sorted(plan.files, key=lambda file: file.path)),
        *map(_entry_key, sorted(plan.entries, key=lambda entry: entry.path)),
    ]
    return sha256(repr(parts).encode()).hexdigest()


def files_key(purpose: str, files: tuple[SourceFile, ...], extra: object = None) -> str:
    """Return a key for something that is computed from files."""
    ordered = sorted(map(_file_key, files))
    return sha256(repr((FORMAT, purpose, extra, ordered)).encode()).hexdigest()


def _file_key(file: SourceFile) -> tuple[object, ...]:
    flags = (file.mode, file.strip, file.verbatim)
    return (file.path, str(file.source), file.size, file.mtime_ns, flags)


def _entry_key(entry: Entry) -> tuple[object, ...]:
    if isinstance(entry, FileEntry):
        content = entry.content if isinstance(entry.content, bytes) else b"".join(entry.content())
        return (entry.path, entry.mode, sha256(content).hexdigest())
    if isinstance(entry, FolderEntry):
        return (entry.path, entry.mode)
    return (entry.path, entry.target)
