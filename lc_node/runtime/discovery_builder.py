"""Ties discovery to a node's home, its transport and its chain."""

from random import SystemRandom

from lc_node.adapters.interfaces import own_hosts
from lc_node.adapters.zmq_transport import ZmqTransport
from lc_node.ports.clock import Clock
from lc_node.ports.keystore import Keystore
from lc_node.runtime.book_store import HomeBookStore
from lc_node.runtime.config import NetworkConfig
from lc_node.runtime.discovery import Discovery, Neighbourhood, silence_of
from lc_node.runtime.home import Home
from lc_node.runtime.ledger import Ledger
from lc_node.runtime.own_record import Doorway, OwnRecord
from lc_node.runtime.record_exchange import Peers
from lc_node.runtime.standing import Standing
from lc_node.wire.session import TransportKey


def build_discovery(  # noqa: PLR0913  # one argument a collaborator
    *,
    home: Home,
    keystore: Keystore,
    config: NetworkConfig,
    transport: ZmqTransport,
    peers: Peers,
    ledger: Ledger,
    clock: Clock,
) -> Discovery:
    """Return discovery for a node whose port is open; it goes on with what the home remembers."""
    chain_id = ledger.root.chain_id
    store = HomeBookStore(home.peers_path, chain_id)
    kept = store.read()
    own = OwnRecord(
        signer=keystore,
        chain_id=chain_id,
        transport_key=TransportKey(keystore.transport_public),
        doorway=Doorway(host=config.host, port=transport.port, advertise=config.advertise),
        hosts=own_hosts,
        clock=clock,
        sequence=kept.sequence,
    )
    around = Neighbourhood(
        chain_id=chain_id,
        me=keystore.public_key,
        transport=transport,
        peers=peers,
        clock=clock,
        chain=Standing(ledger),
        store=store,
        draw=SystemRandom().randrange,
        is_wanted=config.discover,
        silence=silence_of(ledger.params),
    )
    return Discovery(around, kept, own)
