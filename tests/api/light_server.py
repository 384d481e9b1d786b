"""A node that answers light clients from a chain of the test, truly or as it is told to lie."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from lc_node.api.light_places import Server
from lc_node.chain.codec import encode
from lc_node.chain.genesis import chain_id
from lc_node.chain.types import PublicKey
from lc_node.consensus.inquiries import (
    GET_ENTRY_DECODER,
    GET_EPOCHS_DECODER,
    GET_FINALIZED_DECODER,
)
from lc_node.consensus.messages import PROOFS_MAX, EpochProofs
from lc_node.wire.endpoints import Endpoint, Host, Port
from lc_node.wire.genesis_parts import ASK_DECODER, part_of
from lc_node.wire.topics import Topic
from tests.consensus.proven_chain import ProvenChain
from tests.peer_nodes import Recorder, node, people

Lie = Callable[[Topic, bytes], bytes | None]


def truth(_topic: Topic, answer: bytes) -> bytes | None:
    return answer


@dataclass
class ChainServer(Recorder):
    """Handlers that answer from a chain."""

    chain: ProvenChain = field(default_factory=ProvenChain)
    lie: Lie = truth

    async def on_request(self, peer: PublicKey, topic: int, payload: bytes) -> bytes | None:
        self.requests.append((peer, topic, payload))
        answer = self._answer(Topic(topic), payload)
        return None if answer is None else self.lie(Topic(topic), answer)

    def _answer(self, topic: Topic, payload: bytes) -> bytes | None:
        if topic is Topic.EPOCHS:
            proofs = self.chain.proofs(GET_EPOCHS_DECODER.decode(payload).first)[:PROOFS_MAX]
            return encode(EpochProofs(proofs=proofs)) if proofs else None
        if topic is Topic.GENESIS:
            part = part_of(encode(self.chain.document), ASK_DECODER.decode(payload))
            return None if part is None else encode(part)
        if topic is Topic.STATE:
            return encode(self.chain.entry(GET_ENTRY_DECODER.decode(payload).key))
        wanted = GET_FINALIZED_DECODER.decode(payload).height
        height = wanted[0] if wanted else self.chain.height
        return (
            encode(self.chain.finalized(height, height)) if height <= self.chain.height else None
        )


@asynccontextmanager
async def serving(
    folder: Path, chain: ProvenChain, lie: Lie = truth, *, number: int = 0
) -> AsyncIterator[Server]:
    """Run a node that answers light clients for as long as the context lasts."""
    who = people(number + 1)[number]
    heard = ChainServer(chain=chain, lie=lie)
    async with node(who, folder, heard=heard, chain_id=chain_id(chain.document)) as made:
        yield Server(
            endpoints=(Endpoint(host=Host("127.0.0.1"), port=Port(made.transport.port)),),
            transport_key=who.keys.public,
            node_key=who.key,
        )
