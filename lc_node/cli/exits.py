"""How a command ends: its exit code, and one line on stderr that names the fix."""

import re
from enum import IntEnum
from typing import Final

import click

from lc_node.api.errors import ApiError, NodeUnreachable
from lc_node.api.paths import named
from lc_node.chain.errors import LearningChainError
from lc_node.ports.sandbox import SandboxUnavailable


class Exit(IntEnum):
    """The exit codes; scripts may rely on them."""

    OK = 0
    REFUSED = 1
    USAGE = 2
    NO_SANDBOX = 3
    NODE_UNREACHABLE = 4
    INTERRUPTED = 130


EXIT_CODES_TEXT: Final = (
    "Exit codes: 0 done, 1 refused or failed (stderr says why), 2 wrong usage, 3 no sandbox works "
    "here, 4 no node answers, 130 interrupted."
)

_PLAIN_WORD: Final = re.compile(r"[a-z]+[ ,']")


def explain(error: Exception) -> Exit:
    """Write an error to stderr and return its exit code; raise it again if it is not ours."""
    error = named(error)
    match error:
        case click.UsageError():
            error.show()
            return Exit.USAGE
        case click.ClickException():
            error.show()
            return Exit.REFUSED
        case click.Abort():
            click.echo("Interrupted.", err=True)
            return Exit.INTERRUPTED
        case NodeUnreachable():
            return _said(error, Exit.NODE_UNREACHABLE)
        case SandboxUnavailable():
            return _said(error, Exit.NO_SANDBOX)
        case ApiError() | LearningChainError():
            return _said(error, Exit.REFUSED)
        case _:
            raise error


def _said(error: Exception, code: Exit) -> Exit:
    click.echo(f"Error: {_begun(str(error))}", err=True)
    return code


def _begun(text: str) -> str:
    """Return a message as a sentence begins; a file's name, or anything else that is quoted, is left as it is."""
    is_plain = _PLAIN_WORD.match(text) is not None
    return text[:1].upper() + text[1:] if is_plain else text
