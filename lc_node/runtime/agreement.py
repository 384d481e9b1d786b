"""Drives the consensus core: messages, times and work go in; what comes out is done, in order."""

import asyncio
import logging
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import groupby
from typing import Final, Protocol, TypeAlias, assert_never

from lc_node.chain.addresses import encode_address
from lc_node.chain.blocks import Block
from lc_node.chain.codec import encode
from lc_node.chain.errors import MalformedBytes
from lc_node.chain.types import Epoch, Millis, PublicKey, View
from lc_node.chain.votes import Certificate, Vote
from lc_node.consensus.epochs import Epochs
from lc_node.consensus.messages import (
    MESSAGE_DECODER,
    GetBlock,
    GetBlocks,
    GetCertificates,
    GetEpochs,
    Message,
    Propose,
    VoteMessage,
)
from lc_node.consensus.outputs import (
    Audience,
    Deliver,
    EvidenceFound,
    Misbehaviour,
    Output,
    PersistBlock,
    PersistCertificate,
    PersistVote,
    Send,
    SetTimer,
    SigningStopped,
)
from lc_node.consensus.params import VALIDATORS_MAX
from lc_node.consensus.validator_set import ValidatorSet
from lc_node.ports.clock import Clock
from lc_node.ports.stores import VoteStore
from lc_node.runtime.allowances import Allowances
from lc_node.runtime.histogram import Histogram
from lc_node.wire.limits import WINDOW
from lc_node.wire.score import Verdict

_log = logging.getLogger(__name__)

PRUNE_VIEWS: Final = 64
"""Certificates and bodies of so many finalised views may wait to be forgotten."""

QUESTIONS_PER_WINDOW: Final = 20 * WINDOW // 1_000
"""Questions of one peer that are answered in a window, evenly: an answer may cost us 100 ms and be 256 KiB.

Who catches up asks for 64 blocks at a time and waits for the answer; what is ignored is asked again.
"""

_QUESTIONS: Final = (GetBlock, GetBlocks, GetCertificates, GetEpochs)

Persist: TypeAlias = PersistVote | PersistCertificate | PersistBlock


class Peers(Protocol):
    """Whoever carries messages of the agreement (``runtime.network.Network``)."""

    @property
    def connected(self) -> tuple[PublicKey, ...]:
        """The peers with a session."""
        ...

    def some_of(self, peers: Iterable[PublicKey]) -> tuple[PublicKey, ...]:
        """Return a few of the peers, mostly the same ones."""
        ...

    def send_consensus(self, to: PublicKey | None, payload: bytes) -> int:
        """Send a message to one peer or (None) to all; return how many took it."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What the core's outputs are done with."""

    votes: VoteStore
    network: Peers
    clock: Clock
    me: PublicKey
    deliver: Callable[[tuple[Block, ...], Certificate], None]
    secure: Callable[[], None]
    """Makes what was delivered survive a power cut."""
    on_evidence: Callable[[Vote, Vote], None]


