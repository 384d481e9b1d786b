"""Every way to be bad, by name; those here abuse the channel rather than the vote."""

from collections import deque
from collections.abc import Iterator
from typing import Any, Final

from msgspec.structs import replace

from lc_node.chain.blocks import block_id
from lc_node.chain.codec import encode
from lc_node.chain.crypto import Signer
from lc_node.chain.records import Member
from lc_node.chain.types import BlockId, Digest, Height, Millis, Signature, View, Weight
from lc_node.chain.validators import set_hash
from lc_node.chain.votes import Certificate, Vote, VoteKind
from lc_node.consensus.ballot import Ballot
from lc_node.consensus.core import Core
from lc_node.consensus.messages import (
    SPAN_MAX,
    Blocks,
    CertificateMessage,
    Certificates,
    EpochProof,
    EpochProofs,
    GetBlocks,
    GetCertificates,
    Message,
    VoteMessage,
)
from lc_node.consensus.outputs import Send
from lc_node.consensus.setting import Setting
from lc_node.sim.adversaries import (
    Adversary,
    Equivocator,
    Forger,
    Nullifier,
    Part,
    Revisionist,
    Silent,
    Spammer,
    Withholder,
)
from lc_node.sim.counterfeits import Counterfeiter
from lc_node.sim.node import SendBytes

MEMORY: Final = 500
"""Messages that a replayer remembers."""

REPLAYED: Final = 0.3
"""The share of messages that it answers with an old one."""

RELABELLED: Final = 0.3
"""The share of those that it gives the present epoch's number."""

FLOOD: Final = 20
"""Messages in a burst."""

FLOODED: Final = 0.02
"""The share of messages that a flooder answers with a burst."""

GARBLED: Final = 0.3
"""The share of messages that are answered with bytes that are wrong somewhere."""


class Replayer(Adversary):
    """Sends what it once heard again, in its own name, to anybody, at any later time."""

    def __init__(self, part: Part) -> None:
        """Take a part, remembering nothing."""
        super().__init__(part)
        self._heard: deque[Message] = deque(maxlen=MEMORY)

    def answer(self, message: Message) -> Iterator[Send | SendBytes]:
        """Remember, and say something old."""
        rng = self.part.rng
        self._heard.append(message)
        if rng.random() < REPLAYED:
            old = rng.choice(self._heard)
            told = self._relabelled(old) if rng.random() < RELABELLED else old
            yield Send(to=rng.choice(self.part.others), message=told)

    def _relabelled(self, message: Message) -> Message:
        """Return others' words of a past epoch as if they had been said in this one."""
        epoch = self.part.setting.epoch
        match message:
            case VoteMessage(vote=vote):
                return VoteMessage(vote=replace(vote, epoch=epoch))
            case CertificateMessage(certificate=certificate):
                return CertificateMessage(certificate=replace(certificate, epoch=epoch))
            case _:
                return message


class Flooder(Adversary):
    """Sends bursts: the same vote, questions without end, votes of views that nobody is in."""

    def answer(self, message: Message) -> Iterator[Send | SendBytes]:
        """Burst, now and then."""
        rng = self.part.rng
        if rng.random() >= FLOODED:
            return
        victim = rng.choice(self.part.others)
        ahead = View(self.view + rng.randint(0, 70))
        vote = self.part.vote(VoteKind.NULLIFY, ahead)
        questions: tuple[Message, ...] = (
            GetBlocks(first=Height(1), below=Height(SPAN_MAX)),
            GetCertificates(
                epoch=self.part.setting.epoch, first=View(1), last=ahead, finalized=View(0)
            ),
            VoteMessage(vote=vote),
            message,
        )
        for _ in range(FLOOD):
            yield Send(to=victim, message=rng.choice(questions))


class Garbler(Adversary):
    """Sends bytes that are almost a message: bits flipped, ends cut off, other bytes in between."""

    def answer(self, message: Message) -> Iterator[Send | SendBytes]:
        """Send a message that it heard, damaged."""
        rng = self.part.rng
        if rng.random() >= GARBLED:
            return
        data = bytearray(encode(message))
        for _ in range(rng.randint(1, 4)):
            place = rng.randrange(len(data))
            match rng.randrange(4):
                case 0:
                    data[place] ^= 1 << rng.randrange(8)
                case 1:
                    del data[max(1, place) :]
                case 2:
                    data[place:place] = rng.randbytes(rng.randint(1, 8))
                case _:
                    data[place] = rng.choice((0x00, 0x7F, 0x90, 0xC0, 0xC1, 0xDC, 0xDD, 0xFF))
        yield SendBytes(to=rng.choice(self.part.others), data=bytes(data))


