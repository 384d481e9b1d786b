"""What trying an image out has shown, item by item, and what to change where it broke its contract."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

import msgspec

from lc_node.chain.agreement import is_matching
from lc_node.chain.transactions import Fault, LossVector, ModelFormat, Tolerance
from lc_node.chain.types import ByteCount, NanoLoss, PartsPerMillion
from lc_node.ports.sandbox import Outcome
from lc_node.runtime.evaluator import Evaluation
from lc_node.runtime.overheard_sandbox import JOB
from lc_node.runtime.trainer import Training
from lc_node.worker.contract import Ask, Begin, End, Model, Report, parse_line
from lc_node.worker.evaluation import mean_loss
from lc_node.worker.lines import BadLine

TOLERANCE: Final = Tolerance(absolute=NanoLoss(1_000), relative=PartsPerMillion(100))
"""That of a job whose poster names none."""

STRONG_LOSSES_MIN: Final = 8
_ERRORS_MAX: Final = 3
_FULL_PERCENT: Final = 80
_NANO: Final = 1e9


class Verdict(StrEnum):
    """What an item of the checklist came to."""

    OK = "ok"
    NOTE = "note"
    """Allowed, and worth knowing."""
    PROBLEM = "problem"
    SKIPPED = "skipped"
    """What came before did not leave what this needs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One line of the checklist."""

    name: str
    verdict: Verdict
    text: str
    fix: str = ""


FIXES: Final = {
    Fault.CRASHED: "its last words say why; where memory was short, allow more with --memory",
    Fault.TIMED_OUT: "do less, or allow more: --seconds here, --trial-time and --evaluate-time in the job",
    Fault.OVERSIZE: "print less: 64 MiB in all, 4 KiB a line (1 MiB under stdout/1)",
    Fault.BAD_OUTPUT: "docs/CONTRACT.md says what may be printed",
}


@dataclass
class Talk:
    """What a training under lc/1 and its node said to each other, counted."""

    said: Counter[type] = field(default_factory=Counter)
    names: dict[str, None] = field(default_factory=dict)
    """Of the parameters asked for, in order."""
    errors: list[str] = field(default_factory=list)
    """The node's refusals."""
    was_stopped: bool = False

    def hear(self, who: str, line: bytes) -> None:
        """Take note of a line."""
        if who != JOB:
            self._hear_node(line)
            return
        try:
            message = parse_line(line)
        except BadLine:
            return  # the training ends with this as its fault
        if message is not None:
            self.said[type(message)] += 1
        if isinstance(message, Ask):
            self.names[message.name] = None

    def _hear_node(self, line: bytes) -> None:
        told = msgspec.json.decode(line)
        if told["lc"] == "error" and len(self.errors) < _ERRORS_MAX:
            self.errors.append(f"{told['code']}: {told['text']}")
        self.was_stopped |= told["lc"] == "stop"


def of_training(talk: Talk, training: Training, model_bytes: ByteCount | None) -> Iterator[Item]:
    """Yield what a training under lc/1 has shown, which was told to stop after its first model."""
    yield _ended(training.fault, training.text, training.outcome)
    yield _said(talk, Begin, "begins", 'say {"lc": "begin", "trial": 0} before anything else')
    yield _asks(talk)
    yield _said(talk, Report, "reports", 'say {"lc": "report", ...} with the loss reached')
    yield _model(talk, model_bytes)
    yield _ends(talk)
    yield _stops(talk, training)
    yield _answers(talk)


def of_evaluations(one: Evaluation, two: Evaluation, noise: Evaluation) -> Iterator[Item]:
    """Yield what evaluating a model twice, and a file of noise in its place, has shown."""
    for evaluation in (one, two):
        if evaluation.fault is not Fault.NONE:
            yield _failed("evaluates", evaluation.fault, evaluation.text, evaluation.outcome)
            yield from skipped("is repeatable", "reads the model")
            return
    losses = f"{len(one.losses)} losses, mean " if len(one.losses) > 1 else "loss "
    yield Item(name="evaluates", verdict=Verdict.OK, text=losses + shown(mean_loss(one.losses)))
    yield _repeatable(one.losses, two.losses)
    yield _reads(one.losses, noise)


def of_limits(outcomes: Sequence[Outcome], memory_bytes: ByteCount) -> Item:
    """Return how near the runs came to the memory that a job would declare, which all else counts towards."""
    peak = max(outcome.memory_peak_bytes for outcome in outcomes)
    longest = max(outcome.wall for outcome in outcomes) / 1000
    text = f"{peak:,} of {memory_bytes:,} bytes of memory, {longest:.1f} s the longest run"
    if 100 * peak > _FULL_PERCENT * memory_bytes:
        fix = "declare more memory, lest another machine kill it"
        return Item(name="limits", verdict=Verdict.NOTE, text=text, fix=fix)
    return Item(name="limits", verdict=Verdict.OK, text=text)


def of_label(model_format: ModelFormat, losses: int, *, speaks: bool) -> Item:
    """Return the best label that a result can get."""
    if not speaks:
        text = "unverified, whatever the format: an image of stdout/1 does not say how it reads its model"
        return Item(name="label", verdict=Verdict.NOTE, text=text)
    if model_format.can_execute:
        text, fix = "unverified: a pickle can print what it likes", "use another --format"
        return Item(name="label", verdict=Verdict.NOTE, text=text, fix=fix)
    if losses < STRONG_LOSSES_MIN:
        fix = f"say {STRONG_LOSSES_MIN} losses or more, of groups of the validation data"
        text = f"weak at best, with {losses}"
        return Item(name="label", verdict=Verdict.NOTE, text=text, fix=fix)
    return Item(name="label", verdict=Verdict.OK, text="strong at best")


