"""The agreement's driver: stored before sent, told in order, on time, and silent after a failure."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from msgspec.structs import replace

from lc_node.adapters.sqlite_vote_store import SqliteVoteStore
from lc_node.adapters.system_clock import SystemClock
from lc_node.chain.blocks import Block, block_id
from lc_node.chain.codec import encode
from lc_node.chain.crypto import sha256, verify
from lc_node.chain.genesis import Genesis, chain_id, genesis_header
from lc_node.chain.params import DEVNET
from lc_node.chain.types import BlockId, Epoch, MillisSpan, PublicKey, Signature, View, Weight
from lc_node.chain.votes import NO_SUBJECT, Subject, Vote, VoteKind
from lc_node.consensus.epochs import Epochs, Voter
from lc_node.consensus.messages import (
    MESSAGE_DECODER,
    GetBlock,
    Message,
    Propose,
    VoteMessage,
)
from lc_node.consensus.outputs import Audience, Output, Send
from lc_node.consensus.params import ConsensusParams
from lc_node.consensus.setting import Setting
from lc_node.consensus.validator_set import ValidatorSet
from lc_node.ports.stores import StorageFull
from lc_node.runtime.agreement import QUESTIONS_PER_WINDOW, Agreement, Surroundings
from lc_node.runtime.ledger import Ledger
from lc_node.wire.score import Verdict
from tests.chain.actors import ANNA, BERT, CLEO, DORA, Person, account_of, genesis_of, signed
from tests.peer_nodes import until
from tests.runtime.small_chain import PEER, ledger_at, payment

FOUR = (ANNA, BERT, CLEO, DORA)
STRANGER = PublicKey(b"\x05" * 32)
QUESTION = GetBlock(block_id=BlockId(sha256(b"a block")))
CLOCK = SystemClock()


def document(*members: Person, heartbeat_ms: int = 10_000) -> Genesis:
    params = replace(DEVNET, heartbeat_ms=MillisSpan(heartbeat_ms), block_pause_ms=MillisSpan(5))
    return genesis_of(*(account_of(who) for who in FOUR), members=members, params=params)


ALONE = document(ANNA)
QUICK = document(ANNA, heartbeat_ms=20)
AMONG_FOUR = document(*FOUR, heartbeat_ms=20)


def setting_of(chain: Genesis) -> Setting:
    bonds = {entry.key: Weight(entry.bonded) for entry in chain.accounts}
    return Setting(
        chain_id=chain_id(chain),
        epoch=Epoch(0),
        validators=ValidatorSet({key: bonds[key] for key in chain.members}),
        root=genesis_header(chain),
        verifier=verify,
    )


SETTING = setting_of(AMONG_FOUR)
LEADER = next(who for who in FOUR if who.public_key == SETTING.leader(View(1)))
OTHER = next(who for who in FOUR if who != LEADER)


@dataclass
class Peers:
    """Keeps what is sent, and in which order with the commits of a ``NotedStore``."""

    order: list[str] = field(default_factory=list)
    connected: tuple[PublicKey, ...] = tuple(sorted(who.public_key for who in FOUR))
    sent: list[tuple[PublicKey | None, Message]] = field(default_factory=list)

    @property
    def signed(self) -> list[tuple[PublicKey | None, Message]]:
        """What was sent that bears our signature."""
        return [one for one in self.sent if isinstance(one[1], Propose | VoteMessage)]

    def some_of(self, peers: Iterable[PublicKey]) -> tuple[PublicKey, ...]:
        return tuple(peers)

    def send_consensus(self, to: PublicKey | None, payload: bytes) -> int:
        message = MESSAGE_DECODER.decode(payload)
        self.sent.append((to, message))
        if isinstance(message, Propose | VoteMessage):
            self.order.append(f"send {type(message).__name__}")
        return 1


class FullDisk(SqliteVoteStore):
    """A vote store without room."""

    has_room = False

    @contextmanager
    def batch(self) -> Iterator[None]:
        if not self.has_room:
            raise StorageFull(self._path)
        with super().batch():
            yield


class NotedStore(SqliteVoteStore):
    """A vote store that notes the end of every commit."""

    order: list[str]

    @contextmanager
    def batch(self) -> Iterator[None]:
        is_outermost = not self._database.in_transaction
        with super().batch():
            yield
        if is_outermost:
            self.order.append("commit")


@dataclass
class Stage:
    """One member's agreement over real stores; the test plays its peers."""

    agreement: Agreement
    ledger: Ledger
    peers: Peers
    votes: SqliteVoteStore
    evidence: list[tuple[Vote, Vote]]

    def hear(self, message: Message, peer: Person = OTHER) -> Verdict:
        return self.agreement.hear(peer.public_key, encode(message))

    def bring_work(self) -> None:
        transaction = signed(BERT, payment(), chain_id=self.ledger.root.chain_id)
        self.ledger.admit(transaction, CLOCK.now(), PEER)
        self.agreement.work()


