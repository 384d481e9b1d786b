"""One core among four members; the test plays the other three, and says what time it is."""

from collections.abc import Iterable, Sequence
from typing import Final, TypeVar

from lc_node.chain.blocks import Block, block_id
from lc_node.chain.crypto import sha256
from lc_node.chain.transactions import SignedTransaction
from lc_node.chain.types import BlockId, ChainId, Digest, Epoch, Millis, PublicKey, View, Weight
from lc_node.chain.votes import NO_SUBJECT, Certificate, Subject, Vote, VoteKind
from lc_node.consensus.certificates import assemble
from lc_node.consensus.core import Core
from lc_node.consensus.messages import CertificateMessage, Message, Propose
from lc_node.consensus.outputs import (
    Audience,
    Deliver,
    Output,
    PersistBlock,
    PersistCertificate,
    PersistVote,
    Send,
)
from lc_node.consensus.params import ConsensusParams
from lc_node.consensus.setting import Setting
from lc_node.consensus.validator_set import ValidatorSet
from lc_node.sim.disk import Disk
from lc_node.sim.keys import SimSigner, verify
from lc_node.sim.ledger import SimLedger, genesis, payment

NOTARIZE, NULLIFY, FINALIZE = VoteKind.NOTARIZE, VoteKind.NULLIFY, VoteKind.FINALIZE
CHAIN: Final = ChainId(sha256(b"a chain"))
MEMBERS: Final = tuple(
    sorted((SimSigner.named(f"member {n}") for n in range(4)), key=lambda s: s.public_key)
)
SIGNERS: Final = {signer.public_key: signer for signer in MEMBERS}
ROOT: Final = genesis(CHAIN)
ROOT_ID: Final = block_id(ROOT)
SETTING: Final = Setting(
    chain_id=CHAIN,
    epoch=Epoch(0),
    validators=ValidatorSet({signer.public_key: Weight(1) for signer in MEMBERS}),
    root=ROOT,
    verifier=verify,
)
PARAMS: Final = ConsensusParams()
START: Final = Millis(1_000_000)

T = TypeVar("T")


def leader(view: int) -> SimSigner:
    """Return who leads a view."""
    return SIGNERS[SETTING.leader(View(view))]


def bystander(*views: int) -> SimSigner:
    """Return a member that leads none of these views."""
    return next(s for s in MEMBERS if all(leader(view) != s for view in views))


def vote(
    signer: SimSigner, kind: VoteKind, view: int, subject: Subject = NO_SUBJECT, epoch: int = 0
) -> Vote:
    """Return a member's vote."""
    setting = SETTING
    message = setting.message(kind, View(view), subject)
    return Vote(
        kind=kind,
        epoch=Epoch(epoch),
        view=View(view),
        subject=subject,
        signer=signer.public_key,
        signature=signer.sign(message),
    )


def certificate(
    kind: VoteKind,
    view: int,
    subject: Subject = NO_SUBJECT,
    signers: Iterable[SimSigner] = MEMBERS[:3],
) -> Certificate:
    """Return a certificate by three members, or those named."""
    votes = [vote(signer, kind, view, subject) for signer in signers]
    return assemble(votes, SETTING.validators)


def subject_of(block: Block, parent_view: int) -> Subject:
    """Return what votes on a block speak of."""
    return Subject(parent_view=View(parent_view), block_id=block_id(block.header))


def propose(block: Block, parent_view: int, justification: Sequence[Certificate] = ()) -> Propose:
    """Return the proposal of the leader of the block's view."""
    view = block.header.view
    return Propose(
        vote=vote(leader(view), NOTARIZE, view, subject_of(block, parent_view)),
        block=block,
        justification=tuple(justification),
    )


