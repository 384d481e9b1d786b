"""Whatever peers do, in whatever order: few are pushed to, nothing goes out twice, memory is bounded."""

from random import Random
from typing import Final

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from lc_node.chain.types import Digest, Millis, PublicKey
from lc_node.wire.limits import ANNOUNCE_MAX, ANNOUNCED_MAX, UNTOLD_MAX, WANT_MAX
from lc_node.wire.mesh import Ask, Blame, Mesh, Output, Push, Quieten, Tell
from lc_node.wire.neighbours import DIALED_MIN, PUSHED_TO

SEEN: Final = 50
ME: Final = PublicKey((10).to_bytes(32, "big"))
"""Above some of the others' keys, below others."""
PEERS: Final = st.integers(1, 20).map(lambda n: PublicKey((n + n // 10).to_bytes(32, "big")))
MESSAGES: Final = st.integers(0, 30).map(lambda n: Digest(n.to_bytes(32, "big")))


class MeshMachine(RuleBasedStateMachine):
    """One node among peers that do as they like."""

    def __init__(self) -> None:
        super().__init__()
        self.now = Millis(1_000_000)
        self.bad: set[PublicKey] = set()
        self.peers: dict[PublicKey, bool] = {}
        self.judged: set[Digest] = set()
        self.had: set[tuple[PublicKey, Digest]] = set()
        """Who has a message from us, or has sent it to us, since it has come."""
        self.served: set[tuple[PublicKey, Digest]] = set()
        """Who got a message from us because it has asked, since it has come."""
        self.fresh = 1_000
        self.mesh = Mesh(ME, Random(1).randrange, lambda p, _now: p in self.bad, seen_max=SEEN)  # noqa: S311

    # What can happen.

    @rule(peer=PEERS, is_dialed=st.booleans())
    def join(self, peer: PublicKey, *, is_dialed: bool) -> None:
        if peer not in self.peers:
            self.peers[peer] = is_dialed
            self.mesh.joined(peer, is_dialed=is_dialed, now=self.now)

    @rule(peer=PEERS)
    def leave(self, peer: PublicKey) -> None:
        self.peers.pop(peer, None)
        self.had = {one for one in self.had if one[0] != peer}
        self.served = {one for one in self.served if one[0] != peer}
        self.mesh.left(peer, self.now)

    @rule(peer=PEERS, is_bad=st.booleans())
    def behave(self, peer: PublicKey, *, is_bad: bool) -> None:
        (self.bad.add if is_bad else self.bad.discard)(peer)

    @rule(peer=PEERS, message=MESSAGES, is_good=st.booleans())
    def push(self, peer: PublicKey, message: Digest, *, is_good: bool) -> None:
        is_new, outputs = self.mesh.received(peer, message, self.now)
        self.check(outputs)
        assert is_new == (message not in self.judged), "each message is judged once"
        self.judged.add(message)
        self.note(peer, message)
        if is_new and is_good:
            self.check(self.mesh.accepted(message, self.now))

    @rule(message=MESSAGES)
    def publish(self, message: Digest) -> None:
        self.judged.add(message)
        self.check(self.mesh.publish(message, self.now))

    @rule(peer=PEERS, messages=st.lists(MESSAGES, min_size=1, max_size=5))
    def announce(self, peer: PublicKey, messages: list[Digest]) -> None:
        self.check(self.mesh.announced(peer, messages, self.now))

    @rule(peer=PEERS)
    def announce_what_nobody_has(self, peer: PublicKey) -> None:
        self.fresh += ANNOUNCE_MAX
        names = [Digest((self.fresh + n).to_bytes(32, "big")) for n in range(ANNOUNCE_MAX)]
        self.check(self.mesh.announced(peer, names, self.now))

    @rule(peer=PEERS, message=MESSAGES)
    def ask(self, peer: PublicKey, message: Digest) -> None:
        for _ in self.mesh.wanted(peer, [message, message]):
            if peer in self.peers and message in self.judged:
                assert (peer, message) not in self.served, "a peer gets a message once"
                self.served.add((peer, message))

    @rule(peer=PEERS)
    def prune(self, peer: PublicKey) -> None:
        self.mesh.pruned_by(peer, self.now)
        assert peer not in self.mesh.pushed_to(self.now)

    @rule(peer=PEERS)
    def offer_more_than_there_is_room_for(self, peer: PublicKey) -> None:
        self.mesh.offer(peer, [Digest(n.to_bytes(32, "little")) for n in range(UNTOLD_MAX + 9)])

    @rule(after=st.sampled_from([0, 300, 1_000, 3_000, 60_000]), pending=st.sets(MESSAGES))
    def beat(self, after: int, pending: set[Digest]) -> None:
        self.now = Millis(self.now + after)
        self.check(self.mesh.heartbeat(self.now, lambda: sorted(pending)))

    # What must hold.

    def check(self, outputs: tuple[Output, ...]) -> None:
        for output in outputs:
            match output:
                case Push(peers=peers, message=message):
                    for peer in peers:
                        assert peer in self.peers, "only to who is there"
                        assert peer not in self.bad, "never to a bad peer"
                        assert (peer, message) not in self.had, "not twice, nor to its source"
                        self.note(peer, message)
                case Tell(peer=peer, messages=messages):
                    assert peer in self.peers.keys() - self.bad
                    assert 0 < len(messages) <= ANNOUNCE_MAX
                case Ask(peer=peer, messages=messages):
                    assert peer in self.peers
                    assert 0 < len(messages) <= WANT_MAX
                    assert self.judged.isdisjoint(messages), "nothing is asked for that is here"
                case Quieten(peer=peer) | Blame(peer=peer):
                    assert peer in self.peers

    def note(self, peer: PublicKey, message: Digest) -> None:
        if peer in self.peers:
            self.had.add((peer, message))

    @invariant()
    def as_many_are_pushed_to_as_there_can_be(self) -> None:
        mesh = self.mesh.pushed_to(self.now)
        assert len(mesh) <= PUSHED_TO
        assert set(mesh) <= self.peers.keys() - self.bad

    @invariant()
    def memory_is_bounded(self) -> None:
        mesh, peers = self.mesh, self.peers.keys()
        assert len(mesh._seen) <= SEEN
        assert mesh._seen._bits.keys() == peers
        assert len(mesh._pulls) <= len(peers) * (ANNOUNCED_MAX + WANT_MAX)
        assert mesh._pulls._share.keys() | mesh._pulls._promises.keys() <= peers
        for table in (mesh._untold, mesh._duplicates, mesh._useless, mesh._pruned):
            assert table.keys() <= peers
        assert all(len(untold) <= UNTOLD_MAX for untold in mesh._untold.values())

    def teardown(self) -> None:
        """At rest the places are full, some of them with peers that we have chosen."""
        self.bad.clear()
        self.now = Millis(self.now + 60_000)
        self.mesh.heartbeat(self.now, tuple)
        chosen = set(self.mesh.pushed_to(self.now))
        dialed = {peer for peer, is_dialed in self.peers.items() if is_dialed}
        assert len(chosen) == min(PUSHED_TO, len(self.peers))
        assert len(chosen & dialed) >= min(DIALED_MIN, len(dialed))


TestMesh = MeshMachine.TestCase
TestMesh.settings = settings(max_examples=40, stateful_step_count=40, deadline=None)
