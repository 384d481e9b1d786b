"""Who has no node proves a balance and a job's result on a network of four processes; an audit agrees."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest
from msgspec.structs import replace

from lc_node.api.calls import GetAccount
from lc_node.api.client import Client
from lc_node.api.light import LightClient, connect
from lc_node.api.light_schema import Freshness, ProvenAccount, ProvenResult
from lc_node.api.schema import Account, Address, JobId, Phase
from lc_node.api.schema_jobs import JobStory
from lc_node.chain.codec import encode
from lc_node.chain.types import MillisSpan
from lc_node.cli.exits import Exit
from lc_node.cli.main import run
from lc_node.runtime.audit_report import Audit
from lc_node.runtime.auditing import audit_home
from lc_node.runtime.devnet import Devnet, Place, Role, prepare
from lc_node.runtime.inviting import bootstraps_of, join_line
from lc_node.wire.join_line import write_join_line
from tests.e2e.graphs import (
    patient_client,
    short_folder,
    wait_for,
    wait_for_height,
    wait_until_over,
)
from tests.e2e.ledgers import final_state
from tests.e2e.light_job import light_request, post_light_job

pytestmark = pytest.mark.slow

ROLES: Final = (
    Role(name="submitter", bonded=100, votes=True),
    Role(name="trainer", bonded=20, votes=True, trains=True),
    Role(name="evaluator-1", bonded=100, votes=True),
    Role(name="evaluator-2", bonded=100, votes=True),
)
EPOCH_HEIGHTS: Final = 6
HEARTBEAT: Final = MillisSpan(1_000)
HOUR: Final = MillisSpan(3_600_000)


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What a light client, nodes and audits have said of one network."""

    before: ProvenAccount
    after: ProvenAccount
    account: Account
    """The same account as a node tells it."""
    result: ProvenResult
    story: JobStory
    living: Audit
    """Of a node that ran."""
    places: tuple[Place, ...]


def with_short_epochs(places: tuple[Place, ...]) -> None:
    """Let a devnet that has not begun end its epochs soon, and bonds last longer than the test."""
    genesis = places[0].home.genesis()
    params = replace(
        genesis.params, epoch_heights=EPOCH_HEIGHTS, heartbeat_ms=HEARTBEAT, unbonding_ms=HOUR
    )
    for place in places:
        place.home.genesis_path.write_bytes(encode(replace(genesis, params=params)))


def invited(devnet: Devnet, folder: Path, name: str) -> LightClient:
    """Return a light client that was given a node's join line; those it has listed are in it as well."""
    place = devnet.place(name)
    bootstraps = bootstraps_of(place.home, [f"{place.host}:{place.port}"])
    line = write_join_line(join_line(place.home.genesis(), bootstraps, None))
    return connect([line], folder=folder / "light")


def again(devnet: Devnet, folder: Path, *names: str) -> LightClient:
    """Return a light client that begins with what it has kept, and asks some nodes."""
    places = [devnet.place(name) for name in names]
    servers = [f"tcp://{p.identity.transport_key}@{p.host}:{p.port}" for p in places]
    return connect(servers, folder=folder / "light")


def observe(devnet: Devnet, folder: Path) -> Seen:
    """Post a job, and prove all that is to be proved."""
    address = Address(devnet.place("submitter").identity.address)
    with patient_client(devnet, "submitter") as client:
        wait_for_height(client, 1)
        before = invited(devnet, folder, "trainer").balance(address)
        job = post_light_job(client, light_request())
        story = wait_until_over(client, job)
        wait_for_height(client, before.proof.height + 2 * EPOCH_HEIGHTS)
        after, account = agreed(client, again(devnet, folder, "evaluator-1", "trainer"), address)
        result = again(devnet, folder, "trainer", "evaluator-2").result(job)
    return Seen(
        before=before,
        after=after,
        account=account,
        result=result,
        story=story,
        living=audit_home(devnet.place("evaluator-2").home, lambda _height, _tip: None),
        places=devnet.places,
    )


def agreed(client: Client, light: LightClient, address: Address) -> tuple[ProvenAccount, Account]:
    """Return an account as it is proved and as a node tells it, of a moment when nothing changed it."""
    return wait_for(
        client,
        lambda: (light.balance(address), client.call(GetAccount(address=address))),
        lambda both: both[0].balance == both[1].balance,
        60,
    )


@pytest.fixture(scope="module")
def seen() -> Iterator[Seen]:
    """Return what was seen of a network that has stopped; its homes are still there."""
    with short_folder() as folder:
        places = prepare(folder, ROLES)
        with_short_epochs(places)
        devnet = Devnet(places)
        try:
            devnet.start_all()
            devnet.wait_ready()
            found = observe(devnet, folder)
        finally:
            devnet.stop()
        yield found


def test_a_balance_is_proved_over_at_least_two_changes_of_the_epoch(seen: Seen) -> None:
    assert seen.after.proof.epoch >= seen.before.proof.epoch + 2
    assert seen.after.balance == seen.account.balance != seen.before.balance


def test_the_proofs_are_fresh_and_another_node_agrees(seen: Seen) -> None:
    proofs = (seen.before.proof, seen.after.proof, seen.result.proof)

    assert [(p.freshness, p.agreeing, p.is_trust_old) for p in proofs] == [
        (Freshness.FRESH, 1, False)
    ] * 3


def test_the_result_of_the_job_is_proved(seen: Seen) -> None:
    trainer = next(p for p in seen.places if p.role.name == "trainer")
    assert seen.story.summary.phase is Phase.SETTLED
    assert seen.result.job == JobId(seen.story.summary.job)
    assert seen.result.winner == trainer.identity.address
    assert seen.result.loss == seen.story.summary.best_loss


def test_an_audit_of_a_running_node_accounts_for_every_credit(seen: Seen) -> None:
    living = seen.living

    assert living.owned + living.held + sum(living.burned.values()) == (
        living.genesis + living.issued
    )
    assert living.epochs >= 2


def test_the_audit_of_each_home_gives_the_accounts_of_its_state(seen: Seen) -> None:
    for place in seen.places:
        audit = audit_home(place.home, lambda _height, _tip: None)
        state = final_state(place)
        found = [(one.balance, sum(one.causes.values())) for one in audit.accounts]
        assert found == [(a.balance, a.balance + a.slashable) for _, a in state.accounts()]
        assert audit.height == state.meta.height


def test_the_command_says_what_was_won_and_that_all_is_accounted_for(
    seen: Seen, capsys: pytest.CaptureFixture[str]
) -> None:
    home = str(seen.places[0].home.path)

    assert run(["audit", "--home", home, "--json"]) == Exit.OK
    causes = json.loads(capsys.readouterr().out)["causes"]
    assert causes["bounties won"] == -causes["bounties offered"] > 0
    assert causes["issued for blocks"] > 0