def stage(
    folder: Path,
    chain: Genesis = AMONG_FOUR,
    me: Person = LEADER,
    store: type[SqliteVoteStore] = SqliteVoteStore,
) -> Stage:
    ledger = ledger_at(folder / "chain.db", me=me, document=chain)
    params = ConsensusParams.of(chain.params)
    votes, peers = store.open(folder / "votes.db"), Peers()
    if isinstance(votes, NotedStore):
        votes.order = peers.order
    evidence: list[tuple[Vote, Vote]] = []
    surroundings = Surroundings(
        votes=votes,
        network=peers,
        clock=CLOCK,
        me=me.public_key,
        deliver=ledger.deliver,
        secure=ledger.secure,
        on_evidence=lambda first, second: evidence.append((first, second)),
    )
    voter = Voter(chain_id=chain_id(chain), signer=me, verifier=verify)
    core = Epochs(ledger, votes, tip=ledger.tip, voter=voter, params=params)
    return Stage(Agreement(core, surroundings), ledger, peers, votes, evidence)


@asynccontextmanager
async def running(on: Stage) -> AsyncIterator[Stage]:
    """Run a stage's agreement until the body ends."""
    async with asyncio.TaskGroup() as group:
        task = group.create_task(on.agreement.run())
        await asyncio.sleep(0)
        try:
            yield on
        finally:
            task.cancel()
    on.votes.close()


def vote(who: Person, kind: VoteKind, subject: Subject) -> Vote:
    return Vote(
        kind=kind,
        epoch=Epoch(0),
        view=View(1),
        subject=subject,
        signer=who.public_key,
        signature=who.sign(SETTING.message(kind, View(1), subject)),
    )


def proposal(block: Block) -> Propose:
    """Return the first leader's proposal of a block."""
    subject = Subject(parent_view=View(0), block_id=block_id(block.header))
    notarize = vote(LEADER, VoteKind.NOTARIZE, subject)
    return Propose(vote=notarize, block=block, justification=())


async def test_an_only_member_makes_its_work_final(tmp_path: Path) -> None:
    async with running(stage(tmp_path, ALONE, ANNA)) as on:
        on.bring_work()

        await until(lambda: on.ledger.height >= 1)

    assert len(on.ledger.mempool) == 0


async def test_work_brought_before_the_start_is_not_forgotten(tmp_path: Path) -> None:
    on = stage(tmp_path, ALONE, ANNA)
    on.bring_work()

    async with running(on):
        await until(lambda: on.ledger.height >= 1)


async def test_the_heartbeat_comes_by_itself_again_and_again(tmp_path: Path) -> None:
    async with running(stage(tmp_path, QUICK, ANNA)) as on:
        await until(lambda: on.ledger.height >= 4)


async def test_a_restarted_agreement_goes_on_above_what_is_final(tmp_path: Path) -> None:
    async with running(stage(tmp_path, QUICK, ANNA)) as before:
        await until(lambda: before.ledger.height >= 2)

    async with running(stage(tmp_path, QUICK, ANNA)) as after:
        assert after.ledger.height >= before.ledger.height
        await until(lambda: after.ledger.height > before.ledger.height)


async def test_a_message_before_the_start_is_ignored(tmp_path: Path) -> None:
    on = stage(tmp_path)

    assert (on.hear(QUESTION), on.peers.sent) == (Verdict.IGNORE, [])


async def test_bytes_that_are_no_message_are_rejected(tmp_path: Path) -> None:
    async with running(stage(tmp_path)) as on:
        assert on.agreement.hear(STRANGER, b"\xc1") is Verdict.REJECT


async def test_a_vote_with_a_false_signature_is_rejected_and_a_good_one_after_it_accepted(
    tmp_path: Path,
) -> None:
    async with running(stage(tmp_path)) as on:
        good = vote(OTHER, VoteKind.NULLIFY, NO_SUBJECT)
        forged = replace(good, signature=Signature(bytes(64)))

        verdicts = [on.hear(VoteMessage(vote=one)) for one in (forged, good)]

    assert verdicts == [Verdict.REJECT, Verdict.ACCEPT]


async def test_two_votes_that_contradict_each_other_are_handed_on_as_evidence(
    tmp_path: Path,
) -> None:
    blocks = (BlockId(sha256(b"one")), BlockId(sha256(b"two")))
    subjects = (Subject(parent_view=View(0), block_id=block) for block in blocks)
    votes = tuple(vote(OTHER, VoteKind.NOTARIZE, subject) for subject in subjects)

    async with running(stage(tmp_path)) as on:
        for one in votes:
            on.hear(VoteMessage(vote=one))

    assert on.evidence == [votes]


