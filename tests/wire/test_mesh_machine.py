"""Whatever peers do, in whatever order: few are pushed to, nothing goes out twice, memory is bounded."""

from collections.abc import Callable
from random import Random
from typing import Final

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from lc_node.chain.types import Digest, Millis, PublicKey
from lc_node.wire.limits import ANNOUNCE_MAX, ANNOUNCED_MAX, UNTOLD_MAX, WANT_MAX
from lc_node.wire.mesh import Ask, Blame, Mesh, Output, Push, Quieten, Tell
from lc_node.wire.neighbours import DIALED_MIN, PUSHED_TO

SEEN: Final = 40
ME: Final = PublicKey((10).to_bytes(32, "big"))
"""Above some of the others' keys, below others."""
PEERS: Final = st.integers(1, 14).map(lambda n: PublicKey((n + n // 10).to_bytes(32, "big")))
MESSAGES: Final = st.integers(0, 5).map(lambda n: Digest(n.to_bytes(32, "big")))


class MeshMachine(RuleBasedStateMachine):
    """One node among peers that do as they like."""

    def __init__(self) -> None:
        super().__init__()
        self.now = Millis(1_000_000)
        self.bad: set[PublicKey] = set()
        self.peers: dict[PublicKey, bool] = {}
        self.judged: dict[Digest, None] = {}
        """What it must remember: the last messages that have come, or that it has published."""
        self.had: set[tuple[PublicKey, Digest]] = set()
        """Who was sent a message by us, since it has come, or been reminded."""
        self.sources: set[tuple[PublicKey, Digest]] = set()
        """Who has sent a message to us, since it has come."""
        self.served: set[tuple[PublicKey, Digest]] = set()
        """Who got a message from us because it has asked, since it has come."""
        self.fresh = 1_000
        self.mesh = Mesh(ME, Random(1).randrange, lambda p, _now: p in self.bad, seen_max=SEEN)  # noqa: S311

    # What can happen.

    @initialize(peers=st.dictionaries(PEERS, st.booleans(), min_size=5))
    def begin(self, peers: dict[PublicKey, bool]) -> None:
        for peer, is_dialed in peers.items():
            self.join(peer, is_dialed=is_dialed)

    @rule(peer=PEERS, is_dialed=st.booleans())
    def join(self, peer: PublicKey, *, is_dialed: bool) -> None:
        if peer not in self.peers:
            self.peers[peer] = is_dialed
            self.mesh.joined(peer, is_dialed=is_dialed, now=self.now)

    @rule(peer=PEERS)
    def leave(self, peer: PublicKey) -> None:
        self.peers.pop(peer, None)
        self.forget(lambda one: one[0] == peer)
        self.mesh.left(peer, self.now)

    @rule(peer=PEERS, is_bad=st.booleans())
    def behave(self, peer: PublicKey, *, is_bad: bool) -> None:
        (self.bad.add if is_bad else self.bad.discard)(peer)

    @rule(peer=PEERS, message=MESSAGES, is_good=st.booleans())
    def push(self, peer: PublicKey, message: Digest, *, is_good: bool) -> None:
        is_new, outputs = self.mesh.received(peer, message, self.now)
        assert is_new == (message not in self.judged), "each message is judged once"
        self.remember(message)
        self.check(outputs)
        if peer in self.peers:
            self.sources.add((peer, message))
        if is_new and is_good:
            self.check(self.mesh.accepted(message, self.now))

    @rule(peer=PEERS)
    def push_more_than_can_be_remembered(self, peer: PublicKey) -> None:
        for name in self.fresh_names(SEEN):
            self.push(peer, name, is_good=True)

    @rule(message=MESSAGES)
    def publish(self, message: Digest) -> None:
        self.remember(message)
        self.check(self.mesh.publish(message, self.now))

    @rule(peer=PEERS, messages=st.lists(MESSAGES, min_size=1, max_size=5))
    def announce(self, peer: PublicKey, messages: list[Digest]) -> None:
        self.check(self.mesh.announced(peer, messages, self.now))

    @rule(peer=PEERS, times=st.integers(1, 30))
    def announce_what_nobody_has(self, peer: PublicKey, times: int) -> None:
        for _ in range(times):
            names = self.fresh_names(ANNOUNCE_MAX)
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
        # Who is reminded of a message may get it once more.
        for pairs in (self.had, self.served):
            pairs.difference_update([one for one in pairs if one[1] in pending])
        self.check(self.mesh.heartbeat(self.now, lambda: sorted(pending)))

    # What must hold.

    def check(self, outputs: tuple[Output, ...]) -> None:
        for output in outputs:
            match output:
                case Push(peers=peers, message=message):
                    for peer in peers:
                        assert peer in self.peers, "only to who is there"
                        assert peer not in self.bad, "never to a bad peer"
                        assert (peer, message) not in self.sources, "not to its source"
                        assert (peer, message) not in self.had, "not twice"
                        self.had.add((peer, message))
                case Tell(peer=peer, messages=messages):
                    assert peer in self.peers.keys() - self.bad
                    assert 0 < len(messages) <= ANNOUNCE_MAX
                case Ask(peer=peer, messages=messages):
                    assert peer in self.peers
                    assert 0 < len(messages) <= WANT_MAX
                    assert self.judged.keys().isdisjoint(messages), (
                        "nothing is asked for that is here"
                    )
                case Quieten(peer=peer) | Blame(peer=peer):
                    assert peer in self.peers

    def fresh_names(self, count: int) -> list[Digest]:
        self.fresh += count
        return [Digest((self.fresh + n).to_bytes(32, "big")) for n in range(count)]

    def remember(self, message: Digest) -> None:
        """Do as the mesh must: what is forgotten may go out again."""
        self.judged.setdefault(message)
        if len(self.judged) > SEEN:
            gone = next(iter(self.judged))
            del self.judged[gone]
            self.forget(lambda one: one[1] == gone)

    def forget(self, is_gone: Callable[[tuple[PublicKey, Digest]], bool]) -> None:
        for pairs in (self.had, self.served, self.sources):
            pairs.difference_update([one for one in pairs if is_gone(one)])

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
        assert mesh._pulls._offered.keys() | mesh._pulls._promises.keys() <= peers
        # Else it would be lacked for ever.
        assert all(mesh._pulls.announcers(message) for message in mesh._pulls._idle)
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
TestMesh.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
