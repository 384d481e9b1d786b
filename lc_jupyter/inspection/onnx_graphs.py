"""An ONNX model's inputs and outputs, read off the bytes of its protocol buffer: onnx.proto, proto3 wire format."""

from collections.abc import Iterator
from typing import IO, Final, NamedTuple

from lc_jupyter.inspection.contents import Contents, Row, Unreadable, clean, count, show_shape

FIELDS_MAX: Final = 1_000_000
TEXT_BYTES_MAX: Final = 4096
_VARINT_BYTES_MAX: Final = 10

_MODEL_PRODUCER, _MODEL_GRAPH = 2, 7
_GRAPH_NODE, _GRAPH_INITIALIZER, _GRAPH_INPUT, _GRAPH_OUTPUT = 1, 5, 11, 12
_VALUE_NAME, _VALUE_TYPE = 1, 2
_TYPE_TENSOR, _TENSOR_ELEMENT, _TENSOR_SHAPE, _SHAPE_DIM = 1, 1, 2, 1
_DIM_VALUE, _DIM_NAME = 1, 2
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_FIXED: Final = {_FIXED64: 8, _FIXED32: 4}
_ELEMENTS: Final = (
    "undefined", "float32", "uint8", "int8", "uint16", "int16", "int32", "int64", "text", "bool",
    "float16", "float64", "uint32", "uint64", "complex64", "complex128", "bfloat16",
)  # fmt: skip


class _Field(NamedTuple):
    """One field of a message: its number, and its value or where its bytes lie."""

    number: int
    value: int
    start: int
    end: int


def read_onnx(file: IO[bytes], size: int) -> Contents:
    """Return what an ONNX model takes and gives; its nodes are counted, its weights passed over.

    Raises:
        Unreadable: it is no protocol buffer with a graph.
    """
    fields = list(_Wire(file).fields(0, size))
    graphs = [field for field in fields if field.number == _MODEL_GRAPH and field.end]
    if len(graphs) != 1:
        raise Unreadable("onnx", f"it has {len(graphs)} graphs")
    return _graph(_Wire(file), graphs[0])


def _graph(wire: "_Wire", graph: _Field) -> Contents:
    nodes = weights = 0
    rows: list[Row] = []
    for field in wire.fields(graph.start, graph.end):
        nodes += field.number == _GRAPH_NODE
        weights += field.number == _GRAPH_INITIALIZER
        if field.number in {_GRAPH_INPUT, _GRAPH_OUTPUT} and field.end:
            direction = "input" if field.number == _GRAPH_INPUT else "output"
            rows.append((direction, *_value(wire, field)))
    what = f"A graph of {count(nodes, 'node')} with {count(weights, 'tensor')} of weights."
    return Contents(what=what, columns=("", "name", "type", "shape"), rows=tuple(sorted(rows)))


def _value(wire: "_Wire", value: _Field) -> tuple[str, str, str]:
    name, kind, shape = "", "", ""
    for field in wire.fields(value.start, value.end):
        if field.number == _VALUE_NAME:
            name = wire.text(field)
        if field.number == _VALUE_TYPE:
            for inner in wire.fields(field.start, field.end):
                if inner.number == _TYPE_TENSOR:
                    kind, shape = _tensor(wire, inner)
    return name, kind or "no tensor", shape or "any"


def _tensor(wire: "_Wire", tensor: _Field) -> tuple[str, str]:
    kind, shape = "", ""
    for field in wire.fields(tensor.start, tensor.end):
        if field.number == _TENSOR_ELEMENT:
            known = field.value < len(_ELEMENTS)
            kind = _ELEMENTS[field.value] if known else f"type {field.value}"
        if field.number == _TENSOR_SHAPE:
            dims = wire.fields(field.start, field.end)
            shape = show_shape(_dim(wire, dim) for dim in dims if dim.number == _SHAPE_DIM)
    return kind, shape


def _dim(wire: "_Wire", dim: _Field) -> str:
    for field in wire.fields(dim.start, dim.end):
        if field.number == _DIM_VALUE:
            return str(field.value)
        if field.number == _DIM_NAME:
            return wire.text(field)
    return "?"


class _Wire:
    """Reads messages where they lie; what a message holds is looked at only if it is asked for."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._left = FIELDS_MAX

    def fields(self, start: int, end: int) -> Iterator[_Field]:
        """Yield the fields of the message that lies between two places."""
        at = start
        while at < end:
            self._left -= 1
            if self._left < 0:
                raise Unreadable("onnx", f"it has more than {FIELDS_MAX:,} fields")
            field, at = self._field(at)
            if at > end:
                raise Unreadable("onnx", "a field is longer than the message that holds it")
            yield field

    def text(self, field: _Field) -> str:
        """Return a field's text."""
        self._file.seek(field.start)
        data = self._file.read(min(TEXT_BYTES_MAX, field.end - field.start))
        return clean(data.decode("utf-8", errors="replace"))

    def _field(self, at: int) -> tuple[_Field, int]:
        key, at = self._varint(at)
        number, kind = key >> 3, key & 7
        if kind == _VARINT:
            value, at = self._varint(at)
            return _Field(number, value, 0, 0), at
        if kind in _FIXED:
            return _Field(number, 0, 0, 0), at + _FIXED[kind]
        if kind != _BYTES:
            raise Unreadable("onnx", f"a field has the wire type {kind}")
        length, at = self._varint(at)
        return _Field(number, 0, at, at + length), at + length

    def _varint(self, at: int) -> tuple[int, int]:
        self._file.seek(at)
        value = 0
        for index, byte in enumerate(self._file.read(_VARINT_BYTES_MAX)):
            value |= (byte & 0x7F) << (7 * index)
            if byte < 0x80:  # noqa: PLR2004 - the highest bit says that more follow
                return value, at + index + 1
        raise Unreadable("onnx", "a number in it does not end")
