"""Tab in a line of ours: options, their values, job ids, functions of the notebook.

IPython asks a matcher whenever a user presses Tab, in every front end
(https://ipython.readthedocs.io/en/stable/api/generated/IPython.core.completer.html).
"""

import re
from argparse import Action
from collections.abc import Callable, Iterable, Sequence
from importlib.metadata import distributions
from typing import TYPE_CHECKING, Any, Final

from IPython.core.completer import CompletionContext, SimpleCompletion, context_matcher

from lc_jupyter.errors import UserError
from lc_jupyter.runner.formats import FORMATS
from lc_jupyter.units import short_job
from lc_node.api.client import ApiError
from lc_node.api.schema_jobs import JobSummary

if TYPE_CHECKING:
    from IPython.core.completer import SimpleMatcherResult

_OURS: Final = re.compile(r"%%?(lc_\w+)(?:\s|$)")
_WORD: Final = re.compile(r"\S*$")
_TAKE_JOBS: Final = frozenset(
    (
        "lc_job",
        "lc_models",
        "lc_wait",
        "lc_watch",
        "lc_pull",
        "lc_top_up",
        "lc_extend",
        "lc_cancel",
    )
)
Completions = list[tuple[str, str]]
"""What fits, and what kind of thing it is."""


class Completer:
    """Knows what may stand where in the lines of our magics."""

    def __init__(
        self,
        magics: Callable[[str], Callable[..., Any] | None],
        jobs: Callable[[str], Iterable[JobSummary]],
    ) -> None:
        """Find magics by ``magics``; ask ``jobs`` for those whose id begins so."""
        self._magics = magics
        self._find_jobs = jobs

    def complete(self, line: str, token: str) -> Completions:
        """Return what may stand at the end of a line, of which ``token`` is typed already."""
        found = _OURS.match(line)
        magic = None if found is None else self._magics(found[1])
        if found is None or magic is None or len(line) <= len(found[1]) + 1:
            return []
        actions: Sequence[Action] = magic.parser._actions  # type: ignore[attr-defined]  # noqa: SLF001  # argparse has no other way
        words = line[: len(line) - len(token)].split()
        expected = _option_before(words, actions)
        if expected is not None:
            return [(name, "value") for name in _values(expected) if _fits(name, token)]
        if token.startswith("-"):
            return [(name, "option") for name in _options(actions) if _fits(name, token)]
        return self._jobs(token) if found[1] in _TAKE_JOBS and len(words) == 1 else []

    def matcher(self) -> Callable[[CompletionContext], "SimpleMatcherResult"]:
        """Return this as IPython takes it."""

        def complete(context: CompletionContext) -> "SimpleMatcherResult":
            line = context.line_with_cursor[: context.cursor_position]
            token = _WORD.findall(line)[0]
            found = self.complete(line, token)
            completions = [SimpleCompletion(text=text, type=kind) for text, kind in found]
            return {
                "completions": completions,
                "matched_fragment": token,
                "suppress": bool(found),
            }

        decorate = context_matcher(identifier="lc_jupyter", priority=200)
        matcher: Callable[[CompletionContext], SimpleMatcherResult] = decorate(complete)
        return matcher

    def _jobs(self, token: str) -> Completions:
        """Return ids of jobs; none where no node answers at once."""
        if token.strip("0123456789abcdef"):
            return []
        try:
            jobs = list(self._find_jobs(token))
        except (ApiError, UserError):
            return []
        return [(short_job(job.job), f"job {job.title}") for job in jobs]


def _option_before(words: Sequence[str], actions: Iterable[Action]) -> Action | None:
    """Return the option whose value comes next."""
    last = words[-1] if words else ""
    for action in actions:
        if last in action.option_strings and action.nargs != 0:
            return action
    return None


def _values(option: Action) -> Iterable[str]:
    """Return what an option takes, where that can be listed."""
    match option.dest:
        case "model_format":
            return FORMATS
        case "with_distributions":
            return sorted({found.name for found in distributions()})
        case _:
            return [str(choice) for choice in option.choices or ()]


def _options(actions: Iterable[Action]) -> list[str]:
    """Return the long options; argparse adds one for help, for which a notebook has the question mark."""
    names = (name for action in actions for name in action.option_strings)
    return [name for name in names if name.startswith("--") and name != "--help"]


def _fits(choice: object, token: str) -> bool:
    return str(choice).startswith(token)
