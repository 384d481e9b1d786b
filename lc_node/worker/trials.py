"""The node's side of a training under contract stdout/1: one container, one trial (docs/CONTRACT.md).

+---------+-------------------------------+-----------------------------------------------------------+
| phase   | event                         | then                                                      |
+=========+===============================+===========================================================+
| IDLE    | any, while there may be more  | RunTrial -> RUNNING                                       |
| IDLE    | any, while paused             | IDLE                                                      |
| IDLE    | any, when it is to end        | Finish -> OVER                                            |
| RUNNING | Line                          | Log                                                       |
| RUNNING | its time is over, or StopAsked| Kill                                                      |
| RUNNING | TrialEnded, worth keeping     | TakeModel -> TAKING                                       |
| RUNNING | TrialEnded, otherwise         | IDLE (and on at once)                                     |
| TAKING  | Taken or NotTaken             | IDLE (and on at once)                                     |
| both    | TrialLost                     | RunTrial, the same one again -> RUNNING                   |
+---------+-------------------------------+-----------------------------------------------------------+
Any other event changes nothing but what is known: the leader, and whether the owner wants the machine alone.
"""

from dataclasses import dataclass
from enum import Enum
from typing import Final, TypeAlias

from lc_node.chain.contracts import Contract
from lc_node.chain.transactions import Fault
from lc_node.chain.types import JobId, Millis, MillisSpan, NanoLoss, PublicKey
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
from lc_node.worker.last_line import LastLine
from lc_node.worker.lines import BadLine
from lc_node.worker.seeds import train_seed

MODEL_FILE: Final = "model"
"""Its name in /tmp."""

_NANO: Final = 1e9


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialTerms:
    """What a training is held to."""

    job: JobId
    node: PublicKey
    contract: Contract
    until: Millis
    """What is not finished then is of no use."""
    trial_ms: MillisSpan
    trials_max: int = 10_000
    failures_max: int = 3
    """After so many failed trials in a row there are no more: each costs a whole container."""
    repeats_max: int = 3
    """After so many trials in a row that printed the loss of the one before there are no more: seeds change nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialEnded:
    """A trial's container is gone."""

    fault: Fault
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialLost:
    """The machine that a trial ran on is gone, and with it the trial: nobody's fault."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunTrial:
    """Start a container; answered by TrialEnded."""

    trial: int
    seed: int
    span: MillisSpan
    """How long it may take."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finish:
    """There will be no more trials."""

    fault: Fault
    text: str


TrialInput: TypeAlias = (
    Line | TrialEnded | TrialLost | Taken | NotTaken | Leader | Pause | StopAsked | Tick
)
TrialOutput: TypeAlias = RunTrial | TakeModel | Log | Kill | Finish
TrialOutputs: TypeAlias = tuple[TrialOutput, ...]


class _Phase(Enum):
    IDLE = "idle"
    RUNNING = "running"
    TAKING = "taking"
    OVER = "over"


