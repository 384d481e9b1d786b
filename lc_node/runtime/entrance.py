"""How a node meets others: who it is, where it listens, whom its owner has named, whom its graph lets in."""

from collections.abc import Callable

from lc_node.adapters.zmq_sockets import transport_keys_of
from lc_node.adapters.zmq_transport import TransportSettings
from lc_node.chain.genesis import Genesis, chain_id
from lc_node.chain.state import State
from lc_node.ports.clock import Clock
from lc_node.ports.keystore import Keystore
from lc_node.runtime.admission import Admission, trusted_of
from lc_node.runtime.config import NetworkConfig
from lc_node.runtime.joined import addresses, tickets_of
from lc_node.wire.join_line import JoinLine


def entrance_of(  # one argument a source
    *,
    keystore: Keystore,
    genesis: Genesis,
    network: NetworkConfig,
    line: JoinLine | None,
    state: Callable[[], State],
    clock: Clock,
) -> TransportSettings:
    """Return the transport's settings; newcomers are judged by the final state."""
    admission = Admission(
        genesis,
        account=lambda key: state().account(key),
        trusted=trusted_of(network, line),
        clock=clock,
    )
    # Discovery dials the nodes of the line at all their endpoints; without it they are as good as listed.
    named = addresses(line, 0) if line is not None and not network.discover else ()
    return TransportSettings(
        chain_id=chain_id(genesis),
        signer=keystore,
        keys=transport_keys_of(keystore.transport_secret),
        peers=[*(peer.resolved() for peer in network.peers), *named],
        host=network.host,
        port=network.port if network.listen else None,
        data_port=network.data_port,
        tickets=tickets_of(line, keystore),
        admits=admission.admits,
    )
