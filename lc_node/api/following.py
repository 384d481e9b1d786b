"""Following the stream of events without missing one: the rule, without a socket."""

from lc_node.api.codec import Pulse
from lc_node.api.schema import GAP, Event, EventBatch, JobId, Place


class Follower:
    """Knows which event should come next, and notices when it does not."""

    def __init__(self, *, job: JobId | None = None, place: Place | None = None) -> None:
        """Follow one job or all, from where an earlier reading ended or from now."""
        self._job = job
        self._place = place or Place()

    @property
    def job(self) -> JobId | None:
        """The job that is followed, None for all."""
        return self._job

    @property
    def place(self) -> Place:
        """Where we stand; a later follower can go on from here."""
        return self._place

    def take(self, pulse: Pulse) -> tuple[Event, ...] | None:
        """Return the events that a pulse brings; None if some were missed: fetch a batch then."""
        if pulse.latest.life != self._place.life:
            return None
        if pulse.latest.sequence <= self._place.sequence:
            return ()
        if pulse.event is None or pulse.event.sequence != self._place.sequence + 1:
            return None
        self._place = pulse.latest
        return (pulse.event,) if self._job in {None, pulse.event.job} else ()

    def catch_up(self, batch: EventBatch) -> tuple[Event, ...]:
        """Return the events of a batch; one of code ``gap`` comes first if some are lost for good."""
        self._place = batch.latest
        if batch.is_complete:
            return batch.events
        text = "Some events were missed: read the job's story again."
        return (Event(time=batch.time, code=GAP, text=text, job=self._job), *batch.events)
