"""Trains a job: drives the pure session with a sandboxed run, a search and the clock."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Final, TypeAlias, assert_never

from lc_node.chain.contracts import Contract
from lc_node.chain.transactions import Fault, JobSpec
from lc_node.chain.types import JobId, Millis, MillisSpan, PublicKey
from lc_node.ports.clock import Clock
from lc_node.ports.images import PreparedImage
from lc_node.ports.sandbox import (
    WORKING_FOLDER,
    BadOutputFile,
    Layout,
    Limits,
    Outcome,
    Run,
    RunRequest,
    Sandbox,
    SandboxFailed,
    Status,
    TakenFile,
)
from lc_node.ports.search import (
    BadQuestion,
    Choices,
    FloatRange,
    IntRange,
    Search,
    Space,
    TrialState,
)
from lc_node.worker import contract
from lc_node.worker.exchange import (
    AskSearch,
    BeginTrial,
    Drawn,
    EndTrial,
    Input,
    Judged,
    Kill,
    Leader,
    Line,
    Log,
    NotDrawn,
    NotTaken,
    Output,
    Pause,
    SendLine,
    StopAsked,
    TakeModel,
    Taken,
    TellSearch,
    Tick,
)
from lc_node.worker.limits import GRACE, SECOND_MS, train_limits
from lc_node.worker.request import Role, environment, job_document, plain_environment
from lc_node.worker.seeds import train_seed
from lc_node.worker.session import Terms, TrainSession

TICK_MS: Final = 500
"""How often the session is told that time has passed."""

EVENTS_MAX: Final = 16
"""Lines and events read ahead of the session; the job waits beyond them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Assignment:
    """A job on this node: what every run of it needs to know."""

    job: JobId
    spec: JobSpec
    node: PublicKey
    image: PreparedImage
    folder: Path
    """An existing folder of this job alone; inputs and taken models lie in it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TakenModel:
    """A model copied out of a training, not yet evaluated."""

    trial: int
    file: TakenFile
    hint: float
    """The loss that the job itself reported for it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Training:
    """How a training ended; what was taken stays taken."""

    fault: Fault
    text: str
    """Why it ended so, for the owner's eyes; empty if there is nothing to say."""
    models: int
    """How many models were taken."""
    outcome: Outcome


