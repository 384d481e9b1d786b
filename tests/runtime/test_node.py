"""A node as a whole: what it takes hold of it lets go of, and its first real error is how it ends."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import pytest
from msgspec.structs import replace

from lc_node.adapters.sqlite_vote_store import SqliteVoteStore
from lc_node.adapters.zmq_transport import CannotListen
from lc_node.api.endpoint import find_endpoint
from lc_node.api.errors import NodeUnreachable
from lc_node.api.server import ApiServer
from lc_node.chain.params import CREDIT, DEVNET
from lc_node.chain.transactions import Transfer
from lc_node.chain.types import Digest, Link, MicroCredits, Millis, MillisSpan
from lc_node.ports.stores import NodeAlreadyRunning, StorageFull
from lc_node.runtime.config import Config
from lc_node.runtime.genesis_builder import Founder, build_genesis
from lc_node.runtime.home import Home
from lc_node.runtime.node import Node, Settings
from tests.chain.actors import BERT

QUICK = replace(DEVNET, heartbeat_ms=MillisSpan(300))


@pytest.fixture
def home(tmp_path: Path) -> Home:
    home = Home(tmp_path / "home")
    identity = home.create(None)
    founder = Founder(
        key=identity.key,
        balance=MicroCredits(100 * CREDIT),
        bonded=MicroCredits(100 * CREDIT),
        link=Link(Digest(bytes.fromhex(identity.link))),
    )
    home.use_genesis(build_genesis("alone", QUICK, Millis(1_700_000_000_000), [founder]))
    return home


def settings_of(home: Home, port: int = 0) -> Settings:
    defaults = Config()
    config = replace(
        defaults,
        network=replace(defaults.network, host="127.0.0.1", port=port, multicast=False),
        work=replace(defaults.work, work=False),
    )
    return Settings(home=home, keystore=home.keystore(None), config=config, genesis=home.genesis())


@asynccontextmanager
async def running(node: Node) -> AsyncIterator[Node]:
    """Run a node until the body ends."""
    ready = asyncio.Event()
    async with asyncio.timeout(30), asyncio.TaskGroup() as group:
        task = group.create_task(node.run(ready.set))
        await ready.wait()
        try:
            yield node
        finally:
            task.cancel()


async def pay(node: Node) -> None:
    body = Transfer(to=BERT.public_key, amount=MicroCredits(CREDIT), memo=b"")
    await node._sender.send(body, timeout_seconds=10)


async def test_a_node_alone_makes_its_payments_final_and_goes_on_after_a_restart(
    home: Home,
) -> None:
    for payments in (1, 2):
        async with running(Node.open(settings_of(home))) as node:
            await pay(node)

            assert node.ledger.state.account(BERT.public_key).balance == payments * CREDIT


async def test_a_stopped_node_leaves_no_door_and_no_lock(home: Home) -> None:
    async with running(Node.open(settings_of(home))):
        assert find_endpoint(home.path, {}).folder.is_dir()

    with pytest.raises(NodeUnreachable):
        find_endpoint(home.path, {})
    SqliteVoteStore.open(home.votes_path).close()


async def test_closing_a_node_that_never_ran_lets_go_of_everything_twice(home: Home) -> None:
    node = Node.open(settings_of(home))

    node.close()
    node.close()

    SqliteVoteStore.open(home.votes_path).close()


async def test_a_second_node_of_a_home_is_refused_and_the_first_goes_on(home: Home) -> None:
    async with running(Node.open(settings_of(home))) as node:
        with pytest.raises(NodeAlreadyRunning, match="stop it first"):
            Node.open(settings_of(home))

        await pay(node)


async def test_a_node_whose_port_is_taken_lets_go_of_what_it_had_opened(
    home: Home, tmp_path: Path
) -> None:
    first = Node.open(settings_of(home))
    other = Home(tmp_path / "other")
    other.create(None)
    other.use_genesis(home.genesis())

    with pytest.raises(CannotListen):
        Node.open(settings_of(other, first.port))

    first.close()
    SqliteVoteStore.open(other.votes_path).close()


async def test_a_node_without_its_votes_signs_no_more(
    home: Home, caplog: pytest.LogCaptureFixture
) -> None:
    async with running(Node.open(settings_of(home))) as node:
        await pay(node)
    home.votes_path.unlink()

    async with running(Node.open(settings_of(home))) as node:
        assert not node._agreement.core.may_sign

    assert "votes.db is lost" in caplog.text


async def test_a_full_disk_ends_the_node_and_is_what_it_ends_with(home: Home) -> None:
    @contextmanager
    def batch() -> Iterator[None]:
        if home.votes_path.exists():
            raise StorageFull(home.votes_path)
        yield

    node = Node.open(settings_of(home))
    node._stores.votes.batch = batch  # type: ignore[method-assign]  # a disk that fills up now

    with pytest.raises(ExceptionGroup) as failure:
        await asyncio.wait_for(node.run(node._agreement.work), 30)

    assert failure.group_contains(StorageFull)
    SqliteVoteStore.open(home.votes_path).close()


async def test_a_node_stops_the_work_first_then_the_door_then_the_chain(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended: list[str] = []
    node = Node.open(settings_of(home))
    for name, part in (("work", node._jobs), ("chain", node._agreement)):
        monkeypatch.setattr(part, "run", _noting(part.run, name, ended))
    monkeypatch.setattr(node, "_serve", _noting_server(node._serve, ended))

    async with running(node):
        await pay(node)

    assert ended == ["work", "door", "chain"]


def _noting(
    run: Callable[[], Awaitable[None]], name: str, ended: list[str]
) -> Callable[[], Awaitable[None]]:
    async def noted() -> None:
        try:
            await run()
        finally:
            ended.append(name)

    return noted


def _noting_server(
    serve: Callable[[ApiServer], Awaitable[None]], ended: list[str]
) -> Callable[[ApiServer], Awaitable[None]]:
    async def noted(server: ApiServer) -> None:
        await _noting(lambda: serve(server), "door", ended)()

    return noted
