"""Decoders that read a file or unpack into a folder, given the bytes that lie there."""

import io
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import Any, Final

from lc_node.adapters.layer_stream import LayerStream
from lc_node.adapters.oci_unpack import unpack
from lc_node.adapters.tar_entries import Refused, TarReader
from tests.adapters.archives import BLOCK, sha256_name

_UNPACKED_MAX: Final = 1 << 20
_DESCRIPTORS: Final = Path("/proc/self/fd")
_MAGIC: Final = slice(257, 262)
_MEMORY: Final = Path("/dev/shm")  # noqa: S108  # files of tests, private by mkdtemp


def of_file(read: Callable[[Path], Any]) -> Callable[[bytes], Any]:
    """Return a decoder of bytes out of one that reads a private file."""

    def decode(data: bytes) -> Any:
        place = _folder() / "file"
        place.unlink(missing_ok=True)
        place.touch(mode=0o600)
        place.write_bytes(data)
        return read(place)

    return decode


def mended(read: Callable[[bytes], Any]) -> Callable[[bytes], Any]:
    """Return a reader of tars whose headers get the right checksum, so that the rest is looked at."""

    def decode(data: bytes) -> Any:
        blocks = [data[at : at + BLOCK] for at in range(0, len(data), BLOCK)]
        return read(b"".join(_with_checksum(block) for block in blocks))

    return decode


def read_tar(data: bytes) -> None:
    """Read every entry and every byte of a tar stream."""
    reader = TarReader(io.BytesIO(data).read)
    for entry in reader.entries():
        assert not any(part in {b"", b".", b".."} for part in entry.parts)
        for _ in reader.content():
            continue


def read_layer(data: bytes) -> None:
    """Inflate a compressed layer; it may not yield more than was allowed."""
    stream = LayerStream(io.BytesIO(data), gzip=True, bytes_max=_UNPACKED_MAX, ratio_max=200)
    size = 0
    while piece := stream.read(1 << 16):
        size += len(piece)
    assert size <= _UNPACKED_MAX


def unpack_image(data: bytes) -> None:
    """Unpack a layer into a folder; nothing beside the folder may change.

    Raises:
        Refused: the layer was refused, or the disk was said to be at fault.
    """
    with _image(data) as (folder, todo):
        with _own_descriptors():
            result = unpack(todo)
        beside = sorted(one.name for one in folder.iterdir())
        assert beside == ["layer", "outside", "root"], beside
        assert (folder / "outside").read_text() == "ours"
        if "bytes" not in result:
            raise Refused(str(result))


@contextmanager
def _own_descriptors() -> Iterator[None]:
    """Close what the body leaves open: the unpacker has a process of its own, which ends with its root open."""
    before = set(_DESCRIPTORS.iterdir())
    yield
    for descriptor in set(_DESCRIPTORS.iterdir()) - before:
        with suppress(OSError):  # that of the list itself is closed already
            os.close(int(descriptor.name))


def _with_checksum(block: bytes) -> bytes:
    if block[_MAGIC] != b"ustar":
        return block
    bare = block[:148] + b" " * 8 + block[156:]
    return block[:148] + b"%06o\0 " % sum(bare) + block[156:]


@contextmanager
def _image(data: bytes) -> Iterator[tuple[Path, dict[str, Any]]]:
    folder = Path(tempfile.mkdtemp(dir=_folder()))
    try:
        (folder / "outside").write_text("ours")
        (folder / "root").mkdir()
        (folder / "layer").write_bytes(data)
        layer = {"path": str(folder / "layer"), "gzip": False, "diff_id": sha256_name(data)}
        limits = {
            "unpacked_bytes": _UNPACKED_MAX,
            "file_bytes": _UNPACKED_MAX,
            "entries": 100,
            "ratio": 200,
        }
        yield (
            folder,
            {
                "root": str(folder / "root"),
                "start_from": None,
                "first_layer": 1,
                "layers": [layer],
                "limits": limits,
            },
        )
    finally:
        shutil.rmtree(folder)


@cache
def _folder() -> Path:
    """Return a folder in memory, one a process."""
    return Path(tempfile.mkdtemp(prefix="lc-fuzz-", dir=_MEMORY if _MEMORY.is_dir() else None))
