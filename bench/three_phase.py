"""A yardstick: four processes that agree in three phases (propose, vote, vote again), and do nothing else.

Asyncio ZeroMQ with CURVE, Ed25519 on every message, one durable SQLite commit a decision: what any
agreement of this kind has to pay, without mempool, rules, state, views that fail, or a way to catch up.
"""

import asyncio
import math
import multiprocessing
import sqlite3
import time
from collections.abc import Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from enum import IntEnum
from hashlib import sha256
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Final

import msgspec
import zmq
import zmq.asyncio
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

MEMBERS: Final = 4
QUORUM: Final = 3
PROPOSAL: Final = bytes(1000)

_PATIENCE_SECONDS: Final = 120
_LINGER_MS: Final = 1000


class Phase(IntEnum):
    """The three messages of an agreement."""

    PROPOSE = 0
    PREPARE = 1
    COMMIT = 2


class Message(msgspec.Struct, array_like=True, frozen=True):
    """What a member says; the signature is over all that stands before it."""

    phase: int
    height: int
    sender: int
    data: bytes
    signature: bytes = b""

    def unsigned(self) -> bytes:
        """Return the bytes that are signed."""
        return _ENCODER.encode((self.phase, self.height, self.sender, self.data))


_ENCODER: Final = msgspec.msgpack.Encoder()
_DECODER: Final = msgspec.msgpack.Decoder(Message)


@dataclass(frozen=True, slots=True, kw_only=True)
class Seat:
    """What one member knows before it starts."""

    number: int
    seed: bytes
    public_keys: tuple[bytes, ...]
    curve_public: tuple[bytes, ...]
    curve_secret: bytes
    database: Path
    rounds: int
    pause_seconds: float


@dataclass(slots=True)
class _Member:
    """One process: it proposes when it is its turn, and votes when a quorum has."""

    seat: Seat
    router: zmq.asyncio.Socket
    dealers: Sequence[zmq.asyncio.Socket]
    database: sqlite3.Connection
    votes: dict[tuple[int, int], set[int]] = field(default_factory=dict)
    decided: int = 0
    proposes_at: float = math.inf
    proposed_at: dict[int, float] = field(default_factory=dict)
    latencies: list[float] = field(default_factory=list)

    async def run(self) -> None:
        """Take part until the last height is decided."""
        key = Ed25519PrivateKey.from_private_bytes(self.seat.seed)
        self._plan_next()
        while self.decided < self.seat.rounds:
            left_ms = max(0.0, self.proposes_at - time.perf_counter()) * 1000
            if await self.router.poll(None if math.isinf(left_ms) else math.ceil(left_ms)):
                message = _DECODER.decode((await self.router.recv_multipart())[-1])
                sender = Ed25519PublicKey.from_public_bytes(self.seat.public_keys[message.sender])
                sender.verify(message.signature, message.unsigned())
                await self._take(message, key)
            elif time.perf_counter() >= self.proposes_at:
                self.proposes_at = math.inf
                height = self.decided + 1
                self.proposed_at[height] = time.perf_counter()
                await self._say(Phase.PROPOSE, height, PROPOSAL, key)

    async def _take(self, message: Message, key: Ed25519PrivateKey) -> None:
        if message.phase == Phase.PROPOSE:
            digest = sha256(message.data).digest()
            await self._say(Phase.PREPARE, message.height, digest, key)
            return
        votes = self.votes.setdefault((message.height, message.phase), set())
        votes.add(message.sender)
        if len(votes) != QUORUM:
            return
        if message.phase == Phase.PREPARE:
            await self._say(Phase.COMMIT, message.height, message.data, key)
        else:
            self._decide(message)

    def _decide(self, message: Message) -> None:
        height = message.height
        self.database.execute("INSERT INTO decisions VALUES (?, ?)", (height, message.data))
        if height in self.proposed_at:
            self.latencies.append(time.perf_counter() - self.proposed_at[height])
        self.decided = max(self.decided, height)  # a later one may be decided first
        self._plan_next()

    def _plan_next(self) -> None:
        if (self.decided + 1) % MEMBERS == self.seat.number and self.decided < self.seat.rounds:
            self.proposes_at = time.perf_counter() + self.seat.pause_seconds

    async def _say(self, phase: Phase, height: int, data: bytes, key: Ed25519PrivateKey) -> None:
        """Send to all others, and take it ourselves."""
        draft = Message(phase, height, self.seat.number, data)
        message = msgspec.structs.replace(draft, signature=key.sign(draft.unsigned()))
        encoded = _ENCODER.encode(message)
        for dealer in self.dealers:
            await dealer.send(encoded)
        await self._take(message, key)


