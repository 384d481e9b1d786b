"""What a run under contract stdout/1 says: its last line that holds anything is a number (docs/CONTRACT.md)."""

import re
from decimal import Decimal
from typing import Final

from lc_node.chain.contracts import Contract
from lc_node.chain.transactions import LossVector
from lc_node.chain.types import NanoLoss
from lc_node.worker.exchange import Log
from lc_node.worker.lines import BadLine, nano

NUMBER_CHARS_MAX: Final = 128
_NUMBER: Final = re.compile(rb"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]{1,6})?")
_BLANK: Final = b" \t\r\f\v"


class LastLine:
    """One run's stdout, of which the last line that is not blank counts, and all the others are logs."""

    def __init__(self, contract: Contract) -> None:
        """Expect the first line."""
        self._is_score = contract is Contract.STDOUT_1_NEGATE
        self._last: bytes | None = None

    def handle(self, line: bytes) -> Log:
        """Take note of a line of stdout (without its newline); which is a log in any case."""
        text = line.strip(_BLANK)
        if text:
            # One character more than there may be is enough to know that it is no number.
            self._last = text[: NUMBER_CHARS_MAX + 1]
        return Log(data=line)

    def loss(self) -> NanoLoss:
        """Return the loss that the last line says, negated where it is a score.

        Raises:
            BadLine: nothing was printed, or the last line is no finite decimal number that 63 bits of 1e-9 hold.
        """
        if self._last is None:
            raise BadLine("it printed nothing: the last line of stdout has to be the loss")
        if len(self._last) > NUMBER_CHARS_MAX or not _NUMBER.fullmatch(self._last):
            shown = ascii(self._last[:40].decode("ascii", "replace"))
            raise BadLine(f"the last line of stdout is {shown}, which is no number")
        number = Decimal(self._last.decode("ascii"))
        return nano(number.copy_negate() if self._is_score else number)

    def result(self) -> LossVector:
        """Return what an evaluation has found, once it has exited with 0.

        Raises:
            BadLine: the last line says no loss.
        """
        return (self.loss(),)
