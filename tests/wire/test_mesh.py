"""Spreading: at once to a few, by announcement to others, once each, and at a price for who abuses it."""

from lc_node.chain.types import Millis
from lc_node.wire.limits import ANNOUNCE_MAX, UNTOLD_MAX
from lc_node.wire.mesh import (
    REMINDER,
    SECOND_LOOK,
    TOLD,
    TURN,
    Ask,
    Blame,
    Push,
    Tell,
)
from lc_node.wire.neighbours import PUSHED_TO
from lc_node.wire.pulls import ASK_AGAIN, PROMISE
from lc_node.wire.score import Offence
from tests.wire.mesh_node import HIGH, T0, M, N, Node, key, name, told


def test_an_accepted_message_is_pushed_to_a_few_but_not_to_where_it_came_from() -> None:
    node = Node(20)
    source = node.pushed_to[0]
    node.receive(source)

    assert node.accept() == (Push(peers=node.pushed_to[1:], message=M),)


def test_an_accepted_message_is_announced_to_a_few_others_at_the_next_heartbeat() -> None:
    node = Node(PUSHED_TO + TOLD + 5)
    node.receive(node.pushed_to[0])
    node.accept()
    outputs = node.beat()

    assert len(told(outputs)) == TOLD
    assert set(told(outputs)) <= set(node.others)
    assert {output.messages for output in outputs if isinstance(output, Tell)} == {(M,)}


def test_of_many_others_half_hear_of_a_message() -> None:
    node = Node(PUSHED_TO + 40)
    node.receive(node.pushed_to[0])
    node.accept()

    assert len(told(node.beat())) == 20


def test_the_higher_key_of_two_waits_until_it_would_have_heard_from_the_lower_one() -> None:
    node = Node(PUSHED_TO + 1, me=HIGH)
    node.receive(node.pushed_to[0])
    node.accept()

    assert node.beat(TURN - 1) == ()
    assert told(node.beat(1)) == node.others


def test_an_announcement_is_made_once() -> None:
    node = Node(20)
    node.receive(node.pushed_to[0])
    node.accept()
    node.beat()

    assert node.beat() == ()


def test_who_has_sent_the_message_meanwhile_is_told_nothing() -> None:
    node = Node(PUSHED_TO + 1)
    node.receive(node.pushed_to[0])
    node.accept()
    node.receive(node.others[0])

    assert node.beat() == ()


def test_a_message_of_our_own_goes_to_every_peer() -> None:
    node = Node(20)

    assert node.mesh.publish(M, T0) == (Push(peers=tuple(node.peers), message=M),)
    assert node.mesh.publish(M, T0) == ()


def test_who_wants_quiet_is_told_of_a_message_of_our_own_and_not_sent_it() -> None:
    node = Node(3)
    node.mesh.pruned_by(key(2), T0)

    assert node.mesh.publish(M, T0) == (Push(peers=(key(1), key(3)), message=M),)
    assert node.beat() == (Tell(peer=key(2), messages=(M,)),)


def test_a_message_of_our_own_that_peers_have_kept_is_not_asked_for() -> None:
    node = Node(3)
    node.announce(key(1), M)
    node.announce(key(2), M)
    node.mesh.publish(M, T0)

    assert node.beat(ASK_AGAIN) == ()


def test_a_message_is_judged_once() -> None:
    node = Node(3)

    assert node.receive(key(1))
    assert not node.receive(key(2))


def test_an_ignored_message_is_judged_again_if_it_comes_later() -> None:
    node = Node(3)
    node.receive(key(1))
    node.mesh.ignored(M, node.now)
    node.now = Millis(T0 + SECOND_LOOK)

    assert node.receive(key(2))


def test_a_message_for_which_there_was_no_room_is_taken_from_the_next_peer() -> None:
    node = Node(3)
    node.receive(key(1))
    node.mesh.dropped(M, node.now)

    assert node.receive(key(2))


def test_what_could_not_be_pushed_is_announced() -> None:
    node = Node(3)
    node.mesh.publish(M, T0)
    node.mesh.not_sent(M, key(2))

    assert node.beat() == (Tell(peer=key(2), messages=(M,)),)
    assert node.mesh.wanted(key(2), [M]) == (M,)


def test_an_announced_message_is_asked_for_at_once() -> None:
    assert Node(3).announce(key(2), M) == (Ask(peer=key(2), messages=(M,)),)


def test_only_what_is_lacking_is_asked_for() -> None:
    node = Node(3)
    node.receive(key(1))

    assert node.announce(key(2), M, N) == (Ask(peer=key(2), messages=(N,)),)


