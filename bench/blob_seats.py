"""Who takes part in moving a blob: a node, and the bare loop of sockets that nodes are compared with."""

import asyncio
import hashlib
import os
import socket
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, TypeAlias

from bench.seats import Pipe
from bench.two_nodes import running_node
from lc_node.adapters.blobs import DirectoryBlobStore
from lc_node.adapters.keystore import FileKeystore
from lc_node.chain.crypto import sha256
from lc_node.chain.types import ByteCount, Digest, Height
from lc_node.ports.stores import Naming
from lc_node.ports.transport import PeerAddress, TransportKey
from lc_node.runtime.answers import Answers

BLOB_BYTES: Final = 256 * 1024 * 1024
HOST: Final = "127.0.0.1"

Wrap: TypeAlias = Callable[[socket.socket], socket.socket]
"""What is put around a connection."""

_ROOM: Final = ByteCount(2**33)
_PIECE_BYTES: Final = 1024 * 1024
_CONNECTED_SECONDS: Final = 20.0


def make_blob(path: Path) -> Path:
    """Write a blob that no compression makes shorter."""
    with path.open("wb") as file:
        for _ in range(BLOB_BYTES // _PIECE_BYTES):
            file.write(os.urandom(_PIECE_BYTES))
    return path


def address_of(name: str, port: int) -> PeerAddress:
    """Return where the node of a name is."""
    keys = FileKeystore(sha256(name.encode()))
    key = TransportKey(keys.transport_public)
    return PeerAddress(public_key=keys.public_key, transport_key=key, host=HOST, port=port)


def node(pipe: Pipe, name: str, folder: Path, peers: list[tuple[str, int]]) -> None:
    """Be a node: ``port``, ``put PATH NAMING``, ``fetch DIGEST NAMING``, ``sent``."""
    asyncio.run(_node(pipe, name, folder, peers))


async def _node(pipe: Pipe, name: str, folder: Path, peers: list[tuple[str, int]]) -> None:
    store = DirectoryBlobStore(folder, bytes_max=_ROOM)
    known = [address_of(*peer) for peer in peers]
    keys = FileKeystore(sha256(name.encode()))
    async with running_node(keys, store, Answers({}), lambda: Height(1), known) as (network, port):
        while (asked := await asyncio.to_thread(question, pipe)) is not None:
            match asked:
                case ("port",):
                    pipe.send(port)
                case ("put", Path() as path, Naming() as naming):
                    pipe.send((await asyncio.to_thread(store.put_file, path, naming))[0])
                case ("connected", int(count)):
                    async with asyncio.timeout(_CONNECTED_SECONDS):
                        while len(network.connected) < count:  # noqa: ASYNC110  # nobody signals it
                            await asyncio.sleep(0.005)
                    pipe.send(True)  # noqa: FBT003  # an answer
                case ("fetch", bytes(digest), Naming() as naming):
                    path = await network.fetch_blob(Digest(digest), naming=naming, size_max=_ROOM)
                    pipe.send(path)
                case ("received",):
                    pipe.send(sum(one.bytes_in for one in network.peers()))
                case ("drop", bytes(digest)):
                    pipe.send(_drop(store, Digest(digest)))
                case ("sent",):
                    pipe.send(sum(one.bytes_out for one in network.peers()))
                case _:
                    raise AssertionError(asked)


def question(pipe: Pipe) -> tuple[Any, ...] | None:
    """Return what is asked next; None when nobody asks any more."""
    try:
        asked: tuple[Any, ...] = pipe.recv()
    except EOFError:
        return None
    return asked


def tcp_server(pipe: Pipe, path: Path, wrap: Wrap = lambda one: one) -> None:
    """Send a file to everyone who connects, as fast as the system can."""
    with socket.create_server((HOST, 0)) as listener:
        threading.Thread(target=_serve, args=(listener, path, wrap), daemon=True).start()
        question(pipe)
        pipe.send(listener.getsockname()[1])
        question(pipe)


def _serve(listener: socket.socket, path: Path, wrap: Wrap) -> None:
    while True:
        connection, _ = listener.accept()
        threading.Thread(target=_send, args=(connection, path, wrap), daemon=True).start()


def _send(connection: socket.socket, path: Path, wrap: Wrap) -> None:
    with wrap(connection) as wrapped, path.open("rb") as file:
        wrapped.sendfile(file)


def tcp_client(pipe: Pipe, folder: Path, wrap: Wrap = lambda one: one) -> None:
    """Receive, hash and write: ``PORT`` says from whom; the answer is the digest."""
    while (asked := question(pipe)) is not None:
        into = folder / "received"
        with wrap(socket.create_connection((HOST, asked[0]))) as connection:
            pipe.send(receive(connection, into))
        into.unlink()


def receive(connection: socket.socket, into: Path) -> bytes:
    """Write what comes to a file, a full buffer at a time, and return its SHA-256."""
    buffer, taken = memoryview(bytearray(_PIECE_BYTES)), hashlib.sha256()
    with into.open("wb", buffering=0) as file:
        while length := _filled(connection, buffer):
            taken.update(buffer[:length])
            file.write(buffer[:length])
    return taken.digest()


def _filled(connection: socket.socket, buffer: memoryview) -> int:
    length = 0
    while length < len(buffer) and (count := connection.recv_into(buffer[length:])):
        length += count
    return length


def _drop(store: DirectoryBlobStore, digest: Digest) -> bool:
    """Make a node lack a blob again."""
    path = store.path_of(digest)
    assert path is not None, "it was fetched"
    path.unlink()
    return store.path_of(digest) is None
