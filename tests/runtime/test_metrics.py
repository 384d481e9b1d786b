"""The page that Prometheus reads: a real node's, over HTTP, and what docs/METRICS.md says of it."""

import asyncio
import re
import urllib.request
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest
from msgspec.structs import replace
from prometheus_client.parser import text_string_to_metric_families

from lc_node.adapters.metrics import CannotServeMetrics
from lc_node.chain.types import ByteCount, Height, Millis, PublicKey
from lc_node.ports.metrics import Kind
from lc_node.runtime import health
from lc_node.runtime.config import Config, MetricsConfig
from lc_node.runtime.devnet import free_ports
from lc_node.runtime.home import Home
from lc_node.runtime.instruments import METRICS
from lc_node.runtime.metrics import Observed
from lc_node.runtime.metrics_network import NETWORK, PEERS_SHOWN_MAX
from lc_node.runtime.network import PeerInfo
from lc_node.runtime.node import Node, Settings
from tests.runtime.test_node import home, pay, running, settings_of

__all__ = ["home"]  # a fixture

DOCS = Path(__file__).parents[2] / "docs" / "METRICS.md"
OF_THE_PROCESS = "process_"


def watched(home: Home, address: str) -> Settings:
    settings = settings_of(home)
    config: Config = replace(settings.config, metrics=MetricsConfig(listen=address))
    return Settings(home=home, keystore=settings.keystore, config=config, genesis=settings.genesis)


class Page:
    """Everything that one scrape has brought."""

    def __init__(self, text: str) -> None:
        families = list(text_string_to_metric_families(text))
        self.kinds = {family.name: family.type for family in families}
        self.meanings = {family.name: family.documentation for family in families}
        self.values = {
            (sample.name, *sample.labels.values()): sample.value
            for family in families
            for sample in family.samples
        }


async def scrape(address: str) -> Page:
    """Ask as Prometheus does: a plain GET, from another thread than the node's."""

    def ask() -> str:
        with urllib.request.urlopen(f"http://{address}/metrics", timeout=20) as answer:
            return str(answer.read().decode())

    return Page(await asyncio.to_thread(ask))


@pytest.fixture
def address() -> str:
    (port,) = free_ports(1)
    return f"127.0.0.1:{port}"


async def test_what_is_measured_moves_with_the_chain(
    home: Home, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        health, "SILENT_HEARTBEATS", 100
    )  # on a busy machine a block takes its time
    monkeypatch.setattr(health, "DISK_LOW", 0)
    async with running(Node.open(watched(home, address))) as node:
        before = await scrape(address)
        await pay(node)
        after = await scrape(address)

    def grew(*name: str) -> float:
        return after.values[name] - before.values.get(name, 0)

    assert grew("lc_chain_height") == grew("lc_chain_blocks_total") >= 1
    assert grew("lc_chain_transactions_total") >= 1
    assert grew("lc_agreement_view") >= 1
    assert grew("lc_own_transaction_seconds_count") >= 1
    assert grew("lc_agreement_store_seconds_count") >= 1
    assert grew("lc_credits", "balance") < 0
    assert after.values["lc_agreement_heard_weight_ratio",] == 1
    assert after.values["lc_agreement_is_validator",] == 1
    assert after.values["process_resident_memory_bytes",] > 10_000_000
    assert not [name for name in after.values if name[0] == "lc_finding"]


async def test_the_page_has_every_metric_with_its_kind_and_meaning(
    home: Home, address: str
) -> None:
    async with running(Node.open(watched(home, address))):
        page = await scrape(address)

    ours = {name: kind for name, kind in page.kinds.items() if not name.startswith(OF_THE_PROCESS)}
    assert ours == {one.name.removesuffix("_total"): one.kind.name.lower() for one in METRICS}
    assert all(page.meanings[one.name.removesuffix("_total")] == one.meaning for one in METRICS)


def test_strangers_cannot_grow_the_series_of_peers() -> None:
    def peer(number: int, *, is_up: bool) -> PeerInfo:
        return PeerInfo(
            peer=PublicKey(number.to_bytes(32, "big")),
            address="",
            is_up=is_up,
            is_outbound=False,
            is_listed=False,
            refusal=None,
            height=Height(number),
            heard=None,
            score=0,
            since=Millis(number),
            bytes_in=ByteCount(0),
            bytes_out=ByteCount(0),
        )

    many = [peer(number, is_up=number >= 1_000) for number in range(1_010)]
    node = SimpleNamespace(network=SimpleNamespace(peers=lambda: many))
    (heights,) = (one for one in NETWORK if one.name == "lc_peer_height")

    shown = [value for _, value in heights.read(cast("Observed", node))]

    assert len(shown) == PEERS_SHOWN_MAX
    assert set(range(1_000, 1_010)) <= set(shown)


def test_names_follow_the_conventions_of_prometheus() -> None:
    for one in METRICS:
        assert re.fullmatch(r"lc_[a-z]+(_[a-z]+)*", one.name)
        assert one.name.endswith("_total") == (one.kind is Kind.COUNTER)
        assert one.meaning.endswith(".")
    assert len({one.name for one in METRICS}) == len(METRICS)


def test_the_documentation_lists_every_metric_and_no_other() -> None:
    rows = re.findall(r"^\| `(lc_\w+)`(\S*) \| (\w+) \| (.+) \|$", DOCS.read_text(), re.MULTILINE)

    documented = [(name, labels, kind, meaning) for name, labels, kind, meaning in rows]
    assert documented == [
        (
            one.name,
            f"`{{{','.join(one.labels)}}}`" if one.labels else "",
            one.kind.name.lower(),
            one.meaning,
        )
        for one in METRICS
    ]


async def test_a_taken_address_ends_the_node_and_is_named(home: Home) -> None:
    blocker = await asyncio.start_server(lambda _r, _w: None, "127.0.0.1", 0)
    port = blocker.sockets[0].getsockname()[1]
    async with blocker:
        with pytest.raises(ExceptionGroup) as failure:
            await asyncio.wait_for(Node.open(watched(home, f"127.0.0.1:{port}")).run(), 30)

    (found,) = _leaves(failure.value)
    assert isinstance(found, CannotServeMetrics)
    assert f"127.0.0.1:{port}" in str(found)


async def test_the_port_is_free_again_when_the_node_has_ended(home: Home, address: str) -> None:
    for _ in range(2):
        async with running(Node.open(watched(home, address))):
            assert (await scrape(address)).values


def _leaves(error: BaseException) -> list[BaseException]:
    if isinstance(error, BaseExceptionGroup):
        return [leaf for part in error.exceptions for leaf in _leaves(part)]
    return [error]