async def test_a_proposal_is_stored_in_one_commit_before_it_is_sent(tmp_path: Path) -> None:
    async with running(stage(tmp_path, store=NotedStore)) as on:
        await until(lambda: bool(on.peers.signed))

    assert on.peers.order[:2] == ["commit", "send Propose"]


async def test_a_proposal_goes_to_all_members_but_ourselves(tmp_path: Path) -> None:
    async with running(stage(tmp_path)) as on:
        await until(lambda: len(on.peers.signed) >= 3)

    assert [to for to, _ in on.peers.signed[:3]] == sorted(
        who.public_key for who in FOUR if who != LEADER
    )


@pytest.mark.parametrize(
    ("to", "receivers"),
    [(Audience.FOLLOWERS, [STRANGER]), (CLEO.public_key, [CLEO.public_key])],
)
async def test_a_message_goes_to_its_audience(
    tmp_path: Path, to: PublicKey | Audience, receivers: list[PublicKey]
) -> None:
    on = stage(tmp_path)
    on.peers.connected = (*on.peers.connected, STRANGER)

    on.agreement._perform([Send(to=to, message=QUESTION)])

    assert [to for to, _ in on.peers.sent] == receivers


async def test_anyone_is_another_peer_each_time_and_nobody_where_there_is_none(
    tmp_path: Path,
) -> None:
    on = stage(tmp_path)
    send: list[Output] = [Send(to=Audience.ANYONE, message=QUESTION)]

    for _ in range(4):
        on.agreement._perform(send)
    on.peers.connected = ()
    on.agreement._perform(send)

    assert sorted(to for to, _ in on.peers.sent if to) == sorted(w.public_key for w in FOUR)


async def test_a_vote_that_cannot_be_stored_is_not_sent_and_ends_the_node(tmp_path: Path) -> None:
    on = stage(tmp_path, store=FullDisk)

    with pytest.raises(StorageFull):
        await on.agreement.run()

    assert on.peers.signed == []


async def test_who_brings_work_does_not_meet_the_errors_of_voting(tmp_path: Path) -> None:
    on = stage(tmp_path, ALONE, ANNA, FullDisk)

    async def run() -> None:
        with pytest.raises(StorageFull):
            await on.agreement.run()

    async with asyncio.timeout(10), asyncio.TaskGroup() as group:
        group.create_task(run())
        await asyncio.sleep(0)
        on.bring_work()

    assert on.ledger.height == 0


async def test_after_a_failure_nothing_more_is_heard_or_sent(tmp_path: Path) -> None:
    on = stage(tmp_path, store=FullDisk)
    with pytest.raises(StorageFull):
        await on.agreement.run()

    heard = on.hear(VoteMessage(vote=vote(OTHER, VoteKind.NULLIFY, NO_SUBJECT)))

    assert (heard, on.peers.signed) == (Verdict.IGNORE, [])


async def test_a_failure_while_a_peer_is_heard_ends_the_keeping_of_time_too(
    tmp_path: Path,
) -> None:
    on = stage(tmp_path, me=OTHER, store=FullDisk)
    author = ledger_at(tmp_path / "author.db", me=LEADER, document=AMONG_FOUR)
    block = author.build(block_id(author.tip), View(1), CLOCK.now())
    assert block is not None

    async with asyncio.timeout(10), asyncio.TaskGroup() as group:
        group.create_task(on.agreement.run())
        await asyncio.sleep(0)
        with pytest.raises(StorageFull):
            on.hear(proposal(block), LEADER)
        on.agreement.work()

    assert on.peers.signed == []


async def test_a_peer_that_asks_too_much_is_ignored_and_others_are_answered(
    tmp_path: Path,
) -> None:
    async with running(stage(tmp_path)) as on:
        flood = [on.hear(QUESTION) for _ in range(2 * QUESTIONS_PER_WINDOW)]
        honest = on.hear(QUESTION, CLEO)

    assert flood[:QUESTIONS_PER_WINDOW] == [Verdict.ACCEPT] * QUESTIONS_PER_WINDOW
    assert Verdict.IGNORE in flood[QUESTIONS_PER_WINDOW:]
    assert honest is Verdict.ACCEPT


async def test_the_votes_of_a_peer_that_asks_too_much_are_heard(tmp_path: Path) -> None:
    async with running(stage(tmp_path)) as on:
        for _ in range(2 * QUESTIONS_PER_WINDOW):
            on.hear(QUESTION)

        verdict = on.hear(VoteMessage(vote=vote(OTHER, VoteKind.NULLIFY, NO_SUBJECT)))

    assert verdict is Verdict.ACCEPT
