"""What a run is told when it starts: its ``job.json`` and its environment."""

import json
from collections.abc import Mapping
from enum import StrEnum
from typing import Final

from lc_node.chain.contracts import Contract
from lc_node.chain.transactions import JobSpec
from lc_node.chain.types import JobId

_MILLI: Final = 1_000
_THREAD_VARIABLES: Final = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "LOKY_MAX_CPU_COUNT",
)


class Role(StrEnum):
    """What an image's entrypoint is asked to do: its one argument."""

    TRAIN = "train"
    EVALUATE = "evaluate"
    PREDICT = "predict"


def job_document(job: JobId, spec: JobSpec, role: Role, seed: int) -> bytes:
    """Return the bytes of /lc/in/job.json."""
    resources = spec.resources
    seconds = spec.trial_seconds if role is Role.TRAIN else spec.evaluate_seconds
    document = {
        "contract": str(Contract.LC_1),
        "cpus": cpu_count(spec),
        "gpus": resources.gpus,
        "job": job.hex(),
        "limits": {
            "disk_bytes": resources.disk_bytes,
            "memory_bytes": resources.memory_bytes,
            "model_bytes_max": spec.model_bytes_max,
            "seconds": seconds,
        },
        "model_format": str(spec.model_format),
        "role": str(role),
        "seed": seed,
    }
    return json.dumps(document, indent=1, sort_keys=True).encode()


def environment(spec: JobSpec, image: Mapping[str, str], seed: int) -> dict[str, str]:
    """Return the environment of a run: the image's, with the node's thread counts and hash seed."""
    threads = dict.fromkeys(_THREAD_VARIABLES, str(cpu_count(spec)))
    return {**image, **threads, "PYTHONHASHSEED": str(seed)}


def plain_environment(
    spec: JobSpec, image: Mapping[str, str], seed: int, role: Role
) -> dict[str, str]:
    """Return the environment of a run under contract stdout/1, which knows nothing else of us."""
    wished = {"HOME": "/tmp", **image}  # noqa: S108 - the job's; many a library writes to its home
    task = {"VALIDATION": "VALIDATION"} if role is Role.EVALUATE else {}
    seeds = {"LC_SEED": str(seed)}
    wished.pop("VALIDATION", None)
    return {**environment(spec, wished, seed), **seeds, **task}


def cpu_count(spec: JobSpec) -> int:
    """Return how many threads make sense on the job's share of processors, at least 1."""
    return max(1, spec.resources.millicpus // _MILLI)
