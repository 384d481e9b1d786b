"""What goes in and comes out of the machines that speak contract lc/1 with a job."""

from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias

from lc_node.chain.transactions import Fault
from lc_node.chain.types import NanoLoss
from lc_node.worker.contract import EndState, Space
from lc_node.worker.lines import Scalar


class Refusal(StrEnum):
    """Why a message was answered by ``error``; the trial can only be ended then."""

    OUT_OF_ORDER = "out_of_order"
    BAD_ASK = "bad_ask"
    BAD_FILE = "bad_file"
    STOPPING = "stopping"
    TOO_MANY = "too_many"


# Inputs ------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """The job wrote a line."""

    data: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawn:
    """The search drew the value that was asked for."""

    trial: int
    name: str
    value: Scalar


@dataclass(frozen=True, slots=True, kw_only=True)
class NotDrawn:
    """The search found the question invalid or contradictory."""

    trial: int
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """The search noted a loss, and says whether the trial is worth going on with."""

    trial: int
    hopeless: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """The model was copied out of the sandbox."""

    trial: int


@dataclass(frozen=True, slots=True, kw_only=True)
class NotTaken:
    """The model was no file that we take."""

    trial: int
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Leader:
    """What the graph has reached."""

    best: NanoLoss | None
    """The leader's loss, shown to the job."""
    bar: NanoLoss | None
    """The loss that a bid must be under to be worth its while; None: any bid is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pause:
    """No trial is to begin until further notice, or trials may begin again."""

    is_on: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class StopAsked:
    """The node wants the training to end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tick:
    """Time has passed."""


Input: TypeAlias = (
    Line | Drawn | NotDrawn | Judged | Taken | NotTaken | Leader | Pause | StopAsked | Tick
)

# Outputs -----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class SendLine:
    """Write a line to the job's stdin."""

    data: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class BeginTrial:
    """Tell the search of a new trial."""

    trial: int


@dataclass(frozen=True, slots=True, kw_only=True)
class AskSearch:
    """Draw a value; answered by Drawn or NotDrawn."""

    trial: int
    name: str
    space: Space


@dataclass(frozen=True, slots=True, kw_only=True)
class TellSearch:
    """Note a loss; answered by Judged."""

    trial: int
    step: int
    loss: float


@dataclass(frozen=True, slots=True, kw_only=True)
class EndTrial:
    """Tell the search how a trial ended."""

    trial: int
    state: EndState
    loss: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class TakeModel:
    """Copy a file out of /lc/out; answered by Taken or NotTaken."""

    trial: int
    file: str
    hint: float
    """The loss that the job reported for it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Log:
    """A line of stdout that is no message, for the owner's eyes."""

    data: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Kill:
    """End the run now."""

    fault: Fault
    """NONE: its time is over and nothing was wrong."""
    text: str


Output: TypeAlias = (
    SendLine | BeginTrial | AskSearch | TellSearch | EndTrial | TakeModel | Log | Kill
)
