"""A node on a chain of short epochs; the test plays all others, and says what time it is."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from lc_node.chain.blocks import Block, Header, block_id
from lc_node.chain.types import BlockId, Epoch, Millis, PublicKey, View, Weight
from lc_node.chain.votes import NO_SUBJECT, Certificate, Subject, Vote, VoteKind
from lc_node.consensus.certificates import assemble
from lc_node.consensus.epochs import Epochs, Voter
from lc_node.consensus.messages import CertificateMessage, Message, Propose
from lc_node.consensus.outputs import (
    Deliver,
    Output,
    PersistBlock,
    PersistCertificate,
    PersistVote,
    Send,
)
from lc_node.consensus.setting import Setting
from lc_node.consensus.validator_set import ValidatorSet
from lc_node.sim.disk import Disk
from lc_node.sim.keys import SimSigner, verify
from lc_node.sim.ledger import SimLedger, payment
from lc_node.sim.plan import Plan
from tests.consensus.stage import CHAIN, MEMBERS, ROOT, START

HEIGHTS: Final = 2
FIRST: Final = Epoch(0)
NEWCOMER: Final = SimSigner.named("newcomer")
SIGNERS: Final = {signer.public_key: signer for signer in (*MEMBERS, NEWCOMER)}
LEAVER: Final = MEMBERS[0]
STAYER: Final = MEMBERS[1]


def members(epoch: Epoch) -> Mapping[PublicKey, Weight]:
    """Return four members of weight one; from epoch 1 on a newcomer has one's place and weighs two."""
    if epoch == 0:
        return {signer.public_key: Weight(1) for signer in MEMBERS}
    stay = {signer.public_key: Weight(1) for signer in MEMBERS[1:]}
    return {**stay, NEWCOMER.public_key: Weight(2)}


def alone(epoch: Epoch) -> Mapping[PublicKey, Weight]:
    """Return one member, of another weight in each epoch."""
    return {MEMBERS[0].public_key: Weight(1 + epoch)}


PLAN: Final = Plan(HEIGHTS, members)


class EpochStage:
    """The node under test with its ledger, its disk and its clock."""

    def __init__(
        self,
        me: SimSigner | None,
        *,
        disk: Disk | None = None,
        plan: Plan = PLAN,
        signs_from: Epoch = FIRST,
    ) -> None:
        """Boot from a disk, an empty one if none is given, and start."""
        self.me = me
        self.disk = disk or Disk()
        self.now = START
        self.outputs: list[Output] = []
        self.ledger = SimLedger(ROOT, self.disk, (me or MEMBERS[0]).public_key, plan)
        tip = self.disk.block(self.disk.height).header if self.disk.height else ROOT
        voter = Voter(chain_id=CHAIN, signer=me, verifier=verify, signs_from=signs_from)
        self.node = Epochs(self.ledger, self.disk, tip=tip, voter=voter)
        self._take(self.node.start(self.now))

    def tell(self, *messages: Message, peer: SimSigner = STAYER) -> list[Output]:
        """Give messages of a peer; return what the node wants done."""
        outputs: list[Output] = []
        for message in messages:
            outputs += self._take(self.node.on_message(peer.public_key, message, self.now))
        return outputs

    def adopt(self, *certificates: Certificate) -> list[Output]:
        """Give certificates of a peer."""
        return self.tell(*(CertificateMessage(certificate=c) for c in certificates))

    def wait(self, span: int) -> list[Output]:
        """Let time pass, then wake the node."""
        self.now = Millis(self.now + span)
        return self._take(self.node.on_time(self.now))

    def work(self, number: int) -> list[Output]:
        """Put a transaction into the mempool."""
        self.ledger.submit(payment(CHAIN, number), self.now)
        return self._take(self.node.on_work(self.now))

    def _take(self, outputs: list[Output]) -> list[Output]:
        """Perform what concerns the disk."""
        self.outputs += outputs
        for output in outputs:
            match output:
                case PersistVote(vote=ours, certificate=under):
                    self.disk.put_vote(ours, under)
                case PersistCertificate(certificate=adopted):
                    self.disk.put_certificate(adopted)
                case PersistBlock(block=block, block_id=identity):
                    self.disk.put_block(block, identity)
                case Deliver(blocks=blocks, certificate=final):
                    self.disk.append(blocks, final)
                    self.ledger.delivered(blocks)
                case _:
                    continue
        return outputs


