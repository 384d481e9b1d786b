"""The headers of safetensors and npz: names, types and shapes, without the numbers themselves."""

import ast
import json
import re
import struct
from collections.abc import Iterator
from math import prod
from typing import IO, Final
from zipfile import BadZipFile, ZipFile

from lc_jupyter.inspection.contents import (
    Contents,
    Row,
    Unreadable,
    clean,
    count,
    keep_rows,
    show_shape,
)

HEADER_BYTES_MAX: Final = 4 * 1024 * 1024
"""Of a safetensors file: some forty thousand tensors."""

NPY_HEADER_BYTES_MAX: Final = 10_000
"""As numpy itself reads at most."""

_COLUMNS: Final = ("name", "type", "shape")
_LENGTH: Final = struct.Struct("<Q")
_METADATA: Final = "__metadata__"
_NPY_MAGIC: Final = b"\x93NUMPY"
_NPY_LENGTHS: Final = {1: struct.Struct("<H"), 2: struct.Struct("<I"), 3: struct.Struct("<I")}
_DTYPE: Final = re.compile(r"[<>|=]?([a-zA-Z?])(\d*)(\[\w+\])?", re.ASCII)
_KINDS: Final = {
    "b": "bool",
    "?": "bool",
    "i": "int",
    "u": "uint",
    "f": "float",
    "c": "complex",
    "U": "text",
    "S": "bytes",
    "M": "datetime",
    "m": "timedelta",
}
_BITS_A_BYTE: Final = 8


def read_safetensors(file: IO[bytes], size: int) -> Contents:
    """Return a safetensors file's header: its tensors, and how many numbers they hold together.

    Raises:
        Unreadable: the header is not what the format says.
    """
    header = _safetensors_header(file, size)
    metadata = header.pop(_METADATA, {})
    if not isinstance(metadata, dict):
        raise Unreadable("safetensors", f"{_METADATA} is no object")
    tensors = [_tensor(name, told) for name, told in header.items()]
    rows, left_out = keep_rows(row for row, _ in tensors)
    numbers = sum(length for _, length in tensors)
    return Contents(
        what=f"{count(len(tensors), 'tensor')}, {count(numbers, 'number')} together.",
        columns=_COLUMNS,
        rows=rows,
        left_out=left_out,
        params=tuple((clean(name), clean(value)) for name, value in metadata.items()),
    )


def read_npz(file: IO[bytes], _size: int) -> Contents:
    """Return the headers of an npz's arrays; of each array some bytes are read, whatever it says of its size.

    Raises:
        Unreadable: it is no zip of arrays, or an array is of Python objects.
    """
    try:
        with ZipFile(file) as archive:
            members = archive.infolist()
            rows, left_out = keep_rows(_arrays(archive))
    except (BadZipFile, OSError, EOFError, NotImplementedError, RuntimeError, ValueError) as error:
        raise Unreadable("npz", clean(error)) from error
    except Exception as error:  # zlib, lzma and bz2 have errors of their own
        raise Unreadable("npz", f"{type(error).__name__}: {clean(error)}") from error
    what = f"{count(len(members), 'array')}."
    return Contents(what=what, columns=_COLUMNS, rows=rows, left_out=left_out)


def _safetensors_header(file: IO[bytes], size: int) -> dict[str, object]:
    first = file.read(_LENGTH.size)
    if len(first) < _LENGTH.size:
        raise Unreadable("safetensors", f"it has {size} bytes")
    (length,) = _LENGTH.unpack(first)
    if length > min(size - _LENGTH.size, HEADER_BYTES_MAX):
        raise Unreadable("safetensors", f"its header would have {length:,} bytes")
    try:
        header = json.loads(file.read(length))
    except (ValueError, RecursionError) as error:
        raise Unreadable("safetensors", "its header is no JSON") from error
    if not isinstance(header, dict):
        raise Unreadable("safetensors", "its header is no object")
    return header


def _tensor(name: str, told: object) -> tuple[Row, int]:
    shape = told.get("shape") if isinstance(told, dict) else None
    if not isinstance(told, dict) or not isinstance(shape, list):
        raise Unreadable("safetensors", f"{clean(name)!r} has no shape")
    if not all(type(length) is int and 0 <= length < 1 << 63 for length in shape):
        raise Unreadable(
            "safetensors", f"{clean(name)!r} has a shape of something else than numbers"
        )
    return (clean(name), clean(told.get("dtype")), show_shape(shape)), prod(shape)


def _arrays(archive: ZipFile) -> Iterator[Row]:
    for member in archive.infolist():
        with archive.open(member) as opened:
            kind, shape = _npy_header(opened)
        yield clean(member.filename.removesuffix(".npy")), kind, show_shape(shape)


def _npy_header(file: IO[bytes]) -> tuple[str, tuple[int, ...]]:
    """Return what an array is of, and its shape: numpy.lib.format, "Format Version 1.0" to 3.0."""
    magic = file.read(len(_NPY_MAGIC) + 2)
    if magic[: len(_NPY_MAGIC)] != _NPY_MAGIC or magic[-2] not in _NPY_LENGTHS:
        raise Unreadable("npz", "it holds something else than arrays")
    written = _NPY_LENGTHS[magic[-2]]
    (length,) = written.unpack(file.read(written.size))
    if length > NPY_HEADER_BYTES_MAX:
        raise Unreadable("npz", f"an array's header would have {length:,} bytes")
    try:
        header = ast.literal_eval(file.read(length).decode("utf-8").strip())
        shape = tuple(map(int, header["shape"]))
        return _kind(header["descr"]), shape
    except (LookupError, MemoryError, RecursionError, SyntaxError, TypeError, ValueError) as error:
        raise Unreadable("npz", "an array's header cannot be read") from error


def _kind(descr: object) -> str:
    if not isinstance(descr, str):
        return "records"
    match = _DTYPE.fullmatch(descr)
    if match is None or match[1] not in _KINDS:
        raise Unreadable(
            "npz", "an array holds Python objects, which only a pickle could bring back"
        )
    name = _KINDS[match[1]]
    if name in {"int", "uint", "float", "complex"}:
        return f"{name}{_BITS_A_BYTE * int(match[2] or 1)}"
    return name
