"""A job whose model is as large as one likes, and whose own code never holds more than a piece of it."""

import os
from typing import Final

from msgspec.structs import replace

from lc_node.api.schema import Resources
from lc_node.api.schema_jobs import JobRequest
from tests.e2e.graphs import unhurried
from tests.e2e.light_job import light_request

MEBIBYTE: Final = 1024 * 1024
EXPIRY_SECONDS: Final = 30
SECONDS_A_GIBIBYTE: Final = 60
"""How much longer people may bid for a larger model."""
EVALUATE_SECONDS: Final = 20
MEMORY_BYTES: Final = 96 * MEBIBYTE
"""What the job asks for besides its model: less than a model."""

_CELL: Final = """
import hashlib
import random
import threading

PIECES = {pieces}

def train(trial):
    for line in open("/proc/self/mounts"):
        if line.split()[1] == "/lc/out" and line.split()[2] not in {kinds}:
            raise RuntimeError("the model would lie in memory: " + line)
    trial.report(1.0, trial.suggest_int("seed", 0, 1000))
    while not trial.should_stop:
        threading.Event().wait(1)

def save(model, path):
    pieces = random.Random(model)
    with open(path, "wb") as file:
        for _ in range(PIECES):
            file.write(pieces.randbytes(2**20))

def load(path):
    taken, size = hashlib.sha256(), 0
    with open(path, "rb") as file:
        while piece := file.read(2**20):
            taken.update(piece)
            size += len(piece)
    assert size == PIECES * 2**20
    return taken.digest()

def evaluate(model):
    return [1.0 + byte / 1e6 for byte in model[:8]]
"""


def large_cell(mebibytes: int) -> str:
    """Return the cell; where disks can be mounted, it refuses to put its model into memory."""
    kinds = ("ext4",) if os.geteuid() == 0 else ("tmpfs",)
    return _CELL.format(pieces=mebibytes, kinds=kinds)


def large_request(mebibytes: int) -> JobRequest:
    """Return the job without its image."""
    seconds = EXPIRY_SECONDS + mebibytes * SECONDS_A_GIBIBYTE // 1024
    return replace(
        light_request(expiry_seconds=unhurried(seconds, most=4 * seconds)),
        title="a large model",
        resources=Resources(millicpus=1000, memory_bytes=MEMORY_BYTES, disk_bytes=16 * MEBIBYTE),
        evaluate_seconds=EVALUATE_SECONDS,
        model_bytes_max=mebibytes * MEBIBYTE,
    )
