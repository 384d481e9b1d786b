"""Trains under contract stdout/1: one container a trial, the pure session says which and until when."""

import asyncio
import logging
from dataclasses import asdict
from typing import Final

from lc_node.chain.contracts import Contract
from lc_node.chain.transactions import Fault
from lc_node.chain.types import ByteCount, Millis, MillisSpan
from lc_node.ports.sandbox import (
    BadOutputFile,
    Limits,
    Outcome,
    Run,
    RunRequest,
    SandboxFailed,
    Status,
    WorkerLost,
)
from lc_node.runtime.elsewhere import ATTEMPTS_MAX
from lc_node.runtime.trainer import (
    TICK_MS,
    Assignment,
    Company,
    TakenModel,
    Training,
    fault_of,
    remove_leftovers,
    run_request,
)
from lc_node.worker.exchange import (
    Kill,
    Leader,
    Line,
    Log,
    NotTaken,
    Pause,
    StopAsked,
    TakeModel,
    Taken,
    Tick,
)
from lc_node.worker.limits import SECOND_MS, trial_limits
from lc_node.worker.request import Role
from lc_node.worker.trials import (
    Finish,
    RunTrial,
    TrialEnded,
    TrialInput,
    TrialLost,
    TrialOutput,
    TrialSession,
    TrialTerms,
)

_log = logging.getLogger(__name__)

_NOTHING_RAN: Final = Outcome(
    status=Status.CANCELLED,
    exit_code=0,
    wall=MillisSpan(0),
    cpu=MillisSpan(0),
    memory_peak_bytes=ByteCount(0),
    log_tail="",
)


async def run_trials(assignment: Assignment, *, until: Millis, company: Company) -> Training:
    """Run trials of a job one after the other, until there is no use in more or the time is over.

    Raises:
        SandboxFailed: the sandbox itself failed; not the job's fault.
    """
    remove_leftovers(assignment)
    return await _Runner(assignment, until, company).run()


def trial_request(assignment: Assignment, trial: RunTrial) -> RunRequest:
    """Return the request of one trial."""
    limits = Limits(**asdict(trial_limits(assignment.spec, trial.span)))
    return run_request(assignment, Role.TRAIN, trial.seed, limits, {})


class _Runner:
    """Feeds the session and performs what it puts out."""

    def __init__(self, assignment: Assignment, until: Millis, company: Company) -> None:
        self._assignment = assignment
        self._company = company
        self._models = 0
        self._outcome = _NOTHING_RAN
        self._leader = Leader(best=None, bar=None)
        self._is_paused = False
        self._is_killed = False
        self._losses = 0
        """Machines lost in a row."""
        self._session = TrialSession(
            TrialTerms(
                job=assignment.job,
                node=assignment.node,
                contract=Contract(assignment.spec.contract),
                until=until,
                trial_ms=MillisSpan(assignment.spec.trial_seconds * SECOND_MS),
            )
        )

    async def run(self) -> Training:
        """Let trial follow trial."""
        step: TrialOutput | None = None
        while not isinstance(step, Finish):
            step = await (self._run(step) if isinstance(step, RunTrial) else self._wait())
        return Training(
            fault=step.fault, text=step.text, models=self._models, outcome=self._outcome
        )

    async def _wait(self) -> TrialOutput:
        """Return the first thing to do: at once, or when a pause is over."""
        while not (outputs := self._look()):
            await self._sleep()
        return outputs[-1]

    async def _run(self, trial: RunTrial) -> TrialOutput | None:
        """Run one trial and return what is to be done after it, None if that is to wait.

        Raises:
            WorkerLost: as many machines were lost with it as attempts may be made.
        """
        try:
            step = await self._run_once(trial)
        except WorkerLost as lost:
            self._losses += 1
            if self._losses >= ATTEMPTS_MAX:
                raise
            _log.warning("%s; its trial is run again elsewhere", lost)
            outputs = self._handle(TrialLost())
            return outputs[-1] if outputs else None
        self._losses = 0
        return step

    async def _run_once(self, trial: RunTrial) -> TrialOutput | None:
        request = trial_request(self._assignment, trial)
        async with self._company.sandbox.open(request) as run:
            self._outcome = await self._watched(run)
            fault, text = self._ending(self._outcome)
            outputs = self._handle(TrialEnded(fault=fault, text=text))
            for output in outputs:
                if isinstance(output, TakeModel):
                    outputs = self._handle(await self._take(run, output))
        return outputs[-1] if outputs else None

    def _ending(self, outcome: Outcome) -> tuple[Fault, str]:
        if outcome.status is Status.CANCELLED and not self._is_killed:
            raise SandboxFailed("the run was ended by somebody else")
        return fault_of(outcome)

    async def _watched(self, run: Run) -> Outcome:
        try:
            async with asyncio.TaskGroup() as group:
                watch = group.create_task(self._watch(run))
                while (line := await run.read_line()) is not None:
                    self._perform(run, self._handle(Line(data=line)))
                outcome = await run.wait()
                watch.cancel()
        except ExceptionGroup as errors:
            raise errors.exceptions[0] from errors  # there is one task besides this one
        return outcome

    async def _watch(self, run: Run) -> None:
        """End a run when its training ends, whether it prints anything or not."""
        while True:
            self._perform(run, self._look())
            await self._sleep()

    def _look(self) -> tuple[TrialOutput, ...]:
        """Tell the session of all that may have changed, and return what follows."""
        leader, is_paused = self._company.leader(), self._company.is_paused()
        # A stop first: what begins a trial must not be followed by what ends one.
        events: list[TrialInput] = [StopAsked() if self._company.stop.is_set() else Tick()]
        if is_paused != self._is_paused:
            events.insert(0, Pause(is_on=is_paused))
        if leader != self._leader:
            events.append(leader)
        self._leader, self._is_paused = leader, is_paused
        now = self._company.clock.now()
        return tuple(out for event in events for out in self._session.handle(event, now))

    def _handle(self, event: TrialInput) -> tuple[TrialOutput, ...]:
        return self._session.handle(event, self._company.clock.now())

    def _perform(self, run: Run, outputs: tuple[TrialOutput, ...]) -> None:
        for output in outputs:
            if isinstance(output, Log):
                self._company.on_log(output.data)
            elif isinstance(output, Kill):
                self._is_killed = True
                run.kill()

    async def _take(self, run: Run, wish: TakeModel) -> TrialInput:
        path = self._assignment.folder / f"model-{self._models}"
        limit = self._assignment.spec.model_bytes_max
        try:
            file = await run.take(wish.file, path, bytes_max=limit)
        except BadOutputFile as error:
            return NotTaken(trial=wish.trial, text=str(error))
        self._models += 1
        await self._company.on_model(TakenModel(trial=wish.trial, file=file, hint=wish.hint))
        return Taken(trial=wish.trial)

    async def _sleep(self) -> None:
        clock = self._company.clock
        await clock.sleep_until(Millis(clock.now() + TICK_MS))
