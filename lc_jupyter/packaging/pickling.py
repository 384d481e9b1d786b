"""Pickles a job's functions by value and notes on the way which modules the pickle will ask for."""

import inspect
import io
import linecache
from collections import ChainMap
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from types import CodeType, ModuleType
from typing import Any, Final, TypeAlias

import cloudpickle

from lc_jupyter.packaging.places import SOURCES
from lc_jupyter.runner.layout import WORK

PROTOCOL: Final = 5
"""Of every Python that can run a node."""

_NAME_DIGITS: Final = 12

Reduced: TypeAlias = tuple[Any, ...] | str


class TooManyBytes(Exception):
    """A pickle grew over the limit that was set for it."""


class _Sink:
    """Takes bytes up to a limit, so that a huge value costs no second copy of itself."""

    def __init__(self, bytes_max: int) -> None:
        self._left = bytes_max
        self._taken = io.BytesIO()

    def write(self, data: bytes | memoryview) -> int:
        """Take bytes, as a file does.

        Raises:
            TooManyBytes: the limit is passed.
        """
        self._left -= memoryview(data).nbytes
        if self._left < 0:
            raise TooManyBytes
        return self._taken.write(data)

    def taken(self) -> bytes:
        """Return all that was written."""
        return self._taken.getvalue()


@dataclass
class Pickled:
    """A pickle, and what was seen while it was made."""

    data: bytes = b""
    modules: set[str] = field(default_factory=set)
    """Modules of the classes, functions and objects in it; they must exist where it is loaded."""
    sources: dict[str, str] = field(default_factory=dict)
    """Text for tracebacks by its path under the working folder: captured lines only, the others blank."""


class _Pickler(cloudpickle.Pickler):  # type: ignore[misc]  # cloudpickle ships no types
    """Cloudpickle, with neutral file names in code objects and a list of the modules it met."""

    def __init__(self, sink: _Sink, seen: Pickled) -> None:
        self._seen = seen
        self._lines: dict[str, set[int]] = {}
        self._reduce_code: Callable[[CodeType], Reduced] = cloudpickle.Pickler.dispatch_table[
            CodeType
        ]
        self.dispatch_table = ChainMap(
            {CodeType: self._neutral_code}, cloudpickle.Pickler.dispatch_table
        )
        # Last, because pickling reads the table when it starts.
        super().__init__(sink, protocol=PROTOCOL)

    def reducer_override(self, obj: Any) -> Any:
        self._seen.modules.add(_module_of(obj))
        return super().reducer_override(obj)

    def _neutral_code(self, code: CodeType) -> Reduced:
        """Reduce a code object whose file name says neither where nor by which process it was made."""
        return self._reduce_code(code.replace(co_filename=self._place_of(code)))

    def _place_of(self, code: CodeType) -> str:
        text = linecache.getlines(code.co_filename)
        digest = sha256("".join(text).encode()).hexdigest()[:_NAME_DIGITS]
        place = f"{SOURCES}/{digest}.py"
        if text:
            wanted = self._lines.setdefault(place, set())
            numbers = [line for _, _, line in code.co_lines() if line is not None]
            last = max(numbers, default=code.co_firstlineno)
            wanted.update(range(code.co_firstlineno, last + 1))
            lines = (line if n in wanted else "\n" for n, line in enumerate(text, start=1))
            self._seen.sources[place] = "".join(lines).rstrip("\n") + "\n"
        return f"{WORK}/{place}"


def pickle_by_value(value: object, bytes_max: int) -> Pickled:
    """Pickle a value, with functions and classes of the notebook by value.

    Raises:
        TooManyBytes: the pickle would be longer than ``bytes_max``.
        Exception: whatever the value's own reduction raises.
    """
    seen = Pickled()
    sink = _Sink(bytes_max)
    _Pickler(sink, seen).dump(value)
    seen.data = sink.taken()
    seen.modules -= {"", "builtins", "__main__"}
    return seen


def is_by_value(function: object) -> bool:
    """Tell whether a function or class travels by value: it belongs to the notebook, not to a module."""
    module = inspect.getmodule(function)
    return module is None or module.__name__ == "__main__"


def globals_named(function: Callable[..., object]) -> Mapping[str, object]:
    """Return the globals, closure cells and defaults that a function takes along, by name."""
    code: CodeType | None = getattr(function, "__code__", None)
    if code is None:
        return {}
    space: dict[str, object] = getattr(function, "__globals__", {})
    names = cloudpickle.cloudpickle._extract_code_globals(code)  # noqa: SLF001 (the very names it pickles)
    found: dict[str, object] = {name: space[name] for name in names if name in space}
    cells = getattr(function, "__closure__", None) or ()
    for name, cell in zip(code.co_freevars, cells, strict=True):
        try:
            found[name] = cell.cell_contents
        except ValueError:
            # A name of an enclosing function that is assigned later.
            continue
    defaults: tuple[object, ...] = getattr(function, "__defaults__", None) or ()
    arguments = code.co_varnames[: code.co_argcount]
    found |= dict(zip(arguments[len(arguments) - len(defaults) :], defaults, strict=True))
    found |= getattr(function, "__kwdefaults__", None) or {}
    return found


def _module_of(obj: object) -> str:
    if isinstance(obj, ModuleType):
        return obj.__name__
    named = obj if isinstance(obj, type) or callable(obj) else type(obj)
    name = getattr(named, "__module__", None) or type(obj).__module__
    return name if isinstance(name, str) else ""
