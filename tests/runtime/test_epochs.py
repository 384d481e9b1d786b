"""Epochs in the real world: other validators after a while, over restarts, and nobody is asked twice."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from msgspec.structs import replace

from lc_node.adapters.sqlite_vote_store import SqliteVoteStore
from lc_node.adapters.system_clock import SystemClock
from lc_node.chain.blocks import block_id
from lc_node.chain.crypto import verify
from lc_node.chain.errors import NothingBonded
from lc_node.chain.genesis import Genesis
from lc_node.chain.params import CREDIT, DEVNET
from lc_node.chain.records import Account
from lc_node.chain.transactions import Body, Evidence, Ready
from lc_node.chain.types import (
    BlockId,
    Digest,
    Epoch,
    Link,
    MicroCredits,
    Millis,
    MillisSpan,
    PublicKey,
    View,
    Weight,
)
from lc_node.chain.votes import Subject, Vote, VoteKind, vote_message
from lc_node.consensus.epochs import Epochs, Voter
from lc_node.consensus.params import ConsensusParams
from lc_node.consensus.proofs import is_proof
from lc_node.consensus.setting import Setting
from lc_node.consensus.validator_set import ValidatorSet
from lc_node.runtime.agreement import Agreement, Surroundings
from lc_node.runtime.ledger import Ledger
from lc_node.runtime.validation import Validation, can_ask
from tests.chain.actors import ANNA, BERT, CLEO, DORA, Person, account_of, genesis_of, signed
from tests.peer_nodes import until
from tests.runtime.small_chain import build, finality, finalize, ledger_at

FOUR = (ANNA, BERT, CLEO, DORA)
HEIGHTS = 3


def document(*members: Person, heights: int = HEIGHTS) -> Genesis:
    params = replace(
        DEVNET,
        heartbeat_ms=MillisSpan(10),
        block_pause_ms=MillisSpan(1),
        epoch_heights=heights,
    )
    return genesis_of(*(account_of(who) for who in FOUR), members=members, params=params)


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    return ledger_at(tmp_path / "chain.db", document=document(ANNA, BERT))


def go(ledger: Ledger, blocks: int) -> None:
    for _ in range(blocks):
        finalize(ledger)


# The ledger.


def test_the_first_epoch_stands_on_genesis(ledger: Ledger) -> None:
    go(ledger, 2)

    assert ledger.era(block_id(ledger.tip)).root == ledger.root


def test_an_epoch_stands_on_the_last_block_of_the_one_before(ledger: Ledger) -> None:
    go(ledger, 3)
    last = ledger.tip
    go(ledger, 1)
    era = ledger.era(block_id(ledger.tip))

    assert (era.epoch, era.root) == (1, last)


def test_the_epoch_after_a_last_block_on_trial_is_known(ledger: Ledger) -> None:
    go(ledger, 2)
    block = build(ledger)
    era = ledger.era(block_id(block.header))

    assert (era.epoch, era.root, ledger.era(block_id(ledger.tip)).epoch) == (1, block.header, 0)


def test_how_an_epoch_ended_is_read_from_the_store(ledger: Ledger, tmp_path: Path) -> None:
    go(ledger, 3)
    last = ledger.finalized_block(ledger.height)
    go(ledger, 1)
    again = ledger_at(tmp_path / "chain.db", document=document(ANNA, BERT))
    proof = again.epoch_proof(Epoch(0))

    assert last is not None
    assert proof is not None
    assert (proof.header, proof.certificate) == (last.header, finality(last))
    assert proof.next_set == again.state.validators


def test_how_this_epoch_will_end_is_not_known(ledger: Ledger) -> None:
    go(ledger, 4)

    assert ledger.epoch_proof(Epoch(1)) is None


def test_an_epoch_without_length_has_no_end(tmp_path: Path) -> None:
    endless = ledger_at(tmp_path / "chain.db", document=document(ANNA, heights=0))

    assert endless.epoch_proof(Epoch(0)) is None


# Agreement.


@asynccontextmanager
async def alone(
    folder: Path, secured: list[tuple[Epoch, Epoch]] | None = None
) -> AsyncIterator[Ledger]:
    """Run the only member of a chain of short epochs over real stores.

    ``secured`` hears when the chain is made durable: the epoch it is in, and that of our last vote.
    """
    chain = document(ANNA)
    ledger = ledger_at(folder / "chain.db", document=chain)
    votes = SqliteVoteStore.open(folder / "votes.db")
    voter = Voter(chain_id=ledger.root.chain_id, signer=ANNA, verifier=verify)
    params = ConsensusParams.of(chain.params)

    def secure() -> None:
        ledger.secure()
        voted = [epoch for epoch in range(99) if votes.votes(Epoch(epoch))]
        if secured is not None:
            secured.append((ledger.state.meta.epoch, Epoch(max(voted))))

    surroundings = Surroundings(
        votes=votes,
        network=Nobody(),
        clock=SystemClock(),
        me=ANNA.public_key,
        deliver=ledger.deliver,
        secure=secure,
        on_evidence=lambda _first, _second: None,
    )
    core = Epochs(ledger, votes, tip=ledger.tip, voter=voter, params=params)
    async with asyncio.TaskGroup() as group:
        task = group.create_task(Agreement(core, surroundings).run())
        try:
            yield ledger
        finally:
            task.cancel()
    votes.close()


async def reached(ledger: Ledger, height: int) -> None:
    await until(lambda: ledger.height >= height)


class Nobody:
    """There are no peers."""

    connected: tuple[PublicKey, ...] = ()

    def some_of(self, peers: Iterable[PublicKey]) -> tuple[PublicKey, ...]:
        return tuple(peers)

    def send_consensus(self, to: PublicKey | None, payload: bytes) -> int:
        del to, payload
        return 0


async def test_agreement_goes_from_epoch_to_epoch(tmp_path: Path) -> None:
    async with alone(tmp_path) as ledger:
        await until(lambda: ledger.state.meta.epoch >= 3)

        assert ledger.height >= 3 * HEIGHTS


async def test_the_chain_is_durable_before_anything_is_signed_in_a_new_epoch(
    tmp_path: Path,
) -> None:
    secured: list[tuple[Epoch, Epoch]] = []
    async with alone(tmp_path, secured) as ledger:
        await until(lambda: ledger.state.meta.epoch >= 3)

    assert {(1, 0), (2, 1), (3, 2)} <= set(secured)


async def test_agreement_goes_on_over_epochs_after_restarts(tmp_path: Path) -> None:
    for heights in (2, 3, 4, 7, 9):
        async with alone(tmp_path) as ledger:
            await reached(ledger, heights)

    assert ledger_at(tmp_path / "chain.db", document=document(ANNA)).state.meta.epoch >= 3


async def test_a_real_end_of_an_epoch_is_a_proof(tmp_path: Path) -> None:
    async with alone(tmp_path) as ledger:
        await until(lambda: ledger.state.meta.epoch >= 1)
        proof = ledger.epoch_proof(Epoch(0))
    setting = Setting(
        chain_id=ledger.root.chain_id,
        epoch=Epoch(0),
        validators=ValidatorSet({ANNA.public_key: Weight(100 * CREDIT)}),
        root=ledger.root,
        verifier=verify,
        epoch_heights=HEIGHTS,
    )

    assert proof is not None
    assert is_proof(proof, setting)


# Asking to validate.


class Post:
    """Puts what is sent on the chain at once."""

    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger
        self.sent: list[Body] = []
        self.hung_up: list[PublicKey] = []

    async def send(self, body: Body) -> None:
        self.sent.append(body)
        nonce = self.ledger.state.account(ANNA.public_key).nonce + 1
        finalize(self.ledger, signed(ANNA, body, chain_id=self.ledger.root.chain_id, nonce=nonce))


def validation_of(post: Post, *, is_wanted: bool = True, me: Person = ANNA) -> Validation:
    return Validation(
        me=me.public_key,
        ledger=post.ledger,
        send=post.send,
        hang_up=post.hung_up.append,
        is_wanted=is_wanted,
    )


@asynccontextmanager
async def running(validation: Validation) -> AsyncIterator[None]:
    async with asyncio.TaskGroup() as group:
        task = group.create_task(validation.run())
        await settled()
        yield
        await settled()
        task.cancel()


async def settled() -> None:
    """Let the task take its turns."""
    for _ in range(5):
        await asyncio.sleep(0)


async def test_a_bonded_node_asks_once_in_each_epoch(ledger: Ledger) -> None:
    post = Post(ledger)
    async with running(validation_of(post)):
        go(ledger, 1)
        await settled()
        go(ledger, 1)
        await settled()

    assert post.sent == [Ready(epoch=Epoch(0)), Ready(epoch=Epoch(1))]


async def test_a_node_that_is_not_to_validate_does_not_ask(ledger: Ledger) -> None:
    post = Post(ledger)
    async with running(validation_of(post, is_wanted=False)):
        go(ledger, 4)

    assert post.sent == []


async def test_a_refusal_does_not_end_the_node(ledger: Ledger) -> None:
    class Refusing(Post):
        async def send(self, body: Body) -> None:
            self.sent.append(body)
            raise NothingBonded

    post = Refusing(ledger)
    async with running(validation_of(post)):
        go(ledger, 1)

    assert len(post.sent) == 2


BONDED = Account(bond=MicroCredits(10 * CREDIT), link=(Link(Digest(bytes(32))),))


def test_who_has_bond_and_link_can_ask() -> None:
    assert can_ask(BONDED, DEVNET)


@pytest.mark.parametrize(
    "account",
    [
        replace(BONDED, bond=MicroCredits(10 * CREDIT - 1)),
        replace(BONDED, link=()),
        replace(BONDED, banned_at=Millis(1)),
        replace(BONDED, service=replace(BONDED.service, is_ready=True)),
    ],
    ids=["bond", "link", "banned", "ready"],
)
def test_who_lacks_something_cannot_ask(account: Account) -> None:
    assert not can_ask(account, DEVNET)


def test_where_epochs_never_end_nobody_asks() -> None:
    assert not can_ask(BONDED, replace(DEVNET, epoch_heights=0))


# Banned keys.


def double_vote(who: Person, ledger: Ledger) -> Evidence:
    first, second = (ballot(who, ledger, bytes([number]) * 32) for number in (1, 2))
    return Evidence(first=first, second=second)


def ballot(who: Person, ledger: Ledger, block: bytes) -> Vote:
    subject = Subject(parent_view=View(0), block_id=BlockId(Digest(block)))
    kind, epoch, view = VoteKind.NOTARIZE, ledger.state.meta.epoch, View(1)
    message = vote_message(ledger.root.chain_id, kind, epoch, view, subject)
    return Vote(
        kind=kind,
        epoch=epoch,
        view=view,
        subject=subject,
        signer=who.public_key,
        signature=who.sign(message),
    )


async def test_a_banned_validator_is_heard_until_its_epoch_ends(ledger: Ledger) -> None:
    post = Post(ledger)
    validation_of(post)
    await post.send(double_vote(BERT, ledger))
    go(ledger, 1)
    before = list(post.hung_up)
    go(ledger, 1)

    assert (before, post.hung_up) == ([], [BERT.public_key])


async def test_a_node_does_not_hang_up_on_itself(ledger: Ledger) -> None:
    post = Post(ledger)
    validation_of(post, me=BERT)
    await post.send(double_vote(BERT, ledger))
    go(ledger, 2)

    assert post.hung_up == []
