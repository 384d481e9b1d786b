"""The rules D.2 to D.7 of docs/CONSENSUS.md: propose, vote, adopt certificates, deliver.

Rules never call each other in circles: what one of them brings about waits in a queue or in the
state, and ``settle`` tries all of them again until none has anything to do.
"""

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass

from lc_node.chain.blocks import Block, Header, block_id
from lc_node.chain.codec import encode
from lc_node.chain.types import BlockId, Millis, PublicKey, View
from lc_node.chain.votes import NO_SUBJECT, Certificate, Subject, Vote, VoteKind
from lc_node.consensus.application import Application
from lc_node.consensus.ballot import Ballot
from lc_node.consensus.book import CertificateBook, Foundation, Gap
from lc_node.consensus.certificates import assemble, is_valid, votes_of
from lc_node.consensus.courtesy import Courtesy
from lc_node.consensus.delivery import Delivery
from lc_node.consensus.legality import continues
from lc_node.consensus.messages import (
    JUSTIFICATION_MAX,
    CertificateMessage,
    GetBlock,
    GetCertificates,
    Propose,
    VoteMessage,
)
from lc_node.consensus.outbox import Outbox, Questions
from lc_node.consensus.outputs import (
    Audience,
    EvidenceFound,
    Fault,
    Misbehaviour,
    PersistBlock,
    PersistCertificate,
    PersistVote,
    SigningStopped,
)
from lc_node.consensus.pace import Pace
from lc_node.consensus.params import ConsensusParams
from lc_node.consensus.setting import Setting
from lc_node.consensus.tally import Tally
from lc_node.consensus.tree import BlockTree, Lacking

NOTARIZE, NULLIFY, FINALIZE = VoteKind.NOTARIZE, VoteKind.NULLIFY, VoteKind.FINALIZE


@dataclass(frozen=True, slots=True, kw_only=True)
class Received:
    """A view's first proposal and when it came."""

    vote: Vote
    block: Block
    at: Millis


