"""Cores with one rule left out each: the simulator is worth what it notices of them."""

from collections.abc import Sequence
from typing import Any

from lc_node.chain.types import BlockId, Millis, PublicKey, View, Weight
from lc_node.chain.votes import VoteKind
from lc_node.consensus.ballot import Ballot
from lc_node.consensus.book import CertificateBook, Gap
from lc_node.consensus.core import Core
from lc_node.consensus.messages import Message, Propose
from lc_node.consensus.outputs import Output, PersistCertificate, PersistVote, Send
from lc_node.consensus.tally import Tally


class _LaxBallot(Ballot):
    """Signs FINALIZE beside NULLIFY."""

    def may_finalize(self, view: View) -> bool:
        return self.may_sign and self.signed(VoteKind.FINALIZE, view) is None

    def may_nullify(self, view: View) -> bool:
        return self.may_sign and self.signed(VoteKind.NULLIFY, view) is None


class _CredulousBook(CertificateBook):
    """Believes that skipped views were nullified."""

    def parent(self, parent_view: View, view: View) -> BlockId | Gap:
        return self.notarized(parent_view) or Gap(parent_view, parent_view)


class _Mutant(Core):
    """A core into which a defect is put before it starts."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.spoil()

    def spoil(self) -> None:
        """Put the defect in."""


class NullifiesAndFinalizes(_Mutant):
    """Without the exclusion of D.4 and D.5."""

    def spoil(self) -> None:
        self._replica.ballot.__class__ = _LaxBallot


class SkipsUncheckedViews(_Mutant):
    """Without D.3 b."""

    def spoil(self) -> None:
        self._replica.book.__class__ = _CredulousBook


class NotarizesEveryProposal(_Mutant):
    """Notarises every new proposal of a view, not only the first."""

    def on_message(self, peer: PublicKey, message: Message, now: Millis) -> list[Output]:
        if isinstance(message, Propose):
            self._replica.proposals.pop(message.vote.view, None)
            self._replica.ballot._votes.pop((VoteKind.NOTARIZE, message.vote.view), None)
        return super().on_message(peer, message, now)


class CountsHalfAsQuorum(_Mutant):
    """With a quorum of more than half instead of more than two thirds."""

    def spoil(self) -> None:
        validators = self._setting.validators
        validators.quorum = Weight(validators.total // 2 + 1)
        self._replica.tally = Tally(validators)


class ForgetsItsVotes(_Mutant):
    """Without the vote rows of E."""

    def _outputs(self, now: Millis) -> list[Output]:
        return [o for o in super()._outputs(now) if not isinstance(o, PersistVote)]


class SendsBeforeItStores(_Mutant):
    """With the two halves of E in the wrong order."""

    def _outputs(self, now: Millis) -> list[Output]:
        return sorted(super()._outputs(now), key=lambda output: not isinstance(output, Send))


class ForgetsCertificates(_Mutant):
    """Without the certificates of C and E."""

    def _outputs(self, now: Millis) -> list[Output]:
        outputs = super()._outputs(now)
        return [
            PersistVote(vote=o.vote, certificate=None) if isinstance(o, PersistVote) else o
            for o in outputs
            if not isinstance(o, PersistCertificate)
        ]


class DoesNotRecountItsVotes(_Mutant):
    """Without the recount of E."""

    def replay(
        self,
        votes: Sequence[tuple[bytes, bytes]],
        certificates: Sequence[bytes],
        blocks: Sequence[bytes],
    ) -> None:
        super().replay(votes, certificates, blocks)
        self._replica.tally = Tally(self._setting.validators)


class SaysNothingTwice(_Mutant):
    """Without D.9."""

    def _outputs(self, now: Millis) -> list[Output]:
        self._replica.settle(now)
        self._replica.resends_at = self._replica.finalizes_at = None
        return super()._outputs(now)


class NeverGivesUp(_Mutant):
    """Without D.4."""

    def _outputs(self, now: Millis) -> list[Output]:
        self._replica.pace._entered = now
        return super()._outputs(now)
