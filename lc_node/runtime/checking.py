"""The node's check: a job is run here once before it is posted, so that its faults cost nothing."""

import asyncio
import re
from dataclasses import dataclass
from typing import Final

from msgspec.structs import replace

from lc_node.api.schema import NanoLoss
from lc_node.api.schema_jobs import CheckProblem, CheckReport
from lc_node.chain.agreement import is_matching
from lc_node.chain.contracts import Contract
from lc_node.chain.job import Job, Label, Phase
from lc_node.chain.transactions import Fault, JobSpec
from lc_node.chain.types import JobId, MicroCredits, Millis, PublicKey
from lc_node.ports.clock import Clock
from lc_node.ports.images import ImageRefused, PreparedImage
from lc_node.ports.sandbox import Outcome, Status
from lc_node.runtime.evaluator import Evaluation
from lc_node.runtime.trainer import TakenModel, Training
from lc_node.runtime.workshop import Workshop
from lc_node.worker.exchange import Leader

EVALUATE_TIMES: Final = 5
"""The limit to post with is this many times what an evaluation took here."""

EVALUATE_SECONDS_MIN: Final = 10
_MISSING: Final = re.compile(r"ModuleNotFoundError: No module named '([^']+)'")
_WORDS_MAX: Final = 400

_FAULTS: Final = {
    Fault.CRASHED: CheckProblem.CRASHED,
    Fault.TIMED_OUT: CheckProblem.TIMED_OUT,
    Fault.OVERSIZE: CheckProblem.OVERSIZE,
    Fault.BAD_OUTPUT: CheckProblem.BAD_OUTPUT,
}


@dataclass(slots=True)
class _First:
    """The first model of a training, and when it came."""

    model: TakenModel | None = None
    at: Millis = Millis(0)  # noqa: RUF009 (an int by another name)


class Checker:
    """Trains until the first model, evaluates it twice, compares."""

    def __init__(self, workshop: Workshop, clock: Clock, me: PublicKey) -> None:
        """Check in ``workshop``."""
        self._workshop = workshop
        self._clock = clock
        self._me = me

    async def check(self, spec: JobSpec, seconds: int) -> CheckReport:
        """Return what running the job once has shown; a job's own failure is a report.

        Raises:
            SandboxFailed: the sandbox itself failed; not the job's fault.
            BlobUnavailable: the image's blobs are not here.
        """
        start = self._clock.now()
        job = _draft(spec, self._me, Millis(start + seconds * 1000))
        try:
            image = await self._workshop.image(spec.image, lambda _here, _whole: None)
        except ImageRefused as error:
            return _report(CheckProblem.IMAGE_REFUSED, f"The image is refused: {error}")
        try:
            report = await self._run(job, image, seconds)
        finally:
            self._workshop.clear(job.id)
        return replace(report, takes_seconds=(self._clock.now() - start) / 1000)

    async def _run(self, job: Job, image: PreparedImage, seconds: int) -> CheckReport:
        start = self._clock.now()
        first = _First()
        training = await self._train(job, image, first)
        if first.model is None:
            assert training is not None, "without a model the training ended by itself"
            return _without_model(job.spec, training, seconds)
        begun = self._clock.now()
        path = first.model.file.path
        found = await self._workshop.evaluate(job, image, path)
        again = await self._workshop.evaluate(job, image, path)
        evaluate_ms = (self._clock.now() - begun) // 2
        return _judged(job.spec, first.model, (found, again), (first.at - start, evaluate_ms))

    async def _train(self, job: Job, image: PreparedImage, first: _First) -> Training | None:
        """Train until the first model is here; return how it ended if it ended by itself."""
        done = asyncio.Event()

        async def on_model(taken: TakenModel) -> None:
            if first.model is None:
                first.model, first.at = taken, self._clock.now()
                done.set()

        async def train() -> Training:
            try:
                return await self._workshop.train(
                    job,
                    image,
                    stop=asyncio.Event(),
                    leader=lambda: Leader(best=None, bar=None),
                    is_paused=lambda: False,  # the owner waits for it
                    on_model=on_model,
                )
            finally:
                done.set()

        try:
            async with asyncio.TaskGroup() as group:
                task = group.create_task(train())
                await done.wait()
                if first.model is not None:
                    task.cancel()
        except ExceptionGroup as errors:
            raise errors.exceptions[0] from errors  # there is one task only
        return None if task.cancelled() else task.result()