class Replica:
    """What one node knows and has done in an epoch."""

    def __init__(
        self,
        setting: Setting,
        application: Application,
        ballot: Ballot,
        tip: Header,
        params: ConsensusParams,
    ) -> None:
        """Start before the first view, with ``tip`` delivered."""
        self.setting = setting
        self.params = params
        self.ballot = ballot
        self.outbox = Outbox()
        self.questions = Questions(self.outbox, params.retry)
        self.book = CertificateBook(block_id(setting.root))
        self.tally = Tally(setting.validators)
        self.tree = BlockTree(tip, application)
        self.pace = Pace(application, params)
        self.courtesy = Courtesy(ballot.others, self.outbox, params)
        self.delivery = Delivery(setting, self.tree, self.outbox, self.questions)
        self.view = View(0)
        self.proposals: dict[View, Received] = {}
        self.proposes_at: Millis | None = None
        """When this node, as leader, will propose."""
        self.notarizes_at: Millis | None = None
        """When the time of the leader's block will have come."""
        self.resends_at: Millis | None = None
        """When our votes of this view are to be sent again; None while nothing is amiss (D.9)."""
        self.finalizes_at: Millis | None = None
        """When our last FINALIZE is to be sent again, if it is still of use then."""
        self.polls_at = Millis(0)
        """When to ask anyone what we may have missed."""
        self.is_stirred = True
        """Whether something came in that may give a rule something to do."""
        self._application = application
        self._arrived: deque[tuple[Certificate, PublicKey | None]] = deque()
        self._is_refused = False

    # What comes in.

    def enter(self, view: View, now: Millis) -> None:
        """D.1: begin a view."""
        self.is_stirred = True
        self.view = view
        self.pace.enter(view, now)
        self._is_refused = False
        self.resends_at = now if self.ballot.signed_in(view) else None

    def receive(self, certificate: Certificate, peer: PublicKey | None) -> None:
        """Queue a certificate for adoption; ``peer`` is None if it was made of verified votes here."""
        if self._is_news(certificate):
            self.is_stirred = True
            self._arrived.append((certificate, peer))

    def hold(self, received: Received) -> None:
        """Keep a view's first proposal, and every body that is known to be notarised."""
        vote = received.vote
        self.is_stirred = True
        is_first = self.proposals.setdefault(vote.view, received) is received
        # A block of a view to come is illegal here, and would be kept until that view is past.
        is_timely = received.block.header.view <= vote.view
        if is_timely and (is_first or self.book.notarized(vote.view) == vote.subject.block_id):
            self.tree.add(received.block, vote.subject.block_id)

    def count(self, vote: Vote) -> None:
        """Count a verified vote: it may convict its signer, and it may complete a certificate."""
        self.courtesy.saw(vote)
        counted = self.tally.count(vote)
        if counted.conflict is not None:
            self.outbox.put(EvidenceFound(first=counted.conflict, second=vote))
        if counted.quorum:
            self.receive(assemble(counted.quorum, self.setting.validators), None)
        if vote.kind is NULLIFY and self.tally.is_blocked(vote.view):
            self.is_stirred = True

    def recognise(self, vote: Vote) -> None:
        """Stop signing if a vote under our key is out that we do not know of (E)."""
        if self.ballot.may_sign and self.ballot.lacks(vote):
            self.ballot.stop()
            self.is_stirred = True
            self.outbox.put(SigningStopped(vote=vote))

    def restore_certificates(self, certificates: Iterable[Certificate]) -> None:
        """Take back certificates from before a restart; they were verified then."""
        for certificate in sorted(certificates, key=lambda held: held.view):
            if self._is_news(certificate):
                self.book.add(certificate)
                self.view = max(self.view, View(certificate.view + 1))
        if self.book.finalization is not None:
            self.delivery.finalized(self.book.finalization, None)

    def restore_votes(self, votes: Iterable[Vote]) -> None:
        """Take back our own votes, and count them: a quorum may need them (E)."""
        for vote in votes:
            if vote.view > self.book.finalized:
                self.ballot.restore(vote)
                self.count(vote)
                self.view = max(self.view, vote.view)

    def settle(self, now: Millis) -> None:
        """Apply the rules until none of them has anything to do."""
        self.is_stirred = False
        while self._adopt(now) or self.delivery.deliver(now) or self._vote(now):
            continue
        self.questions.forget(now)

    @property
    def is_over(self) -> bool:
        """F.3: whether the epoch's last block is delivered, so that nothing more is signed in it."""
        return self.setting.is_last(self.tree.tip)

    def _vote(self, now: Millis) -> bool:
        votes = (self._propose, self._notarize, self._nullify)
        return not self.is_over and any(vote(now) for vote in votes)

    # D.5 to D.7: certificates.

    def _adopt(self, now: Millis) -> bool:
        if not self._arrived:
            return False
        certificate, peer = self._arrived.popleft()
        if not self._is_news(certificate):
            return True
        if peer is not None and not is_valid(certificate, self.setting, self.tally.has):
            self.outbox.put(Misbehaviour(peer=peer, fault=Fault.BAD_CERTIFICATE))
            return True
        for vote in votes_of(certificate, self.setting.validators):
            self.recognise(vote)
        self.book.add(certificate)
        match certificate.kind:
            case VoteKind.NOTARIZE:
                self._on_notarization(certificate, now)
            case VoteKind.NULLIFY:
                self._on_nullification(certificate, now)
            case _:
                self._on_finalization(certificate, peer, now)
        if certificate.view >= self.view:
            self.enter(View(certificate.view + 1), now)
        return True

    def _is_news(self, certificate: Certificate) -> bool:
        return (
            certificate.epoch == self.setting.epoch
            and certificate.view > self.book.finalized
            and not self.book.has(certificate.kind, certificate.view)
        )

    def _on_notarization(self, certificate: Certificate, now: Millis) -> None:
        """D.5: finalise, unless the view was nullified; the notarization is stored with the vote."""
        self.polls_at = min(self.polls_at, Millis(now + self.params.retry))
        if self.ballot.may_finalize(certificate.view) and not self.is_over:
            self._sign(FINALIZE, certificate.view, certificate.subject, certificate)
            self.finalizes_at = Millis(now + self.params.retry)
        else:
            self.outbox.put(PersistCertificate(certificate=certificate))
        self.courtesy.forward_later(certificate, now)

    def _on_nullification(self, certificate: Certificate, now: Millis) -> None:
        """D.6: the view is over."""
        self.outbox.put(PersistCertificate(certificate=certificate))
        self.courtesy.forward_later(certificate, now)

    def _on_finalization(
        self, certificate: Certificate, peer: PublicKey | None, now: Millis
    ) -> None:
        """D.7: everything below is settled for ever."""
        view = certificate.view
        self.outbox.put(PersistCertificate(certificate=certificate))
        self.outbox.send(Audience.FOLLOWERS, CertificateMessage(certificate=certificate))
        self.polls_at = Millis(now + self.params.heartbeat)
        self.delivery.finalized(certificate, peer)
        self.tally.prune(view)
        self.ballot.prune(view)
        self.proposals = {v: held for v, held in self.proposals.items() if v > view}

    # D.2: propose.

    def _propose(self, now: Millis) -> bool:
        self.proposes_at = None
        leads = self._leads()
        ground = self._ground(now, asking=leads)
        if ground is None:
            return False
        foundation, parent = ground
        look = self.pace.press if self.setting.is_last(parent) else self.pace.look
        look(foundation.block_id, now)
        if not leads:
            return False
        self.proposes_at = self.pace.proposes_at(parent.time)
        if now < self.proposes_at:
            return False
        block = self._block(foundation, parent, now)
        if block is None:
            return False
        identity = block_id(block.header)
        self.outbox.put(PersistBlock(block=block, block_id=identity))
        self._sign(NOTARIZE, self.view, Subject(parent_view=foundation.view, block_id=identity))
        return True

    def _block(self, foundation: Foundation, parent: Header, now: Millis) -> Block | None:
        """Return what to propose on a parent: after an epoch's last block that very block (F.2)."""
        if self.setting.is_last(parent):
            return self.tree.body(foundation.block_id)
        time = Millis(max(now, parent.time + 1))
        block = self._application.build(foundation.block_id, self.view, time)
        if block is not None:
            self.tree.was_executed(block, block_id(block.header))
        return block

    def proposal(self) -> Propose | None:
        """Return our own proposal of the current view, with what it stands on."""
        vote = self.ballot.signed(NOTARIZE, self.view)
        if vote is None or vote.signer != self.setting.leader(self.view):
            return None
        block = self.tree.body(vote.subject.block_id)
        foundation = self.book.foundation(self.view)
        if block is None or isinstance(foundation, Gap):
            return None
        justification = foundation.justification[:JUSTIFICATION_MAX]
        return Propose(vote=vote, block=block, justification=justification)

    def _leads(self) -> bool:
        """Return whether this node is to propose: it leads, and has signed nothing in the view."""
        leader = self.setting.leader(self.view)
        return (
            self.ballot.may_sign
            and leader == self.ballot.me
            and not self.ballot.signed_in(self.view)
        )

    def _ground(self, now: Millis, *, asking: bool) -> tuple[Foundation, Header] | None:
        """Return what the view's block is to stand on, executed; ask for what is lacking if told so."""
        if not self.ballot.is_member:
            return None
        foundation = self.book.foundation(self.view)
        if isinstance(foundation, Gap):
            if asking:
                self._ask_certificates(foundation, None, now)
            return None
        parent = self._executed(foundation.block_id, None, now, asking=asking)
        return None if parent is None else (foundation, parent)

    def _executed(
        self, identity: BlockId, best: PublicKey | None, now: Millis, *, asking: bool
    ) -> Header | None:
        if self.delivery.is_behind:
            return None  # its ancestors are on their way
        found = self.tree.execute(identity)
        if not isinstance(found, Lacking):
            return found
        if asking:
            self.questions.ask(GetBlock(block_id=found.block_id), best, now)
        return None

    def _ask_certificates(self, gap: Gap, best: PublicKey | None, now: Millis) -> None:
        question = GetCertificates(
            epoch=self.setting.epoch,
            first=gap.first,
            last=gap.last,
            finalized=self.book.finalized,
        )
        self.questions.ask(question, best, now)

    # D.3 and D.4: vote.

    def _notarize(self, now: Millis) -> bool:
        self.notarizes_at = None
        received = self.proposals.get(self.view)
        if received is None or self._is_refused or not self.ballot.may_notarize(self.view):
            return False
        parent = self._parent(received, now)
        if parent is None:
            return False
        due = Millis(received.block.header.time - self.params.drift)
        if now < due and not self.setting.is_last(parent):  # D.3 e: wait for its time
            self.notarizes_at = due
            return False
        if not self._is_legal(received, parent):  # as if the deadline had come
            self._is_refused = True
            return False
        subject = received.vote.subject
        self.outbox.put(PersistBlock(block=received.block, block_id=subject.block_id))
        self._sign(NOTARIZE, self.view, subject)
        return True

    def _parent(self, received: Received, now: Millis) -> Header | None:
        """D.3 a to c: return the notarised, executed parent, or ask for what is lacking."""
        leader, parent_view = received.vote.signer, received.vote.subject.parent_view
        if parent_view < self.book.finalized:
            self._is_refused = True  # below a finalised view nothing is built any more
            return None
        parent = self.book.parent(parent_view, self.view)
        if isinstance(parent, Gap):
            self._ask_certificates(parent, leader, now)
            return None
        return self._executed(parent, leader, now, asking=True)

    def _is_legal(self, received: Received, parent: Header) -> bool:
        """D.3 d and e, the cheap checks first; on an epoch's last block only itself is legal (F.2)."""
        if self.setting.is_last(parent):
            return received.vote.subject.block_id == block_id(parent)
        header = received.block.header
        return (
            continues(header, parent, received.vote, self.setting)
            and parent.time < header.time
            and self.pace.is_recent(header.time, received.at, self.book.finalized)
            and len(encode(received.block)) <= self.params.block_bytes_max
            and isinstance(self.tree.execute(received.vote.subject.block_id), Header)
        )

    def _nullify(self, now: Millis) -> bool:
        """D.4; also when so many nullify that the view can hardly be finalised any more."""
        if not self.ballot.may_nullify(self.view):
            return False
        is_due = now >= self.pace.deadline(self.book.finalized)
        if not (is_due or self._is_refused or self.tally.is_blocked(self.view)):
            return False
        self._sign(NULLIFY, self.view)
        self.resends_at = Millis(now + self.params.retry)
        return True

    def _sign(
        self,
        kind: VoteKind,
        view: View,
        subject: Subject = NO_SUBJECT,
        certificate: Certificate | None = None,
    ) -> None:
        """Sign, store, then send (E)."""
        vote = self.ballot.sign(kind, view, subject)
        self.outbox.put(PersistVote(vote=vote, certificate=certificate))
        proposal = self.proposal() if kind is NOTARIZE else None
        self.outbox.send(Audience.VALIDATORS, proposal or VoteMessage(vote=vote))
        self.count(vote)
