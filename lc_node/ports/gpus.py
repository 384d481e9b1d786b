"""The GPUs of a machine."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeAlias

from lc_node.chain.types import ByteCount


@dataclass(frozen=True, slots=True, kw_only=True)
class Gpu:
    """One device."""

    identifier: str
    """What its driver calls it, over restarts: ``GPU-...``."""
    index: str
    """Its place among those that are there now."""
    name: str
    memory_bytes: ByteCount


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundGpus:
    """What was found."""

    gpus: tuple[Gpu, ...]
    problem: str
    """Why there are none, and the remedy if there is one; empty where there are some."""


FindGpus: TypeAlias = Callable[[], Awaitable[FoundGpus]]
"""Looks for the GPUs that this process may use; fails never."""
