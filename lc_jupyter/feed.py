"""What a view of a job in a browser is told: everything once, then only what is new."""

from collections.abc import Sequence
from typing import Any, Final

from lc_jupyter.display import Cell, Row
from lc_jupyter.stories import (
    BID_COLUMNS,
    VERDICT_COLUMNS,
    describe_outcome,
    describe_state,
    find_banned,
    get_bid_rows,
    get_verdict_rows,
)
from lc_jupyter.units import short
from lc_jupyter.wording import show_clock
from lc_node.api.schema import Event, Phase
from lc_node.api.schema_jobs import JobStory

_EVENTS_KEPT: Final = 200

State = dict[str, Any]
"""JSON, as ``frontend/src/state.ts`` describes it."""


class JobFeed:
    """Turns stories into messages; a story grows, so that only its end is looked at again."""

    def __init__(self, story: JobStory) -> None:
        """Begin with a story as it stands."""
        self._story = story
        self._replaced: State = {}
        self._begin(story)

    @property
    def snapshot(self) -> State:
        """Everything, for a view that opens now."""
        return {
            **self._replaced,
            "bidders": list(self._bidders),
            "bids": list(self._bids),
            "events": _lines(self._story.events[-_EVENTS_KEPT:]),
        }

    def take(self, story: JobStory) -> State | None:
        """Take a newer story, and return what of it is new.

        None: it does not continue the one before, as after a restart of the node; views begin anew.
        """
        seen = len(self._story.events)
        if story.events[:seen][-1:] != self._story.events[-1:]:
            self._begin(story)
            return None
        before, bidders, bids = self._replaced, len(self._bidders), len(self._bids)
        self._story = story
        self._note_bids(story.events[seen:])
        self._replaced = self._lay_out(story)
        appended = {
            "bidders": list(self._bidders)[bidders:],
            "bids": self._bids[bids:],
            "events": _lines(story.events[seen:]),
        }
        changed = {k: v for k, v in self._replaced.items() if v != before[k]}
        return changed | {name: new for name, new in appended.items() if new}

    def _begin(self, story: JobStory) -> None:
        self._story = story
        self._bidders: dict[str, int] = {}
        self._bids: list[tuple[int, int, int]] = []
        self._note_bids(story.events)
        self._replaced = self._lay_out(story)

    def _note_bids(self, events: Sequence[Event]) -> None:
        for event in events:
            if event.code == "bid" and event.account is not None and event.loss is not None:
                bidder = self._bidders.setdefault(short(event.account), len(self._bidders))
                self._bids.append((event.time, bidder, event.loss))

    def _lay_out(self, story: JobStory) -> State:
        """Return what is sent whole when it changes."""
        refuted = {short(bid.bidder) for bid in story.bids if bid.void_code}
        banned = find_banned(story.events)
        return {
            "head": _head(story),
            "refuted": sorted(self._bidders[name] for name in refuted if name in self._bidders),
            "leaderboard": _rows(get_bid_rows(story.bids, banned), len(BID_COLUMNS)),
            "verdicts": _rows(get_verdict_rows(story.verdicts), len(VERDICT_COLUMNS)),
        }


def _head(story: JobStory) -> State:
    job = story.summary
    outcome = describe_outcome(story)
    return {
        "job": job.job,
        "title": job.title,
        "phase": job.phase.value,
        "state": describe_state(job),
        "isOver": job.phase.is_over,
        "due": job.due,
        "expiry": job.expiry,
        "posted": job.posted,
        "outcome": " ".join(part.text for part in outcome),
        "tone": outcome[0].tone if outcome else "",
        "actions": _actions(story),
    }


def _actions(story: JobStory) -> list[str]:
    """Return what the owner may do now."""
    job = story.summary
    actions = []
    if job.mine and job.phase is Phase.OPEN:
        actions.append("top_up")
        if not story.bids:
            actions.append("cancel")
    if job.phase.is_over and job.winner is not None:
        actions.append("pull")
    return actions


def _rows(rows: Sequence[Row], columns: int) -> list[list[tuple[str, str]]]:
    cells = [[c if isinstance(c, Cell) else Cell(c) for c in row] for row in rows]
    assert all(len(row) == columns for row in cells), "a row has a cell for each column"
    return [[(cell.text, cell.tone) for cell in row] for row in cells]


def _lines(events: Sequence[Event]) -> list[State]:
    return [{"time": show_clock(event.time), "text": event.text} for event in events]
