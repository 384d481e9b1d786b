"""How a run says that the cell's functions failed: where in the cell and why, without what is ours."""

import sys
from pathlib import Path
from traceback import StackSummary, TracebackException
from typing import Final

from lc_jupyter.runner.layout import WORK

FAILURES_MAX: Final = 3
"""So many failed trials in a row end the run: the fault is in the cell, not in the parameters."""

DIVERGED_MAX: Final = 10
"""So many trials without a finite loss end a run that has never seen one."""

_OURS: Final = str(Path(__file__).parent)


class Streak:
    """The trials in a row that came to nothing."""

    def __init__(self) -> None:
        """Begin with none."""
        self._failed = 0
        self._diverged = 0
        self._has_loss = False
        self._told = ""
        self._why = ""

    @property
    def is_hopeless(self) -> bool:
        """Whether another trial would most likely end in the same way."""
        return self._failed >= FAILURES_MAX or self._diverged >= DIVERGED_MAX

    def end(self) -> None:
        """Note a trial that has reached a loss."""
        self._failed = self._diverged = 0
        self._has_loss = True

    def stop(self, number: int, why: str, *, diverged: bool) -> None:
        """Note and tell a trial that was not worth going on with."""
        self._failed, self._why = 0, why
        self._diverged += diverged and not self._has_loss
        _say(f"trial {number} ends: {why}")

    def fail(self, number: int, error: BaseException) -> None:
        """Note and tell a trial that raised; the same account twice is told once."""
        self._failed += 1
        self._why, account = summary(error), _account(error)
        _say(f"trial {number} has failed as the one before" if account == self._told else account)
        self._told = account

    def give_up(self) -> None:
        """Say why there are no more trials; the last line is the reason alone."""
        came_to = "failed" if self._failed else "ended without a finite loss"
        _say(f"{self._failed or self._diverged} trials in a row have {came_to}: giving up")
        _say(self._why)


def tell(error: BaseException) -> None:
    """Say that the run itself has failed; the last line is the reason alone."""
    account, why = _account(error), summary(error)
    _say(account if account == why else f"{account}\n{why}")


def summary(error: BaseException) -> str:
    """Return in one line what was raised and where in the cell; what we raised explains itself."""
    frames = TracebackException.from_exception(error).stack
    words = " ".join(str(error).split())
    if frames and _is_ours(frames[-1].filename):
        return words
    kind = type(error).__name__
    text = f"{kind}: {words}" if words else kind
    own = [frame for frame in frames if frame.filename.startswith(f"{WORK}/")]
    return f"{text}, in {own[-1].name}: {own[-1].line}" if own else text


def _account(error: BaseException) -> str:
    """Return the traceback of an error, and of those behind it, as far as it is not ours."""
    told = TracebackException.from_exception(error)
    behind: TracebackException | None = told
    while behind is not None:
        kept = [frame for frame in behind.stack if not _is_ours(frame.filename)]
        behind.stack = StackSummary.from_list(kept)
        behind = behind.__cause__ or behind.__context__
    return "".join(told.format()).rstrip("\n") if told.stack else summary(error)


def _is_ours(file: str) -> bool:
    return file.startswith(_OURS)


def _say(text: str) -> None:
    sys.stderr.write(f"{text}\n")
