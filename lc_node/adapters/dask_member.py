"""A worker of a Dask cluster that a node has looked at: what it declares, and why it may not be used."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from lc_node import __version__
from lc_node.adapters.dask_messages import Greeting

CPU: Final = "CPU"
MEMORY: Final = "MEMORY"
GPU: Final = "GPU"
"""The resources that workers declare: cores, bytes, devices."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """A worker that was looked at."""

    name: str
    """What its owner calls it."""
    greeting: Greeting
    resources: Mapping[str, float]

    @property
    def problem(self) -> str:
        """Why it is given no work, with the remedy; empty if it is given some."""
        if self.greeting.problem:
            return self.greeting.problem
        if self.greeting.software != __version__:
            return (
                f"it has learningchain {self.greeting.software}, this node {__version__}; "
                f"install the same on both and restart the worker"
            )
        if not (self.resources.get(CPU) and self.resources.get(MEMORY)):
            return (
                "it declares no resources; start it with, for instance, "
                '`dask worker ... --resources "CPU=4 MEMORY=16e9"`'
            )
        return ""
