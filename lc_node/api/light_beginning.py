"""What a light client begins with: a genesis file, somebody's checkpoint, or its own of last time."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final, TypeVar

import msgspec

from lc_node.api.light_errors import NoBeginning, NoServer
from lc_node.api.light_link import ServerFailed, opened
from lc_node.api.light_places import Server, known_places
from lc_node.chain.codec import Decoder, encode
from lc_node.chain.errors import InvalidGenesis, LearningChainError, MalformedBytes
from lc_node.chain.genesis import GENESIS_BYTES_MAX, GENESIS_DECODER, Genesis
from lc_node.chain.types import ChainId
from lc_node.consensus.checkpoint import (
    CHECKPOINT_BYTES_MAX,
    CHECKPOINT_DECODER,
    Checkpoint,
    genesis_checkpoint,
)
from lc_node.consensus.light_errors import Contradiction
from lc_node.wire.genesis_parts import TELL_DECODER, Assembly
from lc_node.wire.topics import Topic

T = TypeVar("T")

_SUFFIX: Final = ".checkpoint"
_KEYS: Final = "servers.json"
_KEYS_MAX: Final = 64
"""Places whose keys are remembered."""


def from_genesis(path: Path) -> Checkpoint:
    """Return the beginning of the chain of a genesis file.

    Raises:
        NoBeginning: it cannot be read, or no chain can begin with it.
    """
    try:
        return genesis_checkpoint(_read(path, GENESIS_DECODER, GENESIS_BYTES_MAX))
    except InvalidGenesis as error:
        raise NoBeginning(f"{path}: {error}") from error


def from_checkpoint(path: Path) -> Checkpoint:
    """Return a checkpoint that somebody gave.

    Raises:
        NoBeginning: it cannot be read.
    """
    return _read(path, CHECKPOINT_DECODER, CHECKPOINT_BYTES_MAX)


def from_servers(servers: Sequence[Server], chain_id: ChainId) -> Checkpoint:
    """Return the beginning of a chain whose name is trusted: its genesis document, from any server.

    Raises:
        NoServer: none of them has the document.
    """
    failures: list[str] = []
    for server in servers:
        try:
            return genesis_checkpoint(_fetched(server, chain_id))
        except LearningChainError as error:
            failures.append(f"{server.name}: {error}")
    raise NoServer("; ".join(failures))


class Keep:
    """The folder in which a light client keeps what it has proved, one small file a chain."""

    def __init__(self, folder: Path) -> None:
        """Keep files here; the folder is made when there is something to keep."""
        self._folder = folder

    def of(self, chain_id: ChainId) -> Checkpoint | None:
        """Return what was kept of a chain, None if nothing was.

        Raises:
            NoBeginning: the file is damaged.
        """
        path = self._path(chain_id)
        return from_checkpoint(path) if path.exists() else None

    def only(self) -> Checkpoint:
        """Return what was kept of the only chain that is known here.

        Raises:
            NoBeginning: no chain is known, or several are.
        """
        kept = sorted(self._folder.glob(f"*{_SUFFIX}"))
        if len(kept) != 1:
            few = (
                "no chain is known here yet" if not kept else f"{len(kept)} chains are known here"
            )
            raise NoBeginning(few)
        return from_checkpoint(kept[0])

    def put(self, checkpoint: Checkpoint) -> None:
        """Keep a checkpoint: all of it, or the one before."""
        self._write(self._path(checkpoint.chain_id), encode(checkpoint))

    def keys(self) -> Mapping[str, str]:
        """Return the keys of nodes that were named before, by their places."""
        try:
            return msgspec.json.decode((self._folder / _KEYS).read_bytes(), type=dict[str, str])
        except (FileNotFoundError, msgspec.MsgspecError):
            return {}  # they can be typed again

    def remember(self, servers: Sequence[Server]) -> None:
        """Keep the keys of nodes, so that their places alone are enough next time."""
        known = self.keys()
        kept = {**known, **dict(known_places(servers))}
        if kept != known:
            newest = dict(list(kept.items())[-_KEYS_MAX:])
            self._write(self._folder / _KEYS, msgspec.json.encode(newest))

    def put_contradiction(self, found: Contradiction) -> Path:
        """Keep two certified headers of one height, in a file to show others; return its path."""
        path = self._folder / f"contradiction-{found.height}.json"
        proofs = [
            {
                "header": encode(one.header).hex(),
                "certificates": [encode(certificate).hex() for certificate in one.certificate],
            }
            for one in (found.first, found.second)
        ]
        said = {"chain_id": found.first.header.chain_id.hex(), "height": found.height}
        self._write(path, msgspec.json.encode({**said, "proofs": proofs}))
        return path

    def _write(self, path: Path, data: bytes) -> None:
        """Write a file: all of it, or what was there before stays."""
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        fresh = path.with_suffix(f".{os.getpid()}.new")
        fresh.write_bytes(data)
        fresh.replace(path)

    def _path(self, chain_id: ChainId) -> Path:
        return self._folder / f"{chain_id.hex()}{_SUFFIX}"


def _fetched(server: Server, chain_id: ChainId) -> Genesis:
    assembly, document = Assembly(chain_id), None
    with opened(server, chain_id) as link:
        while document is None:
            answer = link.ask(Topic.GENESIS, encode(assembly.question))
            if answer is None:
                raise ServerFailed("it does not tell the genesis document")
            document = assembly.take(TELL_DECODER.decode(answer))
    return GENESIS_DECODER.decode(document)


def _read(path: Path, decoder: Decoder[T], bytes_max: int) -> T:
    try:
        with path.open("rb") as file:
            return decoder.decode(file.read(bytes_max + 1))
    except OSError as error:
        raise NoBeginning(f"{path} cannot be read ({error.strerror})") from error
    except MalformedBytes as error:
        message = f"{path} is not what it should be: it is damaged, or another kind of file"
        raise NoBeginning(message) from error
