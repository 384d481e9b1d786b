"""What this node found out by working, and must not forget: a bid without its model cannot be opened."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from lc_node.chain.job import Verdict
from lc_node.chain.types import JobId, PublicKey
from lc_node.worker.duties import Solution


class WorkStore(Protocol):
    """Solutions and verdicts by job. Every ``put`` is durable when it returns."""

    def put_solution(self, job: JobId, solution: Solution) -> None:
        """Record a model of ours and the loss that its evaluation gave."""
        ...

    def solutions(self, job: JobId) -> Sequence[Solution]:
        """Return our solutions of a job in the order found."""
        ...

    def put_verdict(self, job: JobId, candidate: PublicKey, verdict: Verdict) -> None:
        """Record what we found about a candidate; the first verdict stays."""
        ...

    def verdicts(self, job: JobId) -> Mapping[PublicKey, Verdict]:
        """Return our verdicts of a job by candidate."""
        ...

    def put_choice(self, job: JobId, *, wanted: bool, why: str) -> None:
        """Record whether the job was taken for training, and why not; the last choice holds."""
        ...

    def choice(self, job: JobId) -> tuple[bool, str] | None:
        """Return whether the job was taken, and why not; None if it was never looked at."""
        ...

    def forget(self, job: JobId) -> None:
        """Drop all that is kept of a job."""
        ...

    def jobs(self) -> Sequence[JobId]:
        """Return the jobs of which something is kept."""
        ...

    def close(self) -> None:
        """Let go of the file."""
        ...
