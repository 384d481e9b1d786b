"""Brings a node that is far behind to where the network is: by a snapshot, or by blocks from many peers.

The agreement crosses short gaps by itself. Who says that it is ahead has to prove it, by the ends of
epochs and a certified header; only then the agreement is paused and the ledger moved.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from lc_node.chain.blocks import block_id
from lc_node.chain.codec import encode
from lc_node.chain.crypto import verify
from lc_node.chain.types import Epoch, Height, PublicKey
from lc_node.consensus.inquiries import (
    EPOCH_PROOFS_DECODER,
    FINALIZED_DECODER,
    Finalized,
    GetFinalized,
)
from lc_node.consensus.messages import PROOFS_MAX, EpochProof, GetEpochs
from lc_node.consensus.setting import Setting
from lc_node.consensus.validator_set import ValidatorSet
from lc_node.consensus.way import Way
from lc_node.ports.snapshots import SnapshotStore
from lc_node.ports.stores import VoteStore
from lc_node.runtime import inquirer
from lc_node.runtime.block_download import BlockDownload
from lc_node.runtime.inquirer import FalseAnswer, Inquirer, in_thread
from lc_node.runtime.ledger import Ledger, decode_proof
from lc_node.runtime.questions import PeerSilent
from lc_node.runtime.snapshot_download import SnapshotDownload
from lc_node.wire.snapshot import OFFERS_DECODER, GetOffers, Offer
from lc_node.wire.topics import Topic

_log = logging.getLogger(__name__)

_LOOK_SECONDS: Final = 0.5
_SNAPSHOTS_TRIED: Final = 3
"""Attempts to fetch a state after which blocks are fetched instead, however many they are."""
_ASKED_MAX: Final = 8
"""Peers that are asked how far the chain is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """When which way is taken."""

    snapshots: bool = True
    """False: every block is fetched and executed, as an archive needs it."""
    gap_min: int = 256
    """Blocks that the agreement fetches by itself."""
    snapshot_gap: int = 1_000
    """Blocks that are rather fetched than skipped."""
    again_seconds: float = 5.0
    """How long to wait after nobody could help."""


class Standing(Protocol):
    """What is looked at of a peer (``runtime.network.PeerInfo``)."""

    @property
    def peer(self) -> PublicKey:
        """Who it is."""
        ...

    @property
    def is_up(self) -> bool:
        """Whether it is connected."""
        ...

    @property
    def height(self) -> Height | None:
        """How far its chain is, as it says."""
        ...


class Peers(inquirer.Peers, Protocol):
    """Whoever knows peers, too (``runtime.network.Network``)."""

    def peers(self) -> Sequence[Standing]:
        """Return what is known of every peer, in the order of their keys."""
        ...


class Pausable(Protocol):
    """What must not look at the ledger while it is moved (``runtime.agreement.Agreement``)."""

    def pause(self, why: Callable[[], str]) -> None:
        """Take no part for now; ``why`` says what is done instead."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What a node's catching up works with."""

    ledger: Ledger
    network: Peers
    agreement: Pausable
    go_on: Callable[[], None]
    """Lets the agreement go on from where the ledger is."""
    on_adopted: Callable[[], None]
    """Told after a snapshot, between whose block and the one before nobody has heard of any."""
    votes: VoteStore
    store: SnapshotStore


