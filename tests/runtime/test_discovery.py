"""Nodes find each other over real sockets: from one bootstrap peer, from the book, whoever can be dialed."""

import logging
from collections.abc import Sequence
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from lc_node.adapters.system_clock import SystemClock
from lc_node.chain.codec import encode
from lc_node.chain.types import Millis, MillisSpan
from lc_node.ports.transport import PeerAddress
from lc_node.runtime.hints import Origin
from lc_node.wire.endpoints import Endpoint, Host, Port
from lc_node.wire.kinds import Channel
from lc_node.wire.messages import Keepalive, encode_message
from lc_node.wire.outbound import OUTBOUND_WANTED
from lc_node.wire.records import AskRecords, NodeRecord, SignedRecord, TellRecords, sign_record
from lc_node.wire.topics import Topic
from tests.finders import SILENCE, Finder, ToldChain, finder
from tests.peer_nodes import CHAIN, Recorder, Who, node, people, until


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let discovery look around more often than in life."""
    monkeypatch.setattr("lc_node.runtime.discovery.TICK_SECONDS", 0.05)
    monkeypatch.setattr("lc_node.runtime.discovery.ASK_FIRST", MillisSpan(200))


async def group(
    stack: AsyncExitStack, folder: Path, members: Sequence[Who], bootstrap: Finder
) -> list[Finder]:
    return [
        await stack.enter_async_context(finder(one, folder, seeds=[bootstrap.address]))
        for one in members
    ]


def are_all_connected(nodes: Sequence[Finder], wanted: int) -> bool:
    return all(len(one.peers) >= wanted for one in nodes)


async def test_nodes_that_know_one_bootstrap_peer_all_find_as_many_as_are_wanted(
    tmp_path: Path,
) -> None:
    first, *others = people(12)
    async with AsyncExitStack() as stack:
        bootstrap = await stack.enter_async_context(finder(first, tmp_path))
        nodes = [bootstrap, *await group(stack, tmp_path, others, bootstrap)]

        await until(lambda: are_all_connected(nodes, OUTBOUND_WANTED))


async def test_a_node_finds_its_peers_again_though_the_bootstrap_peer_is_dead(
    tmp_path: Path,
) -> None:
    first, last, *others = people(6)
    async with AsyncExitStack() as stack:
        async with finder(first, tmp_path) as bootstrap:
            nodes = await group(stack, tmp_path, others, bootstrap)
            async with finder(last, tmp_path, seeds=[bootstrap.address]) as again:
                await until(lambda: are_all_connected([*nodes, again, bootstrap], 5))

        async with finder(last, tmp_path) as again:
            await until(lambda: again.peers == {one.key for one in others})


async def test_a_node_that_only_dials_out_finds_all_who_listen(tmp_path: Path) -> None:
    first, inside, *others = people(5)
    async with AsyncExitStack() as stack:
        bootstrap = await stack.enter_async_context(finder(first, tmp_path))
        nodes = await group(stack, tmp_path, others, bootstrap)
        behind = await stack.enter_async_context(
            finder(inside, tmp_path, seeds=[bootstrap.address], port=None)
        )

        await until(lambda: len(behind.peers) == 4)
        await until(lambda: all(inside.key in one.peers for one in nodes))
        assert all(
            one.discovery.origin(inside.key) is Origin.DIALED_IN for one in (bootstrap, *nodes)
        )


async def test_peers_are_known_from_where_they_were_heard_of(tmp_path: Path) -> None:
    first, second, third = people(3)
    async with AsyncExitStack() as stack:
        a = await stack.enter_async_context(finder(first, tmp_path))
        b, c = await group(stack, tmp_path, (second, third), a)
        await until(lambda: are_all_connected([a, b, c], 2))
        between = {b.discovery.origin(third.key), c.discovery.origin(second.key)}

        assert b.discovery.origin(first.key) is Origin.SEED
        assert Origin.RECORD in between


async def test_a_banned_key_is_never_dialed(tmp_path: Path) -> None:
    first, second, bad = people(3)
    async with AsyncExitStack() as stack:
        a = await stack.enter_async_context(finder(first, tmp_path))
        await group(stack, tmp_path, (second, bad), a)
        await until(lambda: all(a.discovery._book.get(one.key) for one in (second, bad)))
        chain = ToldChain(banned=frozenset({bad.key}))
        late = people(4)[3]
        c = await stack.enter_async_context(finder(late, tmp_path, seeds=[a.address], chain=chain))
        await until(lambda: c.discovery._book.get(bad.key) is not None)
        await until(lambda: second.key in c.peers)

        assert bad.key not in c.discovery._calls
        assert not any(one.is_dialed for one in c.transport.connections() if one.peer == bad.key)


@pytest.mark.parametrize("is_validator", [True, False])
async def test_only_a_validator_goes_on_dialing_a_validator_that_does_not_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, is_validator: bool
) -> None:
    first, second = people(2)
    chain = ToldChain(members=frozenset({second.key} | ({first.key} if is_validator else set())))
    async with finder(first, tmp_path, chain=chain) as a:
        kept: list[bool] = []

        def dial(_address: PeerAddress, *, keep: bool) -> bool:
            kept.append(keep)
            return True

        monkeypatch.setattr(a.transport, "dial", dial)
        a.discovery._book.add(record_at(second, 1), Host("127.0.0.1"), SystemClock().now())
        await until(lambda: bool(kept))

    assert kept[0] is is_validator


async def test_a_damaged_book_is_a_line_in_the_log_and_a_new_beginning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    first, second = people(2)
    async with finder(first, tmp_path) as a:
        async with finder(second, tmp_path, seeds=[a.address]) as b:
            await until(lambda: b.discovery._book.is_tried(first.key))
        book = tmp_path / second.key.hex()[:8] / "peers.bin"
        book.write_bytes(book.read_bytes()[:-1])
        async with finder(second, tmp_path) as b:
            assert len(b.discovery._book) == 0

    assert "starting to look for peers anew" in caplog.text


async def test_a_record_is_newer_after_a_restart(tmp_path: Path) -> None:
    (first,) = people(1)
    async with finder(first, tmp_path) as a:
        before = a.discovery._own.current().record.sequence
    async with finder(first, tmp_path) as a:
        assert a.discovery._own.current().record.sequence > before


async def test_when_nothing_becomes_final_there_is_an_alarm_and_its_end(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    (first,) = people(1)
    async with finder(first, tmp_path, silence=MillisSpan(200)) as a:
        await until(lambda: "looking for other peers" in caplog.text)
        a.chain.height += 1

        await until(lambda: "become final again" in caplog.text)


@pytest.mark.parametrize("is_alarmed", [True, False])
async def test_a_clock_that_is_set_back_neither_ends_nor_puts_off_the_alarm(
    tmp_path: Path, *, is_alarmed: bool
) -> None:
    (first,) = people(1)
    async with finder(first, tmp_path) as a:
        discovery, now = a.discovery, SystemClock().now()
        discovery._watch_chain(now)
        if is_alarmed:
            discovery._watch_chain(Millis(now + SILENCE + 1))
        earlier = now - 30 * SILENCE
        discovery._watch_chain(Millis(earlier))
        assert discovery.is_alarmed is is_alarmed

        discovery._watch_chain(Millis(earlier + SILENCE + 1))
        assert discovery.is_alarmed


async def test_validators_connect_to_each_other_also_where_no_other_peers_are_wanted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lc_node.wire.outbound.OUTBOUND_WANTED", 0)
    monkeypatch.setattr("lc_node.wire.outbound.FEELER_PAUSE", MillisSpan(3_600_000))
    first, *others = people(4)
    chain = ToldChain(members=frozenset(one.key for one in others))
    async with AsyncExitStack() as stack:
        bootstrap = await stack.enter_async_context(finder(first, tmp_path))
        nodes = [
            await stack.enter_async_context(
                finder(one, tmp_path, seeds=[bootstrap.address], chain=chain)
            )
            for one in others
        ]

        await until(lambda: are_all_connected(nodes, 3))


async def test_who_is_a_validator_no_longer_is_kept_like_any_other_peer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lc_node.wire.outbound.OUTBOUND_WANTED", 0)
    monkeypatch.setattr("lc_node.runtime.discovery.HINTED_WANTED", 0)
    first, second, third = people(3)
    chain = ToldChain(members=frozenset({second.key, third.key}))
    async with AsyncExitStack() as stack:
        a = await stack.enter_async_context(finder(first, tmp_path))
        nodes = [
            await stack.enter_async_context(finder(one, tmp_path, seeds=[a.address], chain=chain))
            for one in (second, third)
        ]
        await until(lambda: are_all_connected(nodes, 2))
        chain.members = frozenset()

        await until(
            lambda: (
                not any(
                    call.why.value == "validator"
                    for b in nodes
                    for call in b.discovery._calls.values()
                )
            )
        )
        assert are_all_connected(nodes, 2)


async def test_a_feeler_gets_to_know_a_stranger_and_hangs_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lc_node.wire.outbound.OUTBOUND_WANTED", 0)
    monkeypatch.setattr("lc_node.wire.outbound.FEELER_PAUSE", MillisSpan(100))
    first, second, third = people(3)
    async with AsyncExitStack() as stack:
        a = await stack.enter_async_context(finder(first, tmp_path))
        c, *_ = await group(stack, tmp_path, (third,), a)
        b = await stack.enter_async_context(finder(second, tmp_path, seeds=[a.address], port=None))

        await until(lambda: b.discovery._book.is_tried(third.key))
        await until(lambda: b.peers == c.peers == {first.key})


async def test_a_hint_about_oneself_leads_nowhere(tmp_path: Path) -> None:
    (first,) = people(1)
    async with finder(first, tmp_path) as a:
        a.discovery.hint(a.address, Origin.MULTICAST)

        assert a.discovery._hints.origin(first.key) is None


async def score_after(node: Finder, liar: Finder, question: bytes) -> int:
    """Let one ask another, who answers or not, and return what that has cost it."""
    alive = encode_message(Keepalive())
    await until(lambda: liar.transport.send(node.who.key, Channel.BULK, alive))
    await liar.network.request(node.who.key, Topic.RECORDS, question)
    return next(one.score for one in node.network.peers() if one.peer == liar.who.key)


def signed_by(who: Who, signer: Who) -> SignedRecord:
    """Return a record of one node that another may have signed, newer than any that it signed itself."""
    record = NodeRecord(
        chain_id=CHAIN,
        node_key=who.key,
        transport_key=who.keys.public,
        endpoints=(),
        sequence=Millis(SystemClock().now() + 60_000),
    )
    return sign_record(record, signer.signer)


def record_at(who: Who, port: int, *, ahead: int = 0) -> SignedRecord:
    """Return a record of a node that is said to listen on a port of this machine, signed so many ms from now."""
    record = NodeRecord(
        chain_id=CHAIN,
        node_key=who.key,
        transport_key=who.keys.public,
        endpoints=(Endpoint(host=Host("127.0.0.1"), port=Port(port)),),
        sequence=Millis(SystemClock().now() + ahead),
    )
    return sign_record(record, who.signer)


def question_of(who: Who, signer: Who) -> bytes:
    return encode(AskRecords(own=signed_by(who, signer)))


@pytest.mark.parametrize("kind", ["forged", "another's", "malformed"])
async def test_who_asks_with_a_record_that_is_not_its_own_is_scored(
    tmp_path: Path, kind: str
) -> None:
    first, second, third = people(3)
    questions = {
        "forged": question_of(second, third),
        "another's": question_of(third, third),
        "malformed": b"nonsense",
    }
    async with (
        finder(first, tmp_path) as node,
        finder(second, tmp_path, seeds=[node.address]) as liar,
    ):
        assert await score_after(node, liar, questions[kind]) > 0


@pytest.mark.parametrize("kind", ["forged", "malformed"])
async def test_who_tells_what_no_honest_node_would_is_scored(tmp_path: Path, kind: str) -> None:
    first, second, third = people(3)
    answers = {
        "forged": encode(TellRecords(you="127.0.0.1", records=(signed_by(third, second),))),
        "malformed": b"nonsense",
    }
    async with (
        node(second, tmp_path, heard=Recorder(answer=answers[kind])) as liar,
        finder(first, tmp_path, seeds=[liar.address]) as asking,
    ):
        await until(lambda: any(one.score for one in asking.network.peers()))
        assert asking.discovery._book.get(third.key) is None


async def test_a_record_of_ours_that_came_back_from_the_future_is_outbid(tmp_path: Path) -> None:
    first, second = people(2)
    ours = signed_by(first, first).record
    later = NodeRecord(
        chain_id=ours.chain_id,
        node_key=ours.node_key,
        transport_key=ours.transport_key,
        endpoints=(),
        sequence=Millis(ours.sequence + 600_000),
    )
    answer = encode(TellRecords(you="nowhere?", records=(sign_record(later, first.signer),)))
    async with (
        node(second, tmp_path, heard=Recorder(answer=answer)) as other,
        finder(first, tmp_path, seeds=[other.address]) as restored,
    ):
        own = restored.discovery._own

        await until(lambda: own.current().record.sequence > later.sequence)


async def test_who_has_forgotten_its_last_record_is_told_of_it_and_outbids_it(
    tmp_path: Path,
) -> None:
    first, second = people(2)
    later = record_at(first, 1, ahead=600_000)
    async with finder(second, tmp_path) as other:
        other.discovery._book.add(later, Host("127.0.0.1"), SystemClock().now())
        async with finder(first, tmp_path, seeds=[other.address]) as restored:
            own = restored.discovery._own

            await until(lambda: own.current().record.sequence > later.record.sequence)


async def test_a_peer_is_answered_a_bounded_number_of_times(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lc_node.runtime.record_exchange.RECORD_QUESTIONS", 3)
    first, second = people(2)
    async with finder(first, tmp_path) as asked, node(second, tmp_path) as greedy:
        greedy.transport.dial(asked.address, keep=True)
        alive = encode_message(Keepalive())
        await until(lambda: greedy.transport.send(first.key, Channel.BULK, alive))
        question = question_of(second, second)
        answers = [
            await greedy.network.request(first.key, Topic.RECORDS, question) for _ in range(6)
        ]

    assert [answer is not None for answer in answers[:3]] == [True] * 3
    assert None in answers


async def test_a_node_that_is_not_to_look_around_dials_nobody_and_tells_nobody(
    tmp_path: Path,
) -> None:
    first, second = people(2)
    async with (
        finder(first, tmp_path) as a,
        finder(second, tmp_path, seeds=[a.address], is_wanted=False) as quiet,
    ):
        alive = encode_message(Keepalive())
        a.transport.dial(quiet.address, keep=True)
        await until(lambda: a.transport.send(second.key, Channel.BULK, alive))
        answer = await a.network.request(second.key, Topic.RECORDS, question_of(first, first))

        assert answer is None
        assert not quiet.discovery._calls
