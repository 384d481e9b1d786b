"""chain.network: transfers a second that four validators make final, from many accounts' wallets to disk."""

import asyncio
import multiprocessing
import os
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import AsyncExitStack, asynccontextmanager, closing
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from bench.bench_chain_apply import signed_transfer
from bench.harness import PAIRS_MIN, Measured, Target, from_samples
from lc_node.adapters.keystore import FileKeystore
from lc_node.adapters.sqlite import open_reader
from lc_node.adapters.system_clock import SystemClock
from lc_node.adapters.zmq_sockets import generate_transport_keys
from lc_node.adapters.zmq_transport import TransportSettings, ZmqTransport
from lc_node.chain.addresses import decode_address
from lc_node.chain.blocks import BLOCK_DECODER
from lc_node.chain.codec import encode
from lc_node.chain.crypto import Signer, sha256
from lc_node.chain.genesis import chain_id
from lc_node.chain.params import CREDIT
from lc_node.chain.transactions import SignedTransaction, transaction_id
from lc_node.chain.types import ChainId, MicroCredits, Nonce
from lc_node.ports.transport import Channel, PeerAddress, TransportKey
from lc_node.runtime.devnet import Devnet, Place, Role, prepare
from lc_node.runtime.genesis_builder import Founder
from lc_node.wire.gossip import message_id
from lc_node.wire.messages import Transactions, encode_message
from lc_node.wire.together import together

ACCOUNTS: Final = 4_000
"""Each pays once a wave, so that no order among payments matters."""

RATIO: Final = Target(name="chain.network", unit="transfers/s", limit=0.4, at_least=True)
FLOOR: Final = Target(name="chain.network.floor", unit="transfers/s", limit=1, at_least=True)
_FLOOR_PER_SECOND: Final = 400.0
"""CometBFT's own tests at saturation: 200 nodes, transactions of 1 kB."""

_VALIDATORS: Final = 4
_ROLES: Final = tuple(
    Role(name=f"validator-{n}", bonded=100, votes=True) for n in range(_VALIDATORS)
)
_PATIENCE_SECONDS: Final = 120.0
_LOOK_SECONDS: Final = 0.02
_Claim = tuple[bytes, bytes, bytes]


def run() -> list[Measured]:
    """Measure."""
    people: list[Signer] = [FileKeystore(sha256(b"payer %d" % n)) for n in range(ACCOUNTS)]
    founders = [
        Founder(
            key=person.public_key,
            balance=MicroCredits(100 * CREDIT),
            bonded=MicroCredits(0),
        )
        for person in people
    ]
    with tempfile.TemporaryDirectory() as folder:
        devnet = Devnet(prepare(Path(folder), _ROLES, others=founders))
        name = chain_id(devnet.places[0].home.genesis())
        waves = [_wave(people, Nonce(n + 1), name) for n in range(PAIRS_MIN + 1)]
        try:
            devnet.start_all()
            devnet.wait_ready()
            ours, bare = asyncio.run(_measure(devnet.places, name, waves))
        finally:
            devnet.stop()
    return [
        from_samples(RATIO, ours, bare),
        from_samples(FLOOR, ours, [_FLOOR_PER_SECOND] * len(ours)),
    ]


async def _measure(
    places: Sequence[Place], name: ChainId, waves: Sequence[Sequence[SignedTransaction]]
) -> tuple[list[float], list[float]]:
    """Return what the graph made final a second, and a fourth of what all cores could verify."""
    ours: list[float] = []
    bare: list[float] = []
    async with AsyncExitStack() as stack:
        doors = [await stack.enter_async_context(_door(place, name)) for place in places]
        await _pay(doors, places, waves[0])  # the first ones load what nodes load once
        for wave in waves[1:]:
            bare.append(_verified_per_second(wave) / _VALIDATORS)
            ours.append(len(wave) / await _pay(doors, places, wave))
    return ours, bare


