"""Finds every decoder of canonical bytes that a module of ours has, so that none is forgotten."""

import importlib
import pkgutil
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

import lc_node
from lc_node.chain.codec import Decoder


@cache
def found_decoders() -> Mapping[str, Decoder[Any]]:
    """Return the decoders by name: that of the record, after its module's; of a union its own."""
    found: dict[str, Decoder[Any]] = {}
    known: set[int] = set()
    for module in _modules():
        for attribute, value in sorted(vars(importlib.import_module(module)).items()):
            if isinstance(value, Decoder) and id(value) not in known:
                known.add(id(value))
                found[_name(kind_of(value), module, attribute)] = value
    return found


def kind_of(decoder: Decoder[Any]) -> Any:
    """Return the type that a decoder reads."""
    return decoder._decoder.type


def _modules() -> Iterator[str]:
    """Yield the modules that have decoders, or may get some."""
    packages = ("chain", "wire", "consensus", "worker", "oci", "ports", "api", "adapters")
    for package in (*packages, "runtime"):
        root = importlib.import_module(f"{lc_node.__name__}.{package}")
        for one in sorted(pkgutil.walk_packages(root.__path__, f"{root.__name__}."), key=_by_name):
            yield one.name


def _by_name(module: pkgutil.ModuleInfo) -> str:
    return module.name


def _name(kind: Any, module: str, attribute: str) -> str:
    if isinstance(kind, type):
        module, attribute = kind.__module__, kind.__name__
    what = attribute.strip("_").removesuffix("_DECODER").lower()
    return f"{module.rpartition('.')[2]}.{what}"
