"""How a chain begins."""

import pytest
from msgspec.structs import replace

from lc_node.chain.codec import encode
from lc_node.chain.credits import get_credits_total
from lc_node.chain.errors import InvalidGenesis
from lc_node.chain.genesis import (
    GENESIS_DECODER,
    Genesis,
    chain_id,
    genesis_header,
    genesis_id,
    initial_state,
)
from lc_node.chain.params import CREDIT, DEVNET, MAINNET
from lc_node.chain.types import MicroCredits, Millis
from lc_node.chain.validators import set_hash
from tests.chain.actors import ANNA, BERT, OFFER, START, account_of, genesis, genesis_of


def test_accounts_begin_as_the_document_says() -> None:
    account = initial_state(genesis()).account(ANNA.public_key)

    assert account.balance == 1_000 * CREDIT
    assert account.bond == account.epoch_bond == 100 * CREDIT
    assert account.link == (ANNA.links.commitment,)
    assert account.resources == (OFFER,)


def test_a_members_weight_is_its_bond() -> None:
    (member,) = initial_state(genesis()).validators.members

    assert (member.key, member.weight) == (ANNA.public_key, 100 * CREDIT)


def test_the_first_beacon_is_the_chain_id() -> None:
    meta = initial_state(genesis()).meta

    assert bytes(meta.beacon) == meta.chain_id == chain_id(genesis())
    assert (meta.height, meta.time) == (0, START)


def test_all_credits_are_counted() -> None:
    state = initial_state(genesis())

    assert get_credits_total(state) == state.meta.genesis_credits == 4_400 * CREDIT


def test_the_chain_id_covers_every_parameter() -> None:
    names = {
        chain_id(replace(genesis(), params=params))
        for params in (DEVNET, MAINNET, replace(DEVNET, heartbeat_ms=1))
    }

    assert len(names) == 3


def test_the_genesis_id_is_that_of_a_header_over_the_first_state() -> None:
    header = genesis_header(genesis())

    assert header.state_root == initial_state(genesis()).root()
    assert header.set_hash == set_hash(initial_state(genesis()).validators)
    assert genesis_id(genesis()) != genesis_id(replace(genesis(), time=Millis(START + 1)))


def test_a_document_travels_as_bytes() -> None:
    assert GENESIS_DECODER.decode(encode(genesis())) == genesis()


RICH = account_of(BERT, balance=2**62)
BAD = (
    ("sort the accounts", replace(genesis(), accounts=genesis().accounts[::-1])),
    ("name each once", replace(genesis(), accounts=(genesis().accounts[0],) * 2)),
    ("name at least one", genesis_of(account_of(ANNA), members=())),
    ("sort the members", genesis_of(account_of(ANNA), members=(ANNA, ANNA))),
    ("at most 0", genesis_of(account_of(ANNA), params=replace(DEVNET, validators_max=0))),
    ("needs an account", genesis_of(account_of(BERT), members=(ANNA,))),
    ("with a bond", genesis_of(account_of(ANNA, bonded=0))),
    ("and a link", genesis_of(replace(account_of(ANNA), link=()))),
    ("below 2\\^62", genesis_of(account_of(ANNA), RICH)),
)


@pytest.mark.parametrize(("fix", "document"), BAD, ids=[fix for fix, _ in BAD])
def test_a_document_that_no_chain_can_begin_with_is_refused(fix: str, document: Genesis) -> None:
    with pytest.raises(InvalidGenesis, match=fix):
        initial_state(document)


def test_the_presets_say_what_the_protocol_page_says() -> None:
    assert DEVNET.expiry_min_ms == 20_000
    assert DEVNET.fee_base == MicroCredits(CREDIT // 10)
    assert MAINNET.open_window_ms == 60_000
    assert MAINNET.clock_drift_ms == 2_000
