"""A light client over real connections: what it proves, and whom it does not believe."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import TypeVar

import pytest
from msgspec.structs import replace

from lc_node.api.errors import BadCall
from lc_node.api.light import LightClient
from lc_node.api.light_beginning import Keep
from lc_node.api.light_errors import (
    NoServer,
    NotProved,
    NotSettled,
    UnknownJob,
)
from lc_node.api.light_places import Server
from lc_node.api.light_schema import Freshness
from lc_node.chain.addresses import encode_address
from lc_node.chain.codec import encode
from lc_node.chain.proofs import prove_entry
from lc_node.chain.state import State
from lc_node.chain.types import Digest, Height, JobId, Millis, View
from lc_node.consensus.checkpoint import genesis_checkpoint
from lc_node.consensus.inquiries import ProvenEntry
from lc_node.consensus.light import job_key
from lc_node.consensus.light_errors import Contradiction
from lc_node.wire.endpoints import Endpoint, Host, Port
from lc_node.wire.session import TransportKey
from lc_node.wire.topics import Topic
from tests.api.light_server import Lie, serving
from tests.chain.actors import ANNA, BERT, CLEO
from tests.chain.market import MODEL_BYTES, SPEC, Market, flat, key, model
from tests.consensus.proven_chain import ProvenChain, certify, three_epochs, world

T = TypeVar("T")

BERTS = encode_address(BERT.public_key)


@pytest.fixture
async def stack() -> AsyncIterator[AsyncExitStack]:
    """Return what ends the servers of a test."""
    async with AsyncExitStack() as opened:
        yield opened


def soon(chain: ProvenChain) -> Millis:
    return Millis(chain.tip.time + 500)


def client_of(
    chain: ProvenChain, folder: Path, *servers: Server, trust_old: bool = False, later: int = 0
) -> LightClient:
    """Return a client that knows genesis; its clock is just after the chain's newest block."""
    begin = replace(genesis_checkpoint(chain.document), unbonding=3_600_000)
    return LightClient(
        servers,
        begin,
        Keep(folder / "kept"),
        trust_old=trust_old,
        now=lambda: Millis(soon(chain) + later),
    )


async def told(ask: Callable[[], T]) -> T:
    return await asyncio.to_thread(ask)


async def test_a_balance_is_proved_over_changes_of_validators(
    tmp_path: Path, stack: AsyncExitStack
) -> None:
    chain = three_epochs()
    client = client_of(chain, tmp_path, await stack.enter_async_context(serving(tmp_path, chain)))
    fact = await told(lambda: client.balance(BERTS))

    account = chain.chain.account(BERT)
    assert (int(fact.balance), int(fact.bonded)) == (int(account.balance), int(account.bond))
    assert (fact.proof.height, fact.proof.epoch) == (chain.height, 2)
    assert (fact.proof.freshness, fact.proof.is_trust_old) == (Freshness.FRESH, False)


async def test_a_balance_of_an_epoch_that_ends_with_its_block_is_proved(
    tmp_path: Path, stack: AsyncExitStack
) -> None:
    chain = three_epochs().finish(ANNA, BERT, CLEO)
    client = client_of(chain, tmp_path, await stack.enter_async_context(serving(tmp_path, chain)))
    proof = (await told(lambda: client.balance(BERTS))).proof

    assert (proof.height, proof.epoch) == (chain.height, 2)


async def test_the_newest_block_is_proved(tmp_path: Path, stack: AsyncExitStack) -> None:
    chain = three_epochs()
    client = client_of(chain, tmp_path, await stack.enter_async_context(serving(tmp_path, chain)))
    proof = (await told(client.chain)).proof

    assert (proof.height, proof.validators) == (chain.height, 3)


async def test_what_was_proved_is_where_the_next_client_begins(
    tmp_path: Path, stack: AsyncExitStack
) -> None:
    chain = three_epochs()
    server = await stack.enter_async_context(serving(tmp_path, chain))
    await told(client_of(chain, tmp_path, server).chain)
    kept = Keep(tmp_path / "kept").only()

    assert (kept.validators.epoch, kept.newest.header) == (2, chain.tip)


# Jobs.


def settled() -> tuple[Market, str]:
    """Return a market in which Bob has won a job."""
    market = Market(["sue", "bob"])
    job = market.post()
    market.auction(job, {"bob": 500_000_000})
    market.judge(job, flat(500_000_000))
    return market, job.hex()


