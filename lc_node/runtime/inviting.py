"""What a join line of this node says: where it is reached, whom else it knows, an invitation if that is needed."""

from collections.abc import Sequence

from lc_node.adapters.interfaces import own_hosts
from lc_node.adapters.keystore import FileKeystore
from lc_node.chain.crypto import Signer
from lc_node.chain.errors import LearningChainError
from lc_node.chain.genesis import Genesis, chain_id
from lc_node.chain.types import Millis, PublicKey
from lc_node.ports.transport import TransportKey
from lc_node.runtime.config import NetworkConfig
from lc_node.runtime.home import Home
from lc_node.runtime.joined import joined
from lc_node.runtime.own_record import Doorway, endpoints_at
from lc_node.wire.endpoints import Endpoint
from lc_node.wire.invitations import invite
from lc_node.wire.join_line import BOOTSTRAPS_MAX, BearerSecret, Bootstrap, JoinLine, Pass
from lc_node.wire.records import endpoint


class NowhereToJoin(LearningChainError):
    """Nobody could reach this node by a join line, and it knows of no other."""

    def __init__(self) -> None:
        """Name what to do."""
        super().__init__(
            "nobody can dial this node, and its config.toml lists no peers; say where it is reached by "
            "--at HOST:PORT, or run `lc-node invite` on a node that can be dialed"
        )


def join_line(genesis: Genesis, bootstraps: Sequence[Bootstrap], pass_: Pass | None) -> JoinLine:
    """Return the line by which others join the graph of a document."""
    return JoinLine(
        chain_id=chain_id(genesis),
        graph=genesis.graph,
        bootstraps=tuple(bootstraps[:BOOTSTRAPS_MAX]),
        passes=() if pass_ is None else (pass_,),
    )


def bootstraps_of(home: Home, places: Sequence[str]) -> tuple[Bootstrap, ...]:
    """Return the nodes to begin with: this one, then those that its owner has listed, then its own line's.

    Raises:
        NowhereToJoin: there is none that could be dialed.
        BadAdvertised: one of ``places`` is no host and port.
    """
    identity, config, line = home.identity(), home.config(), joined(home)
    own = _own_endpoints(config.network, places)
    found = {}
    if own:
        transport_key = TransportKey(bytes.fromhex(identity.transport_key))
        found[identity.key] = Bootstrap(
            key=identity.key, transport_key=transport_key, endpoints=own
        )
    for peer in config.network.peers:
        listed = peer.resolved()
        at = endpoint(listed.host, listed.port)
        if at is not None:
            boot = Bootstrap(
                key=listed.public_key, transport_key=listed.transport_key, endpoints=(at,)
            )
            found.setdefault(boot.key, boot)
    for boot in line.bootstraps if line else ():
        found.setdefault(boot.key, boot)
    if not found:
        raise NowhereToJoin
    return tuple(found.values())[:BOOTSTRAPS_MAX]


def invited(
    inviter: Signer, genesis: Genesis, guest: PublicKey | None, until: Millis, *, seed: bytes
) -> Pass:
    """Return an invitation for a node, or (None) for whoever is given the line; ``seed`` is then its secret."""
    chain = chain_id(genesis)
    if guest is not None:
        return Pass(invitation=invite(inviter, chain, guest, until), secret=())
    bearer = FileKeystore(seed)
    return Pass(
        invitation=invite(inviter, chain, bearer.public_key, until), secret=(BearerSecret(seed),)
    )


def _own_endpoints(network: NetworkConfig, places: Sequence[str]) -> tuple[Endpoint, ...]:
    if not (places or network.listen):
        return ()
    doorway = Doorway(host=network.host, port=network.port, advertise=places or network.advertise)
    return endpoints_at(doorway, own_hosts())