class Librarian(Adversary):
    """Lies to who asks: blocks changed, swapped or missing, certificates that were never signed."""

    def twist(self, send: Send) -> Iterator[Send]:
        """Falsify an answer."""
        match send.message:
            case Blocks():
                yield Send(to=send.to, message=self._blocks(send.message))
            case Certificates(certificates=certificates):
                false = tuple(self._certificate(held) for held in certificates)
                yield Send(to=send.to, message=Certificates(certificates=false))
            case EpochProofs(proofs=proofs):
                yield Send(to=send.to, message=EpochProofs(proofs=self._proofs(proofs)))
            case CertificateMessage(certificate=held):
                yield Send(
                    to=send.to, message=CertificateMessage(certificate=self._certificate(held))
                )
            case _:
                yield send

    def _blocks(self, answer: Blocks) -> Blocks:
        rng, blocks = self.part.rng, list(answer.blocks)
        place = rng.randrange(len(blocks))
        header = blocks[place].header
        match rng.randrange(4):
            case 0:
                later = replace(header, time=Millis(header.time + 1))
                blocks[place] = replace(blocks[place], header=later)
            case 1:
                blocks.reverse()
            case 2:
                blocks[place] = replace(blocks[place], transactions=())
            case _:
                blocks = blocks[place:]
        false = tuple(self._certificate(held) for held in answer.certificate)
        return Blocks(blocks=tuple(blocks), certificate=false)

    def _proofs(self, proofs: tuple[EpochProof, ...]) -> tuple[EpochProof, ...]:
        """Return a way into the next epochs that leads to validators of its own, or nowhere."""
        rng, place = self.part.rng, self.part.rng.randrange(len(proofs))
        proof = proofs[place]
        match rng.randrange(4):
            case 0:
                alone = (Member(key=self.part.signer.public_key, weight=Weight(1)),)
                false = replace(proof, next_set=replace(proof.next_set, members=alone))
            case 1:
                alone = (Member(key=self.part.signer.public_key, weight=Weight(1)),)
                mine = replace(proof.next_set, members=alone)
                header = replace(proof.header, next_set_hash=(set_hash(mine),))
                subject = replace(proof.certificate.subject, block_id=block_id(header))
                signed = replace(proof.certificate, subject=subject)
                false = EpochProof(header=header, certificate=signed, next_set=mine)
            case 2:
                false = replace(proof, certificate=self._certificate(proof.certificate))
            case _:
                return proofs[place:]
        return (*proofs[:place], false, *proofs[place + 1 :])

    def _certificate(self, held: Certificate) -> Certificate:
        """Return a certificate of another view, of another block, with another's name or signature."""
        rng = self.part.rng
        match rng.randrange(4):
            case 0:
                return replace(held, view=View(held.view + rng.randint(1, 3)))
            case 1:
                return replace(
                    held,
                    subject=replace(held.subject, block_id=BlockId(Digest(rng.randbytes(32)))),
                )
            case 2:
                return replace(held, bitmap=bytes(255 for _ in held.bitmap))
            case _:
                first = Signature(rng.randbytes(64))
                return replace(held, signatures=(first, *held.signatures[1:]))


class _ShamelessBallot(Ballot):
    """Goes on signing although another instance signs under the same key."""

    def lacks(self, vote: Vote) -> bool:
        """Overlook what the other instance signed."""
        del vote
        return False


class Twin(Core):
    """One of two instances with one key, each of which follows the rules (Twins, arXiv 2004.10617)."""

    def __init__(
        self, setting: Setting, *args: Any, signer: Signer | None, **options: Any
    ) -> None:
        """Begin as any other instance, but for minding the other one's votes."""
        super().__init__(setting, *args, signer=signer, **options)
        self._replica.ballot = _ShamelessBallot(setting, signer, may_sign=True)


STRATEGIES: Final[dict[str, type[Adversary]]] = {
    "silent": Silent,
    "withholder": Withholder,
    "nullifier": Nullifier,
    "spammer": Spammer,
    "equivocator": Equivocator,
    "revisionist": Revisionist,
    "forger": Forger,
    "replayer": Replayer,
    "flooder": Flooder,
    "garbler": Garbler,
    "librarian": Librarian,
    "counterfeiter": Counterfeiter,
}
"""The ways to be bad that one instance can act on, by name."""

TWIN: Final = "twin"
"""The way that takes two."""
