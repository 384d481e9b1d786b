"""What is measured of peers: who is there, what they send, what of it is refused, what waits."""

from collections import Counter
from typing import Final

from lc_node.chain.addresses import encode_address
from lc_node.ports.metrics import Kind
from lc_node.runtime.metrics import Metric, Observed, Samples, plain
from lc_node.runtime.network import PeerInfo

PEERS_SHOWN_MAX: Final = 64
"""Peers with series of their own, connected ones first: strangers must not grow the database."""

_ADDRESS_SHOWN: Final = 16


def _shown(node: Observed) -> list[PeerInfo]:
    return sorted(node.network.peers(), key=lambda one: (not one.is_up, one.since))[
        :PEERS_SHOWN_MAX
    ]


def _name(peer: PeerInfo) -> tuple[str]:
    return (encode_address(peer.peer)[:_ADDRESS_SHOWN],)


def _states(node: Observed) -> Samples:
    counts: Counter[tuple[str, str]] = Counter()
    for one in node.transport.connections():
        way = ("outbound" if one.is_outbound else "inbound") if one.is_up else "dialed"
        refusal = "" if one.is_up or one.refusal is None else one.refusal.name.lower()
        counts["up" if one.is_up else refusal or "connecting", way] += 1
    return counts.items()


def _book(node: Observed) -> Samples:
    return [(("tried",), node.discovery.reached), (("new",), node.discovery.heard_of)]


def _heights(node: Observed) -> Samples:
    return [(_name(one), one.height) for one in _shown(node) if one.height is not None]


def _scores(node: Observed) -> Samples:
    return [(_name(one), one.score) for one in _shown(node)]


def _bytes(node: Observed) -> Samples:
    for one in _shown(node):
        yield (*_name(one), "in"), one.bytes_in
        yield (*_name(one), "out"), one.bytes_out


def _frames(node: Observed) -> Samples:
    for kind, count in sorted(node.network.accounts.frames.items()):
        yield (kind.name.lower(),), count


def _frame_bytes(node: Observed) -> Samples:
    for kind, count in sorted(node.network.accounts.bytes.items()):
        yield (kind.name.lower(),), count


def _offences(node: Observed) -> Samples:
    for offence, count in node.network.accounts.offences.items():
        yield (offence.name.lower(),), count


def _verdicts(node: Observed) -> Samples:
    for what, verdicts in (
        ("agreement", node.network.verdicts),
        ("transaction", node.network.spreading.verdicts),
    ):
        for verdict, count in verdicts.items():
            yield (what, verdict.name.lower()), count


def _queues(node: Observed) -> Samples:
    for name, length in node.network.queues().items():
        yield (name,), length
    for channel, length in node.transport.queued().items():
        yield (f"received_{channel.name.lower()}",), length


def _dropped(node: Observed) -> Samples:
    for name, count in node.network.dropped().items():
        yield (name,), count
    for channel, count in node.transport.dropped().items():
        yield (f"received_{channel.name.lower()}",), count


NETWORK: Final = (
    Metric(
        name="lc_peers",
        meaning="Peers that are up, by who dialed; and those that we dial, by why there is no session.",
        labels=("state", "direction"),
        read=_states,
    ),
    Metric(
        name="lc_address_book_nodes",
        meaning="Nodes that could be dialed: those that have answered once (tried), those only heard of (new).",
        labels=("table",),
        read=_book,
    ),
    Metric(
        name="lc_peer_alarm",
        meaning="1 while nothing becomes final and other peers are looked for, which an eclipse would look like.",
        read=plain(lambda node: int(node.discovery.is_alarmed)),
    ),
    Metric(
        name="lc_peer_height",
        meaning=f"How far a peer's chain is, as it says; at most {PEERS_SHOWN_MAX} peers have series.",
        labels=("peer",),
        read=_heights,
    ),
    Metric(
        name="lc_peer_score_points",
        meaning="A peer's points of misbehaviour; at 1,000 it is banned for ten minutes.",
        labels=("peer",),
        read=_scores,
    ),
    Metric(
        name="lc_peer_transfer_bytes",
        meaning="What passed over the connections that a peer has now.",
        labels=("peer", "direction"),
        read=_bytes,
    ),
    Metric(
        name="lc_data_connections",
        meaning="Connections over which images and models travel beside the rest.",
        read=plain(lambda node: node.transport.data_connections),
    ),
    Metric(
        name="lc_network_frames_total",
        meaning="Frames of peers that were within the limits, by kind.",
        kind=Kind.COUNTER,
        labels=("kind",),
        read=_frames,
    ),
    Metric(
        name="lc_network_frame_bytes_total",
        meaning="What these frames took.",
        kind=Kind.COUNTER,
        labels=("kind",),
        read=_frame_bytes,
    ),
    Metric(
        name="lc_network_verdicts_total",
        meaning="What became of peers' messages of the agreement and transactions: accept, ignore, reject.",
        kind=Kind.COUNTER,
        labels=("about", "verdict"),
        read=_verdicts,
    ),
    Metric(
        name="lc_network_offences_total",
        meaning="What peers did that honest ones do not, or not often.",
        kind=Kind.COUNTER,
        labels=("offence",),
        read=_offences,
    ),
    Metric(
        name="lc_network_bans_total",
        meaning="Bans for misbehaviour, ten minutes each.",
        kind=Kind.COUNTER,
        read=plain(lambda node: node.network.accounts.bans),
    ),
    Metric(
        name="lc_queue_length",
        meaning="What waits in each queue between peers and the node; each is bounded, per peer and over all.",
        labels=("queue",),
        read=_queues,
    ),
    Metric(
        name="lc_queue_dropped_total",
        meaning="What found no room there.",
        kind=Kind.COUNTER,
        labels=("queue",),
        read=_dropped,
    ),
)