def showing(chain: ProvenChain, state: State, entry: bytes) -> Lie:
    """Let a server show an entry of another state, which the validators have finalised."""
    header = replace(chain.tip, height=Height(chain.height + 1), state_root=state.root())
    certificate, proof = certify(header, chain.sets[-1]), prove_entry(state.commitment(), entry)
    shown = encode(ProvenEntry(header=header, certificate=certificate, proof=proof))
    return lambda topic, answer: shown if topic is Topic.STATE else answer


@pytest.fixture
async def marketeer(tmp_path: Path, stack: AsyncExitStack) -> tuple[LightClient, str]:
    """Return a client of a chain in whose state a job is settled, and the job's id."""
    chain, (market, job) = three_epochs(), settled()
    show = showing(chain, market.state, job_key(JobId(Digest(bytes.fromhex(job)))))
    server = await stack.enter_async_context(serving(tmp_path, chain, show))
    return client_of(chain, tmp_path, server), job


async def test_a_job_is_proved(marketeer: tuple[LightClient, str]) -> None:
    client, job = marketeer
    fact = await told(lambda: client.job(job))

    assert (fact.title, fact.phase, fact.bids, fact.best_loss, fact.submitter) == (
        SPEC.title,
        "settled",
        1,
        500_000_000,
        encode_address(key("sue")),
    )


async def test_a_result_is_proved_down_to_the_models_root(
    marketeer: tuple[LightClient, str],
) -> None:
    client, job = marketeer
    fact = await told(lambda: client.result(job))

    assert (fact.winner, fact.loss, fact.model, fact.model_bytes, fact.label) == (
        encode_address(key("bob")),
        500_000_000,
        model("bob").hex(),
        MODEL_BYTES,
        "strong",
    )


async def test_a_job_that_still_runs_has_no_result(tmp_path: Path, stack: AsyncExitStack) -> None:
    chain, market = three_epochs(), Market(["sue"])
    job = market.post()
    show = showing(chain, market.state, job_key(job))
    server = await stack.enter_async_context(serving(tmp_path, chain, show))
    client = client_of(chain, tmp_path, server)
    fact = await told(lambda: client.job(job.hex()))
    with pytest.raises(NotSettled, match="is open"):
        await told(lambda: client.result(job.hex()))

    assert (fact.bids, fact.best_loss) == (0, None)


async def test_a_job_that_the_state_lacks_is_proved_to_be_unknown(
    tmp_path: Path, stack: AsyncExitStack
) -> None:
    chain = three_epochs()
    client = client_of(chain, tmp_path, await stack.enter_async_context(serving(tmp_path, chain)))

    with pytest.raises(UnknownJob, match=f"at height {chain.height}"):
        await told(lambda: client.job("ab" * 32))


@pytest.mark.parametrize("text", ["ab" * 31, "xy" * 32, "", "ab " * 22])
def test_a_job_needs_its_whole_id(tmp_path: Path, text: str) -> None:
    with pytest.raises(BadCall, match="all of its 64 digits"):
        client_of(world(), tmp_path).job(text)


def test_a_balance_needs_an_address(tmp_path: Path) -> None:
    with pytest.raises(BadCall, match="not an address"):
        client_of(world(), tmp_path).balance("lc1nobody")


# Whom it does not believe.


def lying(topic: Topic) -> Lie:
    """Change one bit of every answer of a topic, near its end."""

    def lie(about: Topic, answer: bytes) -> bytes:
        last = bytes((answer[-1] ^ 1,))
        return answer[:-1] + last if about is topic else answer

    return lie


@pytest.mark.parametrize(
    ("topic", "code"),
    [(Topic.STATE, "BadProof"), (Topic.EPOCHS, "BadEpochProof")],
)
async def test_a_server_that_lies_is_named_with_what_is_not_proved(
    tmp_path: Path, stack: AsyncExitStack, topic: Topic, code: str
) -> None:
    chain = three_epochs()
    server = await stack.enter_async_context(serving(tmp_path, chain, lying(topic)))
    client = client_of(chain, tmp_path, server)
    with pytest.raises(NotProved, match=f"127.0.0.1:{server.endpoints[0].port}") as caught:
        await told(lambda: client.balance(BERTS))

    assert caught.value.code == code


async def test_behind_a_server_that_lies_another_one_is_asked(
    tmp_path: Path, stack: AsyncExitStack
) -> None:
    chain = three_epochs()
    liar = await stack.enter_async_context(serving(tmp_path, chain, lying(Topic.STATE)))
    other = await stack.enter_async_context(serving(tmp_path, chain, number=1))
    client = client_of(chain, tmp_path, liar, other)
    proof = (await told(lambda: client.balance(BERTS))).proof

    assert (proof.server, proof.servers) == (other.name, 2)


