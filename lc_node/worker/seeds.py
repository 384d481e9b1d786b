"""The seeds that runs are given: of trainings all differ, of evaluations of one job all agree."""

from lc_node.chain.crypto import digest
from lc_node.chain.types import Digest, JobId, PublicKey


def train_seed(job: JobId, node: PublicKey, trial: int) -> int:
    """Return the seed of one trial on one node, 32 bits."""
    return _seed(digest("lc/seed/1", job, node, trial.to_bytes(8, "big")))


def evaluate_seed(job: JobId) -> int:
    """Return the seed of every evaluation of a job, on whatever node, 32 bits."""
    return _seed(digest("lc/eval/1", job))


def _seed(source: Digest) -> int:
    return int.from_bytes(source[:4], "big")
