"""Which nodes a light client may ask: as people write them, or out of a join line."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from lc_node.api.light_errors import BadServer
from lc_node.chain.types import ChainId, PublicKey
from lc_node.wire.endpoints import Endpoint, Host, Port, is_host
from lc_node.wire.join_line import PREFIX, BadJoinLine, Bootstrap, Pass, read_join_line
from lc_node.wire.session import TransportKey

_SERVER: Final = re.compile(r"tcp://([0-9a-f]{64})@(\[[0-9a-f:.]+\]|[^\[\]:@/]+):([0-9]{1,5})")
_PORT_MAX: Final = 65_535
_NONE: Final[Mapping[str, str]] = MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """Where a node listens for peers, and the keys by which its connection is known."""

    endpoints: tuple[Endpoint, ...]
    """The best first."""
    transport_key: TransportKey
    node_key: PublicKey | None = None
    """Whose node it must be; None: whoever holds the transport key."""
    passes: tuple[Pass, ...] = ()
    """By what a private graph lets us in."""

    @property
    def name(self) -> str:
        """Its first place, as ZeroMQ wants it."""
        return address_of(self.endpoints[0])


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """Nodes to ask, and of which chain they are if that was said."""

    servers: tuple[Server, ...]
    chain_id: ChainId | None


def address_of(endpoint: Endpoint) -> str:
    """Return a place as ZeroMQ wants it: IPv6 addresses in brackets."""
    host = f"[{endpoint.host}]" if ":" in endpoint.host else endpoint.host
    return f"tcp://{host}:{endpoint.port}"


def parse_places(texts: Sequence[str], known: Mapping[str, str] = _NONE) -> Places:
    """Return the nodes that texts name: ``tcp://KEY@HOST:PORT``, or join lines.

    Args:
        texts: as people write them; a place that is known needs no key.
        known: keys by place, of nodes that were asked before.

    Raises:
        BadServer: a text is neither, or they speak of different chains.
    """
    servers: list[Server] = []
    chains: set[ChainId] = set()
    for text in texts:
        if text.lower().startswith(PREFIX):
            chain_id, named = _of_join_line(text)
            servers += named
            chains.add(chain_id)
        else:
            servers.append(parse_server(_with_key(text, known)))
    if len(chains) > 1:
        raise BadServer(texts[-1], "it is of another chain than the ones before")
    return Places(servers=tuple(servers), chain_id=next(iter(chains), None))


def parse_server(text: str) -> Server:
    """Return the node that ``tcp://KEY@HOST:PORT`` names.

    Raises:
        BadServer: the text is not of this form.
    """
    found = _SERVER.fullmatch(text)
    if found is None:
        has_key = "@" in text or not text.startswith("tcp://")
        raise BadServer(text, "it is not of that form" if has_key else "the key is missing")
    host = found[2].strip("[]")
    if not 0 < int(found[3]) <= _PORT_MAX:
        raise BadServer(text, f"there is no port {found[3]}")
    if not is_host(host):
        raise BadServer(text, f"{host} is no host that can be dialed")
    return Server(
        endpoints=(Endpoint(host=Host(host), port=Port(int(found[3]))),),
        transport_key=TransportKey(bytes.fromhex(found[1])),
    )


def known_places(servers: Sequence[Server]) -> Iterator[tuple[str, str]]:
    """Yield the places of servers, each with the key that is to be known next time."""
    for server in servers:
        for endpoint in server.endpoints:
            yield address_of(endpoint), server.transport_key.hex()


def _with_key(text: str, known: Mapping[str, str]) -> str:
    key = known.get(text)
    return text if key is None else text.replace("//", f"//{key}@", 1)


def _of_join_line(text: str) -> tuple[ChainId, list[Server]]:
    try:
        line = read_join_line(text)
    except BadJoinLine as error:
        raise BadServer(f"{text[:16]}…", str(error)) from error
    return line.chain_id, [_server(boot, line.passes) for boot in line.bootstraps]


def _server(boot: Bootstrap, passes: tuple[Pass, ...]) -> Server:
    return Server(
        endpoints=boot.endpoints,
        transport_key=boot.transport_key,
        node_key=boot.key,
        passes=passes,
    )


def guests(passes: Sequence[Pass]) -> Iterator[tuple[Pass, bytes]]:
    """Yield the invitations that are good for whoever holds their secret, with it."""
    return ((one, one.secret[0]) for one in passes if one.secret)
