"""Values of any record of ours, drawn from its type: what a decoder must be able to read back."""

import enum
from collections.abc import Callable, Mapping
from functools import cache
from random import Random
from typing import Any, Final

import msgspec
from msgspec import inspect

_SMALL: Final = 40
_ITEMS: Final = 3
_FOR_PATTERN: Final = {
    "^[0-9a-f]{64}$": "0f" * 32,
    "^[0-9a-f]{0,64}$": "0f",
    r"\Asha256:[0-9a-f]{64}\Z": "sha256:" + "0f" * 32,
    r"\A[^\x00]*\Z": "text",
    r"\A[^=\x00]+=[^\x00]*\Z": "NAME=value",
    "^([A-Za-z0-9][A-Za-z0-9._/:@-]*)?$": "docker.io/library/python:3.12",
}
"""A text for each pattern that our records ask of one."""


def value_of(kind: Any, random: Random) -> Any:
    """Return a value that a decoder of ``kind`` accepts, unless a rule beyond the types forbids it."""
    return _drawn(_info(kind), random)


@cache
def _info(kind: Any) -> inspect.Type:
    return inspect.type_info(kind)


def _drawn(info: Any, random: Random) -> Any:
    """Return a value of a type; composed types are drawn part by part."""
    return _MAKERS[type(info)](info, random)


def _struct(info: inspect.StructType, random: Random) -> Any:
    return info.cls(**{field.name: _drawn(field.type, random) for field in info.fields})


def _items(info: Any, random: Random) -> list[Any]:
    return [_drawn(info.item_type, random) for _ in range(_length(info, random))]


def _dict(info: inspect.DictType, random: Random) -> dict[Any, Any]:
    parts = (info.key_type, info.value_type)
    pairs = (tuple(_drawn(part, random) for part in parts) for _ in range(_length(info, random)))
    return dict(pairs)


def _integer(info: inspect.IntType, random: Random) -> int:
    """Return a bound, or something small: where encodings change their length."""
    least = -(2**63) if info.ge is None else info.ge
    most = 2**63 - 1 if info.le is None else info.le
    if info.gt is not None:
        least = info.gt + 1
    if info.lt is not None:
        most = info.lt - 1
    wishes = (least, most, 0, random.randint(0, 300), random.randint(0, 2**17))
    return max(least, min(most, random.choice(wishes)))


def _text(info: inspect.StrType, random: Random) -> str:
    if info.pattern is not None:
        return _FOR_PATTERN[info.pattern]
    return "a" * _length(info, random, _SMALL)


def _length(info: Any, random: Random, usual: int = _ITEMS) -> int:
    least = info.min_length or 0
    most = least + usual if info.max_length is None else info.max_length
    return random.randint(least, max(least, min(most, least + usual)))


_MAKERS: Final[Mapping[type[Any], Callable[[Any, Random], Any]]] = {
    inspect.BoolType: lambda _info, random: random.random() < 0.5,  # heads or tails
    inspect.BytesType: lambda info, random: random.randbytes(_length(info, random, _SMALL)),
    inspect.MemoryViewType: lambda info, random: memoryview(
        random.randbytes(_length(info, random, _SMALL))
    ),
    inspect.DictType: _dict,
    inspect.EnumType: lambda info, random: random.choice(list[enum.Enum](info.cls)),
    inspect.FloatType: lambda _info, random: random.choice((0.0, -1.5, 1e300)),
    inspect.IntType: _integer,
    inspect.ListType: _items,
    inspect.LiteralType: lambda info, random: random.choice(info.values),
    inspect.Metadata: lambda info, random: _drawn(info.type, random),
    inspect.NoneType: lambda _info, _random: None,
    inspect.RawType: lambda _info, _random: msgspec.Raw(b"\xc0"),
    inspect.StrType: _text,
    inspect.StructType: _struct,
    inspect.TupleType: lambda info, random: tuple(_drawn(p, random) for p in info.item_types),
    inspect.UnionType: lambda info, random: _drawn(random.choice(info.types), random),
    inspect.VarTupleType: lambda info, random: tuple(_items(info, random)),
}
