"""What a pickle names: read off its instructions, none of which is performed."""

import pickletools
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import IO, Any, Final

from lc_jupyter.inspection.contents import Contents, Unreadable, clean, count, keep_rows

INSTRUCTIONS_MAX: Final = 2_000_000
"""Further ones are not looked at: some seconds."""

WARNING: Final = (
    "Loading a pickle runs whatever its author wrote into it. The names say what it asks for first, not what "
    "that does: none of them proves it harmless."
)
_COMPUTED: Final = "(a name that only loading would tell)"
_TEXTS: Final = frozenset(
    {
        "SHORT_BINUNICODE",
        "BINUNICODE",
        "BINUNICODE8",
        "UNICODE",
        "SHORT_BINSTRING",
        "BINSTRING",
        "STRING",
    }
)
_PUTS: Final = frozenset({"PUT", "BINPUT", "LONG_BINPUT"})
_GETS: Final = frozenset({"GET", "BINGET", "LONG_BINGET"})
_SILENT: Final = frozenset({"PROTO", "FRAME"})
_WRITTEN: Final = frozenset({"GLOBAL", "INST"})
_EXTENSIONS: Final = frozenset({"EXT1", "EXT2", "EXT4"})
_CALLS: Final = frozenset({"REDUCE", "NEWOBJ", "NEWOBJ_EX", "OBJ", "INST", "BUILD"})


def read_pickle(file: IO[bytes], size: int) -> Contents:
    """Return the globals that a pickle names; nothing of it is imported, called or built.

    Raises:
        Unreadable: its instructions cannot be read to their end.
    """
    reading = _Reading()
    try:
        for opcode, argument, _ in islice(_instructions(file, size), INSTRUCTIONS_MAX):
            reading.take(opcode.name, argument)
    except (ValueError, OverflowError, MemoryError, IndexError) as error:
        raise Unreadable("pickle", f"its instructions break off ({clean(error)})") from error
    rows, left_out = keep_rows((name,) for name in sorted(reading.names))
    whole = (
        "" if reading.ended else f" Only the first {INSTRUCTIONS_MAX:,} instructions were read."
    )
    asked = (
        f"It names {count(len(reading.names), 'global')} and makes {count(reading.calls, 'call')}."
    )
    return Contents(
        what=asked + whole,
        columns=("what it asks for",),
        rows=rows,
        left_out=left_out,
        warning=WARNING,
    )


def _instructions(file: IO[bytes], size: int) -> Iterator[tuple[pickletools.OpcodeInfo, Any, Any]]:
    # Typeshed asks for a name that the function does not use.
    return pickletools.genops(_Bounded(file, size))  # type: ignore[arg-type]


class _Bounded:
    """A file that is never asked for more bytes than it has, whatever a length in it says."""

    def __init__(self, file: IO[bytes], size: int) -> None:
        self._file = file
        self._left = size

    def read(self, length: int) -> bytes:
        data = self._file.read(min(length, self._left))
        self._left -= len(data)
        return data

    def readline(self) -> bytes:
        line = self._file.readline(self._left)
        self._left -= len(line)
        return line


@dataclass(slots=True)
class _Reading:
    """Follows texts to where names are made of them; whatever else is on the stack is not known."""

    names: set[str] = field(default_factory=set)
    calls: int = 0
    ended: bool = False
    _memo: dict[int, str | None] = field(default_factory=dict)
    _last: tuple[str | None, str | None] = (None, None)
    """The two uppermost things on the stack, where they are texts."""

    def take(self, name: str, argument: Any) -> None:
        """Note one instruction."""
        self.calls += name in _CALLS
        if name in _TEXTS:
            self._push(str(argument))
        elif name in _GETS:
            self._push(self._memo.get(int(argument)))
        elif name == "MEMOIZE":
            self._memo[len(self._memo)] = self._last[1]
        elif name in _PUTS:
            self._memo[int(argument)] = self._last[1]
        elif name not in _SILENT:
            self._note(name, argument)
            self._last = (None, None)

    def _note(self, name: str, argument: Any) -> None:
        if name == "STACK_GLOBAL":
            module, attribute = self._last
            known = module is not None and attribute is not None
            self.names.add(clean(f"{module}.{attribute}") if known else _COMPUTED)
        elif name in _WRITTEN:
            self.names.add(clean(str(argument).replace(" ", ".", 1)))
        elif name in _EXTENSIONS:
            self.names.add(f"copyreg extension {argument}")
        elif name == "STOP":
            self.ended = True

    def _push(self, text: str | None) -> None:
        self._last = (self._last[1], text)
