"""What a compiled file needs to be loaded, and the same file without what only a debugger reads."""

import struct
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Final

from elftools.common.exceptions import ELFError
from elftools.elf.dynamic import DynamicSegment
from elftools.elf.elffile import ELFFile
from elftools.elf.segments import InterpSegment

MAGIC: Final = b"\x7fELF"
_BITS_64: Final = 2
_TAGS: Final = {"DT_NEEDED": "needed", "DT_RUNPATH": "runpath", "DT_RPATH": "rpath"}
_SECTION_OFFSET: Final = (0x28, "<Q")
_SECTION_COUNTS: Final = (0x3C, "<HH")


@dataclass(frozen=True, slots=True, kw_only=True)
class Needs:
    """The dynamic section of a compiled file (gABI 5, ``DT_NEEDED``, ``DT_RUNPATH``) and its loader."""

    libraries: tuple[str, ...]
    folders: tuple[str, ...]
    """Where it looks first; ``$ORIGIN`` still stands for its own folder."""
    loader: str


def is_elf(path: Path) -> bool:
    """Tell whether a file begins as a compiled one does."""
    with path.open("rb") as file:
        return file.read(len(MAGIC)) == MAGIC


def read_needs(path: Path) -> Needs:
    """Read what a compiled file needs; a damaged one needs nothing."""
    libraries: list[str] = []
    folders: list[str] = []
    loader = ""
    try:
        with path.open("rb") as file:
            for segment in ELFFile(file).iter_segments():
                if isinstance(segment, InterpSegment):
                    loader = segment.get_interp_name()
                elif isinstance(segment, DynamicSegment):
                    _read_tags(segment, libraries, folders)
    except (ELFError, ValueError, UnicodeDecodeError):
        return Needs(libraries=(), folders=(), loader="")
    return Needs(libraries=tuple(libraries), folders=tuple(folders), loader=loader)


def _read_tags(segment: DynamicSegment, libraries: list[str], folders: list[str]) -> None:
    for tag in segment.iter_tags():
        if tag.entry.d_tag in _TAGS:
            text: str = getattr(tag, _TAGS[tag.entry.d_tag])
            if tag.entry.d_tag == "DT_NEEDED":
                libraries.append(text)
            else:
                folders.extend(text.split(":"))


def stripped(data: bytes) -> bytes:
    """Return a program or library without sections: the system loads it by its segments alone.

    Debug sections are the larger half of an interpreter built at home, and they tell where it was built.
    A file that is not 64-bit little-endian ELF comes back as it is.
    """
    if data[:4] != MAGIC or data[4] != _BITS_64 or data[5] != 1:
        return data
    segments = ELFFile(BytesIO(data)).iter_segments()
    end = max((s.header.p_offset + s.header.p_filesz for s in segments), default=0)
    kept = bytearray(data[: max(end, ELFFile(BytesIO(data)).header.e_ehsize)])
    offset, form = _SECTION_OFFSET
    struct.pack_into(form, kept, offset, 0)
    offset, form = _SECTION_COUNTS
    struct.pack_into(form, kept, offset, 0, 0)
    return bytes(kept)
