"""Programs of a few hundred bytes, put together here: they need neither a compiler nor a file of the host."""

import struct
from typing import Final

MACHINE: Final = "x86_64"
"""The machine, as ``uname`` names it, that these programs are for."""

_BASE: Final = 0x400000
_HEADERS: Final = 64 + 56


def elf_program(code: bytes) -> bytes:
    """Return a static x86-64 ELF file of one segment, loaded to be read and executed; elf(5)."""
    size = _HEADERS + len(code)
    identification = b"\x7fELF\x02\x01\x01"
    entry = _BASE + _HEADERS
    header = struct.pack(
        "<16sHHIQQQIHHHHHH", identification, 2, 62, 1, entry, 64, 0, 0, 64, 56, 1, 0, 0, 0
    )
    segment = struct.pack("<IIQQQQQQ", 1, 5, 0, _BASE, _BASE, size, size, 4096)
    return header + segment + code
