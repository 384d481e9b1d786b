"""What is held against peers: kept when they leave, forgiven with time, bounded in number."""

import pytest

from lc_node.chain.types import Height, Millis, PublicKey
from lc_node.runtime.peer_accounts import ACCOUNTS_MAX, BANS_MAX, PeerAccounts
from lc_node.wire.kinds import Kind
from lc_node.wire.limits import LIMITS
from lc_node.wire.score import BAN, POINTS, Offence

T0 = Millis(1_000_000)


def key(number: int) -> PublicKey:
    return PublicKey(number.to_bytes(32, "big"))


@pytest.fixture
def accounts() -> PeerAccounts:
    return PeerAccounts()


def test_too_many_points_are_a_ban_that_ends(accounts: PeerAccounts) -> None:
    assert not accounts.offend(key(1), Offence.MALFORMED, T0)
    assert accounts.offend(key(1), Offence.MALFORMED, T0)

    assert accounts.is_banned(key(1))
    assert accounts.pardoned(Millis(T0 + BAN - 1)) == ()
    assert accounts.pardoned(Millis(T0 + BAN)) == (key(1),)
    assert not accounts.is_banned(key(1))


def test_a_ban_ends_no_later_because_the_clock_was_set_back(accounts: PeerAccounts) -> None:
    accounts.offend(key(1), Offence.BAD_CHUNK, T0)

    assert accounts.pardoned(Millis(T0 - 1)) == (key(1),)


def test_a_busy_peer_is_admitted_after_the_clock_was_set_back(accounts: PeerAccounts) -> None:
    spent = LIMITS[Kind.CONSENSUS].messages
    assert all(accounts.admits(key(1), Kind.CONSENSUS, 1, T0) for _ in range(spent))

    accounts.admits(key(1), Kind.CONSENSUS, 1, Millis(0))
    assert accounts.admits(key(1), Kind.CONSENSUS, 1, Millis(1_000))


def test_a_pardoned_peer_starts_with_no_points(accounts: PeerAccounts) -> None:
    accounts.offend(key(1), Offence.BAD_CHUNK, T0)

    assert accounts.points(key(1), Millis(T0 + BAN)) == 0


def test_a_bad_peer_is_known_as_one_until_time_has_forgiven_it(accounts: PeerAccounts) -> None:
    accounts.offend(key(1), Offence.REJECTED, T0)

    assert accounts.is_bad(key(1), T0)
    assert not accounts.is_bad(key(1), Millis(T0 + 1_000))
    assert not accounts.is_bad(key(2), T0)


def test_of_too_many_bans_the_oldest_ends(accounts: PeerAccounts) -> None:
    for number in range(BANS_MAX + 1):
        accounts.offend(key(number), Offence.BAD_CHUNK, T0)

    assert accounts.pardoned(T0) == (key(0),)
    assert accounts.is_banned(key(1))


def test_a_crowd_of_new_keys_does_not_wash_off_a_score(accounts: PeerAccounts) -> None:
    accounts.offend(key(0), Offence.MALFORMED, T0)
    for number in range(1, ACCOUNTS_MAX + 50):
        accounts.note_height(key(number), Height(1), T0)

    assert accounts.points(key(0), T0) == POINTS[Offence.MALFORMED]
    assert accounts.height(key(1)) is None
    assert len(accounts._accounts) == ACCOUNTS_MAX


def test_who_is_heard_of_is_not_forgotten(accounts: PeerAccounts) -> None:
    for number in range(2 * ACCOUNTS_MAX):
        accounts.note_height(key(0), Height(9), T0)
        accounts.note_height(key(number), Height(1), T0)

    accounts.note_height(key(0), Height(9), T0)
    assert accounts.height(key(0)) == 9