def test_a_message_that_does_not_come_is_asked_of_another_announcer() -> None:
    node = Node(3)
    node.announce(key(1), M)

    assert node.announce(key(2), M) == ()
    assert node.beat(ASK_AGAIN) == (Ask(peer=key(2), messages=(M,)),)


def test_a_peer_that_announces_and_does_not_deliver_is_blamed_once() -> None:
    node = Node(3)
    node.announce(key(1), M)

    assert node.beat(PROMISE) == (Blame(peer=key(1), offence=Offence.BROKEN_PROMISE),)
    assert node.beat(PROMISE) == ()


def test_a_message_that_was_asked_for_is_no_duplicate_when_another_was_faster() -> None:
    node = Node(3)
    node.announce(key(1), M)
    node.receive(key(2))

    assert node.mesh.received(key(1), M, node.now) == (False, ())


def test_announcers_are_told_nothing_of_what_they_have() -> None:
    node = Node(3)
    node.announce(key(1), M)
    node.announce(key(2), M)
    node.receive(key(1))

    assert node.accept() == (Push(peers=(key(3),), message=M),)


def test_nothing_is_asked_of_a_bad_peer() -> None:
    node = Node(3)
    node.bad.add(key(2))

    assert node.announce(key(2), M) == ()


def test_nothing_is_asked_of_a_peer_that_is_not_there() -> None:
    assert Node(3).announce(key(10), M) == ()


def test_nothing_is_announced_to_a_bad_peer() -> None:
    node = Node(3)
    node.mesh.offer(key(2), [M])
    node.bad.add(key(2))

    assert node.beat() == ()


def test_a_peer_that_asks_gets_everything_once() -> None:
    node = Node(3)
    node.receive(key(1))

    assert node.mesh.wanted(key(2), [M]) == (M,)
    assert node.mesh.wanted(key(2), [M]) == ()


def test_who_is_not_there_gets_nothing() -> None:
    node = Node(3)
    node.receive(key(1))

    assert node.mesh.wanted(key(9), [M]) == ()


def test_a_newcomer_is_told_bit_by_bit_what_is_waiting() -> None:
    node = Node(2)
    names = [name(n) for n in range(ANNOUNCE_MAX + 1)]
    node.mesh.offer(key(2), names)

    assert node.beat() == (Tell(peer=key(2), messages=tuple(names[:-1])),)
    assert node.beat() == (Tell(peer=key(2), messages=(names[-1],)),)
    assert node.beat() == ()


def test_only_so_much_waits_to_be_announced_to_a_peer() -> None:
    node = Node(2)
    node.mesh.offer(key(2), [name(n) for n in range(UNTOLD_MAX + 1)])

    outputs = [output for _ in range(20) for output in node.beat() if isinstance(output, Tell)]
    assert sum(len(output.messages) for output in outputs) == UNTOLD_MAX


def test_nothing_waits_for_a_peer_that_is_not_there() -> None:
    node = Node(2)
    node.mesh.offer(key(10), [M])

    assert node.beat() == ()


def test_peers_are_reminded_in_turn_of_what_still_waits() -> None:
    node = Node(8)
    node.pending = [M]
    assert node.beat() == ()  # it may have come a moment ago

    turns = [told(node.beat(REMINDER)) for _ in range(4)]

    assert [len(turn) for turn in turns] == [2, 2, 2, 2]
    assert sorted(peer for turn in turns for peer in turn) == node.peers


def test_nobody_is_reminded_of_what_it_has_told_us() -> None:
    node = Node(1)
    node.pending = [M]
    node.receive(key(1))
    node.beat()

    assert node.beat(REMINDER) == ()


def test_reminders_are_rare() -> None:
    node = Node(1)
    node.pending = [M]
    node.beat()
    node.beat(REMINDER)

    assert node.beat(REMINDER - 1) == ()


def test_a_peer_that_asks_for_quiet_gets_announcements() -> None:
    node = Node(PUSHED_TO)
    node.mesh.pruned_by(key(2), T0)
    node.receive(key(1))

    assert node.accept() == (Push(peers=(key(3), key(4), key(5), key(6)), message=M),)
    assert node.beat() == (Tell(peer=key(2), messages=(M,)),)


def test_a_peer_that_leaves_is_told_and_asked_nothing() -> None:
    node = Node(3)
    node.announce(key(2), M)
    node.mesh.offer(key(2), [N])
    node.mesh.left(key(2), T0)

    assert node.beat(PROMISE) == ()


def test_news_for_some_go_to_those_who_are_pushed_to() -> None:
    node = Node(20)

    assert node.mesh.some_of(node.peers, T0) == node.pushed_to