async def test_servers_that_agree_are_counted(tmp_path: Path, stack: AsyncExitStack) -> None:
    chain = three_epochs()
    servers = [
        await stack.enter_async_context(serving(tmp_path, chain, number=n)) for n in range(2)
    ]
    client = client_of(chain, tmp_path, *servers)

    assert (await told(client.chain)).proof.agreeing == 1


async def test_a_server_that_is_behind_does_not_agree(
    tmp_path: Path, stack: AsyncExitStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lc_node.api.light._RETRY_SECONDS", 0)
    chain, behind = three_epochs().step(), three_epochs()
    servers = [
        await stack.enter_async_context(serving(tmp_path, made, number=n))
        for n, made in enumerate((chain, behind))
    ]
    client = client_of(chain, tmp_path, *servers)

    assert (await told(client.chain)).proof.agreeing == 0


async def test_two_servers_with_different_final_blocks_are_a_contradiction(
    tmp_path: Path, stack: AsyncExitStack
) -> None:
    chain, rival = three_epochs(), three_epochs()
    rival.headers[-1] = replace(rival.tip, view=View(9))
    rival.certificates[rival.height] = certify(rival.tip, rival.sets[-1])
    servers = [
        await stack.enter_async_context(serving(tmp_path, made, number=n))
        for n, made in enumerate((chain, rival))
    ]
    client = client_of(chain, tmp_path, *servers)
    with pytest.raises(NotProved, match="TWO DIFFERENT BLOCKS") as caught:
        await told(client.chain)

    evidence = caught.value.__cause__
    assert isinstance(evidence, Contradiction)
    assert (evidence.first.header, evidence.second.header) == (chain.tip, rival.tip)
    kept = json.loads((tmp_path / "kept" / f"contradiction-{chain.height}.json").read_bytes())
    assert [one["header"] for one in kept["proofs"]] == [
        encode(chain.tip).hex(),
        encode(rival.tip).hex(),
    ]


async def test_one_server_that_contradicts_itself_is_told(
    tmp_path: Path, stack: AsyncExitStack
) -> None:
    chain = three_epochs()
    client = client_of(chain, tmp_path, await stack.enter_async_context(serving(tmp_path, chain)))
    await told(client.chain)
    chain.headers[-1] = replace(chain.tip, view=View(9))
    chain.certificates[chain.height] = certify(chain.tip, chain.sets[-1])

    with pytest.raises(NotProved, match="TWO DIFFERENT BLOCKS"):
        await told(client.chain)


async def test_where_nobody_answers_each_server_is_named(tmp_path: Path) -> None:
    gone = Server(
        endpoints=(Endpoint(host=Host("127.0.0.1"), port=Port(1)),),
        transport_key=TransportKey(bytes(32)),
    )
    with pytest.raises(NoServer, match=r"127\.0\.0\.1:1 "):
        await told(client_of(world(), tmp_path, gone).chain)


async def test_a_server_that_tells_nothing_cannot_be_asked(
    tmp_path: Path, stack: AsyncExitStack
) -> None:
    server = await stack.enter_async_context(serving(tmp_path, world(), lambda *_: None))

    with pytest.raises(NoServer, match="its newest header"):
        await told(client_of(world(), tmp_path, server).chain)


# Time.


async def test_a_chain_that_stands_still_is_said_to_be_stale(
    tmp_path: Path, stack: AsyncExitStack
) -> None:
    chain = three_epochs()
    server = await stack.enter_async_context(serving(tmp_path, chain))
    client = client_of(chain, tmp_path, server, later=31_000)

    assert (await told(client.chain)).proof.freshness is Freshness.STALE


async def test_what_is_too_old_is_not_trusted(tmp_path: Path, stack: AsyncExitStack) -> None:
    chain = three_epochs()
    server = await stack.enter_async_context(serving(tmp_path, chain))
    client = client_of(chain, tmp_path, server, later=3_600_000)

    with pytest.raises(NotProved, match="--trust-old") as caught:
        await told(client.chain)
    assert caught.value.code == "TrustExpired"


async def test_what_is_too_old_can_be_trusted_and_says_so(
    tmp_path: Path, stack: AsyncExitStack
) -> None:
    chain = three_epochs()
    server = await stack.enter_async_context(serving(tmp_path, chain))
    client = client_of(chain, tmp_path, server, later=3_600_000, trust_old=True)

    assert (await told(client.chain)).proof.is_trust_old
