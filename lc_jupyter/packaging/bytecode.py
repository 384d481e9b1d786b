"""Compiles modules for their place in the image; also a program of its own, of the standard library only.

A read-only image without bytecode compiles at every start (measured: 7 s instead of 1.6 s), and bytecode
that is checked by time is stale where all times are 0: so ``unchecked-hash`` (PEP 552), with the path that
the module has in the image. In a process of its own, because the bytes must not depend on what the kernel
did before, and by marshal version 2, because later ones write which constants happened to be shared.
"""

import importlib.util
import json
import marshal
import os
import struct
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import CodeType
from typing import Final

_HEADER: Final = struct.Struct("<4sI8s")
_STAMP: Final = struct.Struct("<II")
_UNCHECKED_HASH: Final = 1
_MARSHAL_VERSION: Final = 2
_LENGTH: Final = struct.Struct("<I")
_SINGLETONS: Final = 256

Redactions = Sequence[tuple[bytes, bytes]]


def compile_modules(
    modules: Sequence[tuple[str, Path]], redactions: Redactions
) -> dict[str, bytes]:
    """Return what belongs beside each module, by the path of its ``.pyc`` in the image.

    Args:
        modules: pairs of a path in the image, relative to its root, and the source here.
        redactions: what to replace in the sources before they are compiled.

    A source that this Python cannot compile (a template, a file for Python 2) is left out.
    """
    order = {
        "modules": [(path, str(source)) for path, source in modules],
        "redactions": [(old.hex(), new.hex()) for old, new in redactions],
    }
    done = subprocess.run(  # noqa: S603 (our own interpreter and this very file)
        [sys.executable, "-I", "-S", "-W", "ignore", __file__],
        input=json.dumps(order).encode(),
        stdout=subprocess.PIPE,
        check=True,
    )
    codes = _split(done.stdout)
    return {
        bytecode_path(path): code for (path, _), code in zip(modules, codes, strict=True) if code
    }


def bytecode_path(path: str) -> str:
    """Return where the bytecode of a module lies, by the module's path."""
    folder, _, name = path.rpartition("/")
    return f"{folder}/__pycache__/{name.removesuffix('.py')}.{sys.implementation.cache_tag}.pyc"


def redacted(data: bytes, redactions: Redactions) -> bytes:
    """Return the bytes with each path of this machine replaced by one of equal length."""
    for old, new in redactions:
        data = data.replace(old, new)
    return data


def _split(data: bytes) -> Iterator[bytes]:
    start = 0
    while start < len(data):
        (length,) = _LENGTH.unpack_from(data, start)
        start += _LENGTH.size
        yield data[start : start + length]
        start += length


def _compiled(path: str, source: Path, redactions: Redactions) -> bytes:
    text = source.read_bytes()
    clean = redacted(text, redactions)
    code = _cached(source) if clean == text else None
    if code is None:
        try:
            code = compile(clean, f"/{path}", "exec", dont_inherit=True, optimize=0)
        except (SyntaxError, ValueError, RecursionError):
            return b""
    _rename(code, f"/{path}")
    header = _HEADER.pack(
        importlib.util.MAGIC_NUMBER, _UNCHECKED_HASH, importlib.util.source_hash(clean)
    )
    return header + marshal.dumps(code, _MARSHAL_VERSION)


def _cached(source: Path) -> CodeType | None:
    """Return the code that the interpreter here would load, if it is up to date: ten times faster."""
    try:
        data = Path(importlib.util.cache_from_source(str(source))).read_bytes()
        magic, flags, stamp = _HEADER.unpack_from(data)
        status = source.stat()
        fresh = _STAMP.pack(int(status.st_mtime) & 0xFFFFFFFF, status.st_size & 0xFFFFFFFF)
        if (magic, flags, stamp) == (importlib.util.MAGIC_NUMBER, 0, fresh):
            code: CodeType = marshal.loads(data[_HEADER.size :])  # noqa: S302 (what import does)
            return code
    except (OSError, ValueError, EOFError, TypeError, struct.error):
        return None
    return None


def _rename(code: CodeType, path: str) -> None:
    """Set the path in a code object and in those within it, as import itself does for moved modules."""
    import _imp  # noqa: PLC0415 (only the program needs it)

    vars(_imp)["_fix_co_filename"](code, path)


def _main() -> None:
    # One-letter strings are shared by the whole process, and marshal tells interned ones from others.
    for number in range(_SINGLETONS):
        sys.intern(chr(number))
    sys.intern("")
    order = json.load(sys.stdin)
    pairs = [(bytes.fromhex(old), bytes.fromhex(new)) for old, new in order["redactions"]]
    with os.fdopen(sys.stdout.fileno(), "wb", closefd=False) as out:
        for path, source in order["modules"]:
            code = _compiled(path, Path(source), pairs)
            out.write(_LENGTH.pack(len(code)) + code)


if __name__ == "__main__":
    _main()
