"""A private graph lets in whom its genesis names, who has a bond, and their guests."""

from dataclasses import dataclass, field

import pytest
from msgspec.structs import replace

from lc_node.chain.genesis import Genesis, chain_id
from lc_node.chain.params import CREDIT, DEVNET
from lc_node.chain.records import Account, Unbonding
from lc_node.chain.types import Digest, Epoch, Link, MicroCredits, Millis, PublicKey
from lc_node.runtime.admission import Admission
from lc_node.runtime.genesis_builder import Founder, build_genesis
from lc_node.wire.invitations import Ticket, claim, invite
from tests.peer_nodes import SeededSigner
from tests.runtime.bench import HandClock

ANN, BOB, EVE, NOBODY = (SeededSigner(n) for n in (1, 2, 3, 4))
NOON, EVENING = Millis(12), Millis(18)


def document(*, is_private: bool = True) -> Genesis:
    founder = Founder(
        key=ANN.public_key,
        balance=MicroCredits(CREDIT),
        bonded=MicroCredits(CREDIT),
        link=Link(Digest(bytes(32))),
    )
    return build_genesis("lab", replace(DEVNET, is_private=is_private), NOON, [founder])


@dataclass
class State:
    """The accounts as the chain has them now."""

    accounts: dict[PublicKey, Account] = field(default_factory=dict)

    def account(self, key: PublicKey) -> Account:
        return self.accounts.get(key, Account())


def admission(
    genesis: Genesis,
    state: State | None = None,
    *,
    now: Millis = NOON,
    trusted: PublicKey = ANN.public_key,
) -> Admission:
    clock = HandClock()
    clock.time = now
    return Admission(
        genesis,
        account=(state or State()).account,
        trusted={trusted},
        clock=clock,
    )


def ticket(inviter: SeededSigner, guest: SeededSigner = BOB) -> Ticket:
    chain = chain_id(document())
    return claim(invite(inviter, chain, guest.public_key, EVENING), guest, chain, guest.public_key)


def test_anybody_may_be_on_a_public_graph() -> None:
    assert admission(document(is_private=False)).admits(BOB.public_key, ())


def test_a_private_graph_admits_nobody_who_shows_nothing() -> None:
    assert not admission(document()).admits(BOB.public_key, ())


def test_who_is_named_in_the_genesis_document_is_invited() -> None:
    assert admission(document(), trusted=EVE.public_key).admits(ANN.public_key, ())


def test_whom_the_owner_lists_is_admitted() -> None:
    assert admission(document(), trusted=EVE.public_key).admits(EVE.public_key, ())


@pytest.mark.parametrize(
    "account",
    [
        Account(bond=MicroCredits(1)),
        Account(epoch_bond=MicroCredits(1)),
        Account(unbonding=(Unbonding(amount=MicroCredits(1), time=NOON, epoch=Epoch(0)),)),
    ],
    ids=["that stays", "that counts in this epoch", "on its way out"],
)
def test_who_has_a_bond_needs_no_invitation(account: Account) -> None:
    state = State({BOB.public_key: account})

    assert admission(document(), state).admits(BOB.public_key, ())


def test_a_guest_of_a_member_is_admitted() -> None:
    assert admission(document()).admits(BOB.public_key, (ticket(ANN),))


def test_a_ticket_of_somebody_else_admits_nobody() -> None:
    assert not admission(document()).admits(EVE.public_key, (ticket(ANN),))


def test_a_stranger_cannot_invite() -> None:
    assert not admission(document()).admits(BOB.public_key, (ticket(NOBODY),))


def test_a_guest_cannot_bring_guests() -> None:
    state = State({BOB.public_key: Account(balance=MicroCredits(CREDIT))})

    assert not admission(document(), state).admits(EVE.public_key, (ticket(BOB, EVE),))


def test_a_banned_key_is_out_with_its_guests() -> None:
    state = State({ANN.public_key: Account(banned_at=NOON)})
    judge = admission(document(), state, trusted=EVE.public_key)

    assert not judge.admits(ANN.public_key, ())
    assert not judge.admits(BOB.public_key, (ticket(ANN),))


@pytest.mark.parametrize(("now", "is_admitted"), [(EVENING, True), (Millis(EVENING + 1), False)])
def test_an_invitation_ends(now: Millis, is_admitted: bool) -> None:  # noqa: FBT001
    judge = admission(document(), now=now)

    assert judge.admits(BOB.public_key, (ticket(ANN),)) is is_admitted
