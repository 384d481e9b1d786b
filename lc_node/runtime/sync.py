"""Everything by which nodes bring each other to the tip: serving, fetching, pruning."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from lc_node.consensus.epochs import Epochs
from lc_node.ports.clock import Clock
from lc_node.ports.snapshots import SnapshotStore
from lc_node.ports.stores import ChainStore, VoteStore
from lc_node.runtime.agreement import Agreement
from lc_node.runtime.answers import Answerer
from lc_node.runtime.catch_up import CatchUp, Peers, Surroundings, Terms
from lc_node.runtime.config import StorageConfig
from lc_node.runtime.ledger import Ledger
from lc_node.runtime.pruning import Pruning
from lc_node.runtime.shelf import Shelf
from lc_node.wire.topics import Topic


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What a node's sync is made of."""

    ledger: Ledger
    """What is served, and moved."""
    network: Peers
    agreement: Agreement
    """Is paused while the ledger is moved."""
    renew: Callable[[], Epochs]
    """Makes the agreement's mind where the ledger then is."""
    on_adopted: Sequence[Callable[[], None]]
    """Told after a snapshot."""
    chain: ChainStore
    votes: VoteStore
    snapshot: SnapshotStore
    clock: Clock
    storage: StorageConfig
    """What the owner wants kept."""


class Sync:
    """A node's part in bringing others, and itself, to the tip."""

    def __init__(self, parts: Parts) -> None:
        """Serve from now on; fetch during ``run``."""
        self._shelf = Shelf(parts.ledger, parts.clock)
        self._on_adopted = parts.on_adopted
        surroundings = Surroundings(
            ledger=parts.ledger,
            network=parts.network,
            agreement=parts.agreement,
            go_on=lambda: parts.agreement.go_on(parts.renew()),
            on_adopted=self._adopted,
            votes=parts.votes,
            store=parts.snapshot,
        )
        self._catch_up = CatchUp(surroundings, Terms(snapshots=not parts.storage.archive))
        Pruning(parts.ledger, parts.chain, blocks_kept=parts.storage.blocks_kept)

    def answerers(self) -> Mapping[Topic, Answerer]:
        """Return what the composition root puts among the answers."""
        return self._shelf.answerers()

    async def run(self) -> None:
        """Catch up whenever this node is far behind, until cancelled."""
        await self._catch_up.run()

    def _adopted(self) -> None:
        self._shelf.put_aside()
        for hearer in self._on_adopted:
            hearer()