class Network:
    """All others: they propose, notarise and finalise whatever the test wants."""

    def __init__(self, plan: Plan = PLAN) -> None:
        """Know only the root."""
        self.plan = plan
        self.disk = Disk()
        self.ledger = SimLedger(ROOT, self.disk, STAYER.public_key, plan)
        self._ledgers = {
            signer.public_key: SimLedger(ROOT, self.disk, signer.public_key, plan)
            for signer in (*MEMBERS, NEWCOMER)
        }
        self.setting = self._setting(Epoch(0))

    def block(self, view: int, parent: BlockId | None = None, time: int = START) -> Block:
        """Return the block of a view's leader, by default on the last final block."""
        leader = self.setting.leader(View(view))
        on = parent or block_id(self._tip)
        before = self._ledgers[leader]
        made = before.variant(on, View(view), Millis(max(time, self._tip.time + 1)), ())
        for ledger in self._ledgers.values():
            ledger.execute(made)
        return made

    def vote(
        self, signer: SimSigner, kind: VoteKind, view: int, subject: Subject = NO_SUBJECT
    ) -> Vote:
        """Return somebody's vote in the current epoch."""
        return Vote(
            kind=kind,
            epoch=self.setting.epoch,
            view=View(view),
            subject=subject,
            signer=signer.public_key,
            signature=signer.sign(self.setting.message(kind, View(view), subject)),
        )

    def certificate(
        self,
        kind: VoteKind,
        view: int,
        subject: Subject = NO_SUBJECT,
        without: Iterable[SimSigner] = (),
    ) -> Certificate:
        """Return a certificate by everybody, but for some."""
        signers = [SIGNERS[key] for key in self.setting.validators.keys]
        votes = [self.vote(s, kind, view, subject) for s in signers if s not in tuple(without)]
        return assemble(votes, self.setting.validators)

    def propose(
        self,
        block: Block,
        view: int,
        parent_view: int = 0,
        justification: Sequence[Certificate] = (),
    ) -> Propose:
        """Return the proposal of a view's leader."""
        subject = subject_of(block, parent_view)
        leader = SIGNERS[self.setting.leader(View(view))]
        vote = self.vote(leader, VoteKind.NOTARIZE, view, subject)
        return Propose(vote=vote, block=block, justification=tuple(justification))

    def finalize(
        self, block: Block, view: int, parent_view: int = 0, without: Iterable[SimSigner] = ()
    ) -> Certificate:
        """Make a block final everywhere but at the node under test."""
        subject = subject_of(block, parent_view)
        certificate = self.certificate(VoteKind.FINALIZE, view, subject, without)
        self.disk.append((block,), certificate)
        self.setting = self._setting(self.plan.epoch_after(block.header))
        return certificate

    def finish(self, node: EpochStage) -> tuple[Block, Certificate]:
        """Bring a node over the end of epoch 0; return the last block and its finalisation."""
        self._bring(node, 1)
        return self._bring(node, 2)

    def _bring(self, node: EpochStage, view: int) -> tuple[Block, Certificate]:
        """Make a view's block final everywhere."""
        block = self.block(view)
        proposal = self.propose(block, view, view - 1)
        certificate = self.finalize(block, view, view - 1)
        node.tell(proposal, CertificateMessage(certificate=certificate))
        return block, certificate

    @property
    def _tip(self) -> Header:
        return self.disk.block(self.disk.height).header if self.disk.height else ROOT

    def _setting(self, epoch: Epoch) -> Setting:
        return Setting(
            chain_id=CHAIN,
            epoch=epoch,
            validators=ValidatorSet(self.plan.members(epoch)),
            root=self._tip,
            verifier=verify,
            epoch_heights=self.plan.epoch_heights,
        )


def subject_of(block: Block, parent_view: int) -> Subject:
    """Return what votes on a block speak of."""
    return Subject(parent_view=View(parent_view), block_id=block_id(block.header))


def converse(asker: EpochStage, helper: EpochStage, rounds: int) -> None:
    """Let a node wait, and carry what it sends to another one and back."""
    for _ in range(rounds):
        waiting = [o.message for o in asker.wait(1_000) if isinstance(o, Send)]
        while waiting:
            said = helper.tell(*waiting, peer=NEWCOMER)
            answers = [
                o.message for o in said if isinstance(o, Send) and o.to == NEWCOMER.public_key
            ]
            waiting = [o.message for o in asker.tell(*answers) if isinstance(o, Send)]
        helper.now = asker.now
