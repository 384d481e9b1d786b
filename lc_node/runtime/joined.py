"""The join line that a home was given: remembered, so that the node finds its peers again."""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from lc_node.adapters.kept_file import write_kept
from lc_node.adapters.keystore import FileKeystore
from lc_node.chain.errors import LearningChainError
from lc_node.chain.genesis import chain_id
from lc_node.chain.types import ChainId
from lc_node.ports.keystore import Keystore
from lc_node.ports.transport import PeerAddress
from lc_node.runtime.home import GenesisMissing, Home
from lc_node.wire.invitations import Ticket, claim
from lc_node.wire.join_line import BadJoinLine, JoinLine, Pass, read_join_line, write_join_line

_NAME: Final = "joined.txt"


class OtherGraph(LearningChainError):
    """A home is on one graph; what was asked for is another."""

    def __init__(self, home: Home, is_on: str, asked: str) -> None:
        """Name the home and both graphs."""
        super().__init__(
            f"{home.path} is on graph {is_on}, not {asked}; give each graph a home of its own, "
            "as in `lc-node --home NEW run ...`"
        )


class LineDamaged(LearningChainError):
    """What a home has kept of the line by which it joined cannot be read."""

    def __init__(self, path: Path, why: str) -> None:
        """Name the file and how to get it back."""
        super().__init__(f"{path} is damaged ({why}); give the line again: `lc-node join LINE`")
        self.path = path


def remember(home: Home, line: JoinLine) -> None:
    """Keep a line instead of what was kept: a newer one of the same graph, or what is damaged.

    Raises:
        OtherGraph: the home is on another graph.
    """
    _check_graph(home, line)
    home.path.mkdir(mode=0o700, parents=True, exist_ok=True)
    # Nobody else may read it: it may hold an invitation for whoever has it.
    write_kept(home.path / _NAME, f"{write_join_line(line)}\n".encode())


def joined(home: Home) -> JoinLine | None:
    """Return the line that the home was given last.

    Raises:
        LineDamaged: what was kept cannot be read.
    """
    path = home.path / _NAME
    try:
        return read_join_line(path.read_text(encoding="ascii", errors="replace"))
    except FileNotFoundError:
        return None
    except BadJoinLine as error:
        raise LineDamaged(path, error.why) from error


def addresses(line: JoinLine, turn: int) -> Iterator[PeerAddress]:
    """Return where to dial the line's nodes: each turn at another of their endpoints."""
    for one in line.bootstraps:
        endpoint = one.endpoints[turn % len(one.endpoints)]
        yield PeerAddress(
            public_key=one.key,
            transport_key=one.transport_key,
            host=endpoint.host,
            port=endpoint.port,
        )


def tickets_of(line: JoinLine | None, keystore: Keystore) -> tuple[Ticket, ...]:
    """Return what lets this node into a private graph; empty if its line says nothing of that."""
    if line is None:
        return ()
    return tuple(_ticket(one, line.chain_id, keystore) for one in line.passes)


def _ticket(one: Pass, chain_id: ChainId, keystore: Keystore) -> Ticket:
    guest = FileKeystore(one.secret[0]) if one.secret else keystore
    return claim(one.invitation, guest, chain_id, keystore.public_key)


def _check_graph(home: Home, line: JoinLine) -> None:
    try:
        genesis = home.genesis()
    except GenesisMissing:
        try:
            before = joined(home)
        except LineDamaged:
            before = None
        is_on = before and (before.graph, before.chain_id)
    else:
        is_on = genesis.graph, chain_id(genesis)
    if is_on and is_on[1] != line.chain_id:
        raise OtherGraph(home, _shown(*is_on), _shown(line.graph, line.chain_id))


def _shown(graph: str, chain_id: ChainId) -> str:
    return f"{graph} (chain {chain_id.hex()[:8]})"
