"""When to propose, and when to give a view up (docs/CONSENSUS.md, the first paragraph and D.1)."""

from lc_node.chain.types import BlockId, Millis, View
from lc_node.consensus.application import Application
from lc_node.consensus.params import ConsensusParams


class Pace:
    """The times of the current view; an idle network is quiet, a busy one as fast as it can be."""

    def __init__(self, application: Application, params: ConsensusParams) -> None:
        """Start before the first view."""
        self._application = application
        self._params = params
        self._view = View(0)
        self._entered = Millis(0)
        self._head: BlockId | None = None
        self._work: Millis | None = None

    def enter(self, view: View, now: Millis) -> None:
        """D.1: a new view, all times anew."""
        self._view, self._entered = view, now
        self.look_again()

    def look_again(self) -> None:
        """Ask the application again for work, although the head is the same."""
        self._head, self._work = None, None

    def look(self, head: BlockId, now: Millis) -> None:
        """Learn whether there is work on top of ``head``, unless that is known already."""
        if head != self._head:
            self._head, self._work = head, self._application.work_since(head, now)

    def press(self, head: BlockId, now: Millis) -> None:
        """Take it that ``head`` itself is the work, but leave it a moment: it is all but final."""
        if head != self._head:
            self._head, self._work = head, Millis(min(now, self._entered) + self._params.interval)

    def proposes_at(self, parent_time: Millis) -> Millis:
        """Return when the leader proposes on a parent (D.2)."""
        idle = self._entered + self._params.heartbeat
        if self._work is None:
            return Millis(idle)
        rested = min(parent_time, self._entered) + self._params.interval
        return Millis(min(idle, max(self._work, rested)))

    def deadline(self, finalized: View) -> Millis:
        """Return when a voter gives the view up (D.1)."""
        due = self._entered + self._params.heartbeat
        if self._work is not None:
            due = min(due, max(self._work, self._entered) + self._params.interval)
        return Millis(due + self._params.patience(self._view, finalized))

    def is_recent(self, time: Millis, received_at: Millis, finalized: View) -> bool:
        """Return whether a block's time is not too old for when it came (D.3 e)."""
        patience = self._params.heartbeat + self._params.patience(self._view, finalized)
        return time >= received_at - self._params.drift - patience
