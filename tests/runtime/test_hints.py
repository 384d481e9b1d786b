"""Hints: which are remembered, and when to follow them."""

from lc_node.chain.types import Millis, PublicKey
from lc_node.ports.transport import PeerAddress
from lc_node.runtime.hints import HINTS_MAX, Hints, Origin
from lc_node.wire.session import TransportKey

NOW = Millis(1_000_000)


def key(number: int) -> PublicKey:
    return PublicKey(number.to_bytes(32, "big"))


def address(number: int, port: int = 1) -> PeerAddress:
    transport = TransportKey(bytes(32))
    return PeerAddress(public_key=key(number), transport_key=transport, host="10.0.0.1", port=port)


def test_a_hint_is_followed_at_once() -> None:
    hints = Hints()
    hints.add(address(1), Origin.MULTICAST)

    assert hints.due(NOW) == (address(1),)
    assert hints.origin(key(1)) is Origin.MULTICAST
    assert hints.origin(key(2)) is None


def test_each_failure_makes_the_pause_longer_up_to_half_a_minute() -> None:
    hints, now, pauses = Hints(), NOW, []
    hints.add(address(1), Origin.SEED)
    for _ in range(8):
        hints.attempt(key(1), now)
        pause = next(n for n in range(100) if hints.due(Millis(now + 1_000 * n)))
        pauses.append(pause)
        now = Millis(now + 1_000 * pause)

    assert pauses == [1, 2, 4, 8, 16, 30, 30, 30]


def test_a_clock_that_was_set_back_holds_up_no_hint() -> None:
    hints = Hints()
    hints.add(address(1), Origin.SEED)
    hints.attempt(key(1), NOW)

    assert hints.due(Millis(0)) == (address(1),)


def test_who_has_answered_is_dialed_again_at_once() -> None:
    hints = Hints()
    hints.add(address(1), Origin.SEED)
    hints.attempt(key(1), NOW)
    hints.good(key(1))

    assert hints.due(NOW) == (address(1),)


def test_who_is_somewhere_else_now_is_dialed_there_at_once() -> None:
    hints = Hints()
    hints.add(address(1), Origin.MULTICAST)
    hints.attempt(key(1), NOW)
    hints.add(address(1, port=2), Origin.MULTICAST)

    assert hints.due(NOW) == (address(1, port=2),)


def test_what_is_repeated_does_not_shorten_the_pause() -> None:
    hints = Hints()
    hints.add(address(1), Origin.MULTICAST)
    hints.attempt(key(1), NOW)
    hints.add(address(1), Origin.MULTICAST)

    assert hints.due(NOW) == ()


def test_nobody_in_the_room_moves_a_seed() -> None:
    hints = Hints()
    hints.add(address(1), Origin.SEED)
    hints.add(address(1, port=2), Origin.MULTICAST)

    assert hints.due(NOW) == (address(1),)


def test_strangers_are_neither_attempted_nor_good() -> None:
    hints = Hints()
    hints.attempt(key(1), NOW)
    hints.good(key(1))

    assert hints.due(NOW) == ()


def test_a_crowd_of_hints_pushes_out_each_other_and_no_seed() -> None:
    hints = Hints()
    hints.add(address(0), Origin.SEED)
    for number in range(1, HINTS_MAX + 10):
        hints.add(address(number), Origin.MULTICAST)

    assert len(hints.due(NOW)) == HINTS_MAX
    assert hints.origin(key(0)) is Origin.SEED
    assert hints.origin(key(1)) is None


def test_seeds_are_all_kept() -> None:
    hints = Hints()
    for number in range(HINTS_MAX + 1):
        hints.add(address(number), Origin.SEED)

    assert len(hints.due(NOW)) == HINTS_MAX + 1
