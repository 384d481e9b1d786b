"""An economy on the real ledger: every final block is executed once more, and the books are audited."""

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from lc_node.chain.beacon import LinkChain
from lc_node.chain.blocks import Block
from lc_node.chain.codec import Record
from lc_node.chain.credits import get_credits_total
from lc_node.chain.crypto import Signer, sha256, verify
from lc_node.chain.errors import InvalidBlock
from lc_node.chain.events import Banned, Burned, Reason
from lc_node.chain.genesis import Genesis, GenesisAccount, genesis_header, initial_state
from lc_node.chain.job import Phase
from lc_node.chain.params import CREDIT
from lc_node.chain.transactions import Evidence, SignedTransaction
from lc_node.chain.transition import apply_block
from lc_node.chain.types import Epoch, MicroCredits, Millis, PublicKey, Signature, Weight
from lc_node.chain.votes import Vote
from lc_node.sim.disk import BrokenInvariant
from lc_node.sim.economy import Shelf
from lc_node.sim.market import NEEDS, PARAMS, Market
from lc_node.sim.memory_ledger import InMemoryLedger
from lc_node.sim.person import Person
from lc_node.sim.randomness import stream

USERS: Final = 3
"""People who run no node."""

LINKS: Final = 2_048
"""Blocks that a member can propose in a run."""

BALANCE: Final = MicroCredits(1_000 * CREDIT)

UNEXCUSED: Final = frozenset(
    {Reason.WRONG_LOSSES, Reason.REFUTED, Reason.GROSSLY_REFUTED, Reason.EQUIVOCATED}
)
"""What nobody honest is ever fined for; who is cut off may well be fined for silence."""


class RealSigner:
    """An Ed25519 key made from a name."""

    def __init__(self, name: str) -> None:
        """Derive the key."""
        self._private = Ed25519PrivateKey.from_private_bytes(sha256(name.encode()))
        self.public_key: Final = PublicKey(self._private.public_key().public_bytes_raw())

    def sign(self, message: bytes) -> Signature:
        """Return the signature of a message."""
        return Signature(self._private.sign(message))


class RealEconomy:
    """Nodes with the real ledger, people with the market's script, and an auditor."""

    def __init__(self, seed: int, weights: Sequence[Weight], honest: int, followers: int) -> None:
        """Begin with bonds in proportion to the weights."""
        count = len(weights) + followers
        self.signers: Sequence[Signer] = [RealSigner(f"{seed}/{n}") for n in range(count)]
        users = [RealSigner(f"{seed}/user {n}") for n in range(USERS)]
        self._links = [LinkChain(sha256(b"%d/%d" % (seed, n)), LINKS) for n in range(count)]
        self._genesis = _genesis(seed, self.signers, weights, self._links, users)
        self.root: Final = genesis_header(self._genesis)
        self._state = initial_state(self._genesis)
        self.sets: dict[Epoch, Mapping[PublicKey, Weight]] = {}
        """Who voted in which epoch."""
        self._note_set()
        people = [
            Person(
                signer,
                is_honest=n < honest or n >= len(weights),
                is_member=n < len(weights),
                link=(self._links[n].commitment,) if len(weights) <= n < count else (),
            )
            for n, signer in enumerate((*self.signers, *users))
        ]
        self._honest = {person.key for person in people if person.is_honest}
        self._market = Market(people, stream(seed, "market"))
        self._waiting: list[SignedTransaction] = []
        self._accused: set[PublicKey] = set()
        self._settled = 0
        self.verify = cache(verify)
        """All nodes share what one of them has verified."""

    @property
    def is_satisfied(self) -> bool:
        """Whether a job came to its end."""
        return self._settled > 0

    def members(self, epoch: Epoch) -> Mapping[PublicKey, Weight]:
        """Return who votes in an epoch, as the final state said when it began."""
        return self.sets[epoch]

    def ledger(self, number: int, shelf: Shelf) -> InMemoryLedger:
        """Return the ledger of a node."""
        return InMemoryLedger(
            genesis=self._genesis,
            shelf=shelf,
            me=self.signers[number].public_key,
            links=self._links[number],
        )

    def submissions(self, now: Millis) -> Sequence[SignedTransaction]:
        """Return what people send now."""
        sent = self._market.act(self._state, now)
        self._waiting += sent
        return sent

    def waiting(self) -> Sequence[SignedTransaction]:
        """Return what was sent, is not final, and is not given up."""
        state = self._state
        self._waiting = [
            signed
            for signed in self._waiting
            if signed.transaction.valid_until > state.meta.height
            and signed.transaction.nonce > state.account(signed.transaction.sender).nonce
        ]
        return self._waiting

    def accuse(self, number: int, first: Vote, second: Vote) -> Sequence[SignedTransaction]:
        """Let the node that found it report it, unless somebody has."""
        if second.signer not in self._accused:
            self._accused.add(second.signer)
            self._market.people[number].queue.append(Evidence(first=first, second=second))
        return ()

    def finalized(self, block: Block, now: Millis) -> None:
        """Execute a block independently of all nodes, every signature checked, and audit the result.

        Raises:
            BrokenInvariant: the block is not valid, or somebody was wronged.
        """
        del now
        try:
            applied = apply_block(self._state, block, self._genesis.params)
        except InvalidBlock as error:
            raise BrokenInvariant(f"the final block {block.header.height}: {error}") from error
        applied.state.flatten()
        self._state = applied.state
        self._note_set()
        meta = self._state.meta
        if get_credits_total(self._state) != meta.genesis_credits + meta.issued:
            raise BrokenInvariant(f"credits appeared or vanished in block {meta.height}")
        for event in applied.events:
            self._audit(event)
        self._audit_jobs()

    def _note_set(self) -> None:
        validators = self._state.validators
        members = {member.key: member.weight for member in validators.members}
        self.sets.setdefault(validators.epoch, members)

    def _audit(self, event: Record) -> None:
        """Look at what a block did to somebody."""
        match event:
            case Banned(key=key, reason=reason) if key in self._honest:
                raise BrokenInvariant(f"somebody honest was banned: {reason}")
            case Burned(key=key, reason=reason) if key in self._honest and reason in UNEXCUSED:
                raise BrokenInvariant(f"somebody honest was slashed: {reason}")
            case _:
                return

    def _audit_jobs(self) -> None:
        """Look at who won."""
        settled = [job for job in self._state.jobs() if job.phase is Phase.SETTLED]
        self._settled = len(settled)
        for job in settled:
            if not set(job.winner) <= self._honest:
                raise BrokenInvariant("a liar won a job")


def _genesis(
    seed: int,
    signers: Sequence[Signer],
    weights: Sequence[Weight],
    links: Sequence[LinkChain],
    users: Sequence[Signer],
) -> Genesis:
    """Return the document: members with bonds, followers and users without."""
    members = [
        GenesisAccount(
            key=signer.public_key,
            balance=BALANCE,
            bonded=MicroCredits(weight * CREDIT // 10),
            resources=(NEEDS,),
            link=(chain.commitment,),
        )
        for signer, weight, chain in zip(signers, weights, links, strict=False)
    ]
    others = [
        GenesisAccount(
            key=signer.public_key, balance=BALANCE, bonded=MicroCredits(0), resources=(), link=()
        )
        for signer in (*signers[len(weights) :], *users)
    ]
    return Genesis(
        graph=f"simulated {seed}",
        params=PARAMS,
        time=Millis(1),
        accounts=tuple(sorted((*members, *others), key=lambda entry: entry.key)),
        members=tuple(sorted(entry.key for entry in members)),
    )