class Author:
    """Makes blocks, one on another, as their leaders would."""

    def __init__(self) -> None:
        """Know only the root."""
        self._ledgers = {s.public_key: SimLedger(ROOT, Disk(), s.public_key) for s in MEMBERS}

    def block(
        self,
        view: int,
        parent: BlockId = ROOT_ID,
        time: int = START,
        salt: bytes = bytes(32),
        payments: int = 0,
    ) -> Block:
        """Return the block of a view's leader."""
        ledger = self._ledgers[leader(view).public_key]
        first = view * payments
        paid = tuple(payment(CHAIN, first + number) for number in range(payments))
        block = ledger.variant(parent, View(view), Millis(time), paid, Digest(salt))
        for other in self._ledgers.values():
            other.execute(block)
        return block


class Stage:
    """The core under test with its ledger, its disk and its clock."""

    def __init__(
        self,
        me: SimSigner | None,
        *,
        disk: Disk | None = None,
        may_sign: bool = True,
        params: ConsensusParams = PARAMS,
    ) -> None:
        """Boot from a disk, an empty one if none is given."""
        self.me = me
        self.disk = disk or Disk()
        self.now = START
        self.outputs: list[Output] = []
        proposer = me.public_key if me else MEMBERS[0].public_key
        self.ledger = SimLedger(ROOT, self.disk, proposer)
        height = self.disk.height
        tip = self.disk.block(height).header if height else ROOT
        self.core = Core(
            SETTING, self.ledger, tip=tip, signer=me, params=params, may_sign=may_sign
        )
        self.core.replay(*self.disk.rows())

    @property
    def others(self) -> tuple[SimSigner, ...]:
        """The members whom the test plays."""
        return tuple(member for member in MEMBERS if member != self.me)

    def certificate(
        self,
        kind: VoteKind,
        view: int,
        subject: Subject = NO_SUBJECT,
        signers: Iterable[SimSigner] = (),
    ) -> Certificate:
        """Return a certificate by three others, or by those named."""
        return certificate(kind, view, subject, tuple(signers) or self.others[:3])

    @staticmethod
    def payments(count: int) -> tuple[SignedTransaction, ...]:
        """Return some transactions."""
        return tuple(payment(CHAIN, number + 1) for number in range(count))

    def start(self) -> "Stage":
        """Start the core."""
        self._take(self.core.start(self.now))
        return self

    def tell(self, *messages: Message, peer: SimSigner = MEMBERS[0]) -> list[Output]:
        """Give messages of a peer; return what the core wants done."""
        return self._take(
            [
                output
                for message in messages
                for output in self.core.on_message(peer.public_key, message, self.now)
            ]
        )

    def adopt(self, *certificates: Certificate, peer: SimSigner = MEMBERS[0]) -> list[Output]:
        """Give certificates of a peer."""
        return self.tell(*(CertificateMessage(certificate=c) for c in certificates), peer=peer)

    def wait(self, span: int) -> list[Output]:
        """Let time pass, then wake the core."""
        self.now = Millis(self.now + span)
        return self._take(self.core.on_time(self.now))

    def work(self, number: int = 1) -> list[Output]:
        """Put a transaction into the mempool."""
        self.ledger.submit(payment(CHAIN, number), self.now)
        return self._take(self.core.on_work(self.now))

    def restart(self, *, may_sign: bool = True) -> "Stage":
        """Return the core that boots from this one's disk."""
        stage = Stage(self.me, disk=self.disk, may_sign=may_sign)
        stage.now = self.now
        return stage.start()

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


def of(kind: type[T], outputs: Iterable[object]) -> list[T]:
    """Return the outputs of one kind."""
    return [output for output in outputs if isinstance(output, kind)]


def sent(
    kind: type[T], outputs: Iterable[Output], to: PublicKey | Audience | None = None
) -> list[T]:
    """Return the messages of one kind that were sent (to somebody)."""
    sends = [send for send in of(Send, outputs) if to is None or send.to == to]
    return of(kind, [send.message for send in sends])


def signed(outputs: Iterable[Output]) -> list[tuple[str, int]]:
    """Return what was signed: kind and view."""
    return [(o.vote.kind.name, o.vote.view) for o in of(PersistVote, outputs)]
