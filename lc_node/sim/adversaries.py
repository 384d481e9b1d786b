"""Validators that break the rules on purpose, each with a real core under it to know what is going on."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from random import Random
from typing import Final

from lc_node.chain.blocks import block_id
from lc_node.chain.crypto import Signer
from lc_node.chain.types import BlockId, Digest, Millis, PublicKey, Signature, View
from lc_node.chain.votes import NO_SUBJECT, Certificate, Subject, Vote, VoteKind
from lc_node.consensus.messages import (
    JUSTIFICATION_MAX,
    CertificateMessage,
    Message,
    Propose,
    VoteMessage,
)
from lc_node.consensus.outputs import Audience, PersistCertificate, PersistVote, Send
from lc_node.consensus.setting import Setting
from lc_node.sim.economy import NodeLedger
from lc_node.sim.node import Deed, Machine, SendBytes

WITHHELD: Final = 0.5
"""The share of its messages that a withholder keeps to itself."""

SPAMMED: Final = 0.5
"""The share of messages that a spammer answers."""

FALSE: Final = 0.1
"""The share of a spammer's votes with a false signature, in its own name or another's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """What an adversary has at hand."""

    machine: Machine
    ledger: NodeLedger
    signer: Signer
    rng: Random

    @property
    def setting(self) -> Setting:
        """The epoch that the core underneath is in."""
        return self.machine.setting

    @property
    def others(self) -> tuple[PublicKey, ...]:
        """The other members."""
        return tuple(k for k in self.setting.validators.keys if k != self.signer.public_key)

    def vote(self, kind: VoteKind, view: View, subject: Subject = NO_SUBJECT) -> Vote:
        """Sign anything at all."""
        return Vote(
            kind=kind,
            epoch=self.setting.epoch,
            view=view,
            subject=subject,
            signer=self.signer.public_key,
            signature=self.signer.sign(self.setting.message(kind, view, subject)),
        )


class Adversary:
    """Passes everything through; subclasses twist what comes out."""

    def __init__(self, part: Part) -> None:
        """Take a part."""
        self.part = part

    @property
    def view(self) -> View:
        """The view of the core underneath."""
        return self.part.machine.view

    @property
    def setting(self) -> Setting:
        """The epoch that the core underneath is in."""
        return self.part.setting

    def start(self, now: Millis) -> list[Deed]:
        """Begin."""
        return self._twisted(self.part.machine.start(now))

    def on_message(self, peer: PublicKey, message: Message, now: Millis) -> list[Deed]:
        """Deal with a message."""
        deeds = self._twisted(self.part.machine.on_message(peer, message, now))
        deeds.extend(self.answer(message))
        return deeds

    def on_time(self, now: Millis) -> list[Deed]:
        """Deal with the coming of a time."""
        return self._twisted(self.part.machine.on_time(now))

    def on_work(self, now: Millis) -> list[Deed]:
        """Deal with new work."""
        return self._twisted(self.part.machine.on_work(now))

    def twist(self, send: Send) -> Iterator[Send]:
        """Yield what is sent in place of what an honest node would send."""
        yield send

    def notice(self, output: Deed) -> None:
        """Look at what the core underneath concludes."""

    def answer(self, message: Message) -> Iterator[Send | SendBytes]:
        """Yield what else is sent when a message comes."""
        del message
        yield from ()

    def _twisted(self, outputs: Sequence[Deed]) -> list[Deed]:
        twisted: list[Deed] = []
        for output in outputs:
            self.notice(output)
            twisted.extend(self.twist(output) if isinstance(output, Send) else (output,))
        return twisted

    def _each(self, send: Send) -> Iterator[Send]:
        """Yield one send for each member that is meant."""
        if send.to is not Audience.VALIDATORS:
            yield send
            return
        for key in self.part.others:
            yield Send(to=key, message=send.message)


class Silent(Adversary):
    """Hears everything and says nothing."""

    def twist(self, send: Send) -> Iterator[Send]:
        """Send nothing."""
        del send
        yield from ()


class Withholder(Adversary):
    """Tells some what it keeps from others: blocks, votes, certificates and answers."""

    def twist(self, send: Send) -> Iterator[Send]:
        """Send a part of it."""
        yield from (each for each in self._each(send) if self.part.rng.random() >= WITHHELD)


class Nullifier(Adversary):
    """Votes to give up every view, at once, and for nothing else."""

    def twist(self, send: Send) -> Iterator[Send]:
        """Replace every vote by a nullification of its view."""
        if isinstance(send.message, Propose | VoteMessage):
            vote = self.part.vote(VoteKind.NULLIFY, send.message.vote.view)
            yield Send(to=send.to, message=VoteMessage(vote=vote))
        else:
            yield send


class Spammer(Adversary):
    """Answers what it hears with votes on everything, for everything and against everything."""

    def answer(self, message: Message) -> Iterator[Send]:
        """Vote at random on whatever the message speaks of, sometimes with a false signature."""
        rng = self.part.rng
        if not isinstance(message, Propose | VoteMessage) or rng.random() >= SPAMMED:
            return
        heard = message.vote
        kind = rng.choice(list(VoteKind))
        view = View(max(1, heard.view + rng.choice([-1, 0, 0, 0, 1, 60, 1_000])))
        subject = NO_SUBJECT if kind is VoteKind.NULLIFY else heard.subject
        vote = self.part.vote(kind, view, subject)
        if rng.random() < FALSE:
            false = Signature(rng.randbytes(64))
            vote = Vote(
                kind=kind,
                epoch=vote.epoch,
                view=view,
                subject=subject,
                signer=rng.choice(self.part.setting.validators.keys),
                signature=false,
            )
        yield Send(to=rng.choice(self.part.others), message=VoteMessage(vote=vote))


