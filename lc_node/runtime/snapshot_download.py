"""One state on its way in: fetched from several peers, kept over restarts, and given to the ledger."""

import asyncio
from collections.abc import Iterator, Sequence
from typing import Final

from lc_node.chain.blocks import block_id
from lc_node.chain.bucket import Bucket
from lc_node.chain.commitment import Commitment
from lc_node.chain.types import Digest, PublicKey
from lc_node.ports.snapshots import SnapshotStore
from lc_node.runtime.inquirer import FalseAnswer, Inquirer, in_thread, share_out
from lc_node.runtime.ledger import Ledger
from lc_node.runtime.questions import PeerSilent
from lc_node.runtime.snapshot import Snapshot
from lc_node.wire.snapshot import (
    BUCKETS_DECODER,
    MANIFEST_DECODER,
    Buckets,
    GetBuckets,
    GetManifest,
    Manifest,
    Offer,
)
from lc_node.wire.snapshot_plan import SOURCES_MAX, SnapshotPlan
from lc_node.wire.topics import Topic

_PAUSE_SECONDS: Final = 0.5
"""How long a peer is left alone that had no answer: it may have told us as much as it does at a time."""


class SnapshotDownload:
    """Fetches the state after a block that is known to be final."""

    def __init__(
        self, offer: Offer, inquirer: Inquirer, ledger: Ledger, store: SnapshotStore
    ) -> None:
        """Prepare to fetch what is offered."""
        self._offer = offer
        self._inquirer = inquirer
        self._ledger = ledger
        self._store = store
        self._plan: SnapshotPlan | None = None

    @property
    def missing(self) -> int | None:
        """How many buckets are not here yet; None before that is known."""
        return None if self._plan is None else self._plan.missing

    async def run(
        self, offering: Sequence[PublicKey], others: Sequence[PublicKey]
    ) -> Snapshot | None:
        """Return the snapshot, None if these peers do not bring it; what has come is kept.

        Raises:
            StorageFull: the disk has no room.
            BrokenSnapshot: memory or disk is at fault.
        """
        manifest = await self._manifest(offering)
        if manifest is None:
            return None
        own = self._ledger.state.commitment().frozen()
        await in_thread(lambda: self._reuse(manifest, own))
        plan = self._plan = SnapshotPlan(manifest, self._store.held())
        sources = (*offering, *(peer for peer in others if peer not in offering))[:SOURCES_MAX]
        await share_out(sources, self._fetch, lambda: plan.missing == 0)
        return None if plan.missing else await in_thread(lambda: self._whole(manifest))

    async def _manifest(self, offering: Sequence[PublicKey]) -> Manifest | None:
        """Return what the state is made of, from the first peer that tells it truly."""
        question = GetManifest(block_id=block_id(self._offer.header))
        for peer in offering:
            try:
                found = await self._inquirer.ask(peer, Topic.SNAPSHOTS, question, MANIFEST_DECODER)
                if found is not None and not self._is_right(found):
                    raise self._inquirer.blame(peer)
            except (PeerSilent, FalseAnswer):
                continue
            if found is not None:
                return found
        return None

    def _is_right(self, manifest: Manifest) -> bool:
        header = self._offer.header
        return (
            manifest.block.header == header
            and manifest.root == header.state_root
            and self._ledger.is_intact(manifest.block)
        )

    def _reuse(self, manifest: Manifest, own: Commitment) -> None:
        """Take buckets that stand in our own state as they are: of a quiet chain that is most of them."""
        held = self._store.held()
        wanted = ((index, manifest.leaf(index), mine) for index, mine in enumerate(own.leaves()))
        self._store.put(
            (index, leaf, own.bucket(index).dump())
            for index, leaf, mine in wanted
            if held.get(index) != leaf and mine == leaf
        )

    async def _fetch(self, peer: PublicKey) -> None:
        """Ask a peer for one answer after the other, until it can be of no more use."""
        plan = self._plan
        assert plan is not None, "the manifest is here"
        while (question := plan.ask(peer)) is not None:
            answer = await self._answer(peer, question)
            if answer is None:
                plan.silent(peer)
                await asyncio.sleep(_PAUSE_SECONDS)
                continue
            found = plan.take(peer, answer)
            if found is None:
                self._inquirer.blame(peer)
                return
            # A moment's work, and it must be done before anybody counts on it.
            self._store.put(
                (index, Digest(_leaf(question, index)), data) for index, data in found.items()
            )

    async def _answer(self, peer: PublicKey, question: GetBuckets) -> Buckets | None:
        try:
            return await self._inquirer.ask(peer, Topic.BUCKETS, question, BUCKETS_DECODER)
        except PeerSilent:
            return None
        except FalseAnswer:
            assert self._plan is not None, "there was a question"
            self._plan.leave(peer)
            return None

    def _whole(self, manifest: Manifest) -> Snapshot:
        """Return the state that the buckets make up."""
        epoch = self._ledger.state.meta.epoch
        return Snapshot.of(
            manifest.block,
            self._offer.certificate,
            entries=self._entries(),
            proofs=self._store.proofs(epoch),
        )

    def _entries(self) -> Iterator[tuple[bytes, bytes]]:
        for _, data in self._store.buckets():
            yield from Bucket.load(data).items()


def _leaf(question: GetBuckets, index: int) -> bytes:
    return next(wanted.leaf for wanted in question.wanted if wanted.index == index)
