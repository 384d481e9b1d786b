"""Giving peers the genesis document, and getting it from them by its digest."""

from collections.abc import Awaitable, Callable
from typing import Final, TypeAlias

from lc_node.chain.codec import encode
from lc_node.chain.errors import LearningChainError, MalformedBytes
from lc_node.chain.genesis import Genesis
from lc_node.chain.types import ChainId, PublicKey
from lc_node.ports.clock import Clock
from lc_node.runtime.allowances import Allowances
from lc_node.runtime.answers import Answerer
from lc_node.runtime.home import decode_genesis
from lc_node.wire.genesis_parts import ASK_DECODER, TELL_DECODER, Assembly, part_of
from lc_node.wire.topics import Topic

_TIMES: Final = 4
"""A peer needs the document once; if the connection breaks, again."""

Ask: TypeAlias = Callable[[PublicKey, Topic, bytes], Awaitable[bytes | None]]
"""Asks a peer (``Network.request``)."""


class GenesisNotGiven(LearningChainError):
    """A peer has no genesis document to give, or gave another; ask the next."""

    def __init__(self, peer: PublicKey, why: str) -> None:
        """Name the peer and what was wrong."""
        super().__init__(f"peer {peer.hex()} did not give the genesis document: {why}")
        self.peer = peer


def genesis_answerer(genesis: Genesis, clock: Clock) -> Answerer:
    """Return who answers ``Topic.GENESIS``: to each peer the whole document a few times in a window."""
    document = encode(genesis)
    allowances = Allowances(_TIMES * len(document), clock)

    async def answer(peer: PublicKey, payload: bytes) -> bytes | None:
        allowance = allowances.of(peer)
        try:
            part = part_of(document, ASK_DECODER.decode(payload))
        except MalformedBytes:
            return None
        if part is None or not allowance.has(len(part.data)):
            return None
        allowance.take(len(part.data))
        return encode(part)

    return answer


async def fetch_genesis(ask: Ask, peer: PublicKey, chain_id: ChainId) -> Genesis:
    """Return the document that a chain is named by, from a peer that need not be trusted.

    Raises:
        GenesisNotGiven: it has none, or what it sent is not the document.
        PeerSilent: it does not answer.
        InvalidGenesis: the document is the right one, but no chain can begin with it.
    """
    assembly = Assembly(chain_id)
    document = None
    while document is None:
        answer = await ask(peer, Topic.GENESIS, encode(assembly.question))
        if answer is None:
            raise GenesisNotGiven(peer, "it has none")
        try:
            document = assembly.take(TELL_DECODER.decode(answer))
        except MalformedBytes as error:
            raise GenesisNotGiven(peer, str(error)) from error
    return decode_genesis(document)
