"""Bytes that the decoders accept: what the corpus of a fuzz target begins with."""

import io
from collections.abc import Sequence
from random import Random
from typing import Any, Final

import msgspec
import numpy as np

from lc_node.adapters.keystore import FileKeystore
from lc_node.api import calls as api_calls
from lc_node.api import codec as api
from lc_node.api.calls import answer_kind
from lc_node.chain.addresses import decode_address, encode_address
from lc_node.chain.codec import encode
from lc_node.chain.transactions import Bid, PostJob, SignedTransaction, Transfer, Unbond
from lc_node.chain.types import Digest, JobId, MicroCredits, NanoLoss
from lc_node.consensus.checkpoint import genesis_checkpoint
from lc_node.runtime.config import WorkConfig
from lc_node.runtime.config_file import DEFAULT_CONFIG_TEXT
from lc_node.runtime.home import Identity
from lc_node.runtime.policy_file import policy_of
from lc_node.wire.address_book import AddressBook
from lc_node.wire.book_file import Kept, dump_book
from lc_node.wire.data_frames import Sealer, data_keys
from lc_node.wire.endpoints import Endpoint, Host, Port
from lc_node.wire.join_line import JoinLine, write_join_line
from lc_node.wire.kinds import Channel, Kind
from lc_node.wire.messages import (
    PROTOCOL_VERSION,
    RECORDS,
    Hello,
    Keepalive,
    Message,
    Refusal,
    Refused,
    Welcome,
    encode_message,
)
from lc_node.wire.records import RECORD_DECODER, NodeRecord, SignedRecord, sign_record
from lc_node.wire.session import Role, identity_of
from tests.adapters.archives import END, folder, gzip, hard_link, member, pax, symlink
from tests.chain.actors import ANNA, BERT, genesis, signed
from tests.chain.market import SPEC
from tests.fuzz.conduct import CALLS, DATA_SECRET, NOW, THEIRS
from tests.fuzz.values import value_of
from tests.peer_nodes import CHAIN

HOSTS: Final = tuple(
    Endpoint(host=Host(host), port=Port(4040))
    for host in ("192.0.2.7", "2001:db8::1", "node.example.org")
)
_DRAWS: Final = 4
_LINES: Final = (
    b"a log",
    b'{"lc": "begin", "trial": 1}',
    b'{"lc": "ask", "trial": 1, "name": "x", "kind": "float", "low": 1e-3, "high": 1, "log": true}',
    b'{"lc": "ask", "trial": 1, "name": "n", "kind": "int", "low": -4, "high": 9, "step": 2}',
    b'{"lc": "ask", "trial": 1, "name": "c", "kind": "choice", "choices": ["a", 1, 2.5, true]}',
    b'{"lc": "report", "trial": 1, "step": 0, "loss": 0.25, "bytes": 17}',
    b'{"lc": "model", "trial": 1, "file": "model.bin"}',
    b'{"lc": "end", "trial": 1, "state": "complete"}',
    b'{"lc": "losses", "values": [0.5, -1.25e-9, 3]}',
)


def frames() -> Sequence[bytes]:
    """Return frames of every kind."""
    return [
        encode_message(message(kind, _seeded(seed))) for kind in Kind for seed in range(_DRAWS)
    ]


def message(kind: Kind, random: Random) -> Any:
    """Return a message of a kind."""
    drawn = value_of(RECORDS[kind], random)
    if kind is Kind.CHUNK and not drawn.data:
        return msgspec.structs.replace(drawn, data=b"x")
    return drawn


def data_frames() -> Sequence[bytes]:
    """Return what a data connection's dialer may send."""
    chunk = encode_message(message(Kind.CHUNK, _seeded(0)))
    sealer = Sealer(data_keys(DATA_SECRET, Role.DIALER).sending)
    sealed = [bytes(sealer.seal(chunk)) for _ in range(3)]
    return [sealed[0], b"".join(sealed)]


