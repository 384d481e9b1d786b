"""What a running node says of its own state, to its owner's commands: who is missing, why a peer refuses."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest
from msgspec.structs import replace

from lc_node.api import schema
from lc_node.api.async_client import AsyncClient
from lc_node.api.calls import GetPeers, GetStatus
from lc_node.chain.params import CREDIT, DEVNET
from lc_node.chain.types import Digest, Link, MicroCredits, Millis, MillisSpan
from lc_node.cli.main import run
from lc_node.runtime.config import Config, PeerEntry
from lc_node.runtime.devnet import free_ports
from lc_node.runtime.genesis_builder import Founder, build_genesis
from lc_node.runtime.home import Home, Identity
from lc_node.runtime.network import Network
from lc_node.runtime.node import Node, Settings
from lc_node.runtime.vitals import RATE_SPAN, Vitals
from tests.chain.actors import ANNA, BERT, person
from tests.e2e.graphs import short_folder
from tests.runtime.small_chain import Members, follow, ledger_at

QUICK = replace(DEVNET, heartbeat_ms=MillisSpan(1_000))
PATIENCE_SECONDS = 90


class Pair:
    """Two validators of equal weight, and how one is started."""

    def __init__(self, folder: Path) -> None:
        self.homes = (Home(folder / "one"), Home(folder / "two"))
        self.who = tuple(home.create(None) for home in self.homes)
        self.ports = free_ports(2)
        genesis = build_genesis(
            "pair", QUICK, Millis(1_700_000_000_000), [_founder(one) for one in self.who]
        )
        for home in self.homes:
            home.use_genesis(genesis)

    @asynccontextmanager
    async def living(self, number: int) -> AsyncIterator[AsyncClient]:
        """Run one of the two, as if another process; yield a client of it."""
        ready = asyncio.Event()
        async with asyncio.timeout(PATIENCE_SECONDS), asyncio.TaskGroup() as group:
            node = Node.open(self._settings(number))
            task = group.create_task(node.run(ready.set))
            await ready.wait()
            try:
                async with AsyncClient(self.homes[number].path) as client:
                    yield client
            finally:
                task.cancel()

    def _settings(self, number: int) -> Settings:
        other, home = 1 - number, self.homes[number]
        peer = PeerEntry(
            address=self.who[other].address,
            transport_key=self.who[other].transport_key,
            host="127.0.0.1",
            port=self.ports[other],
        )
        defaults = Config()
        config = replace(
            defaults,
            network=replace(
                defaults.network,
                host="127.0.0.1",
                port=self.ports[number],
                peers=(peer,),
                multicast=False,
            ),
            work=replace(defaults.work, work=False),
        )
        return Settings(
            home=home, keystore=home.keystore(None), config=config, genesis=home.genesis()
        )


def _founder(identity: Identity) -> Founder:
    return Founder(
        key=identity.key,
        balance=MicroCredits(100 * CREDIT),
        bonded=MicroCredits(100 * CREDIT),
        link=Link(Digest(bytes.fromhex(identity.link))),
    )


@pytest.fixture
def pair() -> Iterator[Pair]:
    with short_folder() as folder:
        yield Pair(folder)


async def found(client: AsyncClient, code: str) -> schema.Finding:
    """Return the finding of this code as soon as the node tells it."""
    while True:
        status = await client.call(GetStatus())
        for finding in status.findings:
            if finding.code == code:
                return finding
        await asyncio.sleep(0.1)


async def until_height(client: AsyncClient, height: int) -> schema.Status:
    """Return what the node says once its chain is so high."""
    while True:
        status = await client.call(GetStatus())
        if status.height >= height:
            return status
        await asyncio.sleep(0.05)


async def test_when_one_validator_of_two_stops_the_other_says_so(
    pair: Pair, capsys: pytest.CaptureFixture[str]
) -> None:
    async with pair.living(0) as one:
        async with pair.living(1):
            at_work = await until_height(one, 2)
        missing = await found(one, "no_quorum")
        await asyncio.to_thread(run, ["status", "--home", str(pair.homes[0].path)])
        told = capsys.readouterr().out

        async with pair.living(1):
            again = await until_height(one, at_work.height + 2)

    name = f"{pair.who[1].address[:12]}..."
    assert not [one.code for one in at_work.findings if one.level is schema.Level.TROUBLE]
    assert missing.text == (
        f"stalled: validators with 50 % of the weight are not connected: {name}"
    )
    assert f"trouble: {missing.text}\n  -> {missing.remedy}\n" in told
    assert "no_quorum" not in [finding.code for finding in again.findings]


async def test_a_peer_that_is_away_is_listed_with_the_reason_and_the_remedy(
    pair: Pair, capsys: pytest.CaptureFixture[str]
) -> None:
    async with pair.living(0) as one:
        await found(one, "refused_no_answer")
        (peer,) = await one.call(GetPeers())
        await asyncio.to_thread(run, ["peers", "--home", str(pair.homes[0].path)])

    assert (peer.software, peer.heard) == ("no answer", None)
    assert f"  -> {peer.remedy}\n" in capsys.readouterr().out
    assert "is it running" in peer.remedy


class SetClock:
    """A clock that shows what the test says."""

    def __init__(self) -> None:
        self.time = Millis(0)

    def now(self) -> Millis:
        return self.time

    async def sleep_until(self, at: Millis) -> None:
        self.time = max(self.time, at)


class Follower:
    """Bert's vitals; he follows a chain that Anna makes, by a clock of his own."""

    def __init__(self, folder: Path) -> None:
        self.leader = ledger_at(folder / "anna.db")
        self.home = ledger_at(folder / "bert.db", me=BERT)
        self.clock = SetClock()
        self.vitals = Vitals(
            me=BERT.public_key,
            ledger=self.home,
            network=cast("Network", SimpleNamespace(peers=lambda: ())),
            votes=Members(self.home),
            clock=self.clock,
            home=folder,
        )

    def hear_block(self, *, after: int) -> None:
        """Make a block final here when Bert's clock is so far beyond the block's time."""
        self.clock.time = Millis(self.leader.tip.time + 100 + after)
        follow(self.home, self.leader)