class Agreement:
    """The cores of epoch after epoch in the real world. Everything here happens in one event loop."""

    def __init__(self, core: Epochs, surroundings: Surroundings) -> None:
        """Drive ``core``; see ``run``."""
        self.core = core
        self._with = surroundings
        self._timer: Millis | None = None
        self._changed = asyncio.Event()
        self._accused: set[PublicKey] = set()
        self._allowances = Allowances(QUESTIONS_PER_WINDOW, surroundings.clock)
        self._voices: dict[PublicKey, Millis] = {}
        self.store_seconds: Final = Histogram()
        """How long it took to make votes durable."""
        self._turn = 0
        self._pruned = (core.epoch, View(0))
        self._has_work = False
        self._started = False
        """Between the replay and the first failure; outside of it nothing is heard, signed or sent."""
        self._why: Callable[[], str] = str
        self._is_paused = False
        """The chain is being brought forward by other means: nothing is heard, signed or sent either."""

    async def run(self) -> None:
        """Replay what was stored, start, and keep time until cancelled."""
        self._started = True
        self._perform(self.core.start(self._with.clock.now()))
        while self._started:
            if await self._is_time():
                self._timer = None
                self._perform(self.core.on_time(self._with.clock.now()))
            elif self._has_work and self._is_on:
                self._has_work = False
                self._perform(self.core.on_work(self._with.clock.now()))

    @property
    def paused_for(self) -> str:
        """What is done instead, in words; empty while this node takes part."""
        return self._why() if self._is_paused else ""

    def pause(self, why: Callable[[], str]) -> None:
        """Take no part until ``go_on``: the ledger moves."""
        self._is_paused, self._timer, self._why = True, None, why

    def go_on(self, core: Epochs) -> None:
        """Take part again with a core that stands where the ledger now does."""
        self.core, self._timer, self._pruned = core, None, (core.epoch, View(0))
        self._is_paused = False
        if self._started:  # else it has failed, and stays so
            self._perform(core.start(self._with.clock.now()))
            self._changed.set()

    def hear(self, peer: PublicKey, payload: bytes) -> Verdict:
        """Take a peer's message."""
        if not self._is_on:
            return Verdict.IGNORE
        try:
            message = MESSAGE_DECODER.decode(payload)
        except MalformedBytes:
            return Verdict.REJECT
        now = self._with.clock.now()
        if isinstance(message, _QUESTIONS) and not self._may_ask(peer):
            return Verdict.IGNORE
        self._accused.clear()
        self._perform(self.core.on_message(peer, message, now))
        if peer in self._accused:
            return Verdict.REJECT
        self._note_voice(message, now)
        return Verdict.ACCEPT

    @property
    def validators(self) -> ValidatorSet:
        """Who votes in the current epoch."""
        return self.core.validators

    @property
    def may_sign(self) -> bool:
        """Whether this node votes in the current epoch."""
        return self.core.may_sign

    def voted_at(self, key: PublicKey) -> Millis | None:
        """Return when a vote of a validator last came in, in a view that is not long final."""
        return self._voices.get(key)

    def work(self) -> None:
        """Say that the mempool has changed; what follows is done by ``run``, whose errors end the node."""
        self._has_work = True
        self._changed.set()

    @property
    def _is_on(self) -> bool:
        return self._started and not self._is_paused

    def _note_voice(self, message: Message, now: Millis) -> None:
        """Remember that a validator was heard; who looks for absent ones wants to know."""
        if not isinstance(message, Propose | VoteMessage):
            return
        vote = message.vote
        is_current = vote.epoch == self.core.epoch and vote.view >= self.core.finalized
        if is_current and vote.signer in self.core.validators:
            self._voices[vote.signer] = now
            if len(self._voices) > 2 * VALIDATORS_MAX:
                self._voices = {
                    key: at for key, at in self._voices.items() if key in self.core.validators
                }

    def _may_ask(self, peer: PublicKey) -> bool:
        """Count a question against what a peer may ask; a question is short, and its answer is not."""
        allowance = self._allowances.of(peer)
        if not allowance.has(1):
            return False
        allowance.take(1)
        return True

    async def _is_time(self) -> bool:
        """Return whether the timer's time has come, after waiting for that or for a change."""
        left = None if self._timer is None else self._timer - self._with.clock.now()
        if left is None or left > 0:
            try:
                async with asyncio.timeout(None if left is None else left / 1000):
                    await self._changed.wait()
                self._changed.clear()
            except TimeoutError:
                return False  # the machine's clock may say otherwise than the loop's: look again
        return self._is_on and self._timer is not None and self._timer <= self._with.clock.now()

    def _perform(self, outputs: Iterable[Output]) -> None:
        """Do what the core wants, in order; what fails ends it.

        The core counts on what it put out: after a vote that could not be stored, it would repeat that vote.
        """
        is_done = False
        try:
            self._perform_groups(outputs)
            is_done = True
        finally:
            self._started = is_done

    def _perform_groups(self, outputs: Iterable[Output]) -> None:
        """Do what the core wants; persists that follow each other share one fsync."""
        for is_persist, group in groupby(outputs, _is_persist):
            if is_persist:
                begun = time.perf_counter()
                with self._with.votes.batch():
                    for output in group:
                        self._do(output)
                self.store_seconds.observe(time.perf_counter() - begun)
            else:
                for output in group:
                    self._do(output)

    def _persist(self, output: Persist) -> None:
        votes = self._with.votes
        match output:
            case PersistVote(vote=vote, certificate=certificate):
                votes.put_vote(
                    epoch=vote.epoch,
                    view=vote.view,
                    kind=vote.kind,
                    vote=encode(vote),
                    certificate=b"" if certificate is None else encode(certificate),
                )
            case PersistCertificate(certificate=certificate):
                votes.put_certificate(
                    epoch=certificate.epoch,
                    view=certificate.view,
                    kind=certificate.kind,
                    data=encode(certificate),
                )
            case PersistBlock(block=block, block_id=name):
                header = block.header
                votes.put_block(
                    epoch=header.epoch, view=header.view, block_id=name, data=encode(block)
                )

    def _do(self, output: Output) -> None:
        match output:
            case Send():
                self._send(output)
            case Deliver(blocks=blocks, certificate=certificate):
                self._with.deliver(blocks, certificate)
                self._prune(certificate.epoch, certificate.view)
            case SetTimer(at=at):
                self._timer = at
                self._changed.set()
            case EvidenceFound(first=first, second=second):
                self._with.on_evidence(first, second)
            case Misbehaviour(peer=peer, fault=fault):
                extra = {"peer": encode_address(peer), "fault": fault.name.lower()}
                _log.warning("peer %s: %s", peer.hex()[:8], fault.name.lower(), extra=extra)
                self._accused.add(peer)
            case SigningStopped():
                _log.error("a vote under our key is out that we did not store: we sign no more")
            case PersistVote() | PersistCertificate() | PersistBlock():
                self._persist(output)
            case _:
                assert_never(output)

    def _prune(self, epoch: Epoch, finalized: View) -> None:
        """Forget what a finalised view makes needless; rarely, for each time costs an fsync.

        Always so at an epoch's end: should the votes be lost, the chain must still know in which epoch.
        """
        if (
            epoch == self._pruned[0] == self.core.epoch
            and finalized < self._pruned[1] + PRUNE_VIEWS
        ):
            return
        self._with.secure()  # or a power cut could take blocks whose certificates are forgotten
        self._with.votes.prune(epoch=epoch, below=finalized)
        self._pruned = (epoch, finalized)

    def _send(self, output: Send) -> None:
        payload = encode(output.message)
        for peer in self._receivers(output.to):
            self._with.network.send_consensus(peer, payload)

    def _receivers(self, to: PublicKey | Audience) -> tuple[PublicKey, ...]:
        members = self.core.validators
        match to:
            case Audience.VALIDATORS:
                return tuple(key for key in members.keys if key != self._with.me)
            case Audience.FOLLOWERS:
                # A few each: they pass it on in turn, and who misses it asks.
                network = self._with.network
                return network.some_of(p for p in network.connected if p not in members)
            case Audience.ANYONE:
                peers = self._with.network.connected
                self._turn += 1
                return (peers[self._turn % len(peers)],) if peers else ()
            case _:
                return (to,)


def _is_persist(output: Output) -> bool:
    return isinstance(output, Persist)
