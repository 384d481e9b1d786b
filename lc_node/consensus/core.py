"""Agreement as a pure machine: messages, times and work go in, outputs come out (docs/CONSENSUS.md).

The core reads no clock, draws no randomness and does no IO. Every input returns a list of outputs,
to be performed in that order before the next input is given.
"""

from collections.abc import Sequence

from lc_node.chain.blocks import BLOCK_DECODER, Header, block_id
from lc_node.chain.crypto import Signer
from lc_node.chain.types import Millis, PublicKey, View
from lc_node.chain.votes import Certificate, Vote, VoteKind
from lc_node.consensus import library
from lc_node.consensus.application import Application
from lc_node.consensus.ballot import Ballot
from lc_node.consensus.certificates import is_valid
from lc_node.consensus.messages import (
    CERTIFICATE_DECODER,
    VOTE_DECODER,
    Blocks,
    CertificateMessage,
    Certificates,
    GetBlock,
    GetBlocks,
    GetCertificates,
    Message,
    Propose,
    VoteMessage,
)
from lc_node.consensus.outputs import Fault, Misbehaviour, Output, SetTimer
from lc_node.consensus.params import ConsensusParams
from lc_node.consensus.repeats import repeat, wake_times
from lc_node.consensus.replica import Received, Replica
from lc_node.consensus.setting import Setting, is_well_formed

_DEFAULTS = ConsensusParams()


