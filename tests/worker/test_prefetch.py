"""Who fetches a job's image before it is needed, and when."""

from msgspec.structs import replace

from lc_node.chain.job import Phase
from lc_node.chain.params import CREDIT, DEVNET
from lc_node.chain.records import Account
from lc_node.chain.transactions import Resources
from lc_node.chain.types import ByteCount, MicroCredits, Millis, PublicKey
from lc_node.worker.duties import FetchImage, Mine, Train, next_actions
from lc_node.worker.prefetch import (
    SPREAD_MAX_MS,
    get_prefetch_time,
    may_judge,
)
from tests.worker.samples import EXPIRY, MANIFEST, ME, NOW, OPEN, SPEC, SUBMITTER, a_job

BONDED = Account(
    balance=MicroCredits(0),
    bond=MicroCredits(10 * CREDIT),
    epoch_bond=MicroCredits(10 * CREDIT),
    resources=(SPEC.resources,),
)
FETCH = FetchImage(manifest=MANIFEST, total_bytes=ByteCount(1_000))
KEYS = [PublicKey(bytes([number]) * 32) for number in range(100)]


def test_who_has_bond_and_resources_may_be_drawn() -> None:
    assert may_judge(DEVNET, BONDED, OPEN, ME)


def test_the_submitter_is_never_drawn() -> None:
    assert not may_judge(DEVNET, BONDED, OPEN, SUBMITTER)


def test_who_has_too_small_a_bond_is_not_drawn() -> None:
    poor = replace(BONDED, epoch_bond=MicroCredits(10 * CREDIT - 1))

    assert not may_judge(DEVNET, poor, OPEN, ME)


def test_who_offers_too_little_is_not_drawn() -> None:
    small = Resources(
        millicpus=999, memory_bytes=ByteCount(1_000), disk_bytes=ByteCount(100), gpus=0
    )

    assert not may_judge(DEVNET, replace(BONDED, resources=(small,)), OPEN, ME)


def test_a_node_fetches_at_the_same_time_each_time_soon_after_the_first_bid() -> None:
    times = [get_prefetch_time(OPEN, key, NOW) for key in KEYS]

    assert times == [get_prefetch_time(OPEN, key, NOW) for key in KEYS]
    assert min(times) >= NOW
    assert max(times) < NOW + SPREAD_MAX_MS


def test_nodes_fetch_at_different_times() -> None:
    assert len({get_prefetch_time(OPEN, key, NOW) for key in KEYS}) > 90


def test_of_a_short_job_the_image_is_fetched_within_a_quarter_of_the_time_left() -> None:
    since = Millis(EXPIRY - 4_000)
    times = [get_prefetch_time(OPEN, key, since) for key in KEYS]

    assert all(EXPIRY - 4_000 <= time < EXPIRY - 3_000 for time in times)


def test_of_a_job_that_has_expired_the_image_is_fetched_at_once() -> None:
    assert get_prefetch_time(OPEN, ME, EXPIRY) == EXPIRY


def test_the_image_is_fetched_when_the_time_has_come_not_before() -> None:
    own = Mine(wanted=False, prefetch_at=Millis(NOW + 1))

    assert next_actions(OPEN, ME, own, NOW) == ()
    assert next_actions(OPEN, ME, own, Millis(NOW + 1)) == (FETCH,)


def test_the_image_is_still_fetched_while_bids_are_opened() -> None:
    own = Mine(wanted=False, prefetch_at=NOW)

    assert next_actions(a_job(Phase.OPENING), ME, own, NOW) == (FETCH,)


def test_an_image_that_was_refused_is_not_fetched_beforehand() -> None:
    own = Mine(wanted=False, prefetch_at=NOW, image_refused=True)

    assert next_actions(OPEN, ME, own, NOW) == ()


def test_a_training_under_way_is_the_only_one_though_the_job_was_extended() -> None:
    under_way = frozenset({Train(until=Millis(EXPIRY - 1))})
    own = Mine(wanted=True, image_ready=True, under_way=under_way)

    assert next_actions(OPEN, ME, own, NOW) == ()
