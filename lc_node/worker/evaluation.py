"""The node's side of an evaluation under contract lc/1: one line of losses, or a named fault."""

from lc_node.chain.transactions import Fault, LossVector
from lc_node.chain.types import NanoLoss
from lc_node.worker.contract import Losses, parse_line
from lc_node.worker.exchange import Kill, Log
from lc_node.worker.lines import BadLine


class EvaluateSession:
    """One run of a job's ``evaluate``."""

    def __init__(self) -> None:
        """Expect the first line."""
        self._losses: LossVector | None = None

    def handle(self, line: bytes) -> Log | Kill | None:
        """Return what is to be done about a line of stdout."""
        try:
            message = parse_line(line)
        except BadLine as error:
            return Kill(fault=Fault.BAD_OUTPUT, text=str(error))
        if message is None:
            return Log(data=line)
        if not isinstance(message, Losses):
            return Kill(
                fault=Fault.BAD_OUTPUT, text="an evaluation says 'losses' and nothing else"
            )
        if self._losses is not None:
            return Kill(fault=Fault.BAD_OUTPUT, text="'losses' was said twice")
        self._losses = message.values
        return None

    def result(self) -> LossVector:
        """Return what was said, once the run has exited with 0.

        Raises:
            BadLine: nothing was.
        """
        if self._losses is None:
            raise BadLine("it ended without saying 'losses'")
        return self._losses


def mean_loss(losses: LossVector) -> NanoLoss:
    """Return the loss that a vector stands for: its mean, rounded down."""
    return NanoLoss(sum(losses) // len(losses))