def measure(folder: Path, *, rounds: int, pause_seconds: float) -> list[float]:
    """Return the seconds from a proposal to its decision at the proposer, of ``rounds`` heights.

    Members propose in turn, each after a pause, so that every height meets an idle machine.
    """
    context = multiprocessing.get_context("spawn")
    with ExitStack() as stack:
        pipes: list[Connection] = []
        for seat in _seats(folder, rounds, pause_seconds):
            ours, theirs = context.Pipe()
            process = context.Process(target=_live, args=(seat, theirs), daemon=True)
            process.start()
            stack.callback(process.join)
            stack.callback(process.terminate)
            pipes.append(ours)
        ports = [_answer(pipe) for pipe in pipes]
        for pipe in pipes:
            pipe.send(ports)
        latencies = [latency for pipe in pipes for latency in _answer(pipe)]
        for pipe in pipes:
            pipe.send("all have decided")
        return latencies


def _answer(pipe: Connection) -> list[float]:
    if not pipe.poll(_PATIENCE_SECONDS):
        message = "the three-phase yardstick is stuck"
        raise TimeoutError(message)
    answer: list[float] = pipe.recv()
    return answer


def _seats(folder: Path, rounds: int, pause_seconds: float) -> list[Seat]:
    keys = [Ed25519PrivateKey.generate() for _ in range(MEMBERS)]
    curve = [zmq.curve_keypair() for _ in range(MEMBERS)]
    return [
        Seat(
            number=number,
            seed=key.private_bytes_raw(),
            public_keys=tuple(each.public_key().public_bytes_raw() for each in keys),
            curve_public=tuple(public for public, _ in curve),
            curve_secret=curve[number][1],
            database=folder / f"member-{number}.db",
            rounds=rounds,
            pause_seconds=pause_seconds,
        )
        for number, key in enumerate(keys)
    ]


def _live(seat: Seat, pipe: Connection) -> None:
    """Be one member, in a process of its own."""
    asyncio.run(_take_part(seat, pipe))


async def _take_part(seat: Seat, pipe: Connection) -> None:
    with zmq.asyncio.Context() as context, closing(_open_database(seat.database)) as database:
        router = context.socket(zmq.ROUTER)
        router.linger = _LINGER_MS
        router.curve_server = True
        router.curve_publickey = seat.curve_public[seat.number]
        router.curve_secretkey = seat.curve_secret
        pipe.send(router.bind_to_random_port("tcp://127.0.0.1"))
        ports: list[int] = await asyncio.to_thread(pipe.recv)
        dealers = [
            _dial(context, seat, number, port)
            for number, port in enumerate(ports)
            if number != seat.number
        ]
        member = _Member(seat=seat, router=router, dealers=dealers, database=database)
        await member.run()
        pipe.send(member.latencies)
        await asyncio.to_thread(pipe.recv)
        for socket in (router, *dealers):
            socket.close()


def _dial(context: zmq.asyncio.Context, seat: Seat, number: int, port: int) -> zmq.asyncio.Socket:
    dealer = context.socket(zmq.DEALER)
    dealer.linger = _LINGER_MS
    dealer.curve_serverkey = seat.curve_public[number]
    dealer.curve_publickey = seat.curve_public[seat.number]
    dealer.curve_secretkey = seat.curve_secret
    dealer.connect(f"tcp://127.0.0.1:{port}")
    return dealer


def _open_database(path: Path) -> sqlite3.Connection:
    database = sqlite3.connect(path, isolation_level=None)
    database.execute("PRAGMA journal_mode=WAL")
    database.execute("PRAGMA synchronous=FULL")
    database.execute("CREATE TABLE decisions (height INTEGER, data BLOB)")
    return database
