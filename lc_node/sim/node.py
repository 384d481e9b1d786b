"""One simulated machine: performs the outputs of a core one by one, and may die between any two."""

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeAlias

from lc_node.chain.transactions import SignedTransaction
from lc_node.chain.types import Height, Millis, MillisSpan, PublicKey, View
from lc_node.consensus.messages import Message
from lc_node.consensus.outputs import (
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
from lc_node.consensus.setting import Setting
from lc_node.sim.disk import Disk
from lc_node.sim.economy import NodeLedger

MILLION = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class SendBytes:
    """Send bytes that may be no message at all."""

    to: PublicKey
    data: bytes


Deed: TypeAlias = Output | SendBytes
"""What a machine wants done."""


class Machine(Protocol):
    """What a node runs: an honest core, or something that speaks its language."""

    @property
    def view(self) -> View:
        """The view it is in."""
        ...

    @property
    def setting(self) -> Setting:
        """The epoch it is in."""
        ...

    def start(self, now: Millis) -> Sequence[Deed]:
        """Begin."""
        ...

    def on_message(self, peer: PublicKey, message: Message, now: Millis) -> Sequence[Deed]:
        """Deal with a message."""
        ...

    def on_time(self, now: Millis) -> Sequence[Deed]:
        """Deal with the coming of a time."""
        ...

    def on_work(self, now: Millis) -> Sequence[Deed]:
        """Deal with new work."""
        ...


class Surroundings(Protocol):
    """What a node needs of the simulated world."""

    def call_at(self, at: Millis, call: Callable[[], None]) -> None:
        """Call back at a time."""
        ...

    def transmit(self, node: "Node", send: Send | SendBytes) -> None:
        """Take a message to whoever it is for."""
        ...

    def observe(self, node: "Node", output: Deliver | EvidenceFound | Misbehaviour) -> None:
        """Check what a node concluded."""
        ...

    def strikes(self, node: "Node") -> bool:
        """Return whether the node's power fails now."""
        ...

    @property
    def now(self) -> Millis:
        """True time."""
        ...


Boot: TypeAlias = Callable[[int, Disk], tuple[Machine, NodeLedger]]
"""Builds the programs of the node of a number from what its disk holds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Traits:
    """What sets one node apart from the others."""

    number: int
    key: PublicKey
    is_honest: bool
    skew_ms: int
    """How far its clock is ahead of true time when the run begins."""
    drift_ppm: int
    """How much too fast its clock runs."""
    astray_ms: int
    """How far its clock is ahead on top of that, until it is set right."""
    set_right_at: Millis
    """When somebody sets the clock."""
    sync_ms: MillisSpan
    """How long its disk takes to make a write durable."""


class Node:
    """A process that may be restarted; its disk and its clock's error stay."""

    def __init__(self, traits: Traits, boot: Boot, world: Surroundings) -> None:
        """Set up a machine that is switched off."""
        self.traits = traits
        self.disk = Disk()
        self.is_up = False
        self.boots = 0
        self._boot = boot
        self._world = world
        self._inputs: deque[Callable[[], Sequence[Deed]]] = deque()
        self._outputs: deque[Deed] = deque()
        self._is_syncing = False
        self._timer = Millis(0)
        self._born = world.now

    @property
    def height(self) -> Height:
        """Height of the last delivered block."""
        return self.disk.height

    @property
    def view(self) -> View:
        """The view that its core is in."""
        return self._machine.view

    @property
    def setting(self) -> Setting:
        """The epoch that its core is in."""
        return self._machine.setting

    @property
    def _clock(self) -> Millis:
        elapsed = self._world.now - self._born
        gained = elapsed * self.traits.drift_ppm // MILLION
        return Millis(self._born + elapsed + gained + self._skew_ms)

    @property
    def _skew_ms(self) -> int:
        traits = self.traits
        is_astray = self._world.now < traits.set_right_at
        return traits.skew_ms + (traits.astray_ms if is_astray else 0)

    def _true_time(self, shown: Millis) -> Millis:
        """Return the first true time at which the clock shows at least this."""
        elapsed = shown - self._skew_ms - self._born
        return Millis(self._born - -elapsed * MILLION // (MILLION + self.traits.drift_ppm))

    def power_on(self) -> None:
        """Boot from the disk, unless it runs."""
        if self.is_up:
            return
        self._machine, self._ledger = self._boot(self.traits.number, self.disk)
        self.is_up = True
        self.boots += 1
        self._give(lambda: self._machine.start(self._clock))

    def power_off(self) -> None:
        """Lose everything that is not on the disk."""
        self.is_up = False
        self._inputs.clear()
        self._outputs.clear()
        self._is_syncing = False

    def receive(self, peer: PublicKey, message: Message) -> None:
        """Take a message from the network."""
        if not self.is_up:
            return
        if self._inputs or self._is_syncing:
            self._inputs.append(lambda: self._machine.on_message(peer, message, self._clock))
            return
        deeds = self._machine.on_message(peer, message, self._clock)  # most of the time: at once
        if deeds:
            self._outputs.extend(deeds)
            self._run()

    def submit(self, transactions: Sequence[SignedTransaction]) -> None:
        """Take transactions from the users."""
        if self.is_up:
            for transaction in transactions:
                self._ledger.submit(transaction, self._clock)
            self._give(lambda: self._machine.on_work(self._clock))

    def _give(self, call: Callable[[], Sequence[Deed]]) -> None:
        if self.is_up:
            self._inputs.append(call)
            self._run()

    def _run(self) -> None:
        while self.is_up and not self._is_syncing:
            if self._outputs:
                if self._world.strikes(self):
                    return
                self._perform(self._outputs.popleft())
            elif self._inputs:
                self._outputs.extend(self._inputs.popleft()())
            else:
                return

    def _perform(self, deed: Deed) -> None:
        match deed:
            case PersistVote(vote=vote, certificate=certificate):
                self._write(lambda: self.disk.put_vote(vote, certificate))
            case PersistCertificate(certificate=certificate):
                self._write(lambda: self.disk.put_certificate(certificate))
            case PersistBlock(block=block, block_id=identity):
                self._write(lambda: self.disk.put_block(block, identity))
            case Deliver():
                self._write(lambda: self._deliver(deed))
            case Send() | SendBytes():
                self._world.transmit(self, deed)
            case SetTimer(at=at):
                self._set_timer(at)
            case EvidenceFound() | Misbehaviour():
                self._world.observe(self, deed)
            case SigningStopped(vote=vote):
                self.disk.silent_in.add(vote.epoch)

    def _deliver(self, deliver: Deliver) -> None:
        self.disk.append(deliver.blocks, deliver.certificate)
        self._ledger.delivered(deliver.blocks)
        self._world.observe(self, deliver)

    def _write(self, write: Callable[[], None]) -> None:
        """Write, and do nothing else until it is durable: a crash before that finds it undone."""
        if not self.traits.sync_ms:
            write()
            return
        self._is_syncing = True

        def finish() -> None:
            write()
            self._is_syncing = False
            self._run()

        self._call_at(Millis(self._world.now + self.traits.sync_ms), finish)

    def _set_timer(self, at: Millis) -> None:
        self._timer = at

        def ring() -> None:
            if self._timer == at:
                self._give(lambda: self._machine.on_time(self._clock))

        self._call_at(self._true_time(at), ring)

    def _call_at(self, at: Millis, call: Callable[[], None]) -> None:
        """Call back unless the power fails before."""
        boot = self.boots

        def call_if_still_up() -> None:
            if self.is_up and self.boots == boot:
                call()

        self._world.call_at(at, call_if_still_up)
