"""NVIDIA's GPUs, as the driver's own program lists them."""

import asyncio
import os
from collections.abc import Mapping
from typing import Final

from lc_node.chain.types import ByteCount
from lc_node.ports.gpus import FoundGpus, Gpu

PROGRAM: Final = "nvidia-smi"
VISIBLE: Final = "CUDA_VISIBLE_DEVICES"
"""Which devices programs of this environment may use: identifiers or indices, with commas."""

_QUERY: Final = ("--query-gpu=uuid,index,name,memory.total", "--format=csv,noheader,nounits")
_SECONDS_MAX: Final = 10
_MIB: Final = 1 << 20


async def find_gpus() -> FoundGpus:
    """Return the GPUs that this process may use, or why there are none; fails never."""
    try:
        async with asyncio.timeout(_SECONDS_MAX):
            said, code = await _ask()
    except FileNotFoundError:
        return _none(f"no NVIDIA driver is installed here: there is no {PROGRAM}")
    except TimeoutError:
        return _none(f"{PROGRAM} does not answer")
    except OSError as error:
        return _none(f"{PROGRAM} cannot be run: {error}")
    if code:
        return _none(f"{PROGRAM} says: {_first_line(said)}")
    gpus = visible_of(parse_gpus(said), os.environ)
    return FoundGpus(gpus=gpus, problem="") if gpus else _none(f"{PROGRAM} lists no GPU for us")


def parse_gpus(said: str) -> tuple[Gpu, ...]:
    """Return what the program has listed, a line each; lines that are none are left out."""
    found = []
    for line in said.splitlines():
        words = [word.strip() for word in line.split(",")]
        match words:
            case [identifier, index, name, memory] if index.isdecimal() and memory.isdecimal():
                size = ByteCount(int(memory) * _MIB)
                found.append(Gpu(identifier=identifier, index=index, name=name, memory_bytes=size))
            case _:
                continue
    return tuple(found)


def visible_of(gpus: tuple[Gpu, ...], environment: Mapping[str, str]) -> tuple[Gpu, ...]:
    """Return those that the environment leaves to us, as programs that use CUDA read it."""
    if VISIBLE not in environment:
        return gpus
    allowed = {word.strip() for word in environment[VISIBLE].split(",")}
    return tuple(gpu for gpu in gpus if allowed & {gpu.identifier, gpu.index})


async def _ask() -> tuple[str, int]:
    process = await asyncio.create_subprocess_exec(
        *(PROGRAM, *_QUERY),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        said, _ = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    return said.decode(errors="replace"), process.returncode or 0


def _none(problem: str) -> FoundGpus:
    return FoundGpus(gpus=(), problem=problem)


def _first_line(said: str) -> str:
    return said.strip().partition("\n")[0][:200] or "nothing"