class TrialSession:
    """The trials of one training: lines and events in, what is to be done out."""

    def __init__(self, terms: TrialTerms) -> None:
        """Wait for the first event."""
        self._terms = terms
        self._until = terms.until
        self._phase = _Phase.IDLE
        self._trials = 0
        self._stdout = LastLine(terms.contract)
        self._is_killed = False
        self._paused = False
        self._leader = Leader(best=None, bar=None)
        self._loss: NanoLoss | None = None
        """What the last good trial printed."""
        self._best_taken: NanoLoss | None = None
        self._repeats = 0
        self._failures = 0
        self._last_failure = Finish(fault=Fault.NONE, text="")

    def handle(self, event: TrialInput, now: Millis) -> TrialOutputs:
        """Return what is to be done about an event; nothing once a Finish was returned."""
        self._learn(event, now)
        match self._phase:
            case _Phase.IDLE:
                return self._go_on(now)
            case _Phase.RUNNING:
                return self._on_running(event, now)
            case _Phase.TAKING:
                return self._on_taking(event, now)
            case _:
                return ()

    def _learn(self, event: TrialInput, now: Millis) -> None:
        match event:
            case Leader():
                self._leader = event
            case Pause(is_on=is_on):
                self._paused = is_on
            case StopAsked():
                self._until = min(self._until, now)
            case _:
                return

    def _on_running(self, event: TrialInput, now: Millis) -> TrialOutputs:
        match event:
            case Line(data=data):
                return (self._stdout.handle(data),)
            case TrialEnded():
                return self._on_end(event, now)
            case TrialLost():
                return self._again(now)
            case _:
                return self._kill_if_late(now)

    def _on_taking(self, event: TrialInput, now: Millis) -> TrialOutputs:
        match event:
            case Taken():
                self._best_taken = self._loss
                self._failures = 0
                return self._go_on(now)
            case NotTaken(text=text):
                return self._fail(Fault.BAD_OUTPUT, f"no model could be taken: {text}", now)
            case TrialLost():
                return self._again(now)
            case _:
                return ()

    def _kill_if_late(self, now: Millis) -> TrialOutputs:
        """A program that knows nothing of us cannot be asked to end."""
        if self._is_killed or now < self._until:
            return ()
        self._is_killed = True
        return (Kill(fault=Fault.NONE, text="the time of the training is over"),)

    def _on_end(self, event: TrialEnded, now: Millis) -> TrialOutputs:
        if self._is_killed:
            return self._finish(Finish(fault=Fault.NONE, text="the time of the training is over"))
        if event.fault is not Fault.NONE:
            return self._fail(event.fault, event.text, now)
        try:
            loss = self._stdout.loss()
        except BadLine as error:
            return self._fail(Fault.BAD_OUTPUT, str(error), now)
        self._repeats = self._repeats + 1 if loss == self._loss else 0
        self._loss = loss
        if not self._is_worth_keeping(loss):
            self._failures = 0
            return self._go_on(now)
        self._phase = _Phase.TAKING
        return (TakeModel(trial=self._trials - 1, file=MODEL_FILE, hint=loss / _NANO),)

    def _is_worth_keeping(self, loss: NanoLoss) -> bool:
        """Better than all we took in this job, and good enough to matter as a bid."""
        better = self._best_taken is None or loss < self._best_taken
        return better and (self._leader.bar is None or loss < self._leader.bar)

    def _fail(self, fault: Fault, text: str, now: Millis) -> TrialOutputs:
        self._failures += 1
        self._last_failure = Finish(fault=fault, text=text)
        return self._go_on(now)

    def _again(self, now: Millis) -> TrialOutputs:
        """Begin the trial anew, with its seed, if there is still time for it."""
        self._trials -= 1
        return self._go_on(now)

    def _go_on(self, now: Millis) -> TrialOutputs:
        """Begin the next trial, unless there is to be none, or none now."""
        self._phase = _Phase.IDLE
        end = self._reason_to_end(now)
        if end is not None:
            return self._finish(end)
        if self._paused:
            return ()
        self._phase = _Phase.RUNNING
        self._stdout = LastLine(self._terms.contract)
        trial, self._trials = self._trials, self._trials + 1
        seed = train_seed(self._terms.job, self._terms.node, trial)
        span = MillisSpan(min(self._terms.trial_ms, self._until - now))
        return (RunTrial(trial=trial, seed=seed, span=span),)

    def _reason_to_end(self, now: Millis) -> Finish | None:
        if now >= self._until:
            return Finish(fault=Fault.NONE, text="the time of the training is over")
        if self._failures >= self._terms.failures_max:
            return self._last_failure
        if self._repeats >= self._terms.repeats_max:
            text = "its trials print one and the same loss: LC_SEED changes nothing"
            return Finish(fault=Fault.NONE, text=text)
        if self._trials >= self._terms.trials_max:
            return Finish(fault=Fault.NONE, text="it has had all the trials that a job may have")
        return None

    def _finish(self, end: Finish) -> TrialOutputs:
        self._phase = _Phase.OVER
        return (end,)
