"""How a contract is written on a command line."""

from typing import Final

import click

_LC_1: Final = "lc/1"
_STDOUT_1: Final = "stdout/1"

CONTRACTS: Final = (_LC_1, _STDOUT_1)
NEGATE_HELP: Final = (
    "With stdout/1: what it prints is a score, more is better; its negative is the loss."
)


def contract_of(contract: str, *, negate: bool) -> str:
    """Return a contract as a job says it.

    Raises:
        click.UsageError: there is nothing to negate.
    """
    if negate and contract != _STDOUT_1:
        message = (
            "--negate goes with --contract stdout/1: under lc/1 a program reports losses itself."
        )
        raise click.UsageError(message)
    return f"{contract}:negate" if negate else contract
