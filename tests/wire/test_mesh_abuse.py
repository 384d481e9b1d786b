"""What it costs to repeat oneself, to announce nothing new, and to push though asked not to."""

import pytest

from lc_node.chain.types import Millis
from lc_node.wire.mesh import (
    GRACE,
    PUSHERS_MAX,
    QUIET,
    Blame,
    Output,
    Quieten,
)
from lc_node.wire.score import Offence
from tests.wire.mesh_node import T0, M, N, Node, key


def test_a_reminder_is_no_offence_but_a_stream_of_them_is() -> None:
    node = Node(2)
    node.receive(key(1))

    assert node.announce(key(2), M) == ()
    assert node.announce(key(2), M) == ()
    assert node.announce(key(2), M) == (Blame(peer=key(2), offence=Offence.USELESS),)


def test_the_same_message_from_the_same_peer_is_an_offence() -> None:
    node = Node(2)
    node.receive(key(1))

    assert node.mesh.received(key(1), M, node.now) == (
        False,
        (Blame(peer=key(1), offence=Offence.REPEATED),),
    )


def test_a_duplicate_of_a_peer_that_is_not_there_is_passed_over() -> None:
    node = Node(2)
    node.receive(key(1))

    assert node.mesh.received(key(10), M, node.now) == (False, ())


def flooded(peers: int, *, is_dialed: bool = False) -> tuple[Node, tuple[Output, ...]]:
    """Return a node to which all peers but one have pushed a message, and what the last one got for it."""
    node = Node(peers)
    last = key(peers)
    node.mesh.joined(last, is_dialed=is_dialed, now=T0)
    for peer in node.peers[:-1]:
        node.receive(peer)
    return node, node.mesh.received(last, M, node.now)[1]


def test_one_pusher_too_many_is_asked_to_announce() -> None:
    _, outputs = flooded(PUSHERS_MAX + 2)

    assert outputs == (Quieten(peer=key(PUSHERS_MAX + 2)),)


@pytest.mark.parametrize("peers", [2, PUSHERS_MAX + 1])
def test_not_so_many_pushers_are_welcome(peers: int) -> None:
    assert flooded(peers)[1] == ()


def test_a_pusher_that_we_have_chosen_to_dial_is_welcome() -> None:
    assert flooded(PUSHERS_MAX + 2, is_dialed=True)[1] == ()


def test_pushers_of_long_ago_do_not_count() -> None:
    node = Node(PUSHERS_MAX + 2)
    for peer in node.peers[:-1]:
        node.receive(peer)
    node.now = Millis(T0 + QUIET + 1)

    assert node.mesh.received(node.peers[-1], M, node.now) == (False, ())


def test_who_pushes_on_though_asked_not_to_is_blamed_after_a_moment_of_grace() -> None:
    node, (quieten,) = flooded(PUSHERS_MAX + 2)
    assert isinstance(quieten, Quieten)
    for peer in node.peers[:-1]:
        node.receive(peer, N)
    node.now = Millis(T0 + GRACE)

    assert node.mesh.received(quieten.peer, N, node.now) == (
        False,
        (Blame(peer=quieten.peer, offence=Offence.REPEATED),),
    )


def test_nothing_is_kept_of_who_has_left() -> None:
    node, _ = flooded(PUSHERS_MAX + 2)
    node.announce(key(1), M)
    node.mesh.offer(key(2), [N])
    for peer in node.peers:
        node.mesh.left(peer, T0)

    mesh = node.mesh
    assert [mesh._duplicates, mesh._useless, mesh._pruned, mesh._untold] == [{}, {}, {}, {}]
