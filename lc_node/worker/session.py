"""The node's side of a training under contract lc/1: a table of what may be said when (docs/CONTRACT.md)."""

from dataclasses import dataclass
from typing import Final, TypeAlias

from lc_node.chain.transactions import Fault
from lc_node.chain.types import ByteCount, JobId, Millis, MillisSpan, NanoLoss, PublicKey
from lc_node.worker.contract import (
    Ask,
    Begin,
    End,
    EndState,
    Losses,
    Model,
    Report,
    TrainMessage,
    parse_line,
)
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
    Refusal,
    SendLine,
    StopAsked,
    TakeModel,
    Taken,
    TellSearch,
    Tick,
)
from lc_node.worker.lines import BadLine, write_line
from lc_node.worker.seeds import train_seed
from lc_node.worker.transitions import TRANSITIONS, Phase, Step

Outputs: TypeAlias = tuple[Output, ...]

_NANO: Final = 1e9
_SECOND_MS: Final = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What a training is held to."""

    job: JobId
    node: PublicKey
    until: Millis
    """The training is asked to stop then."""
    trial_ms: MillisSpan
    """The longest that one trial may take."""
    grace_ms: MillisSpan
    """How long after being asked to stop the job, or a trial, may take to end."""
    model_bytes_max: ByteCount
    open_trials_max: int = 64
    trials_max: int = 10_000
    failures_max: int = 20
    """After so many failed trials in a row there are no more."""


@dataclass(slots=True, kw_only=True)
class _Trial:
    number: int
    began: Millis
    phase: Phase = Phase.OPEN
    best: float | None = None
    """The lowest loss reported."""
    last: float = 0.0
    """The loss last reported."""
    worth: bool = False
    """Whether the last report is worth keeping."""


class TrainSession:
    """One run of a job's ``train``: lines and events in, what is to be done out."""

    def __init__(self, terms: Terms) -> None:
        """Expect the first line."""
        self._terms = terms
        self._until = terms.until
        self._trials: dict[int, _Trial] = {}
        self._ended: set[int] = set()
        self._paused = False
        self._held: list[int] = []
        """Trials that asked to begin during a pause; they wait for their answer."""
        self._failures = 0
        self._leader = Leader(best=None, bar=None)
        self._best_taken: float | None = None
        self._stopping = False
        self._over = False

    def handle(self, event: Input, now: Millis) -> Outputs:
        """Return what is to be done about an event, in order; nothing once a Kill was returned."""
        if self._over:
            return ()
        outputs = (*self._pass_time(now), *self._dispatch(event, now))
        self._over = any(isinstance(output, Kill) for output in outputs)
        return outputs

    def _dispatch(self, event: Input, now: Millis) -> Outputs:
        match event:
            case Line(data=data):
                return self._on_line(data, now)
            case Leader():
                self._leader = event
            case Pause(is_on=is_on):
                self._paused = is_on
                return () if is_on else self._release(now)
            case StopAsked():
                self._until = min(self._until, now)
                return self._pass_time(now)
            case Tick():
                return ()
            case _:
                return self._on_answer(event, now)
        return ()

    # Time ----------------------------------------------------------------------------------------

    def _pass_time(self, now: Millis) -> Outputs:
        grace = self._terms.grace_ms
        if now >= self._until + grace:
            return (Kill(fault=Fault.NONE, text="the time of the training is over"),)
        for trial in self._trials.values():
            if now >= trial.began + self._terms.trial_ms + grace:
                text = f"trial {trial.number} took longer than a trial may"
                return (Kill(fault=Fault.TIMED_OUT, text=text),)
        if now < self._until or self._stopping:
            return ()
        self._stopping = True
        return (SendLine(data=write_line(lc="stop")), *self._release(now))

    def _seconds_left(self, trial: _Trial, now: Millis) -> int:
        end = min(self._until, trial.began + self._terms.trial_ms)
        return max(0, end - now) // _SECOND_MS

    def _should_stop(self, trial: _Trial, now: Millis) -> bool:
        return self._stopping or now >= trial.began + self._terms.trial_ms

    # Lines ---------------------------------------------------------------------------------------

    def _on_line(self, data: bytes, now: Millis) -> Outputs:
        try:
            message = parse_line(data)
        except BadLine as error:
            return (Kill(fault=Fault.BAD_OUTPUT, text=str(error)),)
        if message is None:
            return (Log(data=data),)
        if isinstance(message, Losses):
            return (Kill(fault=Fault.BAD_OUTPUT, text="only an evaluation says 'losses'"),)
        return self._on_message(message, now)

    def _on_message(self, message: TrainMessage, now: Millis) -> Outputs:
        trial = self._trials.get(message.trial)
        phase = Phase.ABSENT if trial is None else trial.phase
        match TRANSITIONS[phase, type(message)], message, trial:
            case Step.BEGIN, Begin(), None:
                return self._begin(message, now)
            case Step.ASK, Ask(), _Trial():
                return self._ask(message, trial)
            case Step.REPORT, Report(), _Trial():
                return self._report(message, trial)
            case Step.TAKE, Model(), _Trial():
                return self._take(message, trial)
            case Step.END, End(), _Trial():
                return self._end(message, trial)
            case _:
                return self._refuse(message, trial)

    def _begin(self, message: Begin, now: Millis) -> Outputs:
        if not self._paused or self._stopping or message.trial in self._held:
            return self._begin_now(message.trial, now)
        if len(self._held) >= self._terms.open_trials_max:
            return _error(message.trial, Refusal.TOO_MANY, "too many trials wait to begin")
        self._held.append(message.trial)
        return ()

    def _release(self, now: Millis) -> Outputs:
        """Answer the trials that were held back."""
        held, self._held = self._held, []
        return tuple(output for number in held for output in self._begin_now(number, now))

    def _begin_now(self, number: int, now: Millis) -> Outputs:
        if self._stopping:
            return _error(number, Refusal.STOPPING, "no more trials: the training is to stop")
        if number in self._ended or number in self._held:
            return _error(number, Refusal.OUT_OF_ORDER, "this number is taken; use a new one")
        if len(self._trials) >= self._terms.open_trials_max or not self._more():
            return _error(number, Refusal.TOO_MANY, "no more trials: end one, or exit")
        trial = self._trials[number] = _Trial(number=number, began=now)
        return (BeginTrial(trial=number), self._begun(trial, now))

    def _begun(self, trial: _Trial, now: Millis) -> SendLine:
        seed = train_seed(self._terms.job, self._terms.node, trial.number)
        left = self._seconds_left(trial, now)
        return SendLine(
            data=write_line(lc="begun", trial=trial.number, seed=seed, seconds_left=left)
        )

    def _ask(self, message: Ask, trial: _Trial) -> Outputs:
        trial.phase = Phase.WAITING
        return (AskSearch(trial=message.trial, name=message.name, space=message.space),)

    def _report(self, message: Report, trial: _Trial) -> Outputs:
        trial.phase = Phase.WAITING
        trial.last = message.loss
        trial.best = message.loss if trial.best is None else min(trial.best, message.loss)
        fits = message.bytes is None or 0 <= message.bytes <= self._terms.model_bytes_max
        trial.worth = fits and self._is_worth_keeping(message.loss)
        return (TellSearch(trial=message.trial, step=message.step, loss=message.loss),)

    def _is_worth_keeping(self, loss: float) -> bool:
        """Better than all we took in this job, and good enough to matter as a bid."""
        better = self._best_taken is None or loss < self._best_taken
        return better and (self._leader.bar is None or loss < _shown(self._leader.bar))

    def _take(self, message: Model, trial: _Trial) -> Outputs:
        trial.phase = Phase.WAITING
        return (TakeModel(trial=trial.number, file=message.file, hint=trial.last),)

    def _end(self, message: End, trial: _Trial) -> Outputs:
        del self._trials[trial.number]
        self._ended.add(trial.number)
        state = EndState.FAILED if trial.phase is Phase.REFUSED else message.state
        self._failures = self._failures + 1 if state is EndState.FAILED else 0
        return (
            EndTrial(trial=trial.number, state=state, loss=trial.best),
            SendLine(data=write_line(lc="ended", trial=trial.number, more=self._more())),
        )

    def _more(self) -> bool:
        begun = len(self._ended) + len(self._trials)
        in_bounds = begun < self._terms.trials_max and self._failures < self._terms.failures_max
        return in_bounds and not self._stopping

    def _refuse(self, message: TrainMessage, trial: _Trial | None) -> Outputs:
        phase = Phase.ABSENT if trial is None else trial.phase
        text = f"{type(message).__name__.lower()} is out of order: the trial {phase.value}"
        if trial is not None:
            trial.phase = Phase.REFUSED
        return _error(message.trial, Refusal.OUT_OF_ORDER, text)

    # Answers of search and sandbox ---------------------------------------------------------------

    def _on_answer(
        self, event: Drawn | NotDrawn | Judged | Taken | NotTaken, now: Millis
    ) -> Outputs:
        trial = self._trials.get(event.trial)
        if trial is None or trial.phase is not Phase.WAITING:
            return ()  # the trial was refused or ended in the meantime
        match event:
            case Drawn():
                trial.phase = Phase.OPEN
                line = write_line(
                    lc="value", trial=event.trial, name=event.name, value=event.value
                )
                return (SendLine(data=line),)
            case Judged():
                return (self._reported(trial, hopeless=event.hopeless, now=now),)
            case Taken():
                trial.phase = Phase.OPEN
                self._best_taken = trial.last
                return (SendLine(data=write_line(lc="taken", trial=event.trial)),)
            case NotDrawn(text=text):
                return self._fail(trial, Refusal.BAD_ASK, text)
            case _:
                return self._fail(trial, Refusal.BAD_FILE, event.text)

    def _reported(self, trial: _Trial, *, hopeless: bool, now: Millis) -> SendLine:
        # Another trial may have been better while this one waited.
        worth = trial.worth and self._is_worth_keeping(trial.last)
        trial.phase = Phase.GRANTED if worth else Phase.OPEN
        best = self._leader.best
        line = write_line(
            lc="reported",
            trial=trial.number,
            send=worth,
            stop=hopeless or self._should_stop(trial, now),
            best=None if best is None else _shown(best),
        )
        return SendLine(data=line)

    def _fail(self, trial: _Trial, code: Refusal, text: str) -> Outputs:
        trial.phase = Phase.REFUSED
        return _error(trial.number, code, text)


def _error(trial: int, code: Refusal, text: str) -> Outputs:
    return (SendLine(data=write_line(lc="error", trial=trial, code=code, text=text[:200])),)


def _shown(loss: NanoLoss) -> float:
    return loss / _NANO
