"""Readers that do more than decode: a session's greetings, a call's answer, a transaction's rules."""

import base64
import warnings
from functools import cache
from ipaddress import IPv4Interface
from pathlib import Path
from random import Random
from typing import Any, Final, get_args

from msgspec.structs import replace
from zeroconf.asyncio import AsyncServiceInfo

from lc_jupyter.models import load_model
from lc_node.adapters import mdns
from lc_node.api.calls import AnyCall, Call
from lc_node.api.codec import decode_answer, raise_refusal
from lc_node.api.errors import ApiError
from lc_node.api.light_places import parse_places
from lc_node.api.schema import Address, Digest, ModelFormat
from lc_node.api.schema_jobs import FetchedModel
from lc_node.chain.addresses import PREFIX, bech32m_encode, decode_address, encode_address
from lc_node.chain.contracts import Contract
from lc_node.chain.crypto import digest, verify
from lc_node.chain.genesis import initial_state
from lc_node.chain.params import DEVNET
from lc_node.chain.state import State
from lc_node.chain.transactions import (
    TRANSACTION_DECODER,
    PostJob,
    SignedTransaction,
    transaction_id,
)
from lc_node.chain.transition import apply_transaction, get_block_context
from lc_node.chain.types import Height, JobId, Millis, Nonce, PublicKey
from lc_node.consensus.checkpoint import CHECKPOINT_DECODER, trusted_from
from lc_node.wire.book_file import load_book
from lc_node.wire.data_frames import HEAD_BYTES, OPENED_MAX, Opener, data_keys
from lc_node.wire.endpoints import group_of, is_host, is_told_in_earnest, reach_of
from lc_node.wire.join_line import read_join_line, write_join_line
from lc_node.wire.limits import DATA_SECRET_BYTES
from lc_node.wire.messages import decode_message
from lc_node.wire.records import RECORD_DECODER, fault_of
from lc_node.wire.session import Identity, Policy, Role, Session, identity_of
from lc_node.wire.session import State as Stage
from lc_node.worker.last_line import LastLine
from tests.chain.actors import ANNA, BERT, genesis
from tests.chain.actors import signed as signed_by
from tests.chain.market import SPEC
from tests.fuzz.values import value_of
from tests.peer_nodes import CHAIN, SeededSigner, Who

CALLS: Final[tuple[Any, ...]] = get_args(AnyCall)
NOW: Final = Millis(1_700_000_000_000)
OURS: Final = SeededSigner(1)
THEIRS: Final = Who(SeededSigner(2))
DATA_SECRET: Final = bytes(DATA_SECRET_BYTES)


def greet(data: bytes) -> None:
    """Give a session frames, each after its length in two bytes; what it answers must be frames."""
    role = Role.LISTENER if data[:1] < b"\x80" else Role.DIALER
    session = Session(_policy(), role, THEIRS.keys.public)
    sent = list(session.open().send)
    rest = data[1:]
    while rest:
        end = 2 + int.from_bytes(rest[:2], "big")
        was_closed = session.state is Stage.CLOSED
        outcome = session.receive(rest[2:end])
        assert not (was_closed and (outcome.send or outcome.deliver))
        assert not outcome.deliver or session.peer is not None
        sent += outcome.send
        rest = rest[end:]
    for frame in sent:
        decode_message(frame)


def read_answer(data: bytes) -> None:
    """Read the answer to the call that the first byte chooses."""
    calls = _calls()
    decode_answer(calls[data[0] % len(calls) if data else 0], data[1:])