class Equivocator(Adversary):
    """Shows different blocks and votes to different members."""

    def __init__(self, part: Part) -> None:
        """Take a part, knowing no certificates yet."""
        super().__init__(part)
        self._certificates: dict[tuple[View, VoteKind], Certificate] = {}

    def notice(self, output: Deed) -> None:
        """Collect certificates to build on."""
        if isinstance(output, PersistCertificate | PersistVote) and output.certificate:
            held = output.certificate
            self._certificates[held.view, held.kind] = held

    def twist(self, send: Send) -> Iterator[Send]:
        """Give each member one of two stories."""
        match send.message:
            case Propose():
                stories: tuple[Message, ...] = (send.message, *self._blocks(send.message))
            case VoteMessage():
                stories = (send.message, *self._votes(send.message.vote))
            case _:
                stories = (send.message,)
        for each in self._each(send):
            story = self.part.rng.choice(stories)
            yield Send(to=each.to, message=story)
            if isinstance(story, Propose):
                vote = self.part.vote(VoteKind.FINALIZE, story.vote.view, story.vote.subject)
                yield Send(to=each.to, message=VoteMessage(vote=vote))

    def answer(self, message: Message) -> Iterator[Send]:
        """Vote, to whoever proposes anything, for it in every way."""
        if isinstance(message, Propose):
            heard = message.vote
            for kind in (VoteKind.NOTARIZE, VoteKind.FINALIZE):
                vote = self.part.vote(kind, heard.view, heard.subject)
                yield Send(
                    to=self.part.rng.choice(self.part.others), message=VoteMessage(vote=vote)
                )

    def _votes(self, vote: Vote) -> Iterator[Message]:
        if vote.kind is VoteKind.FINALIZE:
            yield VoteMessage(vote=self.part.vote(VoteKind.NULLIFY, vote.view))

    def _blocks(self, proposal: Propose) -> Iterator[Message]:
        header, parent_view = proposal.block.header, proposal.vote.subject.parent_view
        if self.part.ledger.has_executed(header.parent_id):
            other = self._propose(header.parent_id, parent_view, header.view, header.time)
            yield from () if other is None else (other,)

    def _propose(
        self, parent_id: BlockId, parent_view: View, view: View, time: Millis
    ) -> Propose | None:
        """Return another proposal for a place, None if there can be none."""
        mark = Digest(self.part.rng.randbytes(32))
        other = self.part.ledger.rival(parent_id, view, time, mark)
        if other is None:
            return None
        subject = Subject(parent_view=parent_view, block_id=block_id(other.header))
        between = [
            c for (v, _), c in sorted(self._certificates.items()) if parent_view <= v < view
        ]
        return Propose(
            vote=self.part.vote(VoteKind.NOTARIZE, view, subject),
            block=other,
            justification=tuple(between[:JUSTIFICATION_MAX]),
        )


class Revisionist(Equivocator):
    """Leads by building on a block before the last, as if the last had never been."""

    def __init__(self, part: Part) -> None:
        """Take a part, having led no view yet."""
        super().__init__(part)
        self._led = View(0)

    def twist(self, send: Send) -> Iterator[Send]:
        """Keep what the core underneath proposes, and anything that helps to finalise."""
        is_final = isinstance(send.message, VoteMessage) and (
            send.message.vote.kind is VoteKind.FINALIZE
        )
        if not (is_final or isinstance(send.message, Propose)):
            yield send

    def on_message(self, peer: PublicKey, message: Message, now: Millis) -> list[Deed]:
        """Deal with a message, and propose on entering a view to lead."""
        return [*super().on_message(peer, message, now), *self._revise(now)]

    def _revise(self, now: Millis) -> Iterator[Send]:
        view = self.view
        if view == self._led or self.part.setting.leader(view) != self.part.signer.public_key:
            return
        self._led = view
        notarized = [
            c for (_, k), c in sorted(self._certificates.items()) if k is VoteKind.NOTARIZE
        ]
        for certificate in notarized[-3:-1]:
            parent_id = certificate.subject.block_id
            if not self.part.ledger.has_executed(parent_id):
                continue
            proposal = self._propose(parent_id, certificate.view, view, now)
            if proposal is not None:
                yield Send(to=Audience.VALIDATORS, message=proposal)
                for kind in (VoteKind.NOTARIZE, VoteKind.FINALIZE):
                    vote = self.part.vote(kind, view, proposal.vote.subject)
                    yield Send(to=Audience.VALIDATORS, message=VoteMessage(vote=vote))
                return


class Forger(Adversary):
    """Sends certificates that no quorum signed."""

    def answer(self, message: Message) -> Iterator[Send]:
        """Turn a certificate it hears of into one of the next view."""
        if isinstance(message, CertificateMessage):
            heard = message.certificate
            forged = Certificate(
                kind=heard.kind,
                epoch=heard.epoch,
                view=View(heard.view + 1),
                subject=heard.subject,
                bitmap=heard.bitmap,
                signatures=heard.signatures,
            )
            yield Send(
                to=self.part.rng.choice(self.part.others),
                message=CertificateMessage(certificate=forged),
            )
