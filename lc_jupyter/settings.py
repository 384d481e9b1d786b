"""What a person sets once for all commands: by configuration, or by the environment.

A value is looked for in this order: the option of a command; ``c.LearningChain.NAME`` (``%config`` in the notebook,
else ``ipython_config.py``); the variable ``LC_NAME`` of the environment; what is built in.
"""

import os
from collections.abc import Callable, Mapping
from typing import Any, Final, cast

from IPython.core.getipython import get_ipython
from IPython.core.interactiveshell import InteractiveShell
from traitlets import Float, TraitError, TraitType, Unicode
from traitlets.config import Configurable, SingletonConfigurable

from lc_jupyter.errors import UserError
from lc_jupyter.units import (
    Written,
    parse_bytes,
    parse_count,
    parse_credits,
    parse_millicpus,
    parse_ppm,
    parse_seconds,
)

SILENCE_SECONDS: Final = 5.0
_SILENCE_SECONDS_MIN: Final = 1.5
"""A living node speaks every second."""


class Term(TraitType[str, Written]):
    """One of the terms of a job; empty where it is not set."""

    default_value = ""

    def __init__(self, parse: Callable[[Written, str], int], text: str) -> None:
        """Take what ``parse`` takes."""
        self.parse: Final = parse
        super().__init__(help=text, config=True)

    def validate(self, _obj: object, value: Any) -> str:
        """Return the value as it is written in an option."""
        text = str(value)
        if text:
            self.parse(text, f"c.{LearningChain.__name__}.{self.name} = ")
        return text


class LearningChain(SingletonConfigurable):
    """How a notebook speaks with its node, and what jobs are posted with unless an option says otherwise."""

    node = Unicode(
        help="The home of the node to speak with; else $LC_NODE, $LC_HOME, ~/.local/share/learningchain.",
        config=True,
    )
    silence_seconds = Float(
        SILENCE_SECONDS,
        min=_SILENCE_SECONDS_MIN,
        help="A node that says nothing for so long has died or hangs; a living one speaks every second.",
        config=True,
    )
    bounty = Term(parse_credits, "Credits for the best model, such as 20.")
    expires = Term(parse_seconds, "How long bidding lasts, such as 10m.")
    trial_time = Term(parse_seconds, "The longest trial.")
    evaluate_time = Term(parse_seconds, "The longest evaluation.")
    memory = Term(parse_bytes, "Memory of a run, such as 2G.")
    cpus = Term(parse_millicpus, "Processors of a run.")
    gpus = Term(parse_count, "GPUs of a run.")
    disk = Term(parse_bytes, "Scratch space of a run.")
    model_bytes = Term(parse_bytes, "The largest model.")
    tolerance = Term(parse_ppm, "How far a re-evaluated loss may lie off, such as 100ppm.")
    check_time = Term(parse_seconds, "How long to wait for the first model in the check.")


TERMS: Final = tuple(
    sorted(LearningChain.class_own_traits(config=True).keys() - {"node", "silence_seconds"})
)
"""The names of the terms of a job that can be set."""


def current() -> LearningChain:
    """Return what is set, for this process.

    Raises:
        UserError: the configuration says something that cannot be meant.
    """
    if not LearningChain.initialized():
        _begin(get_ipython())
    return LearningChain.instance()


def get_term(name: str, environment: Mapping[str, str] = os.environ) -> str:
    """Return what a term of a job is set to by configuration or environment; empty if it is not.

    Raises:
        UserError: the environment says something that cannot be meant.
    """
    configured: str = getattr(current(), name)
    if configured:
        return configured
    variable = f"LC_{name.upper()}"
    text = environment.get(variable, "")
    if text:
        term = LearningChain.class_traits()[name]
        assert isinstance(term, Term), "only terms are asked for"
        term.parse(text, f"{variable}=")
    return text


def load(shell: InteractiveShell) -> None:
    """Let ``%config`` know the settings of a shell.

    Raises:
        UserError: the configuration says something that cannot be meant.
    """
    forget()
    _begin(shell)
    _configurables(shell).append(LearningChain.instance())


def unload(shell: InteractiveShell) -> None:
    """Take them from ``%config`` again."""
    if LearningChain.initialized() and LearningChain.instance() in _configurables(shell):
        _configurables(shell).remove(LearningChain.instance())
    forget()


def forget() -> None:
    """Let the configuration be read anew."""
    LearningChain.clear_instance()


def _configurables(shell: InteractiveShell) -> list[Configurable]:
    """Return what ``%config`` lists; IPython's type knows only its first."""
    return cast("list[Configurable]", shell.configurables)


def _begin(shell: InteractiveShell | None) -> None:
    try:
        LearningChain.instance(parent=shell)
    except TraitError as error:
        LearningChain.clear_instance()
        message = f"c.LearningChain: {error}"
        raise UserError(message) from None
