"""A strict, bounded reader of tar streams from strangers; the standard library alone, for it runs in a process apart.

It reads what layers of images are made of: POSIX ustar, pax extended headers (IEEE 1003.1, ``pax``) and GNU's long
names. Whatever it does not know it refuses: where two readers of tar differ, an image means two things.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import Enum
from typing import Final

BLOCK: Final = 512
PATH_BYTES_MAX: Final = 1024
DEPTH_MAX: Final = 64
LINK_BYTES_MAX: Final = 4095
EXTENSION_BYTES_MAX: Final = 1024 * 1024
EXTENSIONS_MAX: Final = 8
"""Extension headers before one entry; writers need two, a long name and a long link."""
_PIECE_BYTES: Final = 1024 * 1024
_NUMBER_DIGITS_MAX: Final = 19
_BASE_256: Final = 0x80
_NEGATIVE: Final = 0x40

Parts = tuple[bytes, ...]


class Refused(Exception):
    """The stream breaks a rule, which the message names."""


class Kind(Enum):
    """What an entry makes."""

    FILE = "file"
    FOLDER = "folder"
    SYMBOLIC_LINK = "symbolic link"
    HARD_LINK = "hard link"


_KINDS: Final = {
    b"0": Kind.FILE,
    b"\0": Kind.FILE,
    b"7": Kind.FILE,
    b"1": Kind.HARD_LINK,
    b"2": Kind.SYMBOLIC_LINK,
    b"5": Kind.FOLDER,
}
_REFUSED_KINDS: Final = {
    b"3": "a character device",
    b"4": "a block device",
    b"6": "a FIFO",
    b"S": "a sparse file",
}


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry; the bytes of a file must be read before the next entry is."""

    kind: Kind
    parts: Parts
    """The path below the root, without empty parts and dots; empty for the root itself."""
    link: bytes
    size: int
    is_program: bool


@dataclass(slots=True)
class _Extension:
    """What headers before an entry say of it."""

    path: bytes | None = None
    link: bytes | None = None
    size: int | None = None


class TarReader:
    """Reads entries from a stream of bytes, and never more of it than asked for."""

    def __init__(self, read: Callable[[int], bytes]) -> None:
        """Read from ``read``, which returns fewer bytes than asked for only at its end."""
        self._read = read
        self._left = 0
        self._padding = 0

    def entries(self) -> Iterator[Entry]:
        """Yield entries up to the end marker, or to the end of the stream.

        Raises:
            Refused: a header is malformed, of a kind that we do not make, or over a limit.
        """
        extension = _Extension()
        extensions = 0
        while (header := self._next_header()) is not None:
            kind, size = header[156:157], _number(header[124:136])
            if kind in {b"x", b"g", b"L", b"K"}:
                extensions += 1
                if extensions > EXTENSIONS_MAX:
                    raise Refused(f"more than {EXTENSIONS_MAX} extension headers before an entry")
                self._extend(extension, kind, self._extension_bytes(size))
                continue
            entry = _entry(header, extension)
            self._left = entry.size
            self._padding = -entry.size % BLOCK
            yield entry
            extension, extensions = _Extension(), 0

    def content(self) -> Iterator[bytes]:
        """Yield the bytes of the file that was yielded last.

        Raises:
            Refused: the stream ends before the file does.
        """
        while self._left:
            piece = self._exactly(min(self._left, _PIECE_BYTES))
            self._left -= len(piece)
            yield piece

    def _next_header(self) -> bytes | None:
        for _ in self.content():
            continue
        self._exactly(self._padding)
        self._padding = 0
        header = self._read(BLOCK)
        if not header or header == bytes(BLOCK):
            return None
        if len(header) < BLOCK:
            raise Refused("the layer ends within a header")
        _check(header)
        return header

    def _extension_bytes(self, size: int) -> bytes:
        if size > EXTENSION_BYTES_MAX:
            raise Refused(f"an extension header of {size} bytes")
        data = self._exactly(size)
        self._exactly(-size % BLOCK)
        return data

    def _extend(self, extension: _Extension, kind: bytes, data: bytes) -> None:
        if kind == b"L":
            extension.path = data.rstrip(b"\0")
        elif kind == b"K":
            extension.link = data.rstrip(b"\0")
        else:
            _read_pax(data, extension, is_global=kind == b"g")

    def _exactly(self, count: int) -> bytes:
        data = self._read(count) if count else b""
        if len(data) < count:
            raise Refused("the layer ends within a file")
        return data


