"""Attacks from within a sandbox: many in one run, each in a process of its own, and how late a verdict may be."""

import json
import os
import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from lc_node.ports.sandbox import Limits, Outcome
from tests.adapters.jobs import LIMITS, Workshop, all_lines

PROLOGUE: Final = """
import ctypes, errno, fcntl, json, mmap, os, resource, signal, socket, stat, struct, sys, time
libc = ctypes.CDLL(None, use_errno=True)
libc.syscall.restype = ctypes.c_long

def call(number, *arguments):
    words = (ctypes.c_long(word) if isinstance(word, int) else word for word in arguments)
    result = libc.syscall(ctypes.c_long(number), *words)
    if result < 0: raise OSError(ctypes.get_errno(), 'refused')
    return 'allowed'

def attempt(name, deed):
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        signal.alarm(5)
        try: found = str(deed())
        except OSError as error: found = errno.errorcode.get(error.errno, str(error))
        except BaseException as error: found = type(error).__name__
        os.write(writer, found.encode()[:3000])
        os._exit(0)
    status = os.waitpid(child, 0)[1]
    os.set_blocking(reader, False)
    try: found = os.read(reader, 4096).decode()
    except BlockingIOError: found = 'nothing'
    if os.WIFSIGNALED(status): found = signal.Signals(os.WTERMSIG(status)).name
    os.close(reader); os.close(writer)
    print(json.dumps([name, found]), flush=True)

def fill(path, most=1 << 28):
    descriptor, count = os.open(path, os.O_CREAT | os.O_WRONLY), 0
    try:
        while count < most: count += os.write(descriptor, bytes(65536))
        return f'{count} bytes and no end'
    except OSError as error: return f'{errno.errorcode[error.errno]} {count}'
    finally: os.unlink(path)

def sow(folder, most=20_000):
    count = 0
    try:
        while count < most: os.close(os.open(f'{folder}/{count}', os.O_CREAT, 0o600)); count += 1
        return f'{count} files and no end'
    except OSError as error: return f'{errno.errorcode[error.errno]} {count}'
    finally:
        for number in range(count): os.unlink(f'{folder}/{number}')
"""

VERDICT_SECONDS_MAX: Final = 2.0
"""How much later than its limit a run's verdict may come: a promise of docs/THREATS.md."""

_found: dict[tuple[str, str], dict[str, str]] = {}


async def findings(
    workshop: Workshop, group: str, attacks: Mapping[str, str], prologue: str = ""
) -> dict[str, str]:
    """Try expressions in a sandbox, all in one run, and return what came of each by name.

    Each is evaluated in a process of its own. What it gives is its value as text, the symbol of the error
    that refused it, or the signal that ended it. A group runs once for each sandbox.
    """
    key = (workshop.name, group)
    if key not in _found:
        steps = [f"attempt({name!r}, lambda: {deed})" for name, deed in attacks.items()]
        code = "\n".join([PROLOGUE, prologue, *steps])
        _found[key] = dict(json.loads(line) for line in await workshop.lines(code))
    return _found[key]


def verdict_seconds_max() -> float:
    """Return how late a verdict may be on this machine as busy as it is now.

    The promise is one about the sandbox. Where ten others want each processor, its steps (a signal, the ends of the
    job's processes, an engine's answers) take ten times as long, and so may the verdict.
    """
    waiting = os.getloadavg()[0] / (os.cpu_count() or 1)
    return VERDICT_SECONDS_MAX * max(1.0, waiting)


async def verdict(
    workshop: Workshop, code: str, *words: str, **changes: Any
) -> tuple[Outcome, list[bytes]]:
    """Run an attack whose last words are ``now`` before it goes over a limit, and insist on a verdict in time.

    One that never says ``now`` goes over its wall time.
    """
    limits: Limits = replace(LIMITS, **changes)
    async with workshop.start(PROLOGUE + code, *words, limits=limits) as run:
        over = time.monotonic() + limits.wall / 1000
        lines = []
        while (line := await run.read_line()) is not None:
            lines.append(line)
            if line == b"now":
                over = time.monotonic()
        outcome = await run.wait()
        late = time.monotonic() - over
    assert late < verdict_seconds_max()
    return outcome, lines


async def to_the_end(workshop: Workshop, code: str, **changes: Any) -> tuple[list[bytes], Outcome]:
    """Run an attack and return all that it printed, and how it ended."""
    limits: Limits = replace(LIMITS, **changes)
    async with workshop.start(PROLOGUE + code, limits=limits) as run:
        return await all_lines(run), await run.wait()
