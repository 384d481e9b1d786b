"""Bounds on what those in another epoch than ours may make us keep and send."""

from collections.abc import Iterator
from typing import Final

from lc_node.chain.types import Epoch, Millis, MillisSpan, PublicKey
from lc_node.consensus.messages import CertificateMessage, Message, Propose, VoteMessage

EARLY_PEERS_MAX: Final = 128
"""Peers of whom messages of the next epoch are kept."""

EARLY_PER_PEER_MAX: Final = 4
"""Messages of the next epoch that are kept of one peer, one of them a proposal."""

PEERS_MAX: Final = 1_024
"""Answers of which the time is remembered."""


class Early:
    """Messages of the next epoch, which would have to be said again if they were dropped."""

    def __init__(self) -> None:
        """Start empty."""
        self._by_peer: dict[PublicKey, list[Message]] = {}

    def hold(self, peer: PublicKey, message: Message) -> None:
        """Keep a message if there is room, and if saying it again would take a while."""
        if not isinstance(message, Propose | VoteMessage | CertificateMessage):
            return
        if peer not in self._by_peer and len(self._by_peer) >= EARLY_PEERS_MAX:
            return
        held = self._by_peer.setdefault(peer, [])
        is_second = isinstance(message, Propose) and any(isinstance(m, Propose) for m in held)
        if len(held) < EARLY_PER_PEER_MAX and not is_second and message not in held:
            held.append(message)

    def drain(self) -> Iterator[tuple[PublicKey, Message]]:
        """Take all, proposals first: what they carry makes sense of the rest."""
        by_peer, self._by_peer = self._by_peer, {}
        held = [(peer, message) for peer, messages in by_peer.items() for message in messages]
        yield from sorted(held, key=lambda entry: not isinstance(entry[1], Propose))


class Patience:
    """Who was answered about which epoch, and when, so that nobody is answered all the time."""

    def __init__(self, pause: MillisSpan) -> None:
        """Answer each peer about an epoch at most once in ``pause``."""
        self._pause = pause
        self._again_at: dict[tuple[PublicKey, Epoch], Millis] = {}

    def allows(self, peer: PublicKey, epoch: Epoch, now: Millis) -> bool:
        """Return whether a peer may be answered, and count on it that it is."""
        if now < self._again_at.get((peer, epoch), 0):
            return False
        if len(self._again_at) >= PEERS_MAX:
            self._again_at = {key: at for key, at in self._again_at.items() if at > now}
        if len(self._again_at) >= PEERS_MAX:
            return False
        self._again_at[peer, epoch] = Millis(now + self._pause)
        return True