def transactions() -> Sequence[bytes]:
    """Return transactions that a small chain takes, and others of every kind."""
    bodies = (
        Transfer(to=BERT.public_key, amount=MicroCredits(7), memo=b"for tea"),
        Bid(job=JobId(Digest(bytes(32))), loss=NanoLoss(5), commitment=Digest(bytes(32))),
        PostJob(spec=SPEC),
        Unbond(amount=MicroCredits(1)),
    )
    taken = [encode(signed(ANNA, body, chain_id=CHAIN)) for body in bodies]
    drawn = [encode(_value(SignedTransaction, seed)) for seed in range(24)]
    return taken + drawn


def conversations() -> Sequence[bytes]:
    """Return what a session may hear, for each of the two roles."""
    identity = identity_of(THEIRS.signer, CHAIN, THEIRS.keys.public)
    said: dict[str, Any] = {
        "version": PROTOCOL_VERSION,
        "chain_id": CHAIN,
        "channel": Channel.CONSENSUS,
        "node_key": identity.node_key,
        "proof": identity.proof,
        "tickets": identity.tickets,
    }
    refused, alive = Refused(reason=Refusal.FULL), Keepalive()
    return [
        b"\x00" + _spoken(Hello(**said), alive, message(Kind.STATUS, _seeded(0)), refused),
        b"\xff" + _spoken(alive, Welcome(**said), message(Kind.TRANSACTIONS, _seeded(1))),
        b"\xff" + _spoken(refused, alive),
    ]


def records() -> Sequence[bytes]:
    """Return what nodes say about themselves."""
    mine = NodeRecord(
        chain_id=CHAIN,
        node_key=THEIRS.key,
        transport_key=THEIRS.keys.public,
        endpoints=HOSTS,
        sequence=NOW,
    )
    drawn = [encode(_value(SignedRecord, seed)) for seed in range(_DRAWS)]
    return [encode(sign_record(mine, THEIRS.signer)), *drawn]


def checkpoints() -> Sequence[bytes]:
    """Return where a light client may begin: at genesis."""
    return [encode(genesis_checkpoint(genesis()))]


def books() -> Sequence[bytes]:
    """Return an address book that knows nobody, and one with a node in it."""
    (mine, *_) = records()
    book = AddressBook(Digest(bytes(32)))
    empty = dump_book(Kept(book=book, anchors=(), sequence=NOW), CHAIN)
    book.add(RECORD_DECODER.decode(mine), HOSTS[0].host, NOW)
    return [empty, dump_book(Kept(book=book, anchors=(THEIRS.key,), sequence=NOW), CHAIN)]


def multicasts() -> Sequence[bytes]:
    """Return what a node in the same room says: its address, port and TXT record."""
    entries = (
        b"v=1",
        b"graph=lab",
        b"key=" + b"0f" * 32,
        b"transport=" + b"f0" * 32,
        b"chain=" + b"ab" * 32,
    )
    text = b"".join(bytes((len(entry),)) + entry for entry in entries)
    return [bytes((192, 0, 2, 7)) + (4040).to_bytes(2, "big") + text]


def servers() -> Sequence[bytes]:
    """Return places to ask, as people write them."""
    key = "0f" * 32
    texts = (f"tcp://{key}@192.0.2.7:4040", f"tcp://{key}@[2001:db8::1]:1", f"tcp://{key}@a.b:9")
    return ["\n".join(texts).encode(), join_lines()[0]]


def calls() -> Sequence[bytes]:
    """Return calls of every kind."""
    return [api.encode_call(_value(kind, seed)) for kind in CALLS for seed in range(_DRAWS)]


def answers() -> Sequence[bytes]:
    """Return answers to every kind of call, each after the byte that chooses it."""
    return [
        bytes((number,)) + api.encode_answer(_value(answer_kind(kind), seed))
        for number, kind in enumerate(CALLS)
        if kind is not api_calls.ReadBlob
        for seed in range(_DRAWS)
    ]


def lines() -> Sequence[bytes]:
    """Return lines of a job, one of each message."""
    return _LINES


def outputs() -> Sequence[bytes]:
    """Return what programs print that know nothing of us."""
    return [b"epoch 1\n0.25\n", b"  -1.5e-05\r\n\n", b"+.5", b"9223372036.854775807\n"]


