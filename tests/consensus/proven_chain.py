"""A chain of short epochs whose validators change, with the certificates that prove it."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cache
from typing import Final

from msgspec.structs import replace

from lc_node.chain.blocks import Header, block_id
from lc_node.chain.crypto import verify
from lc_node.chain.genesis import Genesis, genesis_header
from lc_node.chain.proofs import prove_entry
from lc_node.chain.records import ValidatorSet
from lc_node.chain.types import Epoch, Height, View
from lc_node.chain.votes import Certificate, Subject, Vote, VoteKind, vote_message
from lc_node.consensus.certificates import assemble
from lc_node.consensus.checkpoint import genesis_checkpoint, trusted_from
from lc_node.consensus.inquiries import Finalized, ProvenEntry
from lc_node.consensus.light import Trusted
from lc_node.consensus.messages import EpochProof
from lc_node.consensus.validator_set import ValidatorSet as Voters
from tests.chain.actors import ANNA, BERT, CLEO, Person
from tests.chain.epoch_chain import FOUR, HEIGHTS, SHORT, Chain, bond, four_members

PEOPLE: Final = {who.public_key: who for who in FOUR}


@dataclass
class ProvenChain:
    """A final chain, and everything that a server could show of it."""

    document: Genesis = field(default_factory=four_members)
    chain: Chain = field(init=False)
    headers: list[Header] = field(init=False)
    certificates: dict[Height, Certificate] = field(init=False, default_factory=dict)
    sets: list[ValidatorSet] = field(init=False)

    def __post_init__(self) -> None:
        self.chain = Chain(self.document)
        self.headers = [genesis_header(self.document)]
        self.sets = [self.chain.state.validators]

    @property
    def height(self) -> Height:
        return Height(len(self.headers) - 1)

    @property
    def tip(self) -> Header:
        return self.headers[-1]

    def note(self) -> "ProvenChain":
        """Certify the blocks that were made since."""
        for block in self.chain.blocks[len(self.headers) - 1 :]:
            header = block.header
            self.headers.append(header)
            voters = self.sets[header.epoch]
            self.certificates[header.height] = certify(header, voters)
            if header.next_set_hash:
                self.sets.append(self.chain.state.validators)
        return self

    def step(self, count: int = 1) -> "ProvenChain":
        """Make blocks final."""
        for _ in range(count):
            self.chain.step()
            self.note()
        return self

    def finish(self, *ready: Person) -> "ProvenChain":
        """Go to the end of the epoch; these people are ready for the next."""
        epoch = self.chain.state.meta.epoch
        self.chain.finish(*ready)
        assert self.chain.state.meta.epoch == epoch + 1
        return self.note()

    def proof(self, epoch: int) -> EpochProof:
        """Return how an epoch ended."""
        height = Height((epoch + 1) * HEIGHTS)
        return EpochProof(
            header=self.headers[height],
            certificate=self.certificates[height],
            next_set=self.sets[epoch + 1],
        )

    def proofs(self, first: int = 0) -> tuple[EpochProof, ...]:
        """Return how all past epochs from one on ended."""
        return tuple(self.proof(epoch) for epoch in range(first, len(self.sets) - 1))

    def entry(self, key: bytes) -> ProvenEntry:
        """Return what stands under a key now, with its proof."""
        return ProvenEntry(
            header=self.tip,
            certificate=self.certificates[self.height],
            proof=prove_entry(self.chain.state.commitment(), key),
        )

    def finalized(self, first: int, last: int) -> Finalized:
        """Return the headers of heights, the last one with its certificate."""
        return Finalized(
            headers=tuple(self.headers[first : last + 1]),
            certificate=self.certificates[Height(last)],
        )


def certify(
    header: Header,
    voters: ValidatorSet,
    *,
    kind: VoteKind = VoteKind.FINALIZE,
    signers: Iterable[Person] | None = None,
) -> Certificate:
    """Return the certificate of a header by its epoch's validators, or by some people."""
    people = [PEOPLE[member.key] for member in voters.members] if signers is None else signers
    subject = Subject(parent_view=View(0), block_id=block_id(header))
    votes = [vote(who, kind, header, subject) for who in people]
    return assemble(votes, Voters({member.key: member.weight for member in voters.members}))


def vote(who: Person, kind: VoteKind, header: Header, subject: Subject) -> Vote:
    message = vote_message(header.chain_id, kind, header.epoch, header.view, subject)
    return Vote(
        kind=kind,
        epoch=Epoch(header.epoch),
        view=header.view,
        subject=subject,
        signer=who.public_key,
        signature=who.sign(message),
    )


def begun(document: Genesis) -> Trusted:
    """Return what is trusted who knows only genesis."""
    return trusted_from(genesis_checkpoint(document), verify)


def three_epochs() -> ProvenChain:
    """Return a chain in its third epoch: its bonds have changed, and one member has left."""
    made = ProvenChain(four_members(params=replace(SHORT, validators_ready_min=3)))
    made.chain.step((BERT, bond(50)))
    made.note().finish(*FOUR)
    made.chain.step((CLEO, bond(7)))
    made.note().finish(ANNA, BERT, CLEO)
    return made.step()


@cache
def world() -> ProvenChain:
    """Return a chain in its third epoch; nobody may go on with it."""
    return three_epochs()


def here() -> Trusted:
    """Return what is trusted in the third epoch."""
    return begun(world().document).follow(world().proofs())