OnModel: TypeAlias = Callable[[TakenModel], Awaitable[None]]
OnLog: TypeAlias = Callable[[bytes], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Company:
    """What a training talks to besides its job."""

    sandbox: Sandbox
    search: Search
    clock: Clock
    stop: asyncio.Event
    """Set it to end the training early, within the grace time."""
    leader: Callable[[], Leader]
    """What the graph has reached now; asked before each line of the job."""
    is_paused: Callable[[], bool]
    """Whether no trial is to begin now; asked as often."""
    on_model: OnModel
    """Awaited after each model was taken; the job goes on, its next line waits."""
    on_log: OnLog


async def train(assignment: Assignment, *, until: Millis, company: Company) -> Training:
    """Run ``train`` of a job until it ends by itself, is stopped, or its time is over.

    Raises:
        SandboxFailed: the sandbox itself failed; not the job's fault.
    """
    remove_leftovers(assignment)
    now = company.clock.now()
    request = train_request(assignment, MillisSpan(max(0, until - now)))
    async with company.sandbox.open(request) as run:
        driver = _Driver(assignment, until, company, run)
        killed = await driver.drive()
        outcome = await run.wait()
    fault, text = _ending(outcome, killed)
    return Training(fault=fault, text=text, models=driver.models, outcome=outcome)


def remove_leftovers(assignment: Assignment) -> None:
    """Remove models of a training that was cut off: they were stored or are lost."""
    for leftover in assignment.folder.glob("model-*"):
        leftover.unlink()


def train_request(assignment: Assignment, span: MillisSpan) -> RunRequest:
    """Return the request of a training that is to stop after ``span``; writes its job.json."""
    seed = train_seed(assignment.job, assignment.node, 0)
    limits = Limits(**asdict(train_limits(assignment.spec, span)))
    return run_request(assignment, Role.TRAIN, seed, limits, {})


def run_request(
    assignment: Assignment, role: Role, seed: int, limits: Limits, inputs: dict[str, Path]
) -> RunRequest:
    """Return the request of one run of the job in a role; writes its job.json, where the contract has one."""
    image, spec = assignment.image, assignment.spec
    plain = RunRequest(
        rootfs=image.rootfs,
        argv=image.argv,
        environment=plain_environment(spec, image.environment, seed, role),
        inputs=inputs,
        limits=limits,
        layout=Layout.TMP,
        working_folder=image.working_folder,
        is_background=role is Role.TRAIN,  # others wait for an evaluation
        manifest=image.manifest,
        gpu_count=assignment.spec.resources.gpus,
    )
    if spec.contract != Contract.LC_1:
        return plain
    document = assignment.folder / f"{role}.json"
    document.write_bytes(job_document(assignment.job, spec, role, seed))
    return replace(
        plain,
        argv=(*image.argv, role),
        environment=environment(spec, image.environment, seed),
        inputs={"job.json": document, **inputs},
        layout=Layout.APART,
        working_folder=WORKING_FOLDER,
    )


def _ending(outcome: Outcome, killed: Kill | None) -> tuple[Fault, str]:
    if killed is not None:
        return killed.fault, killed.text
    if outcome.status is Status.CANCELLED:
        raise SandboxFailed("the run was ended by somebody else")
    return fault_of(outcome)


def fault_of(outcome: Outcome) -> tuple[Fault, str]:
    """Return the fault of a run that ended by itself or at a limit, and a word on it."""
    match outcome.status:
        case Status.EXITED if outcome.exit_code == 0:
            return Fault.NONE, ""
        case Status.EXITED:
            return Fault.CRASHED, f"exit code {outcome.exit_code}"
        case Status.TIMED_OUT:
            return Fault.TIMED_OUT, "its time was over"
        case Status.OUT_OF_MEMORY:
            return Fault.CRASHED, "out of memory"
        case Status.OUTPUT_LIMIT:
            return Fault.OVERSIZE, "wrote more than a run may"
        case Status.CANCELLED:
            return Fault.NONE, "was ended by the node"


class _Driver:
    """Feeds one run's session and performs what it puts out."""

    def __init__(self, assignment: Assignment, until: Millis, company: Company, run: Run) -> None:
        self.models = 0
        self._assignment = assignment
        self._company = company
        self._run = run
        self._events: asyncio.Queue[Input | None] = asyncio.Queue(EVENTS_MAX)
        self._killed: Kill | None = None
        self._leader = Leader(best=None, bar=None)
        self._is_paused = False
        spec = assignment.spec
        self._session = TrainSession(
            Terms(
                job=assignment.job,
                node=assignment.node,
                until=until,
                trial_ms=MillisSpan(spec.trial_seconds * SECOND_MS),
                grace_ms=MillisSpan(GRACE * SECOND_MS),
                model_bytes_max=spec.model_bytes_max,
            )
        )

    async def drive(self) -> Kill | None:
        """Serve the job until its stdout ends; return the session's kill if there was one."""
        try:
            await self._serve_all()
        except ExceptionGroup as errors:
            if len(errors.exceptions) == 1:
                raise errors.exceptions[0] from errors
            raise
        return self._killed

    async def _serve_all(self) -> None:
        async with asyncio.TaskGroup() as group:
            sources = (
                group.create_task(self._read_lines()),
                group.create_task(self._watch_stop()),
                group.create_task(self._tick()),
            )
            while (event := await self._events.get()) is not None:
                await self._serve(event)
            for source in sources:
                source.cancel()

    async def _read_lines(self) -> None:
        while (line := await self._run.read_line()) is not None:
            await self._events.put(Line(data=line))
        await self._events.put(None)

    async def _watch_stop(self) -> None:
        await self._company.stop.wait()
        await self._events.put(StopAsked())

    async def _tick(self) -> None:
        clock = self._company.clock
        while True:
            await clock.sleep_until(Millis(clock.now() + TICK_MS))
            await self._events.put(Tick())

    async def _serve(self, event: Input) -> None:
        leader = self._company.leader()
        if leader != self._leader:
            self._leader = leader
            await self._feed(leader)
        is_paused = self._company.is_paused()
        if is_paused != self._is_paused:
            self._is_paused = is_paused
            await self._feed(Pause(is_on=is_paused))
        await self._feed(event)

    async def _feed(self, event: Input) -> None:
        """Hand an event to the session and perform what follows, answers that are events included."""
        pending: list[Input] = [event]
        while pending:
            now = self._company.clock.now()
            for output in self._session.handle(pending.pop(0), now):
                answer = await self._perform(output)
                if answer is not None:
                    pending.append(answer)

    async def _perform(self, output: Output) -> Input | None:
        match output:
            case SendLine(data=data):
                await self._run.write_line(data)
            case Log(data=data):
                self._company.on_log(data)
            case TakeModel():
                return await self._take(output)
            case Kill():
                self._killed = output
                self._run.kill()
            case BeginTrial() | AskSearch() | TellSearch() | EndTrial():
                # Off the loop: a sampler may think for tens of milliseconds.
                return await asyncio.to_thread(consult, self._company.search, output)
            case _:
                assert_never(output)
        return None

    async def _take(self, wish: TakeModel) -> Input:
        path = self._assignment.folder / f"model-{self.models}"
        limit = self._assignment.spec.model_bytes_max
        try:
            file = await self._run.take(wish.file, path, bytes_max=limit)
        except BadOutputFile as error:
            return NotTaken(trial=wish.trial, text=str(error))
        self.models += 1
        await self._company.on_model(TakenModel(trial=wish.trial, file=file, hint=wish.hint))
        return Taken(trial=wish.trial)


def consult(
    search: Search, output: BeginTrial | AskSearch | TellSearch | EndTrial
) -> Input | None:
    """Put a session's question to the search and return its answer; None where none is due."""
    match output:
        case BeginTrial(trial=trial):
            search.begin(trial)
        case EndTrial(trial=trial, state=state, loss=loss):
            search.end(trial, TrialState(state), loss)
        case TellSearch(trial=trial, step=step, loss=loss):
            return Judged(trial=trial, hopeless=search.report(trial, step, loss))
        case AskSearch(trial=trial, name=name, space=space):
            try:
                return Drawn(trial=trial, name=name, value=search.ask(trial, name, _ranged(space)))
            except BadQuestion as error:
                return NotDrawn(trial=trial, text=str(error))
    return None


def _ranged(space: contract.Space) -> Space:
    match space:
        case contract.FloatSpace(low=low, high=high, log=log, step=step):
            return FloatRange(low=low, high=high, log=log, step=step)
        case contract.IntSpace(low=start, high=end, log=log, step=stride):
            return IntRange(low=start, high=end, log=log, step=stride)
        case contract.ChoiceSpace(choices=choices):
            return Choices(values=choices)