def read_npz(path: Path) -> None:
    """Load a winner's model, as ``%lc_pull`` does in a notebook."""
    fetched = FetchedModel(
        path=str(path),
        root=Digest("0f" * 32),
        size=0,
        model_format=ModelFormat.NPZ,
        bidder=Address(""),
        label="",
        posted_by_me=True,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # numpy's, on names that are there twice
        load_model(fetched, None, trust=False)


def read_refusal(data: bytes) -> None:
    """Read an error of the node, which is raised; not understood, it is an error of its own."""
    try:
        raise_refusal(data)
    except ApiError as error:
        if error.code == "BadAnswer":
            raise


def read_address(data: bytes) -> None:
    """Read a text, or (after a zero byte) symbols with a right checksum; one text a key."""
    if data[:1] == b"\0":
        text = bech32m_encode(PREFIX, bytes(byte & 31 for byte in data[1:]))
    else:
        text = data.decode("utf-8", errors="replace")
    assert encode_address(decode_address(text)) == text.lower()


def read_rules(data: bytes) -> None:
    """Apply a transaction to a small chain, as its job's poster or as somebody else with credits.

    Who sends it, and that it speaks of the one job there is, the signature's first byte says; the
    signature is taken as good.
    """
    signed = TRANSACTION_DECODER.decode(data)
    choice = signed.signature[0]
    state, job = _chain()
    body = signed.transaction.body
    if choice % 2 == 0 and hasattr(body, "job"):
        body = replace(body, job=job)
    sender = BERT if choice % 3 == 0 else ANNA
    transaction = replace(
        signed.transaction,
        chain_id=state.meta.chain_id,
        sender=sender.public_key,
        nonce=Nonce(state.account(sender.public_key).nonce + 1),
        valid_until=Height(100),
        body=body,
    )
    _apply(state.child(), SignedTransaction(transaction=transaction, signature=signed.signature))


def _apply(trial: State, signed: SignedTransaction) -> None:
    meta = trial.meta
    trial.set_meta(replace(meta, height=Height(meta.height + 1), time=Millis(meta.time + 1)))
    apply_transaction(trial, get_block_context(trial, DEVNET), signed, is_verified=True)


@cache
def _chain() -> tuple[State, JobId]:
    """Return a state in which Bert has posted a job, and the job."""
    state = initial_state(genesis())
    post = signed_by(BERT, PostJob(spec=SPEC), chain_id=state.meta.chain_id)
    _apply(state, post)
    return state, JobId(transaction_id(post.transaction))


def read_record(data: bytes) -> None:
    """Judge what a peer says about a node, and write down where the good ones are reached."""
    signed = RECORD_DECODER.decode(data)
    fault_of(signed, CHAIN, NOW)
    for one in signed.record.endpoints:
        if is_host(one.host):
            reach_of(one.host)
            group_of(one.host)
            is_told_in_earnest(one.host, "192.0.2.7")


def read_checkpoint(data: bytes) -> None:
    """Trust a checkpoint, as a light client does that begins with one."""
    trusted_from(CHECKPOINT_DECODER.decode(data), verify)


def read_book(data: bytes) -> None:
    """Read an address book whose checksum fits."""
    rest = data[32:]
    load_book(digest("lc/book-file/1", rest) + rest, CHAIN)


def read_line(data: bytes) -> None:
    """Read a join line as it was typed, or (after a zero byte) bytes with a right checksum."""
    if data[:1] == b"\0":
        body = data[1:]
        packed = base64.b32encode(body + digest("lc/join/1", body)[:5])
        text = f"lcjoin1{packed.decode().rstrip('=').lower()}"
    else:
        text = data.decode("utf-8", errors="replace")
    line = read_join_line(text)
    assert read_join_line(write_join_line(line)) == line


def read_server(data: bytes) -> None:
    """Read where a light client is to ask."""
    parse_places(data.decode("utf-8", errors="replace").split("\n"))


def read_last_line(data: bytes) -> None:
    """Take bytes as all that a program prints, which knows nothing of us."""
    for contract in (Contract.STDOUT_1, Contract.STDOUT_1_NEGATE):
        stdout = LastLine(contract)
        for line in data.split(b"\n"):
            stdout.handle(line)
        stdout.result()


def hear_multicast(data: bytes) -> None:
    """Hear somebody in the room: an address, a port, and the entries of a TXT record."""
    info = AsyncServiceInfo(
        mdns.SERVICE,
        f"somebody.{mdns.SERVICE}",
        port=int.from_bytes(data[4:6], "big"),
        addresses=[data[:4].ljust(4, b"\0")],
        properties=data[6:],
    )
    found = mdns._neighbour(info, (IPv4Interface("192.0.2.1/24"),))
    assert found is None or found.host.startswith("192.0.2.")


@cache
def _calls() -> tuple[Call[Any], ...]:
    return tuple(value_of(kind, Random(0)) for kind in CALLS)  # noqa: S311  # samples


@cache
def _policy() -> Policy:
    identity: Identity = identity_of(OURS, CHAIN, THEIRS.keys.public)
    return Policy(
        identity=identity, is_forbidden=_is_forbidden, has_room=lambda _peer, _channel: True
    )


def _is_forbidden(peer: PublicKey) -> bool:
    return peer[0] == 0


def open_data_frames(data: bytes) -> object:
    """Open what the other end of a data connection may send, up to the first frame that is not whole."""
    opener, opened = (
        Opener(data_keys(DATA_SECRET, Role.LISTENER).receiving),
        memoryview(bytearray(OPENED_MAX)),
    )
    rest, count = memoryview(data), 0
    while len(rest) >= HEAD_BYTES:
        head = bytes(rest[:HEAD_BYTES])
        length = opener.length(head)
        if len(rest) < HEAD_BYTES + length:
            break
        opener.open(head, rest[HEAD_BYTES:][:length], opened)
        rest, count = rest[HEAD_BYTES + length :], count + 1
    return count
