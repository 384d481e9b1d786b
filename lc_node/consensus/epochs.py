"""One core after the other: what happens between epochs (docs/CONSENSUS.md, F).

Everything in an epoch is its core's. When an epoch's last block is delivered, its core is let go and
the next one starts; who is still in the old epoch is handed the certificate that ends it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from lc_node.chain.blocks import Header, block_id
from lc_node.chain.crypto import Signer
from lc_node.chain.types import ChainId, Epoch, Millis, PublicKey, View
from lc_node.consensus.application import EpochApplication
from lc_node.consensus.core import Core
from lc_node.consensus.latecomers import Early, Patience
from lc_node.consensus.messages import (
    PROOFS_MAX,
    CertificateMessage,
    Certificates,
    EpochProof,
    EpochProofs,
    GetCertificates,
    GetEpochs,
    Message,
    Propose,
    VoteMessage,
)
from lc_node.consensus.outputs import Fault, Misbehaviour, Output, Send
from lc_node.consensus.params import ConsensusParams
from lc_node.consensus.proofs import is_proof, next_setting
from lc_node.consensus.setting import Setting, Verifier
from lc_node.consensus.validator_set import ValidatorSet

_DEFAULTS = ConsensusParams()
_FIRST = Epoch(0)


class Archive(Protocol):
    """What the vote store holds, by epoch (``ports.stores.VoteStore``)."""

    def votes(self, epoch: Epoch) -> Sequence[tuple[bytes, bytes]]:
        """Return our votes of an epoch with their certificates, in the order signed."""
        ...

    def certificates(self, epoch: Epoch) -> Sequence[bytes]:
        """Return the epoch's certificates by view."""
        ...

    def blocks(self, epoch: Epoch) -> Sequence[bytes]:
        """Return the epoch's unfinalised block bodies by view."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Voter:
    """Who this node is, on which chain."""

    chain_id: ChainId
    signer: Signer | None
    """Our key; in epochs whose set has it we vote. None: we follow."""
    verifier: Verifier
    signs_from: Epoch = _FIRST
    """The first epoch in which we may sign: of those before it the record of our votes may be lost (E)."""


class Epochs:
    """A node's part in agreement, from one epoch to the next."""

    def __init__(
        self,
        application: EpochApplication,
        archive: Archive,
        *,
        tip: Header,
        voter: Voter,
        params: ConsensusParams = _DEFAULTS,
        core: type[Core] = Core,
    ) -> None:
        """Prepare a node whose last delivered block is ``tip``.

        Args:
            application: the ledger, at ``tip``.
            archive: what was stored of our votes; asked again at each new epoch, since the chain may
                have lost, in a power cut, the last blocks of an epoch after which we have voted.
            tip: header of the last delivered block.
            voter: chain and key.
            params: the constants of agreement.
            core: what runs an epoch.
        """
        self._application = application
        self._archive = archive
        self._voter = voter
        self._params = params
        self._make_core = core
        self._core = self._core_on(tip)
        self._early = Early()
        self._answered = Patience(params.retry)
        self._asked: tuple[PublicKey, Millis] | None = None
        self._ahead: dict[Epoch, tuple[PublicKey, EpochProof]] = {}
        """Ends of epochs that we have yet to reach, verified, and who told us."""

    @property
    def setting(self) -> Setting:
        """The current epoch."""
        return self._core.setting

    @property
    def epoch(self) -> Epoch:
        """The number of the current epoch."""
        return self.setting.epoch

    @property
    def validators(self) -> ValidatorSet:
        """Who votes in the current epoch."""
        return self.setting.validators

    @property
    def view(self) -> View:
        """The view this node is in."""
        return self._core.view

    @property
    def finalized(self) -> View:
        """The highest view of this epoch of which this node holds a finalisation."""
        return self._core.finalized

    @property
    def may_sign(self) -> bool:
        """Whether this node votes in the current epoch."""
        return self._core.may_sign

    # Inputs.

    def start(self, now: Millis) -> list[Output]:
        """Take back what was stored of this epoch, and begin."""
        return self._and_on(self._start(now), now)

    def on_message(self, peer: PublicKey, message: Message, now: Millis) -> list[Output]:
        """Deal with a message of a peer whose identity the transport has proved."""
        if isinstance(message, GetEpochs):
            return self._answer_epochs(peer, message, now)
        if isinstance(message, EpochProofs):
            return self._and_on(self._on_proofs(peer, message, now), now)
        epoch = _epoch_of(message)
        if epoch is None or epoch == self.epoch:
            return self._and_on(self._core.on_message(peer, message, now), now)
        if epoch < self.epoch:
            return self._answer_past(peer, epoch, message, now)
        if epoch == self.epoch + 1:
            self._early.hold(peer, message)
        return self._ask_epochs(peer, now)

    def on_time(self, now: Millis) -> list[Output]:
        """Deal with the coming of a time that was set; coming early or late does no harm."""
        return self._and_on(self._core.on_time(now), now)

    def on_work(self, now: Millis) -> list[Output]:
        """Look for work again: the mempool or the jobs that fall due have changed."""
        return self._and_on(self._core.on_work(now), now)

    # From epoch to epoch.

    def _core_on(self, tip: Header) -> Core:
        era = self._application.era(block_id(tip))
        setting = Setting(
            chain_id=self._voter.chain_id,
            epoch=era.epoch,
            validators=ValidatorSet(era.members),
            root=era.root,
            verifier=self._voter.verifier,
            epoch_heights=era.epoch_heights,
        )
        return self._make_core(
            setting,
            self._application,
            tip=tip,
            signer=self._voter.signer,
            params=self._params,
            may_sign=era.epoch >= self._voter.signs_from,
        )

    def _start(self, now: Millis) -> list[Output]:
        epoch, archive = self.epoch, self._archive
        self._core.replay(archive.votes(epoch), archive.certificates(epoch), archive.blocks(epoch))
        return self._core.start(now)

    def _and_on(self, outputs: list[Output], now: Millis) -> list[Output]:
        """Return what follows of what the core did: perhaps that its epoch is over (F.3)."""
        while self._core.is_over:
            self._core = self._core_on(self._core.tip)
            outputs += self._start(now)
            outputs += self._reach_ahead(now)
            for peer, message in self._early.drain():
                outputs += self._core.on_message(peer, message, now)
        return outputs

    def _reach_ahead(self, now: Millis) -> list[Output]:
        """Make the end of this epoch the goal, if it is known."""
        known = self._ahead.pop(self.epoch, None)
        if known is None:
            return []
        peer, proof = known
        return self._core.on_message(peer, CertificateMessage(certificate=proof.certificate), now)

    # Who is in another epoch.

    def _answer_past(
        self, peer: PublicKey, epoch: Epoch, message: Message, now: Millis
    ) -> list[Output]:
        """F.3: tell who is still at work in a past epoch how it ended, also if that block is not kept here."""
        is_question = isinstance(message, Propose | VoteMessage | GetCertificates)
        if not is_question or not self._answered.allows(peer, epoch, now):
            return []
        proof = self._application.epoch_proof(epoch)
        if proof is None:
            return []
        return [Send(to=peer, message=CertificateMessage(certificate=proof.certificate))]

    def _answer_epochs(self, peer: PublicKey, question: GetEpochs, now: Millis) -> list[Output]:
        """F.6: lead who asks from its epoch towards ours."""
        if not self._answered.allows(peer, question.first, now):
            return []
        proofs: list[EpochProof] = []
        for epoch in range(question.first, min(self.epoch, question.first + PROOFS_MAX)):
            proof = self._application.epoch_proof(Epoch(epoch))
            if proof is None:
                break
            proofs.append(proof)
        answer = EpochProofs(proofs=tuple(proofs))
        return [Send(to=peer, message=answer)] if proofs else []

    def _ask_epochs(self, peer: PublicKey, now: Millis) -> list[Output]:
        """F.6: ask who is ahead for the way, once in a while."""
        is_asked = self._asked is not None and now < self._asked[1] + self._params.retry
        if is_asked or self.epoch in self._ahead:
            return []
        self._asked = (peer, now)
        return [Send(to=peer, message=GetEpochs(first=self.epoch))]

    def _on_proofs(self, peer: PublicKey, message: EpochProofs, now: Millis) -> list[Output]:
        """F.6: believe, epoch by epoch, what the validators known so far have signed."""
        if self._asked is None or self._asked[0] != peer:
            return []
        setting = self.setting
        for proof in message.proofs:
            if proof.header.epoch != setting.epoch:
                continue  # we have moved on since we asked
            if not is_proof(proof, setting):
                return [Misbehaviour(peer=peer, fault=Fault.BAD_CERTIFICATE)]
            self._ahead[setting.epoch] = (peer, proof)
            setting = next_setting(proof, setting)
        self._asked = None
        return self._reach_ahead(now)


def _epoch_of(message: Message) -> Epoch | None:
    """Return the epoch that a message speaks of, None if it is the same in all."""
    match message:
        case Propose(vote=vote) | VoteMessage(vote=vote):
            return vote.epoch
        case CertificateMessage(certificate=certificate):
            return certificate.epoch
        case Certificates(certificates=certificates):
            return certificates[0].epoch
        case GetCertificates(epoch=epoch):
            return epoch
        case _:
            return None
