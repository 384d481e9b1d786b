"""Leaders that propose what breaks a rule: to everybody alike, well signed, and otherwise in order."""

from collections.abc import Callable, Iterator
from random import Random
from typing import Final, TypeAlias

from msgspec.structs import replace

from lc_node.chain.blocks import Header, block_id
from lc_node.chain.records import Member, ValidatorSet
from lc_node.chain.types import Digest, Epoch, Height, Millis, PublicKey, Weight
from lc_node.chain.validators import set_hash
from lc_node.chain.votes import Subject, VoteKind
from lc_node.consensus.messages import Propose, VoteMessage
from lc_node.consensus.outputs import Send
from lc_node.sim.adversaries import Adversary

HOUR_MS: Final = 3_600_000

Defacement: TypeAlias = Callable[[Header, Random], Header]
"""Breaks one rule."""


class Counterfeiter(Adversary):
    """Proposes blocks with one thing wrong, and votes for them in every way."""

    def twist(self, send: Send) -> Iterator[Send]:
        """Deface what the core underneath proposes."""
        if not isinstance(send.message, Propose):
            yield send
            return
        proposal = send.message
        deface = self.part.rng.choice((*DEFACEMENTS, self._with_a_set_of_its_own))
        header = deface(proposal.block.header, self.part.rng)
        parent_view = proposal.vote.subject.parent_view
        subject = Subject(parent_view=parent_view, block_id=block_id(header))
        view = proposal.vote.view
        vote = self.part.vote(VoteKind.NOTARIZE, view, subject)
        false = replace(proposal, vote=vote, block=replace(proposal.block, header=header))
        yield Send(to=send.to, message=false)
        final = self.part.vote(VoteKind.FINALIZE, view, subject)
        yield Send(to=send.to, message=VoteMessage(vote=final))

    def _with_a_set_of_its_own(self, header: Header, rng: Random) -> Header:
        """Name itself the only validator of the next epoch."""
        del rng
        alone = (Member(key=self.part.signer.public_key, weight=Weight(1)),)
        mine = ValidatorSet(epoch=Epoch(header.epoch + 1), members=alone)
        return replace(header, next_set_hash=(set_hash(mine),))


def _with_another_state(header: Header, rng: Random) -> Header:
    return replace(header, state_root=Digest(rng.randbytes(32)))


def _higher(header: Header, rng: Random) -> Header:
    return replace(header, height=Height(header.height + rng.randint(1, 3)))


def _of_another_leader(header: Header, rng: Random) -> Header:
    return replace(header, proposer=PublicKey(rng.randbytes(32)))


def _of_another_epoch(header: Header, rng: Random) -> Header:
    return replace(header, epoch=Epoch(header.epoch + rng.randint(1, 3)))


def _of_the_future(header: Header, rng: Random) -> Header:
    return replace(header, time=Millis(header.time + rng.randint(1, HOUR_MS)))


def _of_the_past(header: Header, rng: Random) -> Header:
    return replace(header, time=Millis(max(0, header.time - rng.randint(1, HOUR_MS))))


DEFACEMENTS: Final[tuple[Defacement, ...]] = (
    _with_another_state,
    _higher,
    _of_another_leader,
    _of_another_epoch,
    _of_the_future,
    _of_the_past,
)
