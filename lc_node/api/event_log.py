"""The node's latest events, numbered, so that a reader who missed some can catch up."""

from collections import deque
from itertools import islice
from typing import Final

import msgspec

from lc_node.api.calls import EventsSince
from lc_node.api.schema import Event, EventBatch, Millis, Place, Sequence

EVENTS_KEPT_MAX: Final = 20_000
"""How many events are kept; whoever is further behind reads the jobs' stories again."""


class EventLog:
    """Events of one life of the node, the oldest forgotten when there are too many."""

    def __init__(self, life: str, *, kept_max: int = EVENTS_KEPT_MAX) -> None:
        """Start with no events; ``life`` tells this life of the node from every other."""
        self._life = life
        self._events: deque[Event] = deque(maxlen=kept_max)
        self._latest = Sequence(0)

    @property
    def latest(self) -> Place:
        """Where the stream stands."""
        return Place(life=self._life, sequence=self._latest)

    def add(self, event: Event) -> Event:
        """Number an event and keep it; return it with its number."""
        self._latest = Sequence(self._latest + 1)
        numbered = msgspec.structs.replace(event, sequence=self._latest)
        self._events.append(numbered)
        return numbered

    def since(self, call: EventsSince, now: Millis) -> EventBatch:
        """Return what came after a place: nothing for a new reader, everything kept for one of another life."""
        is_new = not call.place.life
        is_same_life = call.place.life == self._life
        missed = self._latest - (call.place.sequence if is_same_life else 0)
        count = 0 if is_new else max(0, min(missed, len(self._events)))
        events = islice(self._events, len(self._events) - count, None)
        return EventBatch(
            latest=self.latest,
            is_complete=is_new or (is_same_life and missed <= len(self._events)),
            time=now,
            events=tuple(event for event in events if call.job in {None, event.job}),
        )
