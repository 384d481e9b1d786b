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
from lc_node.sim.disk import Disk
from lc_node.sim.ledger import SimLedger


class Machine(Protocol):
    """What a node runs: an honest core, or something that speaks its language."""

    @property
    def view(self) -> View:
        """The view it is in."""
        ...

    def start(self, now: Millis) -> list[Output]:
        """Begin."""
        ...

    def on_message(self, peer: PublicKey, message: Message, now: Millis) -> list[Output]:
        """Deal with a message."""
        ...

    def on_time(self, now: Millis) -> list[Output]:
        """Deal with the coming of a time."""
        ...

    def on_work(self, now: Millis) -> list[Output]:
        """Deal with new work."""
        ...


class Surroundings(Protocol):
    """What a node needs of the simulated world."""

    def call_at(self, at: Millis, call: Callable[[], None]) -> None:
        """Call back at a time."""
        ...

    def transmit(self, node: "Node", send: Send) -> None:
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


Boot: TypeAlias = Callable[[Disk], tuple[Machine, SimLedger]]
"""Builds a node's programs from what its disk holds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Traits:
    """What sets one node apart from the others."""

    number: int
    key: PublicKey
    is_honest: bool
    skew_ms: int
    """How far its clock is ahead of true time."""
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
        self._inputs: deque[Callable[[], list[Output]]] = deque()
        self._outputs: deque[Output] = deque()
        self._busy_until = Millis(0)
        self._timer = Millis(0)

    @property
    def height(self) -> Height:
        """Height of the last delivered block."""
        return self.disk.height

    @property
    def view(self) -> View:
        """The view that its core is in."""
        return self._machine.view

    @property
    def _clock(self) -> Millis:
        return Millis(self._world.now + self.traits.skew_ms)

    def power_on(self) -> None:
        """Boot from the disk."""
        self._machine, self._ledger = self._boot(self.disk)
        self.is_up = True
        self.boots += 1
        self._give(lambda: self._machine.start(self._clock))

    def power_off(self) -> None:
        """Lose everything that is not on the disk."""
        self.is_up = False
        self._inputs.clear()
        self._outputs.clear()
        self._busy_until = Millis(0)

    def receive(self, peer: PublicKey, message: Message) -> None:
        """Take a message from the network."""
        self._give(lambda: self._machine.on_message(peer, message, self._clock))

    def submit(self, transactions: Sequence[SignedTransaction]) -> None:
        """Take transactions from the users."""
        if self.is_up:
            for transaction in transactions:
                self._ledger.submit(transaction, self._clock)
            self._give(lambda: self._machine.on_work(self._clock))

    def _give(self, call: Callable[[], list[Output]]) -> None:
        if self.is_up:
            self._inputs.append(call)
            self._run()

    def _run(self) -> None:
        while self.is_up and self._world.now >= self._busy_until:
            if self._outputs:
                if self._world.strikes(self):
                    return
                self._perform(self._outputs.popleft())
            elif self._inputs:
                self._outputs.extend(self._inputs.popleft()())
            else:
                return

    def _perform(self, output: Output) -> None:
        match output:
            case PersistVote(vote=vote, certificate=certificate):
                self.disk.put_vote(vote, certificate)
                self._sync()
            case PersistCertificate(certificate=certificate):
                self.disk.put_certificate(certificate)
                self._sync()
            case PersistBlock(block=block, block_id=identity):
                self.disk.put_block(block, identity)
                self._sync()
            case Deliver(blocks=blocks, certificate=certificate):
                self._world.observe(self, output)
                self.disk.append(blocks, certificate)
                self._ledger.delivered(blocks)
                self._sync()
            case Send():
                self._world.transmit(self, output)
            case SetTimer(at=at):
                self._set_timer(at)
            case EvidenceFound() | Misbehaviour():
                self._world.observe(self, output)
            case SigningStopped():
                self.disk.may_sign = False

    def _sync(self) -> None:
        if self.traits.sync_ms:
            self._busy_until = Millis(self._world.now + self.traits.sync_ms)
            self._call_at(self._busy_until, self._run)

    def _set_timer(self, at: Millis) -> None:
        self._timer = at

        def ring() -> None:
            if self._timer == at:
                self._give(lambda: self._machine.on_time(self._clock))

        self._call_at(Millis(at - self.traits.skew_ms), ring)

    def _call_at(self, at: Millis, call: Callable[[], None]) -> None:
        """Call back unless the power fails before."""
        boot = self.boots

        def call_if_still_up() -> None:
            if self.is_up and self.boots == boot:
                call()

        self._world.call_at(at, call_if_still_up)