def skipped(*names: str) -> Iterator[Item]:
    """Yield items that could not be looked at."""
    for name in names:
        yield Item(name=name, verdict=Verdict.SKIPPED, text="not reached")


def shown(loss: NanoLoss) -> str:
    """Return a loss for people."""
    return f"{loss / _NANO:.6g}"


def last_words(outcome: Outcome) -> str:
    """Return the last line that a run wrote to stderr."""
    return outcome.log_tail.strip().rpartition("\n")[2]


def _failed(name: str, fault: Fault, text: str, outcome: Outcome) -> Item:
    words = last_words(outcome)
    told = f"{fault}: {text}" + (f"; its last words: {words}" if words else "")
    return Item(name=name, verdict=Verdict.PROBLEM, text=told, fix=FIXES.get(fault, ""))


def _ended(fault: Fault, text: str, outcome: Outcome) -> Item:
    if fault is not Fault.NONE:
        return _failed("trains", fault, text, outcome)
    return Item(name="trains", verdict=Verdict.OK, text=f"{outcome.wall / 1000:.1f} s")


def _said(talk: Talk, kind: type, name: str, fix: str) -> Item:
    count = talk.said[kind]
    if not count:
        return Item(name=name, verdict=Verdict.PROBLEM, text="never", fix=fix)
    return Item(name=name, verdict=Verdict.OK, text="once" if count == 1 else f"{count} times")


def _asks(talk: Talk) -> Item:
    if not talk.names:
        text = "for nothing: the node cannot search, trials differ by their seeds alone"
        return Item(name="asks", verdict=Verdict.NOTE, text=text)
    return Item(name="asks", verdict=Verdict.OK, text=f"for {', '.join(talk.names)}")


def _model(talk: Talk, size: ByteCount | None) -> Item:
    if size is not None:
        return Item(name="sends a model", verdict=Verdict.OK, text=f"{size:,} bytes")
    text = "it was refused" if talk.said[Model] else "never"
    fix = 'after a "reported" with "send": true, say {"lc": "model", ...}: a plain file in /lc/out'
    return Item(name="sends a model", verdict=Verdict.PROBLEM, text=text, fix=fix)


def _ends(talk: Talk) -> Item:
    begun, ended = talk.said[Begin], talk.said[End]
    if ended >= begun > 0:
        return Item(name="ends its trials", verdict=Verdict.OK, text=f"{ended} of {begun}")
    fix = 'say {"lc": "end", "trial": ..., "state": "complete"} after each trial'
    return Item(name="ends its trials", verdict=Verdict.NOTE, text=f"{ended} of {begun}", fix=fix)


def _stops(talk: Talk, training: Training) -> Item:
    if not talk.was_stopped:
        return Item(name="stops", verdict=Verdict.SKIPPED, text="it ended before it was told to")
    was_killed = training.fault is Fault.NONE and training.text
    if was_killed or training.fault is Fault.TIMED_OUT:
        fix = 'exit when a "reported" says "stop": true, or an "ended" says "more": false'
        text = "it went on for 10 s after it was told to stop, and was killed"
        return Item(name="stops", verdict=Verdict.PROBLEM, text=text, fix=fix)
    return Item(name="stops", verdict=Verdict.OK, text="within 10 s of being told to")


def _answers(talk: Talk) -> Item:
    """Return whether the node had to refuse anything; what follows the stop is refused by right."""
    errors = [error for error in talk.errors if not error.startswith("stopping")]
    if not errors:
        return Item(name="keeps the order", verdict=Verdict.OK, text="nothing was refused")
    fix = "docs/CONTRACT.md says what may follow what, under 'Training'"
    text = f"the node refused: {'; '.join(errors)}"
    return Item(name="keeps the order", verdict=Verdict.PROBLEM, text=text, fix=fix)


def _repeatable(one: LossVector, two: LossVector) -> Item:
    name = "is repeatable"
    if one == two:
        return Item(name=name, verdict=Verdict.OK, text="the same to the last digit, twice")
    first, second = shown(mean_loss(one)), shown(mean_loss(two))
    if is_matching(one, two, TOLERANCE):
        text = f"{first} and {second}: not the same, but within the usual tolerance"
        return Item(name=name, verdict=Verdict.NOTE, text=text)
    fix = "draw from the given seed only, read no clock, fix the number of threads"
    return Item(name=name, verdict=Verdict.PROBLEM, text=f"{first}, then {second}", fix=fix)


def _reads(losses: LossVector, noise: Evaluation) -> Item:
    name = "reads the model"
    if noise.losses != losses:
        text = "noise in its place is refused" if noise.losses == () else "noise has other losses"
        return Item(name=name, verdict=Verdict.OK, text=text)
    text = "noise in the model's place has the same losses: the evaluation does not look at it"
    fix = "evaluate the file that is given: /lc/in/model, or /tmp/model where VALIDATION is set"
    return Item(name=name, verdict=Verdict.PROBLEM, text=text, fix=fix)