def archives() -> Sequence[bytes]:
    """Return tars with everything that an image may have."""
    return [
        END,
        folder("usr/") + member("usr/a", b"text") + hard_link("usr/b", "usr/a") + END,
        symlink("lib", "usr/lib") + member("lib/x", b"y" * 600, mode=0o755) + END,
        pax({"path": "p" * 150, "size": "3"}) + member("short", b"abc") + END,
        member("long", b"g" * 150 + b"\0", kind=b"L") + member("short", b"abc") + END,
        folder("d") + member("d/.wh..wh..opq") * 2 + member("d/.wh.gone") + END,
        pax({"path": "/".join("abcdefgh"), "linkpath": "b"}) + symlink("a", "") + END,
        pax({"comment": "c"}, kind=b"g") + pax({"uid": "0"}) + member("x") * 2 + END,
    ]


def layers() -> Sequence[bytes]:
    """Return compressed layers, one of them in two members."""
    plain = archives()[1]
    return [gzip(plain), gzip(plain[:700]) + gzip(plain[700:], level=1), gzip(bytes(100_000))]


def npz_models() -> Sequence[bytes]:
    """Return models of named arrays, one of them compressed."""
    arrays: dict[str, Any] = {
        "weights": np.arange(6.0).reshape(2, 3),
        "names": np.array(["a", "b"]),
    }
    found = []
    for write in (np.savez, np.savez_compressed):
        file = io.BytesIO()
        write(file, **arrays)
        found.append(file.getvalue())
    return found


def addresses() -> Sequence[bytes]:
    """Return addresses as people write them, and one as symbols."""
    text = encode_address(ANNA.public_key)
    return [text.encode(), text.upper().encode(), b"\0" + bytes(52)]


def join_lines() -> Sequence[bytes]:
    """Return lines that invite, as texts, and as bytes after a zero byte."""
    address = Endpoint(host=Host("192.0.2.7"), port=Port(4040))
    drawn = [_value(JoinLine, seed) for seed in range(_DRAWS)]
    lines = [
        msgspec.structs.replace(
            line,
            bootstraps=tuple(
                msgspec.structs.replace(one, endpoints=(address,)) for one in line.bootstraps
            ),
        )
        for line in drawn
    ]
    texts = [write_join_line(line).encode() for line in lines]
    return texts + [b"\0" + encode(line) for line in lines]


def identities() -> Sequence[bytes]:
    """Return an identity file."""
    identity = Identity(
        address=encode_address(BERT.public_key), transport_key="0f" * 32, link="f0" * 32
    )
    assert decode_address(identity.address) == BERT.public_key
    return [msgspec.json.format(msgspec.json.encode(identity), indent=2)]


def configs() -> Sequence[bytes]:
    """Return the settings that a new home has, the same with every key set, and a peer."""
    peer = (
        "[[network.peers]]\n"
        f'address = "{encode_address(ANNA.public_key)}"\ntransport_key = "{"0f" * 32}"\n'
        'host = "192.0.2.7"\nport = 4040\n'
    )
    text = DEFAULT_CONFIG_TEXT
    return [text.encode(), text.replace("#: ", "").encode(), peer.encode(), b""]


def policies() -> Sequence[bytes]:
    """Return a policy as it is kept."""
    return [msgspec.json.format(msgspec.json.encode(policy_of(WorkConfig())), indent=2)]


def key_files() -> Sequence[bytes]:
    """Return a key file without a passphrase."""
    keystore = FileKeystore(bytes(range(32)))
    return [
        msgspec.json.encode(
            {
                "version": 1,
                "address": encode_address(keystore.public_key),
                "kdf": None,
                "nonce": "",
                "seed": bytes(range(32)).hex(),
            }
        )
    ]


def _spoken(*messages: Message) -> bytes:
    """Return frames one after the other, each after its length in two bytes."""
    said = [encode_message(message) for message in messages]
    return b"".join(len(frame).to_bytes(2, "big") + frame for frame in said)


def _value(kind: Any, seed: int) -> Any:
    return value_of(kind, _seeded(seed))


def _seeded(seed: int) -> Random:
    return Random(seed)  # noqa: S311  # a corpus
