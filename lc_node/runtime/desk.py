"""What lies on the desk for one job: what this node has of it, and what it is doing about it."""

import asyncio
from dataclasses import dataclass, field

from lc_node.chain.job import Phase, Verdict
from lc_node.chain.types import Digest, JobId, Millis, ModelRoot, NanoLoss, PublicKey
from lc_node.ports.images import PreparedImage
from lc_node.worker.duties import Action, Mine, Opening, Solution

_NEVER = Millis(0)


@dataclass(slots=True, kw_only=True)
class Desk:
    """One job on this node, as the job service keeps it; all of it is rebuilt after a restart."""

    job: JobId
    contested_since: Millis | None = None
    """When this node first saw a bid in this life."""
    phase: Phase = Phase.OPEN
    """At the last look."""
    wanted: bool = False
    is_decided: bool = False
    """Taken, or stopped by the owner: the policy is not asked again."""
    why_not: str = ""
    """Why the policy declined it; empty where it was taken."""
    paused: str = ""
    """Why its training, or the next trial, is not to begin now."""
    image: PreparedImage | None = None
    image_blobs: frozenset[Digest] = frozenset()
    """What of the image this node can hand out."""
    image_refused: str = ""
    is_prefetched: bool = False
    trained: bool = False
    solutions: list[Solution] = field(default_factory=list)
    openings: dict[Digest, Opening] = field(default_factory=dict)
    models: set[ModelRoot] = field(default_factory=set)
    verdicts: dict[PublicKey, Verdict] = field(default_factory=dict)
    under_way: set[Action] = field(default_factory=set)
    stop: asyncio.Event = field(default_factory=asyncio.Event)
    """Set to end the training that is under way."""
    step: str = ""
    """What is being done right now, in words."""
    since: Millis = _NEVER
    models_taken: int = 0
    complaints: dict[str, str] = field(default_factory=dict)
    """By kind of action, why it failed last: what goes on failing is told once."""
    is_cleared: bool = False
    """The job is over and nothing of it is left but what the winner hands out."""

    def mine(self, *, trains: bool = True, prefetch_at: Millis | None = None) -> Mine:
        """Return what the pure rules of duty want to know."""
        return Mine(
            wanted=self.wanted and trains,
            image_ready=self.image is not None,
            image_refused=bool(self.image_refused),
            trained=self.trained,
            solutions=tuple(self.solutions),
            openings=dict(self.openings),
            models=frozenset(self.models),
            verdicts=dict(self.verdicts),
            prefetch_at=prefetch_at,
            under_way=frozenset(self.under_way),
        )

    @property
    def best(self) -> NanoLoss | None:
        """The lowest loss that this node reached."""
        return min((solution.loss for solution in self.solutions), default=None)

    @property
    def is_taking_a_place(self) -> bool:
        """Whether the job counts among those that train here at once."""
        is_possible = self.wanted and not self.trained and not self.image_refused
        return is_possible and self.phase is Phase.OPEN
