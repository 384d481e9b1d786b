"""A chain of short epochs for the tests: every block is built, executed again, and made final."""

from msgspec.structs import replace

from lc_node.chain.audit import Books, validate_supply
from lc_node.chain.blocks import Block, block_id
from lc_node.chain.builder import Slot, build_block
from lc_node.chain.codec import Record
from lc_node.chain.credits import get_credits_total
from lc_node.chain.genesis import Genesis, genesis_id, initial_state
from lc_node.chain.mempool import Mempool, Source
from lc_node.chain.params import CREDIT, DEVNET, HOUR_MS, ProtocolParams
from lc_node.chain.records import Account
from lc_node.chain.transactions import Body, Bond, Ready, Unbond
from lc_node.chain.transition import Applied, apply_block
from lc_node.chain.types import MicroCredits, Millis, MillisSpan, View
from tests.chain.actors import ANNA, BERT, CLEO, DORA, Person, account_of, genesis_of, signed

HEIGHTS = 3
FOUR = (ANNA, BERT, CLEO, DORA)
SHORT = replace(DEVNET, epoch_heights=HEIGHTS, unbonding_ms=MillisSpan(1_000))


def four_members(*, params: ProtocolParams = SHORT, members: tuple[Person, ...] = FOUR) -> Genesis:
    return genesis_of(*(account_of(who) for who in FOUR), members=members, params=params)


class Chain:
    """The last final state, and how to go on from it."""

    def __init__(self, document: Genesis) -> None:
        self.params = document.params
        self.state = initial_state(document)
        self.events: list[Record] = []
        self.books = Books(self.state)
        self.blocks: list[Block] = []
        self._tip = genesis_id(document)
        self._nonce = 0

    @property
    def members(self) -> dict[str, int]:
        """Return who votes on the next block, with how many credits."""
        names = {who.public_key: who.name for who in FOUR}
        found = {names[m.key]: m.weight // CREDIT for m in self.state.validators.members}
        return dict(sorted(found.items()))

    def account(self, who: Person) -> Account:
        return self.state.account(who.public_key)

    def make(
        self,
        *wishes: tuple[Person, Body],
        proposer: Person = ANNA,
        after: int = 1_000,
        view: View | None = None,
    ) -> Applied:
        """Return the next block's consequences, without going on; the block is noted."""
        time = Millis(self.state.meta.time + after)
        pool = Mempool(self.params)
        for who, body in wishes:
            self._nonce += 1
            transaction = signed(
                who, body, chain_id=self.state.meta.chain_id, nonce=self._nonce, valid_until=999
            )
            pool.add(transaction, self.state, time, Source(who.public_key))
        slot = Slot(
            view=View(self.state.meta.view + 1) if view is None else view,
            parent_id=self._tip,
            proposer=proposer.public_key,
            time=time,
            reveal=proposer.reveal(self.state),
        )
        block, applied = build_block(self.state, pool.candidates(), slot, self.params)
        assert len(block.transactions) == len(wishes)
        self.blocks.append(block)
        return applied

    def step(
        self,
        *wishes: tuple[Person, Body],
        proposer: Person = ANNA,
        after: int = 1_000,
        view: View | None = None,
    ) -> "Chain":
        """Make the next block final, after executing it as a voter would."""
        self.make(*wishes, proposer=proposer, after=after, view=view)
        block = self.blocks[-1]
        applied = apply_block(self.state, block, self.params)
        accounts, jobs = applied.state.own_records()
        validate_supply(self.state, applied.state)
        self.books.post((one.transaction for one in block.transactions), applied.events)
        self.books.validate(applied.state, accounts, jobs)
        applied.state.flatten()
        self.state, self._tip = applied.state, block_id(block.header)
        self.events += applied.events
        meta = self.state.meta
        assert get_credits_total(self.state) == meta.genesis_credits + meta.issued
        return self

    def finish(self, *ready: Person) -> "Chain":
        """Go to the end of the epoch; these people are ready for the next."""
        epoch = self.state.meta.epoch
        self.step(*((who, Ready(epoch=epoch)) for who in ready))
        while self.state.meta.epoch == epoch:
            self.step()
        return self


def bond(credits_: int) -> Bond:
    return Bond(amount=MicroCredits(credits_ * CREDIT), link=(), resources=())


def unbond(credits_: int) -> Unbond:
    return Unbond(amount=MicroCredits(credits_ * CREDIT))


def hourly(credits_: int) -> MicroCredits:
    """Return the rate at which an epoch of three blocks a second apart issues so many credits."""
    return MicroCredits(credits_ * CREDIT * HOUR_MS // (HEIGHTS * 1_000))
