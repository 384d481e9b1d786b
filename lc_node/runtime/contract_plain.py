"""One trial under contract stdout/1 by itself, and what two of them show."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from lc_node.chain.contracts import Contract
from lc_node.chain.transactions import Fault
from lc_node.chain.types import ByteCount, MillisSpan, NanoLoss
from lc_node.ports.sandbox import BadOutputFile, Outcome, Sandbox
from lc_node.runtime.contract_findings import FIXES, Item, Verdict, last_words, shown, skipped
from lc_node.runtime.trainer import Assignment, fault_of
from lc_node.runtime.trial_runner import trial_request
from lc_node.worker.last_line import LastLine
from lc_node.worker.limits import SECOND_MS
from lc_node.worker.lines import BadLine
from lc_node.worker.seeds import train_seed
from lc_node.worker.trials import MODEL_FILE, RunTrial


@dataclass(frozen=True, slots=True, kw_only=True)
class PlainTrial:
    """How a trial ended, as far as it came."""

    fault: Fault
    text: str
    outcome: Outcome
    loss: NanoLoss | None = None
    line_problem: str = ""
    model: Path | None = None
    model_problem: str = ""


async def run_plain_trial(assignment: Assignment, sandbox: Sandbox, number: int) -> PlainTrial:
    """Run one trial to its end.

    Raises:
        SandboxFailed: the sandbox itself failed; not the job's fault.
    """
    spec = assignment.spec
    stdout = LastLine(Contract(spec.contract))
    trial = RunTrial(
        trial=number,
        seed=train_seed(assignment.job, assignment.node, number),
        span=MillisSpan(spec.trial_seconds * SECOND_MS),
    )
    async with sandbox.open(trial_request(assignment, trial)) as run:
        while (line := await run.read_line()) is not None:
            stdout.handle(line)
        outcome = await run.wait()
        fault, text = fault_of(outcome)
        if fault is not Fault.NONE:
            return PlainTrial(fault=fault, text=text, outcome=outcome)
        loss, line_problem = _loss_of(stdout)
        path, model_problem = assignment.folder / f"model-{number}", ""
        try:
            await run.take(MODEL_FILE, path, bytes_max=spec.model_bytes_max)
        except BadOutputFile as error:
            model_problem = str(error)
    return PlainTrial(
        fault=fault,
        text=text,
        outcome=outcome,
        loss=loss,
        line_problem=line_problem,
        model=None if model_problem else path,
        model_problem=model_problem,
    )


def of_plain_trials(trials: Sequence[PlainTrial]) -> Iterator[Item]:
    """Yield what two trials have shown, which had different seeds; one is enough if it has no loss."""
    one, two = trials[0], trials[-1]
    yield _trains(one)
    if one.fault is not Fault.NONE:
        yield from skipped("prints its loss", "leaves a model", "heeds its seed")
        return
    yield _prints(one)
    yield _leaves(one)
    if one.loss is None or two.loss is None:
        yield from skipped("heeds its seed")
    elif one.loss == two.loss:
        text = f"two seeds, one loss ({shown(one.loss)}): further trials bring nothing new"
        fix = "draw what should vary from the number in LC_SEED"
        yield Item(name="heeds its seed", verdict=Verdict.NOTE, text=text, fix=fix)
    else:
        text = f"two seeds, losses {shown(one.loss)} and {shown(two.loss)}"
        yield Item(name="heeds its seed", verdict=Verdict.OK, text=text)


def _loss_of(stdout: LastLine) -> tuple[NanoLoss | None, str]:
    try:
        return stdout.loss(), ""
    except BadLine as error:
        return None, str(error)


def _trains(trial: PlainTrial) -> Item:
    if trial.fault is Fault.NONE:
        text = f"exits with 0 after {trial.outcome.wall / 1000:.1f} s"
        return Item(name="trains", verdict=Verdict.OK, text=text)
    words = last_words(trial.outcome)
    text = f"{trial.fault}: {trial.text}" + (f"; its last words: {words}" if words else "")
    return Item(name="trains", verdict=Verdict.PROBLEM, text=text, fix=FIXES[trial.fault])


def _prints(trial: PlainTrial) -> Item:
    name = "prints its loss"
    if trial.loss is None:
        fix = "print one plain number as the last line, such as print(loss)"
        return Item(name=name, verdict=Verdict.PROBLEM, text=trial.line_problem, fix=fix)
    return Item(name=name, verdict=Verdict.OK, text=shown(trial.loss))


def _leaves(trial: PlainTrial) -> Item:
    name = "leaves a model"
    if trial.model is None:
        fix = "write one regular file /tmp/model, not larger than --model-bytes"
        return Item(name=name, verdict=Verdict.PROBLEM, text=trial.model_problem, fix=fix)
    size = ByteCount(trial.model.stat().st_size)
    return Item(name=name, verdict=Verdict.OK, text=f"{size:,} bytes")
