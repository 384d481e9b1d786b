"""What a node makes of who connects: a key that the chain has banned is hung up on, others stay."""

from pathlib import Path
from typing import cast

import pytest
from msgspec.structs import replace

from lc_node.adapters.system_clock import SystemClock
from lc_node.chain.codec import encode
from lc_node.chain.types import Millis
from lc_node.runtime.agreement import Agreement
from lc_node.runtime.answers import Answers
from lc_node.runtime.ledger import Ledger
from lc_node.runtime.peers import PeerHandlers
from lc_node.wire.gossip import message_id
from tests.peer_nodes import Node, node, people, until
from tests.runtime.small_chain import PEER, ledger_at, transfer


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    return ledger_at(tmp_path / "chain.db")


def handlers(ledger: Ledger, one: Node) -> PeerHandlers:
    """Return handlers of a node; nothing in these tests reaches the agreement."""
    return PeerHandlers(
        ledger=ledger,
        agreement=cast("Agreement", None),
        network=one.network,
        clock=SystemClock(),
        answers=Answers({}),
    )


@pytest.mark.parametrize("is_banned", [True, False])
async def test_who_the_chain_has_banned_is_hung_up_on(
    tmp_path: Path, ledger: Ledger, *, is_banned: bool
) -> None:
    ann, bob = people(2)
    state = ledger.state
    account = replace(state.account(bob.key), banned_at=Millis(1 if is_banned else 0))
    state.set_account(bob.key, account)
    async with node(ann, tmp_path) as a, node(bob, tmp_path, peers=[a.address], port=None):
        await until(lambda: a.network.connected == (bob.key,))
        handlers(ledger, a).on_peer(bob.key, is_up=True)

        assert a.network.connected == (() if is_banned else (bob.key,))


async def test_peers_are_told_of_what_is_waiting_and_given_it(
    tmp_path: Path, ledger: Ledger
) -> None:
    waiting = transfer()
    ledger.admit(waiting, Millis(ledger.tip.time + 1), PEER)
    name = message_id(encode(waiting))
    async with node(people(1)[0], tmp_path) as a:
        told = handlers(ledger, a)

        assert told.pending() == (name,)
        assert told.transaction(name) == encode(waiting)
        assert told.transaction(message_id(b"another")) is None
