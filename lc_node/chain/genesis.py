"""The document that a chain begins with; its digest is the chain's name."""

from typing import Annotated

import msgspec

from lc_node.chain.blocks import Header, block_id
from lc_node.chain.codec import Decoder, Record, encode
from lc_node.chain.crypto import digest
from lc_node.chain.errors import InvalidGenesis
from lc_node.chain.params import ProtocolParams
from lc_node.chain.records import Account, AtMostOne, Member, Meta, ValidatorSet
from lc_node.chain.state import State
from lc_node.chain.transactions import Resources
from lc_node.chain.types import (
    ZERO_DIGEST,
    Beacon,
    BlockId,
    ChainId,
    Digest,
    Epoch,
    Height,
    Link,
    MicroCredits,
    Millis,
    PublicKey,
    View,
    Weight,
)
from lc_node.chain.validators import set_hash
from lc_node.merkle import tree_root

GENESIS_BYTES_MAX = 16 * 1024 * 1024
_CREDITS_MAX = 2**62  # a sum of any two amounts still fits 63 bits


class GenesisAccount(Record):
    """What one key owns, stakes and offers when the chain begins."""

    key: PublicKey
    balance: MicroCredits
    bonded: MicroCredits
    resources: Annotated[tuple[Resources, ...], AtMostOne]
    link: Annotated[tuple[Link, ...], AtMostOne]
    """The top of its beacon chain."""


class Genesis(Record):
    """Everything that is agreed before the first block; accounts and members sorted by key."""

    graph: Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
    """The network's name among people."""
    params: ProtocolParams
    time: Millis
    accounts: tuple[GenesisAccount, ...]
    members: tuple[PublicKey, ...]
    """The validators of epoch 0; their weight is their bond."""


GENESIS_DECODER = Decoder(Genesis, what="genesis document", bytes_max=GENESIS_BYTES_MAX)


def chain_id(genesis: Genesis) -> ChainId:
    """Return the chain's name: the digest of its genesis document."""
    return chain_id_of(encode(genesis))


def chain_id_of(document: bytes) -> ChainId:
    """Return the name of the chain that begins with an encoded document."""
    return ChainId(digest("lc/genesis/1", document))


def genesis_header(genesis: Genesis) -> Header:
    """Return the header that stands for genesis as the first block's parent; nobody signs it."""
    state = initial_state(genesis)
    return Header(
        chain_id=chain_id(genesis),
        epoch=Epoch(0),
        view=View(0),
        proposer=PublicKey(ZERO_DIGEST),
        height=Height(0),
        parent_id=BlockId(ZERO_DIGEST),
        time=genesis.time,
        reveal=Link(ZERO_DIGEST),
        transactions_root=Digest(tree_root([])),
        state_root=state.root(),
        set_hash=set_hash(state.validators),
        next_set_hash=(),
    )


def genesis_id(genesis: Genesis) -> BlockId:
    """Return the id that the first block names as its parent."""
    return block_id(genesis_header(genesis))


def initial_state(genesis: Genesis) -> State:
    """Return the final state at height 0; the first beacon is the chain id.

    Raises:
        InvalidGenesis: keys out of order, a member without bond or link, or too many credits.
    """
    _validate(genesis)
    name = chain_id(genesis)
    bonds = {entry.key: entry.bonded for entry in genesis.accounts}
    members = tuple(Member(key=key, weight=Weight(bonds[key])) for key in genesis.members)
    meta = Meta(
        chain_id=name,
        height=Height(0),
        time=genesis.time,
        epoch=Epoch(0),
        epoch_began=genesis.time,
        beacon=Beacon(name),
        genesis_credits=_credits(genesis),
    )
    state = State.start(meta, ValidatorSet(epoch=Epoch(0), members=members))
    for entry in genesis.accounts:
        state.set_account(entry.key, _account(entry))
    state.flatten()
    return state


def _account(entry: GenesisAccount) -> Account:
    """Return the account that an entry of the document describes."""
    return Account(
        balance=entry.balance,
        bond=entry.bonded,
        epoch_bond=entry.bonded,
        resources=entry.resources,
        link=entry.link,
    )


def _credits(genesis: Genesis) -> MicroCredits:
    """Return all credits that the document gives."""
    return MicroCredits(sum(entry.balance + entry.bonded for entry in genesis.accounts))


def _validate(genesis: Genesis) -> None:
    """Refuse a document that no chain could begin with."""
    accounts = {entry.key: entry for entry in genesis.accounts}
    if list(accounts) != sorted(accounts) or len(accounts) != len(genesis.accounts):
        raise InvalidGenesis("sort the accounts by key and name each once")
    if list(genesis.members) != sorted(set(genesis.members)) or not genesis.members:
        raise InvalidGenesis("sort the members by key, name each once, and name at least one")
    if len(genesis.members) > genesis.params.validators_max:
        raise InvalidGenesis(f"name at most {genesis.params.validators_max} members")
    for key in genesis.members:
        if key not in accounts or not accounts[key].bonded or not accounts[key].link:
            raise InvalidGenesis(f"member {key.hex()} needs an account with a bond and a link")
    if _credits(genesis) > _CREDITS_MAX:
        raise InvalidGenesis("all credits together must stay below 2^62 micro-credits")
