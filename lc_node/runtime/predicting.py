"""The owner's wish that a winner's model predict: it runs in a sandbox of this node, never in the owner's programs."""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from lc_node.api import calls, schema
from lc_node.api.errors import Refused, UnknownThing
from lc_node.api.schema_jobs import CheckProblem, Prediction
from lc_node.chain.contracts import Contract
from lc_node.chain.job import Job
from lc_node.chain.transactions import Fault
from lc_node.chain.types import Digest
from lc_node.ports.clock import Clock
from lc_node.ports.images import ImageRefused
from lc_node.ports.sandbox import Status
from lc_node.ports.stores import BlobStore
from lc_node.runtime import predictor
from lc_node.runtime.office import ChainView
from lc_node.runtime.posting import find_job, find_winning_bid
from lc_node.runtime.workshop import Workshop

_FAULTS: Final = {
    Fault.NONE: CheckProblem.NONE,
    Fault.CRASHED: CheckProblem.CRASHED,
    Fault.TIMED_OUT: CheckProblem.TIMED_OUT,
    Fault.OVERSIZE: CheckProblem.OVERSIZE,
    Fault.BAD_OUTPUT: CheckProblem.BAD_OUTPUT,
}


class Predicting:
    """The call ``predict`` of ``api.service.Posting``; one prediction at a time."""

    def __init__(
        self,
        chain: ChainView,
        workshop: Workshop,
        blobs: BlobStore,
        clock: Clock,
        sandbox_problem: Callable[[], str],
    ) -> None:
        """Run in ``workshop`` what has won on ``chain``; ``sandbox_problem`` says why nothing can run, if so."""
        self._chain = chain
        self._workshop = workshop
        self._inputs = blobs
        self._clock = clock
        self._sandbox_problem = sandbox_problem
        self._predicting = asyncio.Semaphore(1)

    async def predict(self, call: calls.Predict) -> Prediction:
        """Let a winner's model predict; a run's own failure is an answer, never an error.

        Raises:
            BlobUnavailable: nobody who has the model or the image can be reached now.
            SandboxFailed: the sandbox itself failed; not the job's fault.
        """
        job = find_job(self._chain, call.job)
        root, size = find_winning_bid(job).opening[0]
        inputs = Digest(bytes.fromhex(call.inputs))
        path = self._validated(job, inputs)
        if problem := self._sandbox_problem():
            return Prediction(problem=CheckProblem.NO_SANDBOX, text=problem)
        start = self._clock.now()
        try:
            with self._pinned((inputs, root)):
                async with self._predicting:
                    model = await self._workshop.model(root, size)
                    image = await self._workshop.image(job.spec.image, lambda _here, _whole: None)
                    found = await self._workshop.predict(job, image, model, path)
        except ImageRefused as error:
            text = f"The image is refused: {error}"
            return Prediction(problem=CheckProblem.IMAGE_REFUSED, text=text)
        finally:
            self._inputs.remove(inputs)
        return _told(found, (self._clock.now() - start) / 1000)

    def _validated(self, job: Job, inputs: Digest) -> Path:
        """Return where the inputs lie.

        Raises:
            Refused: the job's contract knows no predictions, or the inputs are too large.
            UnknownThing: they are not here.
        """
        if job.spec.contract != Contract.LC_1:
            message = (
                f"a job of contract {job.spec.contract} cannot predict: its image knows training and evaluation only; "
                "pull the model, and run it as its program does"
            )
            raise Refused("CannotPredict", message)
        path = self._inputs.path_of(inputs)
        if path is None:
            message = "put the inputs into the node first: they are not here"
            raise UnknownThing("UnknownBlob", message)
        if path.stat().st_size > schema.PREDICT_INPUTS_BYTES_MAX:
            message = f"one prediction takes {schema.PREDICT_INPUTS_BYTES_MAX} bytes of inputs at most; ask for parts"
            raise Refused("InputsTooLarge", message)
        return path

    @contextmanager
    def _pinned(self, digests: Sequence[Digest]) -> Iterator[None]:
        blobs = self._inputs
        for digest in digests:
            blobs.pin(digest)
        try:
            yield
        finally:
            for digest in digests:
                blobs.unpin(digest)


def _told(found: predictor.Prediction, seconds: float) -> Prediction:
    is_memory = found.outcome.status is Status.OUT_OF_MEMORY
    problem = (
        CheckProblem.OUT_OF_MEMORY if is_memory else _FAULTS.get(found.fault, CheckProblem.CRASHED)
    )
    return Prediction(
        problem=problem,
        text=found.text,
        log_tail=found.outcome.log_tail,
        data=found.data,
        takes_seconds=seconds,
    )
