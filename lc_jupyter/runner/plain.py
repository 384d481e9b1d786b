"""Plain data as bytes: numbers, texts, lists, dicts, arrays and tables; reading it runs nothing and imports nothing.

A line that names the form, the length of a JSON document, the document, and the numbers of its arrays one after
the other. What is read may be a stranger's: each array takes the bytes that come next, so that together they are
never more than the file.
"""

import json
import math
import re
import struct
import sys
from importlib import import_module
from typing import Any, Final

MAGIC: Final = b"lc/plain/1\n"
DEPTH_MAX: Final = 32
_LENGTH: Final = struct.Struct("<Q")
_ARRAY_TYPE: Final = re.compile(r"[<>|][biufcSUmM?][0-9]{1,6}(\[[a-zA-Z0-9/]{1,12}\])?", re.ASCII)
_OBJECTS: Final = "object"
_AXES_MAX: Final = 32


class NotPlain(Exception):
    """A value, or bytes, that are no plain data; the message names the place."""


def encode(value: Any) -> bytes:
    """Return a value as bytes; tuples become lists.

    Raises:
        NotPlain: something in it is neither a number, a text, bytes, a list, a dict, an array nor a table.
    """
    arrays: list[bytes] = []
    document = json.dumps(_written(value, "the data", arrays, DEPTH_MAX)).encode()
    return b"".join((MAGIC, _LENGTH.pack(len(document)), document, *arrays))


def decode(data: bytes) -> Any:
    """Return the value of such bytes, whoever wrote them.

    Raises:
        NotPlain: they are none.
    """
    start = len(MAGIC) + _LENGTH.size
    if data[: len(MAGIC)] != MAGIC or len(data) < start:
        raise NotPlain("the bytes do not begin as plain data does")
    (length,) = _LENGTH.unpack(data[len(MAGIC) : start])
    if length > len(data) - start:
        raise NotPlain("the bytes break off")
    try:
        document = json.loads(data[start : start + length])
        return _Reader(memoryview(data)[start + length :]).read(document, DEPTH_MAX)
    except NotPlain:
        raise
    except (
        LookupError,
        TypeError,
        ValueError,
        RecursionError,
        MemoryError,
        OverflowError,
    ) as error:
        raise NotPlain(f"{type(error).__name__}: {error}") from error


def _written(value: Any, place: str, arrays: list[bytes], depth: int) -> Any:
    if depth == 0:
        raise NotPlain(f"{place} is nested too deeply")
    if value is None or type(value) in {bool, int, float, str}:
        return value
    if isinstance(value, list | tuple):
        inner = (_written(one, f"{place}[{n}]", arrays, depth - 1) for n, one in enumerate(value))
        return {"list": list(inner)}
    if isinstance(value, dict):
        return {"dict": [_pair(pair, place, arrays, depth) for pair in value.items()]}
    if isinstance(value, bytes | bytearray):
        arrays.append(bytes(value))
        return {"bytes": len(value)}
    return _written_array(value, place, arrays, depth)


def _pair(pair: tuple[Any, Any], place: str, arrays: list[bytes], depth: int) -> list[Any]:
    key, value = pair
    if key is not None and not isinstance(key, bool | int | float | str):
        raise NotPlain(f"{place} has the key {key!r}, a {type(key).__name__}")
    return [_scalar(key), _written(value, f"{place}[{key!r}]", arrays, depth - 1)]


def _scalar(value: Any) -> Any:
    """Return a number of a library's own kind as one of Python's."""
    item = getattr(value, "item", None)
    return item() if item is not None and not isinstance(value, str) else value


