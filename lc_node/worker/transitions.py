"""What a job may say of a trial when: the whole table of contract lc/1 (docs/CONTRACT.md)."""

from collections.abc import Mapping
from enum import Enum
from typing import Final

from lc_node.worker.contract import Ask, Begin, End, Model, Report, TrainMessage


class Phase(Enum):
    """Where a trial stands, and what a refused job is told of it."""

    ABSENT = "is not open: begin it"
    OPEN = "may ask, report and end"
    GRANTED = "may ask, report, send the model and end"
    WAITING = "has to wait for its answer"
    REFUSED = "was refused and may only end"


class Step(Enum):
    """What the node does about a message."""

    BEGIN = "begin"
    ASK = "ask"
    REPORT = "report"
    TAKE = "take"
    END = "end"
    REFUSE = "refuse"


TRANSITIONS: Final[Mapping[tuple[Phase, type[TrainMessage]], Step]] = {
    (Phase.ABSENT, Begin): Step.BEGIN,
    (Phase.ABSENT, Ask): Step.REFUSE,
    (Phase.ABSENT, Report): Step.REFUSE,
    (Phase.ABSENT, Model): Step.REFUSE,
    (Phase.ABSENT, End): Step.REFUSE,
    (Phase.OPEN, Begin): Step.REFUSE,
    (Phase.OPEN, Ask): Step.ASK,
    (Phase.OPEN, Report): Step.REPORT,
    (Phase.OPEN, Model): Step.REFUSE,
    (Phase.OPEN, End): Step.END,
    (Phase.GRANTED, Begin): Step.REFUSE,
    (Phase.GRANTED, Ask): Step.ASK,
    (Phase.GRANTED, Report): Step.REPORT,
    (Phase.GRANTED, Model): Step.TAKE,
    (Phase.GRANTED, End): Step.END,
    (Phase.WAITING, Begin): Step.REFUSE,
    (Phase.WAITING, Ask): Step.REFUSE,
    (Phase.WAITING, Report): Step.REFUSE,
    (Phase.WAITING, Model): Step.REFUSE,
    (Phase.WAITING, End): Step.REFUSE,
    (Phase.REFUSED, Begin): Step.REFUSE,
    (Phase.REFUSED, Ask): Step.REFUSE,
    (Phase.REFUSED, Report): Step.REFUSE,
    (Phase.REFUSED, Model): Step.REFUSE,
    (Phase.REFUSED, End): Step.END,
}
"""An ask goes OPEN or GRANTED -> WAITING -> OPEN or REFUSED; a report -> WAITING -> OPEN or GRANTED;
a model GRANTED -> WAITING -> OPEN or REFUSED; whatever is refused -> REFUSED."""
