"""Hours of the day, as an owner writes them: ``22:00-07:30``, also over midnight."""

import re
from dataclasses import dataclass
from typing import Final, NewType

from lc_node.chain.errors import LearningChainError

Minute = NewType("Minute", int)
"""A minute of the day where the machine stands, from 0."""

DAY: Final = 24 * 60

_TEXT: Final = re.compile(r"(\d\d):([0-5]\d)-(\d\d):([0-5]\d)", re.ASCII)


class BadHours(LearningChainError):
    """A text does not say which hours are meant."""

    def __init__(self, text: str) -> None:
        """Show what was written, and what could be."""
        super().__init__(f"{text!r} are no hours of the day: write them as in 22:00-07:30.")
        self.text = text


@dataclass(frozen=True, slots=True, kw_only=True)
class Hours:
    """From a minute on until before another; over midnight if that is the earlier one."""

    begin: Minute
    end: Minute

    def __contains__(self, minute: Minute) -> bool:
        """Return whether a minute of the day lies within."""
        if self.begin < self.end:
            return self.begin <= minute < self.end
        return minute >= self.begin or minute < self.end


def parse_hours(text: str) -> Hours:
    """Return the hours that a text means; 24:00 is the end of the day.

    Raises:
        BadHours: none, or none at all lie between the two.
    """
    found = _TEXT.fullmatch(text)
    if found is None:
        raise BadHours(text)
    begin, end = (60 * int(found[at]) + int(found[at + 1]) for at in (1, 3))
    if begin >= DAY or end > DAY or begin == end:
        raise BadHours(text)
    return Hours(begin=Minute(begin), end=Minute(end))
