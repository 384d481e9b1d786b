"""Tar archives as an attacker writes them: every field of a header at will."""

import hashlib
import zlib
from pathlib import Path
from typing import Any

from lc_node.adapters.oci_unpack import unpack

BLOCK = 512
END = bytes(2 * BLOCK)


def member(
    name: bytes | str,
    content: bytes = b"",
    *,
    kind: bytes = b"0",
    link: bytes | str = b"",
    mode: int = 0o644,
    size: int | None = None,
) -> bytes:
    """Return a header and what follows it; ``size`` may lie."""
    header = bytearray(BLOCK)
    header[:100] = _bytes(name).ljust(100, b"\0")
    header[100:108] = b"%07o\0" % mode
    header[108:124] = b"0000000\x000000000\0"
    header[124:136] = b"%011o\0" % (len(content) if size is None else size)
    header[136:148] = b"00000000000\0"
    header[156:157] = kind
    header[157:257] = _bytes(link).ljust(100, b"\0")
    header[257:265] = b"ustar\x0000"
    header[148:156] = b"%06o\0 " % (sum(header) + 8 * 0x20)
    return bytes(header) + content + bytes(-len(content) % BLOCK)


def pax(records: dict[str, str], kind: bytes = b"x") -> bytes:
    """Return an extended header for the member after it."""
    text = b"".join(_record(key, value) for key, value in records.items())
    return member("pax", text, kind=kind)


def folder(name: str, mode: int = 0o755) -> bytes:
    """Return a folder's header."""
    return member(name, kind=b"5", mode=mode)


def symlink(name: str, target: str) -> bytes:
    """Return a symbolic link's header."""
    return member(name, kind=b"2", link=target)


def hard_link(name: str, target: str) -> bytes:
    """Return a hard link's header."""
    return member(name, kind=b"1", link=target)


def gzip(data: bytes, level: int = 9) -> bytes:
    """Compress as one member without a name or a time."""
    squeeze = zlib.compressobj(level, zlib.DEFLATED, 31)
    return squeeze.compress(data) + squeeze.flush()


def sha256_name(data: bytes) -> str:
    """Return a digest as images write it."""
    return "sha256:" + hashlib.sha256(data).hexdigest()


def plan(root: Path, *layers: bytes, compress: bool = False, **limits: int) -> dict[str, Any]:
    """Write layers beside ``root`` and return the unpacker's plan for them."""
    root.mkdir()
    described = []
    for number, tar in enumerate(layers):
        path = root.parent / f"layer-{number}"
        path.write_bytes(gzip(tar) if compress else tar)
        described.append({"path": str(path), "gzip": compress, "diff_id": sha256_name(tar)})
    allowed = {
        "unpacked_bytes": 1 << 30,
        "file_bytes": 1 << 30,
        "entries": 1000,
        "ratio": 200,
        **limits,
    }
    return {
        "root": str(root),
        "start_from": None,
        "first_layer": 1,
        "layers": described,
        "limits": allowed,
    }


def prepared(root: Path, *layers: bytes, **options: Any) -> dict[str, Any]:
    """Make the folder that an image's root lies in, and return the plan of these layers."""
    root.parent.mkdir()
    return plan(root, *layers, **options)


def unpacked(root: Path, *layers: bytes, **options: Any) -> dict[str, Any]:
    """Unpack layers and return what the unpacker says."""
    return unpack(prepared(root, *layers, **options))


def _record(key: str, value: str) -> bytes:
    body = f" {key}={value}\n".encode()
    length = len(body) + 1
    while len(str(length)) + len(body) != length:
        length += 1
    return str(length).encode() + body


def _bytes(text: bytes | str) -> bytes:
    return text if isinstance(text, bytes) else text.encode()