def test_a_clock_is_compared_with_the_fastest_of_others_blocks(tmp_path: Path) -> None:
    bert = Follower(tmp_path)
    unknown = bert.vitals.facts().clock_ahead
    for delay in (90, 40, 3_000):
        bert.hear_block(after=12_000 + delay)

    assert (unknown, bert.vitals.facts().clock_ahead) == (None, 12_040)


def test_one_validator_whose_clock_is_off_misleads_nobody(tmp_path: Path) -> None:
    vitals = Follower(tmp_path).vitals
    for name, offset in (("a", 80), ("b", -10_000), ("c", 60), ("d", 90)):
        vitals._note_offset(person(name).public_key, offset)

    assert vitals.facts().clock_ahead == 60


def test_own_blocks_say_nothing_of_the_own_clock(tmp_path: Path) -> None:
    bert = Follower(tmp_path)
    alone = Vitals(
        me=ANNA.public_key,
        ledger=bert.leader,
        network=cast("Network", SimpleNamespace(peers=lambda: ())),
        votes=Members(bert.leader),
        clock=bert.clock,
        home=tmp_path,
    )
    bert.hear_block(after=5_000)

    assert alone.facts().clock_ahead is None


def test_the_rate_is_that_of_the_last_ten_seconds(tmp_path: Path) -> None:
    bert = Follower(tmp_path)
    for _ in range(5):
        bert.hear_block(after=0)
    at_work = bert.vitals.facts().blocks_per_second
    bert.clock.time = Millis(bert.clock.time + RATE_SPAN + 1_000)

    assert (at_work, bert.vitals.facts().blocks_per_second) == (0.5, 0.0)
    assert (bert.vitals.blocks, bert.vitals.transactions) == (5, 0)
