"""What a job's functions take along: pickled by value, each name with its size, nothing secret by accident."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from types import BuiltinFunctionType, CodeType, FunctionType, MethodType, ModuleType
from typing import Final

from lc_jupyter.packaging.errors import CapturedTooLarge, UnpicklableCapture
from lc_jupyter.packaging.imports import codes_within, imported_by_code, imported_by_text
from lc_jupyter.packaging.pickling import (
    Pickled,
    TooManyBytes,
    globals_named,
    is_by_value,
    pickle_by_value,
)
from lc_node.oci.secret_scan import scan_text, scan_value

CAPTURED_BYTES_MAX: Final = 64 * 1024 * 1024
"""Larger data belongs into a file: a layer of its own moves in chunks, a pickle moves whole."""

_LARGEST_SHOWN: Final = 5
_DEPTH_MAX: Final = 6

_CODE: Final = (
    BuiltinFunctionType
    | ModuleType
    | FunctionType
    | type
    | MethodType
    | staticmethod
    | classmethod
    | property
)

Function = Callable[..., object]


@dataclass(frozen=True, slots=True, kw_only=True)
class CapturedName:
    """A variable that goes along, and the function that uses it."""

    name: str
    holder: str
    kind: str
    """Name of its type."""
    size: int
    """Bytes of its pickle alone; what two names share is counted for both."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Capture:
    """The functions of a job as they will travel."""

    payload: bytes
    """A pickle of the dict that the runner reads."""
    names: tuple[CapturedName, ...]
    """Variables, largest first; modules, functions and classes are not listed."""
    modules: frozenset[str]
    """Modules that the functions and the captured values need."""
    sources: Mapping[str, str]
    findings: tuple[tuple[str, str], ...]
    """What looks secret: where, and by which rule."""


def capture(
    functions: Mapping[str, Function],
    settings: Mapping[str, str],
    bytes_max: int = CAPTURED_BYTES_MAX,
) -> Capture:
    """Capture functions and what they use.

    Args:
        functions: by their keys in the payload.
        settings: texts of the payload, such as the model format.
        bytes_max: limit for the whole payload.

    Raises:
        UnpicklableCapture: a value cannot be sent; the message names the way to it.
        CapturedTooLarge: the values together are over the limit.
    """
    try:
        pickled = pickle_by_value({**functions, **settings}, bytes_max)
    except TooManyBytes:
        largest = _measured(functions, bytes_max)[:_LARGEST_SHOWN]
        raise CapturedTooLarge(bytes_max, [(n.name, n.size) for n in largest]) from None
    except Exception as error:
        raise _blame(functions, error) from error
    codes = [code for holder in _travelling(functions.values()) for code in _codes(holder)]
    imported = frozenset[str]().union(*map(imported_by_code, codes))
    return Capture(
        payload=pickled.data,
        names=_measured(functions, bytes_max),
        modules=imported | _foreign_modules(pickled),
        sources=pickled.sources,
        findings=tuple(dict.fromkeys(_findings(functions, codes, pickled))),
    )


def modules_named(functions: Iterable[Function]) -> frozenset[str]:
    """Return the modules that functions import, or whose things they use; nothing is pickled."""
    holders = list(_travelling(functions))
    imported = (imported_by_code(code) for holder in holders for code in _codes(holder))
    homes = {
        _home(value)
        for holder in holders
        for value in _held_by(holder).values()
        if not isinstance(value, FunctionType | type) or not is_by_value(value)
    }
    return frozenset[str]().union(*imported) | homes


def _home(value: object) -> str:
    """Return the module of a module, a function, a class or an instance."""
    if isinstance(value, ModuleType):
        return value.__name__
    return str(getattr(value, "__module__", None) or type(value).__module__)


def _foreign_modules(pickled: Pickled) -> frozenset[str]:
    text = "\n".join(f"import {name}" for name in sorted(pickled.modules) if _is_dotted(name))
    return imported_by_text(text)


def _is_dotted(name: str) -> bool:
    return all(part.isidentifier() for part in name.split("."))