class CatchUp:
    """Watches how far others are, and moves the ledger if they are far ahead."""

    def __init__(self, surroundings: Surroundings, terms: Terms) -> None:
        """Prepare; see ``run``."""
        self._with = surroundings
        self._terms = terms
        self._inquirer = Inquirer(surroundings.network)
        self._turn = 0
        self._failures = 0
        """Snapshots in a row that did not come."""
        self._is_pruned = False
        """Whether blocks of a gap were wanted that nobody has: as where all have begun with a snapshot."""

    async def run(self) -> None:
        """Look, and catch up if need be, until cancelled.

        Raises:
            ChainForked, StateDiverged: the network's chain is not one that this node can follow.
            StorageFull: there is no room for it.
        """
        while True:
            ahead = self._ahead()
            is_at_it = bool(ahead) and await self._catch_up(ahead)
            await asyncio.sleep(
                self._terms.again_seconds if ahead and not is_at_it else _LOOK_SECONDS
            )

    def _ahead(self) -> tuple[PublicKey, ...]:
        """Return some connected peers that say that they are far ahead, others each time.

        Who says the most is not asked first: liars would crowd out the rest.
        """
        least = self._with.ledger.height + self._terms.gap_min
        told = [one for one in self._with.network.peers() if one.is_up and one.height is not None]
        ahead = [one.peer for one in told if (one.height or 0) > least]
        first = self._turn % len(ahead) if ahead else 0
        self._turn = first + _ASKED_MAX
        return (*ahead[first:], *ahead[:first])[:_ASKED_MAX]

    async def _catch_up(self, ahead: Sequence[PublicKey]) -> bool:
        """Return whether the ledger has moved."""
        ahead = await self._answering(ahead)
        is_tried = self._failures < _SNAPSHOTS_TRIED
        if self._terms.snapshots and is_tried and await self._by_snapshot(ahead):
            return True
        if 0 < self._failures < _SNAPSHOTS_TRIED:
            return False  # what has come is kept: go on with it soon
        self._failures = 0
        return await self._by_blocks(ahead)

    async def _answering(self, ahead: Sequence[PublicKey]) -> Sequence[PublicKey]:
        """Return who answers at all: they are asked at once, since each that is silent takes its time."""
        silent: set[PublicKey] = set()

        async def ask(peer: PublicKey) -> None:
            """Note a peer that does not answer."""
            try:
                await self._newest(peer)
            except (PeerSilent, FalseAnswer):
                silent.add(peer)

        async with asyncio.TaskGroup() as group:
            for peer in ahead:
                group.create_task(ask(peer))
        return [peer for peer in ahead if peer not in silent]

    async def _newest(self, peer: PublicKey) -> Finalized | None:
        """Return the newest final header that a peer tells of, unproved.

        Raises:
            PeerSilent, FalseAnswer: it does not answer, or nonsense.
        """
        question = GetFinalized(height=())
        return await self._inquirer.ask(peer, Topic.FINALIZED, question, FINALIZED_DECODER)

    # By a snapshot.

    async def _by_snapshot(self, ahead: Sequence[PublicKey]) -> bool:
        ledger, store = self._with.ledger, self._with.store
        way = self._way()
        way.retrace(decode_proof(data) for _, data in store.proofs(way.newest.epoch))
        ahead = await self._follow(way, ahead, store_them=True)
        offers = await self._offers(way, ahead)
        offer, offering = max(offers, key=lambda entry: entry[0].header.height, default=(None, ()))
        least = self._terms.gap_min if self._is_pruned else self._terms.snapshot_gap
        if offer is None or offer.header.height - ledger.height <= least:
            return False
        height = offer.header.height
        _log.info("fetching the state at height %d from %d peers", height, len(ahead))
        download = SnapshotDownload(offer, self._inquirer, ledger, store)
        self._with.agreement.pause(lambda: _progress(height, download.missing))
        snapshot = await download.run(offering, ahead)
        if snapshot is not None:
            self._keep_silent(way, height)
            await in_thread(lambda: ledger.store_snapshot(snapshot))
            ledger.go_on_from(snapshot)
            await in_thread(store.clear)
            self._is_pruned = False
            self._with.on_adopted()
            _log.info("standing at height %d by a snapshot", height)
        self._failures = 0 if snapshot is not None else self._failures + 1
        self._with.go_on()
        return snapshot is not None

    async def _offers(
        self, way: Way, ahead: Sequence[PublicKey]
    ) -> list[tuple[Offer, list[PublicKey]]]:
        """Return the states that are offered and final, each with who offers it."""
        offers: dict[bytes, tuple[Offer, list[PublicKey]]] = {}
        for peer in ahead:
            try:
                told = await self._inquirer.ask(peer, Topic.SNAPSHOTS, GetOffers(), OFFERS_DECODER)
                for offer in () if told is None else told.offers:
                    if self._is_final(peer, way, offer):
                        name = block_id(offer.header)
                        offers.setdefault(name, (offer, []))[1].append(peer)
            except (PeerSilent, FalseAnswer):
                continue
        return list(offers.values())

    def _is_final(self, peer: PublicKey, way: Way, offer: Offer) -> bool:
        """Return whether an offered state's block is final, as far as the way leads.

        Raises:
            FalseAnswer: it is not.
        """
        if way.setting_of(offer.header.epoch) is None:
            return False
        if not way.is_final(offer.header, offer.certificate):
            raise self._inquirer.blame(peer)
        return True

    # By blocks.

    async def _by_blocks(self, ahead: Sequence[PublicKey]) -> bool:
        """Fetch blocks, some epochs at a time, until nobody proves to be far ahead any more."""
        before = self._with.ledger.height
        is_there = True
        while is_there and (found := await self._goal(ahead)) is not None:
            is_there = await self._download(*found, ahead)
        if self._with.ledger.height == before and is_there:
            return False  # nothing was proved
        self._with.ledger.secure()  # before anything is signed on top of it (F.3)
        self._with.go_on()
        return is_there

    async def _download(self, way: Way, goal: Height, ahead: Sequence[PublicKey]) -> bool:
        """Return whether the blocks up to a final height were here to be had."""
        ledger = self._with.ledger
        _log.info("fetching blocks up to %d from %d peers", goal, len(ahead))
        self._with.agreement.pause(lambda: f"executing blocks up to height {goal:,}")
        self._keep_silent(way, goal)
        is_there = await BlockDownload(goal, way, self._inquirer, ledger).run(ahead)
        self._is_pruned = not is_there
        if not is_there:
            _log.warning("no peer has the blocks from height %d on", ledger.height + 1)
        return is_there

    async def _goal(self, ahead: Sequence[PublicKey]) -> tuple[Way, Height] | None:
        """Return the newest final height that the next few epochs lead to, if it is far enough."""
        way = self._way()
        ahead = await self._follow(way, ahead, store_them=False)
        goal = way.newest.root
        for peer in ahead:
            try:
                told = await self._newest(peer)
            except (PeerSilent, FalseAnswer):
                continue
            if told is not None and way.is_final(told.headers[-1], told.certificate):
                goal = max(goal, told.headers[-1], key=lambda header: header.height)
        is_far = goal.height - self._with.ledger.height > self._terms.gap_min
        return (way, goal.height) if is_far else None

    # The way.

    def _way(self) -> Way:
        """Return the way from the validators that our own chain names."""
        ledger = self._with.ledger
        era = ledger.era(block_id(ledger.tip))
        return Way(
            Setting(
                chain_id=ledger.root.chain_id,
                epoch=era.epoch,
                validators=ValidatorSet(era.members),
                root=era.root,
                verifier=verify,
                epoch_heights=era.epoch_heights,
            )
        )

    async def _follow(
        self, way: Way, ahead: Sequence[PublicKey], *, store_them: bool
    ) -> Sequence[PublicKey]:
        """Ask how epochs ended, until nobody knows more; if they are not stored, only of a few.

        Returns:
            Who answers, and not falsely: who is silent once is not waited for again.
        """
        answering: list[PublicKey] = []
        last = Epoch(way.newest.epoch + PROOFS_MAX)
        for peer in ahead:
            try:
                while store_them or way.newest.epoch < last:
                    proofs = await self._proofs(peer, way)
                    if not proofs:
                        break
                    if store_them:
                        self._with.store.put_proofs((p.header.epoch, encode(p)) for p in proofs)
            except (PeerSilent, FalseAnswer):
                continue
            answering.append(peer)
        return answering

    async def _proofs(self, peer: PublicKey, way: Way) -> Sequence[EpochProof]:
        """Return how the newest epoch and those after it ended, as a peer has proved it.

        Raises:
            PeerSilent, FalseAnswer: it does not answer, or proves nothing.
        """
        question = GetEpochs(first=way.newest.epoch)
        told = await self._inquirer.ask(peer, Topic.EPOCHS, question, EPOCH_PROOFS_DECODER)
        if told is not None and not way.go(told.proofs):
            raise self._inquirer.blame(peer)
        return () if told is None else told.proofs

    def _keep_silent(self, way: Way, goal: Height) -> None:
        """E: be silent in these epochs, unless this key's record shows that it was with the others before.

        What others say of their heights shows nothing: they may have begun as late as we, or lie. A goal
        that ends an epoch has proved the one after it, too.
        """
        if not self._with.votes.has_finalized():
            proved = way.newest.epoch + (goal == way.newest.last_height)
            self._with.votes.sign_from(Epoch(proved + 1))


def _progress(height: Height, missing: int | None) -> str:
    left = "" if missing is None else f", {missing:,} of 4,096 buckets to come"
    return f"fetching the state at height {height:,}{left}"