def _written_array(value: Any, place: str, arrays: list[bytes], depth: int) -> Any:
    home, kind = type(value).__module__.partition(".")[0], type(value).__name__
    if home == "numpy" and hasattr(value, "item") and not hasattr(value, "__len__"):
        return _written(value.item(), place, arrays, depth - 1)
    if home == "pandas" and kind == "DataFrame":
        columns = [value.iloc[:, n].to_numpy() for n in range(value.shape[1])]
        told = {"names": list(value.columns), "index": value.index.to_numpy(), "columns": columns}
        return {"frame": _written(told, place, arrays, depth - 1)}
    if home == "pandas" and kind == "Series":
        told = {"name": value.name, "index": value.index.to_numpy(), "values": value.to_numpy()}
        return {"series": _written(told, place, arrays, depth - 1)}
    if not hasattr(value, "__array__"):
        raise NotPlain(
            f"{place} is a {kind}, which is no plain data: make it a list, a dict or an array"
        )
    array = import_module("numpy").ascontiguousarray(value)
    shape = list(getattr(value, "shape", array.shape))
    if array.dtype.hasobject:
        items = [_written(one, f"an item of {place}", arrays, 1) for one in array.ravel().tolist()]
        return {"array": [_OBJECTS, shape, items]}
    if _ARRAY_TYPE.fullmatch(array.dtype.str) is None:
        raise NotPlain(f"{place} is an array of {array.dtype}, which is no plain data")
    arrays.append(array.tobytes())
    return {"array": [array.dtype.str, shape]}


class _Reader:
    """Makes values of a document, and of the bytes that follow it."""

    def __init__(self, rest: memoryview) -> None:
        self._rest = rest

    def read(self, node: Any, depth: int) -> Any:
        """Return the value of a node."""
        if depth == 0:
            raise NotPlain("the bytes are nested too deeply")
        if node is None or isinstance(node, bool | int | float | str):
            return node
        if not isinstance(node, dict) or len(node) != 1:
            raise NotPlain("the bytes hold something else than plain data")
        [(kind, told)] = node.items()
        if kind == "list":
            return [self.read(one, depth - 1) for one in told]
        if kind == "dict":
            return {self._key(key): self.read(value, depth - 1) for key, value in told}
        if kind == "bytes":
            return bytes(self._take(told))
        if kind == "array":
            return self._array(*told)
        return self._table(kind, self.read(told, depth - 1))

    def _key(self, key: Any) -> Any:
        if key is not None and not isinstance(key, bool | int | float | str):
            raise NotPlain("a key is no number and no text")
        return key

    def _array(self, name: str, shape: list[int], items: list[Any] | None = None) -> Any:
        if len(shape) > _AXES_MAX or not all(type(axis) is int and axis >= 0 for axis in shape):
            raise NotPlain("an array has a shape of something else than lengths")
        numpy = import_module("numpy")
        if name == _OBJECTS:
            objects = numpy.empty(len(items or []), dtype=object)
            objects[:] = [self.read(one, 1) for one in items or []]
            return objects.reshape(shape)
        if _ARRAY_TYPE.fullmatch(name) is None:
            raise NotPlain("an array is of no type that is plain data")
        kind = numpy.dtype(name)
        if kind.itemsize == 0 or kind.hasobject:
            raise NotPlain("an array is of no type that is plain data")
        taken = self._take(math.prod(shape) * kind.itemsize)
        return numpy.frombuffer(bytes(taken), dtype=kind).reshape(shape).copy()

    def _table(self, kind: str, told: Any) -> Any:
        if kind not in {"series", "frame"} or not isinstance(told, dict):
            raise NotPlain(f"the bytes hold {kind!r}, which is none of the kinds of plain data")
        pandas = import_module("pandas")
        try:
            if kind == "series":
                return pandas.Series(told["values"], index=told["index"], name=told["name"])
            frame = pandas.DataFrame(dict(enumerate(told["columns"])), index=told["index"])
            frame.columns = told["names"]
        except Exception as error:  # pandas has many of its own
            raise NotPlain(f"a table does not fit together ({type(error).__name__})") from error
        return frame

    def _take(self, size: int) -> memoryview:
        if not 0 <= size <= min(len(self._rest), sys.maxsize):
            raise NotPlain("the bytes break off")
        taken, self._rest = self._rest[:size], self._rest[size:]
        return taken
