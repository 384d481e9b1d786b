"""Evaluates one model of a job in a fresh sandbox: losses, or a named fault."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TypeAlias

from lc_node.chain.contracts import Contract
from lc_node.chain.transactions import Fault, LossVector
from lc_node.chain.types import NanoLoss
from lc_node.ports.sandbox import (
    Limits,
    Outcome,
    Run,
    RunRequest,
    Sandbox,
    SandboxFailed,
    Status,
)
from lc_node.runtime.trainer import Assignment, OnLog, fault_of, run_request
from lc_node.worker.evaluation import EvaluateSession, mean_loss
from lc_node.worker.exchange import Kill, Log
from lc_node.worker.last_line import LastLine
from lc_node.worker.limits import evaluate_limits, plain_evaluate_limits
from lc_node.worker.lines import BadLine
from lc_node.worker.request import Role
from lc_node.worker.seeds import evaluate_seed
from lc_node.worker.trials import MODEL_FILE

_Session: TypeAlias = EvaluateSession | LastLine


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """What one evaluation found: losses, or else a fault."""

    losses: LossVector
    """Empty where there is a fault."""
    fault: Fault
    text: str
    """What is behind the fault, for the owner's eyes."""
    outcome: Outcome

    @property
    def loss(self) -> NanoLoss | None:
        """The mean of the losses: what may be announced."""
        return mean_loss(self.losses) if self.losses else None


async def evaluate(
    assignment: Assignment, model: Path, *, sandbox: Sandbox, on_log: OnLog
) -> Evaluation:
    """Run ``evaluate`` of a job on a model file.

    Raises:
        SandboxFailed: the sandbox itself failed; not the job's fault.
    """
    contract = Contract(assignment.spec.contract)
    session = EvaluateSession() if contract is Contract.LC_1 else LastLine(contract)
    async with sandbox.open(evaluate_request(assignment, model)) as run:
        killed = await _serve(run, session, on_log)
        outcome = await run.wait()
    losses, fault, text = _found(session, outcome, killed)
    return Evaluation(losses=losses, fault=fault, text=text, outcome=outcome)


def evaluate_request(assignment: Assignment, model: Path) -> RunRequest:
    """Return the request of one evaluation, which reads the model and cannot change it."""
    spec = assignment.spec
    limits = evaluate_limits if spec.contract == Contract.LC_1 else plain_evaluate_limits
    seed = evaluate_seed(assignment.job)
    inputs = {MODEL_FILE: model}
    return run_request(assignment, Role.EVALUATE, seed, Limits(**asdict(limits(spec))), inputs)


async def _serve(run: Run, session: _Session, on_log: OnLog) -> Kill | None:
    killed = None
    while (line := await run.read_line()) is not None:
        said = session.handle(line) if killed is None else None
        if isinstance(said, Log):
            on_log(said.data)
        elif said is not None:
            killed = said
            run.kill()
    return killed


def _found(
    session: _Session, outcome: Outcome, killed: Kill | None
) -> tuple[LossVector, Fault, str]:
    if killed is not None:
        return (), killed.fault, killed.text
    if outcome.status is Status.CANCELLED:
        raise SandboxFailed("the run was ended by somebody else")
    fault, text = fault_of(outcome)
    if fault is not Fault.NONE:
        return (), fault, text
    try:
        return session.result(), Fault.NONE, ""
    except BadLine as error:
        return (), Fault.BAD_OUTPUT, str(error)