def _travelling(functions: Iterable[object]) -> Iterator[FunctionType | type]:
    """Yield every function and class that goes by value, each once: the given and those they use."""
    waiting, seen = list(functions), set[int]()
    while waiting:
        value = waiting.pop()
        if id(value) in seen:
            continue
        seen.add(id(value))
        if isinstance(value, type) and is_by_value(value):
            yield value
            waiting.extend(vars(value).values())
        elif isinstance(value, MethodType | staticmethod | classmethod):
            waiting.append(value.__func__)
        elif isinstance(value, property):
            waiting.extend((value.fget, value.fset, value.fdel))
        elif isinstance(value, FunctionType) and is_by_value(value):
            yield value
            waiting.extend(globals_named(value).values())


def _codes(holder: FunctionType | type) -> Iterator[CodeType]:
    return codes_within(holder.__code__) if isinstance(holder, FunctionType) else iter(())


def _variables(functions: Iterable[object]) -> Iterator[tuple[str, str, object]]:
    """Yield (holder, name, value) of what goes along beside code, each value once."""
    seen = set[int]()
    for holder in _travelling(functions):
        for name, value in _held_by(holder).items():
            if not isinstance(value, _CODE) and id(value) not in seen:
                seen.add(id(value))
                yield holder.__name__, name, value


def _held_by(holder: FunctionType | type) -> Mapping[str, object]:
    if isinstance(holder, FunctionType):
        return globals_named(holder)
    return {name: value for name, value in vars(holder).items() if not name.startswith("__")}


def _measured(functions: Mapping[str, Function], bytes_max: int) -> tuple[CapturedName, ...]:
    found = [
        CapturedName(name=name, holder=holder, kind=type(value).__name__, size=size)
        for holder, name, value in _variables(functions.values())
        if (size := _size_of(value, bytes_max)) is not None
    ]
    return tuple(sorted(found, key=lambda captured: (-captured.size, captured.name)))


def _size_of(value: object, bytes_max: int) -> int | None:
    known = getattr(value, "nbytes", None)
    if isinstance(known, int):
        return known
    try:
        return len(pickle_by_value(value, bytes_max).data)
    except TooManyBytes:
        return bytes_max
    except Exception:  # noqa: BLE001 (any reduction may fail in its own way; the caller names the cause)
        return None


def _findings(
    functions: Mapping[str, Function], codes: Iterable[CodeType], pickled: Pickled
) -> Iterator[tuple[str, str]]:
    for _, name, value in _variables(functions.values()):
        yield from scan_value(name, value)
    for code in codes:
        for constant in code.co_consts:
            if isinstance(constant, str):
                yield from scan_text(code.co_name, constant)
    for text in pickled.sources.values():
        yield from scan_text("the cell", text)


def _blame(functions: Mapping[str, Function], error: Exception) -> UnpicklableCapture:
    """Walk from each function to the innermost value that fails, and name the way."""
    for function in functions.values():
        for travelling in _travelling([function]):
            for name, value in _held_by(travelling).items():
                failed = _failure(value)
                if failed and not isinstance(value, FunctionType):
                    trail, kind, why = _innermost(name, value, failed)
                    text = f"{trail}, which {travelling.__name__} uses,"
                    return UnpicklableCapture(text, kind, why)
    name = next(iter(functions))
    return UnpicklableCapture(f"something in {name}", "value", str(error))


def _innermost(trail: str, value: object, why: str, depth: int = 0) -> tuple[str, str, str]:
    if depth < _DEPTH_MAX:
        for step, inner in _parts(value):
            failed = _failure(inner)
            if failed:
                return _innermost(trail + step, inner, failed, depth + 1)
    return trail, type(value).__name__, why


def _parts(value: object) -> Iterator[tuple[str, object]]:
    if isinstance(value, dict):
        yield from ((f"[{key!r}]", inner) for key, inner in value.items())
    elif isinstance(value, list | tuple):
        yield from ((f"[{number}]", inner) for number, inner in enumerate(value))
    elif hasattr(value, "__dict__") and not isinstance(value, type | FunctionType):
        yield from ((f".{name}", inner) for name, inner in vars(value).items())


def _failure(value: object) -> str:
    try:
        pickle_by_value(value, CAPTURED_BYTES_MAX)
    except TooManyBytes:
        return ""
    except Exception as error:  # noqa: BLE001 (any reduction may fail in its own way; that is the answer)
        return str(error) or type(error).__name__
    return ""
