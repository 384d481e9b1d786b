"""A training and its judge: models are taken while it runs, and each is evaluated before it counts."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from lc_node.chain.job import Job
from lc_node.chain.types import ModelRoot
from lc_node.ports.images import PreparedImage
from lc_node.runtime.evaluator import Evaluation
from lc_node.runtime.trainer import TakenModel, Training
from lc_node.runtime.workshop import Workshop
from lc_node.worker.duties import Solution
from lc_node.worker.exchange import Leader

OnSolution = Callable[[Solution], None]
OnFault = Callable[[Evaluation], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Hearers:
    """Who is told what a training brings."""

    on_taken: Callable[[], None]
    on_solution: OnSolution
    on_fault: OnFault
    """A model was taken and its evaluation gave no losses: nothing to announce."""


class TrainingRun:
    """One training of one job; only what a fresh evaluation gave is a solution."""

    def __init__(
        self, workshop: Workshop, job: Job, image: PreparedImage, hearers: Hearers
    ) -> None:
        """Prepare to train ``job``; see ``run``."""
        self._workshop = workshop
        self._job = job
        self._image = image
        self._hearers = hearers
        # The newest model is the best yet: an older one that waits for its evaluation gives way.
        self._waiting: TakenModel | None = None
        self._changed = asyncio.Event()
        self._is_over = False

    async def run(self, stop: asyncio.Event, leader: Callable[[], Leader]) -> Training:
        """Train until the expiry, the job's own end, or ``stop``; return when all is judged.

        Raises:
            SandboxFailed: the sandbox itself failed; not the job's fault.
        """
        async with asyncio.TaskGroup() as group:
            group.create_task(self._judge())
            training = await self._workshop.train(
                self._job, self._image, stop=stop, leader=leader, on_model=self._on_model
            )
            self._is_over = True
            self._changed.set()
        return training

    async def _on_model(self, taken: TakenModel) -> None:
        self._hearers.on_taken()
        if self._waiting is not None:
            self._waiting.file.path.unlink(missing_ok=True)
        self._waiting = taken
        self._changed.set()

    async def _judge(self) -> None:
        while True:
            await self._changed.wait()
            self._changed.clear()
            taken, self._waiting = self._waiting, None
            if taken is not None:
                await self._evaluate(taken)
                self._changed.set()
            elif self._is_over:
                return

    async def _evaluate(self, taken: TakenModel) -> None:
        evaluation = await self._workshop.evaluate(self._job, self._image, taken.file.path)
        if evaluation.loss is None:
            taken.file.path.unlink(missing_ok=True)
            self._hearers.on_fault(evaluation)
            return
        root, size = await self._workshop.keep_model(taken)
        self._hearers.on_solution(
            Solution(loss=evaluation.loss, model_root=ModelRoot(root), model_bytes=size)
        )