class _Door:
    """A peer of one validator, which hands it the transactions of others."""

    def __init__(self, transport: ZmqTransport, place: Place) -> None:
        self._transport = transport
        self._to = decode_address(place.identity.address)

    async def connected(self) -> None:
        """Return once the validator hears us."""
        while self._to not in self._transport.peers:
            await self._transport.changed()

    async def hand_over(self, transactions: Sequence[SignedTransaction]) -> None:
        """Send transactions as fast as the connection takes them."""
        raws = (encode(signed) for signed in transactions)
        for batch in together((message_id(raw), raw) for raw in raws):
            frame = encode_message(Transactions(raws=tuple(raw for _, raw in batch)))
            while not self._transport.send(self._to, Channel.BULK, frame):  # noqa: ASYNC110  # nobody signals room
                await asyncio.sleep(_LOOK_SECONDS)


@asynccontextmanager
async def _door(place: Place, name: ChainId) -> AsyncIterator[_Door]:
    """Open a door to a validator for as long as the context lasts."""
    at = PeerAddress(
        public_key=decode_address(place.identity.address),
        transport_key=TransportKey(bytes.fromhex(place.identity.transport_key)),
        host=place.host,
        port=place.port,
    )
    settings = TransportSettings(
        chain_id=name,
        signer=FileKeystore(sha256(b"door of " + at.public_key)),
        keys=generate_transport_keys(),
        peers=(at,),
    )
    transport = ZmqTransport(settings, SystemClock())
    async with asyncio.TaskGroup() as tasks:
        running = tasks.create_task(transport.run())
        door = _Door(transport, place)
        await door.connected()
        try:
            yield door
        finally:
            running.cancel()


async def _pay(
    doors: Sequence[_Door], places: Sequence[Place], wave: Sequence[SignedTransaction]
) -> float:
    """Return how long it takes until a wave of payments is final at every validator."""
    begin = [_tip(place) for place in places]
    since = time.monotonic()
    async with asyncio.timeout(_PATIENCE_SECONDS), asyncio.TaskGroup() as tasks:
        for number, door in enumerate(doors):
            tasks.create_task(door.hand_over(wave[number :: len(doors)]))
        for place, tip in zip(places, begin, strict=True):
            tasks.create_task(_until_final(place, tip, len(wave)))
    return time.monotonic() - since


async def _until_final(place: Place, tip: int, wanted: int) -> None:
    """Return once so many payments stand in blocks above a height."""
    with closing(open_reader(place.home.chain_path)) as chain:
        while wanted > 0:
            await asyncio.sleep(_LOOK_SECONDS)
            query = "SELECT height, block FROM blocks WHERE height > ? ORDER BY height"
            for height, data in chain.execute(query, (tip,)).fetchall():
                wanted -= len(BLOCK_DECODER.decode(data).transactions)
                tip = height


def _tip(place: Place) -> int:
    with closing(open_reader(place.home.chain_path)) as chain:
        height: int = chain.execute("SELECT max(height) FROM blocks").fetchone()[0]
        return height


def _wave(people: Sequence[Signer], nonce: Nonce, name: ChainId) -> list[SignedTransaction]:
    """Return a payment of each to the next."""
    return [
        signed_transfer(person, people[(n + 1) % len(people)].public_key, nonce, name)
        for n, person in enumerate(people)
    ]


def _verified_per_second(wave: Sequence[SignedTransaction]) -> float:
    """Return how many signatures all cores verify a second, if they do nothing else."""
    claims = [
        (signed.transaction.sender, transaction_id(signed.transaction), signed.signature)
        for signed in wave
    ]
    cores = len(os.sched_getaffinity(0))
    with ProcessPoolExecutor(cores, multiprocessing.get_context("spawn")) as pool:
        list(pool.map(_verify, [claims[:100]] * cores))  # they are started by now
        since = time.perf_counter()
        list(pool.map(_verify, [claims] * cores))
        return cores * len(claims) / (time.perf_counter() - since)


def _verify(claims: Sequence[_Claim]) -> None:
    for key, message, signature in claims:
        Ed25519PublicKey.from_public_bytes(key).verify(signature, message)
