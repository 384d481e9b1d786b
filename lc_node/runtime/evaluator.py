"""Evaluates one model of a job in a fresh sandbox: losses, or a named fault."""

from dataclasses import asdict, dataclass
from pathlib import Path

from lc_node.chain.transactions import Fault, LossVector
from lc_node.chain.types import NanoLoss
from lc_node.ports.sandbox import Limits, Outcome, Run, RunRequest, Sandbox, SandboxFailed, Status
from lc_node.runtime.trainer import Assignment, OnLog, fault_of, run_request
from lc_node.worker.evaluation import EvaluateSession, mean_loss
from lc_node.worker.exchange import Kill, Log
from lc_node.worker.limits import evaluate_limits
from lc_node.worker.request import Role
from lc_node.worker.seeds import evaluate_seed


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
    session = EvaluateSession()
    async with sandbox.open(evaluate_request(assignment, model)) as run:
        killed = await _serve(run, session, on_log)
        outcome = await run.wait()
    losses, fault, text = _found(session, outcome, killed)
    return Evaluation(losses=losses, fault=fault, text=text, outcome=outcome)


def evaluate_request(assignment: Assignment, model: Path) -> RunRequest:
    """Return the request of one evaluation; writes its job.json."""
    limits = Limits(**asdict(evaluate_limits(assignment.spec)))
    seed = evaluate_seed(assignment.job)
    return run_request(assignment, Role.EVALUATE, seed, limits, {"model": model})


async def _serve(run: Run, session: EvaluateSession, on_log: OnLog) -> Kill | None:
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
    session: EvaluateSession, outcome: Outcome, killed: Kill | None
) -> tuple[LossVector, Fault, str]:
    if killed is not None:
        return (), killed.fault, killed.text
    if outcome.status is Status.CANCELLED:
        raise SandboxFailed("the run was ended by somebody else")
    fault, text = fault_of(outcome)
    if fault is not Fault.NONE:
        return (), fault, text
    if session.losses is None:
        return (), Fault.BAD_OUTPUT, "it ended without saying 'losses'"
    return session.losses, Fault.NONE, ""
