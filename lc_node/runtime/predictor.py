"""Lets one model of a job predict in a fresh sandbox: a file that it leaves, or a named fault."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from lc_node.api.schema import CHUNK_BYTES_MAX
from lc_node.chain.transactions import Fault
from lc_node.chain.types import ByteCount
from lc_node.ports.sandbox import (
    BadOutputFile,
    Limits,
    Outcome,
    Run,
    RunRequest,
    Sandbox,
    SandboxFailed,
    Status,
)
from lc_node.runtime.trainer import Assignment, fault_of, run_request
from lc_node.worker.limits import predict_limits
from lc_node.worker.request import Role
from lc_node.worker.seeds import evaluate_seed
from lc_node.worker.trials import MODEL_FILE

PREDICTIONS_BYTES_MAX: Final = ByteCount(CHUNK_BYTES_MAX)
"""As much as one answer of the API carries."""

_INPUTS: Final = "inputs"
_PREDICTIONS: Final = "predictions"
_USAGE: Final = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Prediction:
    """What one run left: bytes that nobody here has looked at, or else a fault."""

    data: bytes
    """Empty where there is a fault."""
    fault: Fault
    text: str
    """What is behind the fault, for the owner's eyes."""
    outcome: Outcome


async def predict(
    assignment: Assignment, model: Path, inputs: Path, *, sandbox: Sandbox
) -> Prediction:
    """Run ``predict`` of a job on a model file and a file of inputs; what it says on stdout is passed over.

    Raises:
        SandboxFailed: the sandbox itself failed; not the job's fault.
    """
    path = assignment.folder / _PREDICTIONS
    async with sandbox.open(_request(assignment, model, inputs)) as run:
        while await run.read_line() is not None:
            continue
        outcome = await run.wait()
        fault, text = fault_of(outcome)
        if fault is Fault.NONE and outcome.status is Status.EXITED:
            fault, text = await _take(run, path)
    if outcome.status is Status.CANCELLED:
        raise SandboxFailed("the run was ended by somebody else")
    if fault is Fault.CRASHED and outcome.exit_code == _USAGE:
        text += ", as of an image that knows no predictions"
    data = path.read_bytes() if fault is Fault.NONE else b""
    return Prediction(data=data, fault=fault, text=text, outcome=outcome)


async def _take(run: Run, path: Path) -> tuple[Fault, str]:
    try:
        await run.take(_PREDICTIONS, path, bytes_max=PREDICTIONS_BYTES_MAX)
    except BadOutputFile as error:
        return Fault.BAD_OUTPUT, str(error)
    return Fault.NONE, ""


def _request(assignment: Assignment, model: Path, inputs: Path) -> RunRequest:
    limits = Limits(**asdict(predict_limits(assignment.spec, PREDICTIONS_BYTES_MAX)))
    seed = evaluate_seed(assignment.job)
    files = {MODEL_FILE: model, _INPUTS: inputs}
    return run_request(assignment, Role.PREDICT, seed, limits, files)
