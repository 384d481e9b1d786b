"""A training and its judge: models are taken while it runs, and each is evaluated before it counts."""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from lc_node.chain.job import Job
from lc_node.chain.types import ModelRoot
from lc_node.ports.images import PreparedImage
from lc_node.runtime.evaluator import Evaluation
from lc_node.runtime.trainer import TakenModel, Training
from lc_node.runtime.workshop import Workshop
from lc_node.worker.duties import Solution
from lc_node.worker.exchange import Leader

_log = logging.getLogger(__name__)

NANO: Final = 1_000_000_000
"""Loss units in one."""

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

    async def run(
        self, stop: asyncio.Event, *, leader: Callable[[], Leader], is_paused: Callable[[], bool]
    ) -> Training:
        """Train until the expiry, the job's own end, or ``stop``; return when all is judged.

        After the expiry, or ``stop``, no judgement can be of use any more: one under way is ended.

        Raises:
            SandboxFailed: the sandbox itself failed; not the job's fault.
        """
        try:
            return await self._train_and_judge(stop, leader, is_paused)
        except ExceptionGroup as errors:
            # Whichever of the two failed first has ended the other.
            raise errors.exceptions[0] from errors

    async def _train_and_judge(
        self, stop: asyncio.Event, leader: Callable[[], Leader], is_paused: Callable[[], bool]
    ) -> Training:
        async with asyncio.TaskGroup() as group:
            judge = group.create_task(self._judge())
            bells = (
                group.create_task(self._ring_at_expiry(judge)),
                group.create_task(_ring_at(stop, judge)),
            )
            training = await self._workshop.train(
                self._job,
                self._image,
                stop=stop,
                leader=leader,
                is_paused=is_paused,
                on_model=self._on_model,
            )
            self._is_over = True
            self._changed.set()
            await asyncio.wait({judge})
            for bell in bells:
                bell.cancel()
        return training

    async def _ring_at_expiry(self, judge: "asyncio.Task[None]") -> None:
        await self._workshop.wait_until(self._job.expiry)
        judge.cancel()

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
        _log.info(
            "job %s: model evaluated: %.6f in %.1f s",
            self._job.id.hex()[:8],
            evaluation.loss / NANO,
            evaluation.outcome.wall / 1000,
            extra={"job": self._job.id.hex(), "loss_nano": evaluation.loss},
        )
        root, size = await self._workshop.keep_model(taken)
        self._hearers.on_solution(
            Solution(loss=evaluation.loss, model_root=ModelRoot(root), model_bytes=size)
        )


async def _ring_at(stop: asyncio.Event, judge: "asyncio.Task[None]") -> None:
    await stop.wait()
    judge.cancel()