def parts_of(path: bytes) -> Parts:
    """Return the parts of a path below the root.

    Raises:
        Refused: it leads upwards, or is too long or too deep.
    """
    if len(path) > PATH_BYTES_MAX:
        raise Refused(f"a path of {len(path)} bytes")
    parts = tuple(part for part in path.split(b"/") if part not in {b"", b"."})
    if b".." in parts:
        raise Refused(f"a path that leads upwards: {path!r}")
    if len(parts) > DEPTH_MAX:
        raise Refused(f"a path {len(parts)} folders deep")
    if b"\0" in path:
        raise Refused("a path with a zero byte")
    return parts


def _entry(header: bytes, extension: _Extension) -> Entry:
    code = header[156:157]
    if code in _REFUSED_KINDS:
        raise Refused(_REFUSED_KINDS[code])
    if (kind := _KINDS.get(code)) is None:
        raise Refused(f"an entry of the unknown kind {code!r}")
    path = _path(header) if extension.path is None else extension.path
    if kind is Kind.FILE and path.endswith(b"/"):
        kind = Kind.FOLDER  # as tar did before it had folders
    link = _text(header[157:257]) if extension.link is None else extension.link
    if len(link) > LINK_BYTES_MAX or b"\0" in link:
        raise Refused(f"a link of {len(link)} bytes")
    size = _number(header[124:136]) if extension.size is None else extension.size
    return Entry(
        kind=kind,
        parts=parts_of(path),
        link=link,
        size=size if kind is Kind.FILE else 0,
        is_program=bool(_number(header[100:108]) & 0o111),
    )


def _path(header: bytes) -> bytes:
    """Return the path; only POSIX archives keep its beginning elsewhere, GNU's have times there."""
    name, prefix = _text(header[:100]), _text(header[345:500])
    return prefix + b"/" + name if prefix and header[257:263] == b"ustar\0" else name


def _check(header: bytes) -> None:
    """Compare the sum of the header's bytes, the field of the sum itself counted as spaces."""
    total = sum(header) - sum(header[148:156]) + 8 * 0x20
    if total != _number(header[148:156]):
        raise Refused("a header with a wrong checksum")


def _number(field: bytes) -> int:
    """Read an octal number, or GNU's binary form of large ones."""
    if field[0] & _BASE_256:
        if field[0] & _NEGATIVE:
            raise Refused("a negative number")
        return int.from_bytes(bytes([field[0] & ~_BASE_256]) + field[1:])
    digits = field.partition(b"\0")[0].strip(b" ")
    if not digits:
        return 0
    if digits.strip(b"01234567"):
        raise Refused(f"the number {digits!r}")
    return int(digits, 8)


def _text(field: bytes) -> bytes:
    return field.partition(b"\0")[0]


def _read_pax(data: bytes, extension: _Extension, *, is_global: bool) -> None:
    """Read records ``LENGTH KEY=VALUE`` and a newline; only three keys change what an entry is."""
    at = 0
    while at < len(data):
        length_text, space, _ = data[at : at + _NUMBER_DIGITS_MAX + 1].partition(b" ")
        if not space or not length_text.isdigit():
            raise Refused("a malformed pax header")
        end = at + int(length_text)
        record = data[at + len(length_text) + 1 : end]
        key, equals, value = record.partition(b"=")
        if end > len(data) or not equals or not value.endswith(b"\n"):
            raise Refused("a malformed pax header")
        _set(extension, key, value[:-1], is_global=is_global)
        at = end


def _set(extension: _Extension, key: bytes, value: bytes, *, is_global: bool) -> None:
    if key.startswith(b"GNU.sparse"):
        raise Refused("a sparse file")
    if key not in {b"path", b"linkpath", b"size"}:
        return
    if is_global:
        raise Refused(f"a pax header that sets {key.decode()} for all entries")
    if key == b"path":
        extension.path = value
    elif key == b"linkpath":
        extension.link = value
    elif value.isdigit() and len(value) <= _NUMBER_DIGITS_MAX:
        extension.size = int(value)
    else:
        raise Refused("a pax header with a malformed size")
