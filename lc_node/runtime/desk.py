"""What lies on the desk for one job: what this node has of it, and what it is doing about it."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field

from lc_node.chain.job import Verdict
from lc_node.chain.types import Digest, JobId, Millis, ModelRoot, NanoLoss, PublicKey
from lc_node.ports.images import PreparedImage
from lc_node.worker.duties import Action, Mine, Opening, Solution

_NEVER = Millis(0)


@dataclass(slots=True, kw_only=True)
class Desk:
    """One job on this node, as the job service keeps it; all of it is rebuilt after a restart."""

    job: JobId
    wanted: bool = False
    why_not: str = ""
    """Why the policy declined it; empty where it was taken."""
    image: PreparedImage | None = None
    image_refused: str = ""
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

    def mine(self) -> Mine:
        """Return what the pure rules of duty want to know."""
        return Mine(
            wanted=self.wanted,
            image_ready=self.image is not None,
            image_refused=bool(self.image_refused),
            trained=self.trained,
            solutions=tuple(self.solutions),
            openings=self._openings(),
            models=frozenset(self.models),
            verdicts=dict(self.verdicts),
            under_way=frozenset(self.under_way),
        )

    @property
    def best(self) -> NanoLoss | None:
        """The lowest loss that this node reached."""
        return min((solution.loss for solution in self.solutions), default=None)

    def _openings(self) -> Mapping[Digest, Opening]:
        return dict(self.openings)
