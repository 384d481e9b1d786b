"""The ``trial`` that a cell's ``train`` is given."""

import math
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from lc_jupyter.runner.channel import Channel
from lc_jupyter.runner.losses import not_finite

Scalar = TypeVar("Scalar", int, float, str, bool)
SaveFile = Callable[[Any, Path, dict[str, Any]], None]


class StopTrial(BaseException):
    """This trial is not worth going on with; what it has sent is kept.

    Not an Exception, so that ``except Exception`` in a cell does not swallow it.
    """


class Diverged(StopTrial):
    """A loss is no finite number."""


class Trial:
    """One try: suggests parameters, and takes the losses and models it leads to."""

    def __init__(self, channel: Channel, number: int, *, out: Path, save: SaveFile) -> None:
        """Open the trial at the node.

        Raises:
            Refused: there are to be no more trials.
        """
        begun = channel.call(lc="begin", trial=number)
        self.number = number
        """Counts the trials of this run, from 0."""
        self.seed: int = begun["seed"]
        """Differs between nodes and trials; hand it to whatever draws at random."""
        self.params: dict[str, Any] = {}
        """What was suggested so far, by name."""
        self._ends: float = time.monotonic() + begun["seconds_left"]
        self._channel = channel
        self._save = save
        self._file = out / f"model-{number}"
        self._steps = 0
        self._stop = False
        self._sent = False
        self._owed = False

    @property
    def seconds_left(self) -> float:
        """How long the trial may go on."""
        return max(0.0, self._ends - time.monotonic())

    @property
    def should_stop(self) -> bool:
        """Whether the trial had better end now: nothing it could reach would matter, or time is over."""
        return self._stop or self._channel.stopping or self.seconds_left <= 0

    def suggest_float(
        self, name: str, low: float, high: float, *, step: float | None = None, log: bool = False
    ) -> float:
        """Return a real number to try, between ``low`` and ``high``."""
        asked = {"low": float(low), "high": float(high), "log": log, "step": step}
        return float(self._ask(name, "float", asked))

    def suggest_int(
        self, name: str, low: int, high: int, *, step: int = 1, log: bool = False
    ) -> int:
        """Return a whole number to try, between ``low`` and ``high``, both included."""
        asked = {"low": int(low), "high": int(high), "log": log, "step": int(step)}
        return int(self._ask(name, "int", asked))

    def suggest_categorical(self, name: str, choices: Sequence[Scalar]) -> Scalar:
        """Return one of ``choices``, each a number, a text or a bool.

        Raises:
            TypeError: a choice is something else; name the choices, and look the chosen one up.
        """
        for choice in choices:
            if not isinstance(choice, int | float | str):
                raise TypeError(
                    f"{name!r}: a choice is a number, a text or a bool, not a {type(choice).__name__};"
                    " suggest names, and look up in a dict what they stand for"
                )
        chosen: Scalar = self._ask(name, "categorical", {"choices": list(choices)})
        return chosen

    def report(self, loss: float, model: Any = None, *, step: int | None = None) -> None:
        """Say which loss is reached, lower being better, and keep the model if it is the best yet.

        Raises:
            StopTrial: the trial had better end now, or the loss is no finite number (``Diverged``).
        """
        value = float(loss)
        if not math.isfinite(value):
            raise Diverged(not_finite("train", [value]))
        self._steps = self._steps if step is None else int(step)
        said = self._channel.call(lc="report", trial=self.number, step=self._steps, loss=value)
        self._steps += 1
        self._owed = said["send"]
        if self._owed and model is not None:
            self._send(model)
        self._stop = self._stop or said["stop"]
        if self._stop:
            raise StopTrial("the node sees no use in going on")

    def finish(self, model: Any, hint: Callable[[Any], float]) -> None:
        """Keep what ``train`` returned, if nothing of this trial was kept before.

        Raises:
            TypeError: train neither returned nor reported anything.
        """
        if model is None and self._steps == 0:
            raise TypeError(
                "train returned nothing: return the model, or trial.report(loss, model)"
            )
        if model is None:
            self._complain()
        elif self._owed:
            self._send(model)
        elif not self._sent:
            self._report_last(hint(model), model)

    def end(self, state: str) -> bool:
        """Close the trial and return whether there may be another."""
        more: bool = self._channel.call(lc="end", trial=self.number, state=state)["more"]
        return more and not self._channel.stopping

    def _ask(self, name: str, kind: str, asked: Mapping[str, object]) -> Any:
        told = {key: value for key, value in asked.items() if value is not None}
        said = self._channel.call(lc="ask", trial=self.number, name=name, kind=kind, **told)
        self._owed = False
        self.params[name] = said["value"]
        return said["value"]

    def _send(self, model: Any) -> None:
        self._save(model, self._file, self.params)
        self._channel.call(lc="model", trial=self.number, file=self._file.name)
        self._sent, self._owed = True, False

    def _report_last(self, loss: float, model: Any) -> None:
        if not math.isfinite(loss):
            raise Diverged(not_finite("evaluate", [loss]))
        try:
            self.report(loss, model)
        except StopTrial:
            self._stop = True

    def _complain(self) -> None:
        if self._owed:
            print(  # noqa: T201 (stdout is the run's log here)
                "a loss worth announcing was reported without its model:"
                " call trial.report(loss, model), or return the model",
                file=sys.stderr,
            )