def _draft(spec: JobSpec, me: PublicKey, until: Millis) -> Job:
    """Return the job as it would stand on the chain; it has the image's name instead of an id."""
    return Job(
        id=JobId(spec.image.manifest),
        spec=spec,
        submitter=me,
        phase=Phase.OPEN,
        due=until,
        expiry=until,
        bounty=spec.bounty,
        escrow=MicroCredits(0),
        fee_held=MicroCredits(0),
        bids=(),
        rounds=0,
        examinations=(),
        suspended=(),
        winner=(),
        label=Label.NONE,
    )


def _without_model(spec: JobSpec, training: Training, seconds: int) -> CheckReport:
    speaks = spec.contract == Contract.LC_1
    outcome = training.outcome
    tail = _last_words(outcome)
    if outcome.status is Status.OUT_OF_MEMORY:
        return _report(CheckProblem.OUT_OF_MEMORY, "Training ran out of memory.", tail)
    if missing := _MISSING.findall(tail):
        name = missing[-1].partition(".")[0]
        here = f"install it here if need be (pip install {name}), and add --with {name}"
        remedy = here if speaks else "install it in the image"
        text = f"The image lacks the module {missing[-1]!r}: {remedy}."
        return _report(CheckProblem.CRASHED, text, tail)
    if training.fault in {Fault.NONE, Fault.TIMED_OUT}:
        call = "train reported no model within {} s: call trial.report(loss, model) sooner"
        missed = call if speaks else "no trial ended with a loss and a model within {} s"
        text = f"Not checked: {missed.format(seconds)}."
        return _report(CheckProblem.NO_REPORT, text, tail)
    problem = _FAULTS.get(training.fault, CheckProblem.CRASHED)
    return _report(problem, f"Training failed: {_why(training.text, outcome)}.", tail)


def _judged(
    spec: JobSpec,
    model: TakenModel,
    found: tuple[Evaluation, Evaluation],
    times: tuple[int, int],
) -> CheckReport:
    for evaluation in found:
        if evaluation.fault is not Fault.NONE:
            problem = _FAULTS.get(evaluation.fault, CheckProblem.CRASHED)
            why = _why(evaluation.text, evaluation.outcome)
            text = f"The model was trained, but evaluating it failed: {why}."
            return _report(problem, text, _last_words(evaluation.outcome))
    one, two = found
    assert one.loss is not None, "without a fault there are losses"
    if not is_matching(one.losses, two.losses, spec.tolerance):
        text = (
            "Two evaluations of one model differ by more than the tolerance: make evaluate "
            "deterministic (fix its seeds), or raise --tolerance."
        )
        return _report(CheckProblem.NOT_REPEATABLE, text)
    first_ms, evaluate_ms = times
    return CheckReport(
        problem=CheckProblem.NONE,
        text="",
        log_tail="",
        loss=NanoLoss(one.loss),
        losses=len(one.losses),
        model_bytes=model.file.size,
        first_model_ms=first_ms,
        evaluate_ms=evaluate_ms,
        evaluate_seconds=max(EVALUATE_SECONDS_MIN, -(-EVALUATE_TIMES * evaluate_ms // 1000)),
    )


def _why(text: str, outcome: Outcome) -> str:
    """Return why a run failed: where a program ended itself, its last line says more than its exit code."""
    words = outcome.log_tail.strip().rpartition("\n")[2].strip().rstrip(".")
    ended_itself = outcome.status is Status.EXITED and outcome.exit_code != 0
    return words[:_WORDS_MAX] if ended_itself and words else text


def _last_words(outcome: Outcome) -> str:
    return outcome.log_tail


def _report(problem: CheckProblem, text: str, log_tail: str = "") -> CheckReport:
    return CheckReport(problem=problem, text=text, log_tail=log_tail)
