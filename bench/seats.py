"""Programs of a benchmark in processes of their own: started, asked one thing after the other, ended."""

import multiprocessing
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any, Final, TypeAlias

from lc_node.adapters.process_tree import sample_of

Pipe: TypeAlias = "Connection[Any, Any]"
"""Carries what both ends agree upon: a question, then its answer."""

_SPAWN: Final = multiprocessing.get_context("spawn")
_END_SECONDS: Final = 20.0
_SHM: Final = Path("/dev/shm")  # noqa: S108  # a RAM disk, in a folder of our own


class SeatFailed(Exception):
    """A process of the benchmark ended before it answered."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """What something took."""

    seconds: float
    cpu_seconds: float
    """Of all processes that took part, the system's part of them included."""


@dataclass(frozen=True, slots=True)
class Seat:
    """A process and the pipe to it."""

    process: BaseProcess
    pipe: Pipe

    def ask(self, *question: object) -> Any:  # whatever the seat answers
        """Return the answer to a question.

        Raises:
            SeatFailed: the process has ended.
        """
        try:
            self.pipe.send(question)
            return self.pipe.recv()
        except (EOFError, OSError) as error:
            raise SeatFailed(self.process.name) from error

    @property
    def cpu_seconds(self) -> float:
        """Processor time that the process has used so far, in steps of 10 ms."""
        return cpu_seconds_of(self.process.pid or os.getpid())


@contextmanager
def seated(main: Callable[..., None], *arguments: object) -> Iterator[Seat]:
    """Run ``main(pipe, *arguments)`` in a process until the context ends, which closes the pipe."""
    ours, theirs = _SPAWN.Pipe()
    process = _SPAWN.Process(target=main, args=(theirs, *arguments), name=main.__name__)
    process.start()
    theirs.close()
    try:
        yield Seat(process, ours)
    finally:
        ours.close()
        process.join(_END_SECONDS)
        if process.is_alive():
            process.kill()
            process.join()


def cpu_seconds_of(pid: int) -> float:
    """Return the processor time of a process and of those of its children that have ended."""
    sample = sample_of(pid)
    assert sample is not None, "it lives"
    return sample[0] / 1000


def measured(act: Callable[[], None], who: Callable[[], float]) -> Cost:
    """Return what an act costs; ``who`` returns the processor seconds of all who take part."""
    cpu, since = who(), time.perf_counter()
    act()
    return Cost(seconds=time.perf_counter() - since, cpu_seconds=who() - cpu)


@contextmanager
def ram_folder() -> Iterator[Path]:
    """Give a folder in memory where there is one, so that nobody's disk is measured."""
    with tempfile.TemporaryDirectory(dir=_SHM if _SHM.is_dir() else None) as folder:
        yield Path(folder)