class Core:
    """One node's part in an epoch: a member that votes, or a follower that only listens."""

    def __init__(
        self,
        setting: Setting,
        application: Application,
        *,
        tip: Header,
        signer: Signer | None,
        params: ConsensusParams = _DEFAULTS,
        may_sign: bool = True,
    ) -> None:
        """Prepare a node whose last delivered block is ``tip``; then replay, then start.

        Args:
            setting: chain, epoch, validators.
            application: the ledger, at ``tip``.
            tip: header of the last delivered block, the setting's root at first.
            signer: our key; whether it is in the set decides if we vote. None: we follow.
            params: the constants of agreement.
            may_sign: False if the record of our votes in this epoch was lost (E).
        """
        self._setting = setting
        self._application = application
        self._params = params
        ballot = Ballot(setting, signer, may_sign=may_sign)
        self._replica = Replica(setting, application, ballot, tip, params)
        self._timer: Millis | None = None
        self._rests_until: Millis | None = None
        """No rule has anything to do before this time, unless something comes in; None: ever."""

    @property
    def view(self) -> View:
        """The view this node is in."""
        return self._replica.view

    @property
    def finalized(self) -> View:
        """The highest view of which this node holds a finalisation."""
        return self._replica.book.finalized

    @property
    def tip(self) -> Header:
        """The last block that was delivered."""
        return self._replica.tree.tip

    @property
    def setting(self) -> Setting:
        """The epoch."""
        return self._setting

    @property
    def is_over(self) -> bool:
        """Whether the epoch's last block is delivered: nothing more is signed in it (F.3)."""
        return self._replica.is_over

    @property
    def may_sign(self) -> bool:
        """Whether this node votes."""
        return self._replica.ballot.may_sign

    # Inputs.

    def replay(
        self,
        votes: Sequence[tuple[bytes, bytes]],
        certificates: Sequence[bytes],
        blocks: Sequence[bytes],
    ) -> None:
        """Take back what the vote store holds of this epoch, before the start (E).

        Raises:
            MalformedBytes: the store holds something that it was never given.
        """
        held = [CERTIFICATE_DECODER.decode(data) for data in certificates]
        held += [CERTIFICATE_DECODER.decode(data) for _, data in votes if data]
        self._replica.restore_certificates(held)
        for data in blocks:
            block = BLOCK_DECODER.decode(data)
            self._replica.tree.add(block, block_id(block.header))
        self._replica.restore_votes([VOTE_DECODER.decode(data) for data, _ in votes])

    def start(self, now: Millis) -> list[Output]:
        """Begin, once everything stored was replayed."""
        replica = self._replica
        certificate = self._application.finalization(self.tip.height)
        replica.restore_certificates([certificate] if certificate is not None else [])
        replica.enter(max(replica.view, View(1)), now)
        replica.polls_at = replica.finalizes_at = now
        return self._outputs(now)

    def on_message(self, peer: PublicKey, message: Message, now: Millis) -> list[Output]:
        """Deal with a message of a peer whose identity the transport has proved."""
        match message:
            case Propose():
                self._on_proposal(peer, message, now)
            case VoteMessage():
                self._on_vote(peer, message.vote, now)
            case CertificateMessage():
                self._replica.receive(message.certificate, peer)
            case Certificates():
                for certificate in message.certificates:
                    self._replica.receive(certificate, peer)
            case GetCertificates():
                self._answer(peer, self._certificates(message))
            case GetBlocks():
                self._answer(peer, library.finalized_blocks(message, self._application))
            case GetBlock():
                self._answer(peer, self._block(message))
            case Blocks():
                self._on_blocks(peer, message, now)
            case _:
                return []  # what leads from one epoch to the next: see consensus.epochs
        return self._outputs(now)

    def on_time(self, now: Millis) -> list[Output]:
        """Deal with the coming of a time that was set; coming early or late does no harm."""
        self._timer = None  # it has rung: what is still to come must be set anew
        return self.on_work(now)

    def on_work(self, now: Millis) -> list[Output]:
        """Look for work again: the mempool or the jobs that fall due have changed."""
        self._replica.pace.look_again()
        self._replica.is_stirred = True
        return self._outputs(now)

    # Messages.

    def _on_proposal(self, peer: PublicKey, message: Propose, now: Millis) -> None:
        """D.3: the first from a view's leader counts; of a later one the vote is evidence."""
        vote, block = message.vote, message.block
        if vote.epoch != self._setting.epoch:
            return
        is_right = (
            vote.kind is VoteKind.NOTARIZE
            and is_well_formed(vote.kind, vote.view, vote.subject)
            and vote.signer == self._setting.leader(vote.view)
            and vote.subject.block_id == block_id(block.header)
            and self._application.is_intact(block)
        )
        if not is_right:
            self._accuse(peer, Fault.BAD_PROPOSAL)
            return
        for certificate in message.justification:
            self._replica.receive(certificate, peer)
        last = self.view + self._params.proposals_ahead
        if self.finalized < vote.view <= last and self._on_vote(peer, vote, now):
            self._replica.hold(Received(vote=vote, block=block, at=now))

    def _on_vote(self, peer: PublicKey, vote: Vote, now: Millis) -> bool:
        """Count a vote; return whether it is valid and of a view that still matters."""
        replica = self._replica
        if vote.epoch != self._setting.epoch or vote.signer not in self._setting.validators:
            return False
        if vote.kind is VoteKind.NULLIFY and vote.view < self.view and peer == vote.signer:
            entry, newest = replica.book.entry(self.view), replica.book.finalization
            replica.courtesy.help(peer, now, newest, entry if entry != newest else None)
        if not self.finalized < vote.view <= self.view + self._params.views_ahead:
            return False
        if not replica.tally.is_wanted(vote):
            return replica.tally.has(vote)
        is_valid_ = is_well_formed(vote.kind, vote.view, vote.subject)
        if not (is_valid_ and self._setting.verifies(vote)):
            self._accuse(peer, Fault.BAD_SIGNATURE)
            return False
        replica.recognise(vote)
        replica.count(vote)
        return True

    def _on_blocks(self, peer: PublicKey, message: Blocks, now: Millis) -> None:
        """Take bodies that were asked for by id, or that lead to a finalisation we have yet to reach."""
        replica, last = self._replica, message.blocks[-1]
        identity = block_id(last.header)
        if replica.questions.is_open(GetBlock(block_id=identity)):
            replica.tree.add(last, identity)
        for certificate in message.certificate:
            self._on_finalization(peer, certificate)
        replica.settle(now)
        replica.delivery.fill(message.blocks)
        replica.is_stirred = True

    def _on_finalization(self, peer: PublicKey, certificate: Certificate) -> None:
        replica = self._replica
        if certificate.kind is not VoteKind.FINALIZE or certificate.epoch != self._setting.epoch:
            return
        if certificate.view > self.finalized:
            replica.receive(certificate, peer)
        elif not is_valid(certificate, self._setting, replica.tally.has):
            self._accuse(peer, Fault.BAD_CERTIFICATE)
        else:
            replica.delivery.approach(certificate, peer)

    def _certificates(self, question: GetCertificates) -> Certificates | None:
        is_ours = question.epoch == self._setting.epoch
        return library.certificates(question, self._replica.book) if is_ours else None

    def _block(self, question: GetBlock) -> Blocks | None:
        block = self._replica.tree.body(question.block_id)
        return None if block is None else Blocks(blocks=(block,), certificate=())

    # Outputs.

    def _outputs(self, now: Millis) -> list[Output]:
        is_due = self._rests_until is not None and self._rests_until <= now
        if is_due or self._replica.is_stirred:
            self._apply_rules(now)
        return self._replica.outbox.drain()

    def _apply_rules(self, now: Millis) -> None:
        """Let every rule have its say; most messages are votes that give none of them any cause to."""
        self._replica.settle(now)
        repeat(self._replica, now)
        times = tuple(wake_times(self._replica))
        self._rests_until = min(times, default=None)
        wake_at = min((at for at in times if at > now), default=None)
        if wake_at is not None and wake_at != self._timer:
            self._timer = wake_at
            self._replica.outbox.put(SetTimer(at=wake_at))

    def _answer(self, peer: PublicKey, answer: Message | None) -> None:
        if answer is not None:
            self._replica.outbox.send(peer, answer)

    def _accuse(self, peer: PublicKey, fault: Fault) -> None:
        self._replica.outbox.put(Misbehaviour(peer=peer, fault=fault))
