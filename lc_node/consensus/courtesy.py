"""Helping others along: certificates go to whoever has not shown to hold them (D.8, D.10)."""

from collections import deque

from lc_node.chain.types import Millis, PublicKey, View
from lc_node.chain.votes import Certificate, Vote, VoteKind
from lc_node.consensus.messages import CertificateMessage
from lc_node.consensus.outbox import Outbox
from lc_node.consensus.params import ConsensusParams


class Courtesy:
    """What the other members have shown to know, and what they are still to be told."""

    def __init__(
        self, others: tuple[PublicKey, ...], outbox: Outbox, params: ConsensusParams
    ) -> None:
        """Start knowing nothing about the others."""
        self._others = others
        self._outbox = outbox
        self._params = params
        self._past: dict[PublicKey, View] = {}
        self._waiting: deque[tuple[Millis, Certificate]] = deque()
        self._helped_at: dict[PublicKey, Millis] = {}

    def saw(self, vote: Vote) -> None:
        """Learn which views a voter is past: below its vote's, with a FINALIZE that one too."""
        past = vote.view if vote.kind is VoteKind.FINALIZE else View(vote.view - 1)
        self._past[vote.signer] = max(past, self._past.get(vote.signer, View(0)))

    def forward_later(self, certificate: Certificate, now: Millis) -> None:
        """Forward a new certificate after a while, when most will have shown not to need it."""
        self._waiting.append((Millis(now + self._params.forward_lag), certificate))

    def forward(self, now: Millis) -> None:
        """D.8: send the certificates whose time has come to each member not known past their view."""
        while self._waiting and self._waiting[0][0] <= now:
            _, certificate = self._waiting.popleft()
            for member in self._others:
                if self._past.get(member, 0) < certificate.view:
                    self._outbox.send(member, CertificateMessage(certificate=certificate))

    def next_at(self) -> Millis | None:
        """Return when the next certificate is to be forwarded."""
        return self._waiting[0][0] if self._waiting else None

    def help(self, peer: PublicKey, now: Millis, *certificates: Certificate | None) -> None:
        """D.10: hand certificates to a member that is stuck in a past view, once in a while."""
        if now < self._helped_at.get(peer, 0):
            return
        self._helped_at[peer] = Millis(now + self._params.retry)
        for certificate in certificates:
            if certificate is not None:
                self._outbox.send(peer, CertificateMessage(certificate=certificate))
