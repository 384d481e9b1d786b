"""Whatever people send and whenever blocks become final, no credit appears or vanishes."""

from contextlib import suppress

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from lc_node.chain.bans import ban
from lc_node.chain.blocks import BLOCK_DECODER
from lc_node.chain.builder import Slot, build_block
from lc_node.chain.codec import encode
from lc_node.chain.credits import get_credits_total
from lc_node.chain.errors import TransactionRefused
from lc_node.chain.genesis import genesis_id, initial_state
from lc_node.chain.mempool import Mempool, Source
from lc_node.chain.params import CREDIT, DEVNET
from lc_node.chain.state import State
from lc_node.chain.transactions import Body, Bond, Evidence, Transfer, Unbond
from lc_node.chain.transition import apply_block
from lc_node.chain.types import BlockId, Digest, Epoch, MicroCredits, Millis, View
from lc_node.chain.votes import Subject, Vote, VoteKind, vote_message
from tests.chain.actors import ANNA, BERT, CLEO, DORA, START, Person, genesis, signed

PEOPLE = st.sampled_from((ANNA, BERT, CLEO, DORA))
AMOUNTS = st.sampled_from((0, 1, 30 * CREDIT, 90 * CREDIT, 600 * CREDIT, 2_000 * CREDIT))


class Ledger(RuleBasedStateMachine):
    """A node that builds every block, and another that executes them and reloads its state."""

    def __init__(self) -> None:
        super().__init__()
        self.head = initial_state(genesis())
        self.follower = initial_state(genesis())
        self.mempool = Mempool(DEVNET)
        self.nonce = 0

    def send(self, who: Person, body: Body) -> None:
        self.nonce += 1
        transaction = signed(
            who, body, chain_id=self.head.meta.chain_id, nonce=self.nonce, valid_until=1_000
        )
        with suppress(TransactionRefused):
            self.mempool.add(transaction, self.head, self.head.meta.time, Source(b""))

    @rule(who=PEOPLE, to=PEOPLE, amount=AMOUNTS)
    def transfer(self, who: Person, to: Person, amount: int) -> None:
        self.send(who, Transfer(to=to.public_key, amount=MicroCredits(amount), memo=b""))

    @rule(who=PEOPLE, amount=AMOUNTS)
    def bond(self, who: Person, amount: int) -> None:
        self.send(who, Bond(amount=MicroCredits(amount), link=(), resources=()))

    @rule(who=PEOPLE, amount=AMOUNTS)
    def unbond(self, who: Person, amount: int) -> None:
        self.send(who, Unbond(amount=MicroCredits(amount)))

    @rule(who=PEOPLE)
    def accuse_the_validator(self, who: Person) -> None:
        votes = [
            self._finalize(Subject(parent_view=View(0), block_id=BlockId(Digest(name * 32))))
            for name in (b"1", b"2")
        ]
        self.send(who, Evidence(first=votes[0], second=votes[1]))

    def _finalize(self, subject: Subject) -> Vote:
        kind, epoch, view = VoteKind.FINALIZE, Epoch(0), View(1)
        message = vote_message(self.head.meta.chain_id, kind, epoch, view, subject)
        return Vote(
            kind=kind,
            epoch=epoch,
            view=view,
            subject=subject,
            signer=ANNA.public_key,
            signature=ANNA.sign(message),
        )

    @rule(final=st.booleans())
    def make_a_block(self, final: bool) -> None:  # noqa: FBT001 - hypothesis draws it
        slot = Slot(
            view=View(1),
            parent_id=genesis_id(genesis()),
            proposer=ANNA.public_key,
            time=Millis(self.head.meta.time + 10_000),
            reveal=ANNA.reveal(self.head),
        )
        block, applied = build_block(self.head, self.mempool.candidates(), slot, DEVNET)
        received = BLOCK_DECODER.decode(encode(block))
        self.follower = apply_block(self.follower, received, DEVNET).state
        self.head = applied.state
        self.mempool.refresh(self.head, slot.time)
        if final:
            self.head.flatten()

    @rule()
    def restart_the_follower(self) -> None:
        self.follower = State.load(self.follower.commitment().entries())

    @invariant()
    def no_credit_appears_or_vanishes(self) -> None:
        for state in (self.head, self.follower):
            assert get_credits_total(state) == state.meta.genesis_credits + state.meta.issued

    @invariant()
    def both_nodes_agree(self) -> None:
        assert self.head.root() == self.follower.root()

    @invariant()
    def no_amount_is_negative(self) -> None:
        for _, account in self.head.accounts():
            assert min(account.balance, account.bond, account.epoch_bond, account.tokens) >= 0
            assert all(entry.amount > 0 for entry in account.unbonding)


TestLedger = Ledger.TestCase
TestLedger.settings = settings(max_examples=20, stateful_step_count=25, deadline=None)


def test_the_invariant_notices_a_lost_credit() -> None:
    state = initial_state(genesis()).child()
    ban(state, ANNA.public_key, START)
    state.set_account(ANNA.public_key, state.account(BERT.public_key))

    assert get_credits_total(state) != state.meta.genesis_credits
