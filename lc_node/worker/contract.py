"""The messages of contract lc/1 that a job may send, each checked as it is read (docs/CONTRACT.md)."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import Final, TypeAlias

from lc_node.chain.transactions import LOSSES_MAX
from lc_node.chain.types import NanoLoss
from lc_node.worker.lines import BadLine, Json, Scalar, nano, read_object, real

NAME_CHARS_MAX: Final = 128
CHOICES_MAX: Final = 64
_FILE: Final = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,63}")


class EndState(StrEnum):
    """How a job says that a trial ended."""

    COMPLETE = "complete"
    PRUNED = "pruned"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Begin:
    """Open a trial under a number of the job's choosing."""

    trial: int


@dataclass(frozen=True, slots=True, kw_only=True)
class FloatSpace:
    """A real parameter between two bounds."""

    low: float
    high: float
    log: bool
    step: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class IntSpace:
    """A whole parameter between two bounds, both included."""

    low: int
    high: int
    log: bool
    step: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ChoiceSpace:
    """One of some values."""

    choices: tuple[Scalar, ...]


Space: TypeAlias = FloatSpace | IntSpace | ChoiceSpace


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """Ask for the value of a parameter to try in a trial."""

    trial: int
    name: str
    space: Space


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """Say which loss a trial has reached; a hint, never what is announced."""

    trial: int
    step: int
    loss: float
    bytes: int | None
    """How large the model's file would be, if the job knows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """The model of the last report lies complete in /lc/out under this name."""

    trial: int
    file: str


@dataclass(frozen=True, slots=True, kw_only=True)
class End:
    """Close a trial."""

    trial: int
    state: EndState


@dataclass(frozen=True, slots=True, kw_only=True)
class Losses:
    """What an evaluation found; the mean is the loss."""

    values: tuple[NanoLoss, ...]


TrainMessage: TypeAlias = Begin | Ask | Report | Model | End
Message: TypeAlias = TrainMessage | Losses


def parse_line(line: bytes) -> Message | None:
    """Return the message of a line of stdout (without its newline), None if it is a log.

    Raises:
        BadLine: it claims to be a message and breaks a rule of the contract.
    """
    fields = read_object(line)
    if fields is None:
        return None
    kind = fields.pop("lc", None)
    if not isinstance(kind, str) or kind not in _READERS:
        raise BadLine(f"no message of lc/1; there are {', '.join(_READERS)}")
    return _READERS[kind](_Fields(fields))


class _Fields:
    """The fields of one message, taken one by one; what is left over is unknown."""

    def __init__(self, fields: Mapping[str, Json]) -> None:
        self._rest = dict(fields)

    def take(self, name: str) -> Json:
        if name not in self._rest:
            raise BadLine(f"{name!r} is missing")
        return self._rest.pop(name)

    def take_or_none(self, name: str) -> Json:
        return self._rest.pop(name, None)

    def count(self, name: str) -> int:
        value = self.whole(name)
        if value < 0:
            raise BadLine(f"{name!r} is negative")
        return value

    def whole(self, name: str) -> int:
        return _whole(name, self.take(name))

    def number(self, name: str) -> int | Decimal:
        return _number(name, self.take(name))

    def text(self, name: str) -> str:
        return _text(name, self.take(name))

    def flag(self, name: str) -> bool:
        value = self.take_or_none(name)
        if value is not None and not isinstance(value, bool):
            raise BadLine(f"{name!r} is neither true nor false")
        return value is True

    def array(self, name: str, length_max: int) -> list[Json]:
        value = self.take(name)
        if not isinstance(value, list) or not 1 <= len(value) <= length_max:
            raise BadLine(f"{name!r} is no array of 1 to {length_max}")
        return value

    def done(self) -> None:
        if self._rest:
            raise BadLine(f"unknown key {_shown(min(self._rest))}")


def _whole(name: str, value: Json) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise BadLine(f"{name!r} is no integer")
    return value


def _number(name: str, value: Json) -> int | Decimal:
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        raise BadLine(f"{name!r} is no number")
    return value


def _text(name: str, value: Json) -> str:
    # isprintable() refuses control characters and lone surrogates alike.
    if not isinstance(value, str) or len(value) > NAME_CHARS_MAX or not value.isprintable():
        raise BadLine(f"{name!r} is no printable text of at most {NAME_CHARS_MAX} characters")
    return value


def _scalar(name: str, value: Json) -> Scalar:
    if isinstance(value, bool | int):
        return value
    return real(value) if isinstance(value, Decimal) else _text(name, value)


def _shown(text: str) -> str:
    return ascii(text[:40])


def _read_begin(fields: _Fields) -> Begin:
    message = Begin(trial=fields.count("trial"))
    fields.done()
    return message


def _read_ask(fields: _Fields) -> Ask:
    trial, name, kind = fields.count("trial"), fields.text("name"), fields.text("kind")
    if not name:
        raise BadLine("'name' is empty")
    if kind not in _SPACES:
        raise BadLine(f"'kind' is none of {', '.join(_SPACES)}")
    message = Ask(trial=trial, name=name, space=_SPACES[kind](fields))
    fields.done()
    return message


def _read_float_space(fields: _Fields) -> FloatSpace:
    step = fields.take_or_none("step")
    return FloatSpace(
        low=real(fields.number("low")),
        high=real(fields.number("high")),
        log=fields.flag("log"),
        step=None if step is None else real(_number("step", step)),
    )


def _read_int_space(fields: _Fields) -> IntSpace:
    step = fields.take_or_none("step")
    return IntSpace(
        low=fields.whole("low"),
        high=fields.whole("high"),
        log=fields.flag("log"),
        step=1 if step is None else _whole("step", step),
    )


def _read_choice_space(fields: _Fields) -> ChoiceSpace:
    values = fields.array("choices", CHOICES_MAX)
    return ChoiceSpace(choices=tuple(_scalar("choices", value) for value in values))


def _read_report(fields: _Fields) -> Report:
    size = fields.take_or_none("bytes")
    message = Report(
        trial=fields.count("trial"),
        step=fields.count("step"),
        loss=real(fields.number("loss")),
        bytes=None if size is None else _whole("bytes", size),
    )
    fields.done()
    return message


def _read_model(fields: _Fields) -> Model:
    message = Model(trial=fields.count("trial"), file=fields.text("file"))
    fields.done()
    if not _FILE.fullmatch(message.file):
        raise BadLine("'file' is no plain file name (letters, digits, '_', '-', '.', at most 64)")
    return message


def _read_end(fields: _Fields) -> End:
    trial, state = fields.count("trial"), fields.text("state")
    fields.done()
    if state not in set(EndState):
        raise BadLine(f"'state' is none of {', '.join(EndState)}")
    return End(trial=trial, state=EndState(state))


def _read_losses(fields: _Fields) -> Losses:
    values = fields.array("values", LOSSES_MAX)
    fields.done()
    return Losses(values=tuple(nano(_number("values", value)) for value in values))


_SPACES: Final[Mapping[str, Callable[[_Fields], Space]]] = {
    "float": _read_float_space,
    "int": _read_int_space,
    "categorical": _read_choice_space,
}
_READERS: Final[Mapping[str, Callable[[_Fields], Message]]] = {
    "begin": _read_begin,
    "ask": _read_ask,
    "report": _read_report,
    "model": _read_model,
    "end": _read_end,
    "losses": _read_losses,
}
