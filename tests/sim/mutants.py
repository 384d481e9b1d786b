"""Cores with one rule left out each: the simulator is worth what it notices of them."""

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, cast

from msgspec.structs import replace

from lc_node.chain.blocks import Header
from lc_node.chain.types import (
    BlockId,
    ChainId,
    Epoch,
    Millis,
    MillisSpan,
    PublicKey,
    View,
    Weight,
)
from lc_node.chain.votes import Certificate, Subject, Vote, VoteKind, vote_message
from lc_node.consensus import epochs, replica, setting, tally
from lc_node.consensus.application import Application
from lc_node.consensus.ballot import Ballot
from lc_node.consensus.book import CertificateBook, Gap
from lc_node.consensus.certificates import signers
from lc_node.consensus.core import Core
from lc_node.consensus.legality import continues
from lc_node.consensus.messages import Message, Propose
from lc_node.consensus.outputs import Output, PersistCertificate, PersistVote, Send
from lc_node.consensus.replica import Received, Replica
from lc_node.consensus.setting import Setting
from lc_node.consensus.tally import Tally
from lc_node.consensus.validator_set import ValidatorSet
from lc_node.sim import auditor
from lc_node.sim.ledger import SimLedger


class _LaxBallot(Ballot):
    """Signs FINALIZE beside NULLIFY."""

    def may_finalize(self, view: View) -> bool:
        return self.may_sign and self.signed(VoteKind.FINALIZE, view) is None

    def may_nullify(self, view: View) -> bool:
        return self.may_sign and self.signed(VoteKind.NULLIFY, view) is None


class _FinalizingBallot(Ballot):
    """Signs FINALIZE beside NULLIFY."""

    def may_finalize(self, view: View) -> bool:
        return self.may_sign and self.signed(VoteKind.FINALIZE, view) is None


class _ForgetfulBallot(Ballot):
    """Takes nothing back of what it signed before a restart."""

    def restore(self, vote: Vote) -> None:
        del vote


class _GullibleReplica(Replica):
    """Builds on any block that it has executed."""

    def _parent(self, received: Received, now: Millis) -> Header | None:
        parent = self.tree.execute(received.block.header.parent_id)
        return parent if isinstance(parent, Header) else super()._parent(received, now)


class _CarelessReplica(Replica):
    """Votes for a block without executing it."""

    def _is_legal(self, received: Received, parent: Header) -> bool:
        return continues(received.block.header, parent, received.vote, self.setting)


class _EndlessReplica(Replica):
    """Knows when it is over, but not that only one block can be the last."""

    @property
    def is_over(self) -> bool:
        return self.tree.tip.height == self._true_setting.last_height

    _true_setting: Setting


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


class FinalizesAfterNullifying(_Mutant):
    """Without the exclusion of D.5."""

    def spoil(self) -> None:
        self._replica.ballot.__class__ = _FinalizingBallot


class BuildsOnAnything(_Mutant):
    """Without D.3 a and b."""

    def spoil(self) -> None:
        self._replica.__class__ = _GullibleReplica


class VotesWithoutExecuting(_Mutant):
    """Without the execution of D.3 d."""

    def spoil(self) -> None:
        self._replica.__class__ = _CarelessReplica


class IgnoresTheTime(_Mutant):
    """Without D.3 e: as if clocks could be apart by any length of time."""

    def spoil(self) -> None:
        self._replica.params = replace(self._replica.params, drift=MillisSpan(1 << 40))


class ForgetsWhatItSigned(_Mutant):
    """Without the vote rows' return on a restart (C and E)."""

    def spoil(self) -> None:
        self._replica.ballot.__class__ = _ForgetfulBallot


class BuildsPastTheEnd(_Mutant):
    """Without F.2: after an epoch's last block it proposes, and takes, another one."""

    def spoil(self) -> None:
        replica = self._replica
        replica.__class__ = _EndlessReplica
        cast(_EndlessReplica, replica)._true_setting = replica.setting
        replica.setting = dataclasses.replace(replica.setting, epoch_heights=0)


class VotesWithTheOldSet(_Mutant):
    """Without F.3's change of the set: who voted in the first epoch votes for ever."""

    def __init__(self, setting: Setting, application: Application, **options: Any) -> None:
        plan = cast(SimLedger, application)._plan
        if plan.epoch_heights:
            old = plan.members(Epoch(max(0, setting.epoch - 1)))
            setting = dataclasses.replace(setting, validators=ValidatorSet(old))
        super().__init__(setting, application, **options)


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


# Defects of functions that every node calls: put in for as long as a run takes.


@dataclasses.dataclass(frozen=True, slots=True)
class Patch:
    """A name of a module or class, and what it stands for instead."""

    owner: object
    name: str
    value: Callable[..., object]


@contextmanager
def patched(patches: Sequence[Patch]) -> Iterator[None]:
    """Put defects in, and take them out again."""
    before = [getattr(patch.owner, patch.name) for patch in patches]
    try:
        for patch in patches:
            setattr(patch.owner, patch.name, patch.value)
        yield
    finally:
        for patch, value in zip(patches, before, strict=True):
            setattr(patch.owner, patch.name, value)


def _is_shaped(certificate: Certificate, setting: Setting, known: object) -> bool:
    """Look at a certificate's shape alone, not at its weight and signatures."""
    del known
    named = signers(certificate, setting.validators)
    return certificate.epoch == setting.epoch and len(named) == len(certificate.signatures)


def _of_no_epoch(
    chain_id: ChainId, kind: VoteKind, epoch: Epoch, view: View, subject: Subject
) -> bytes:
    """Leave the epoch out of what a vote signs."""
    del epoch
    return vote_message(chain_id, kind, Epoch(0), view, subject)


def _yes(*_: object) -> bool:
    return True


def _nothing(*_: object) -> list[Output]:
    return []


TRUSTS_VOTES = (Patch(Setting, "verifies", _yes),)
"""Without C's check of signatures."""

TRUSTS_CERTIFICATES = (Patch(replica, "is_valid", _is_shaped),)
"""Without B's check of quorum and signatures."""

IGNORES_THE_PLACE = (Patch(replica, "continues", _yes),)
"""Without D.3 d's check of the header."""

SIGNS_NO_EPOCH = (
    Patch(setting, "vote_message", _of_no_epoch),
    Patch(auditor, "vote_message", _of_no_epoch),
)
"""Without the epoch in what is signed (B, E)."""

CONVICTS_BOTH_KINDS = (
    Patch(
        tally,
        "_OPPOSITE",
        cast(Any, {VoteKind.NULLIFY: VoteKind.NOTARIZE, VoteKind.NOTARIZE: VoteKind.NULLIFY}),
    ),
)
"""With NOTARIZE and NULLIFY as evidence, which honest nodes sign both of (G)."""

STAYS_BEHIND = (
    Patch(epochs.Epochs, "_answer_past", _nothing),
    Patch(epochs.Epochs, "_ask_epochs", _nothing),
)
"""Without F.3's answer to who is in a past epoch, and without F.6's question: either alone is enough."""
