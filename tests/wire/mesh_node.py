"""A mesh under test: among strangers, on a clock that the test turns."""

from collections.abc import Iterable
from random import Random

from lc_node.chain.types import Digest, Millis, PublicKey
from lc_node.wire.mesh import (
    Mesh,
    Output,
    Tell,
)

T0 = Millis(1_000_000)


def key(number: int) -> PublicKey:
    return PublicKey(number.to_bytes(32, "big"))


def name(number: int) -> Digest:
    return Digest(number.to_bytes(32, "little"))


M, N = name(1), name(2)
LOW, HIGH = key(0), PublicKey(b"\xff" * 32)
"""Our own key, below or above those of all others."""


class Node:
    """A mesh among strangers, with a clock that the test turns."""

    def __init__(self, peers: int, me: PublicKey = LOW) -> None:
        self.now = T0
        self.bad: set[PublicKey] = set()
        self.pending: list[Digest] = []
        self.mesh = Mesh(me, Random(1).randrange, lambda peer, _now: peer in self.bad)  # noqa: S311
        self.peers = [key(n) for n in range(1, peers + 1)]
        for peer in self.peers:
            self.mesh.joined(peer, is_dialed=False, now=T0)

    @property
    def pushed_to(self) -> tuple[PublicKey, ...]:
        return self.mesh.pushed_to(self.now)

    @property
    def others(self) -> list[PublicKey]:
        return [peer for peer in self.peers if peer not in self.pushed_to]

    def receive(self, peer: PublicKey, message: Digest = M) -> bool:
        is_new, outputs = self.mesh.received(peer, message, self.now)
        assert outputs == ()
        return is_new

    def accept(self, message: Digest = M) -> tuple[Output, ...]:
        return self.mesh.accepted(message, self.now)

    def announce(self, peer: PublicKey, *messages: Digest) -> tuple[Output, ...]:
        return self.mesh.announced(peer, messages, self.now)

    def beat(self, after: int = 0) -> tuple[Output, ...]:
        self.now = Millis(self.now + after)
        return self.mesh.heartbeat(self.now, lambda: self.pending)


def told(outputs: Iterable[Output]) -> list[PublicKey]:
    return [output.peer for output in outputs if isinstance(output, Tell)]
