"""Why a node is behind: each cause has its finding, which names the remedy; the worst comes first."""

from dataclasses import replace
from typing import Any

import pytest

from lc_node.chain.addresses import encode_address
from lc_node.chain.types import ByteCount, Height, Millis, MillisSpan, PublicKey, Weight
from lc_node.ports.transport import Refusal
from lc_node.runtime.health import DISK_LOW, Facts, Level, PeerFacts, Voter, explain, remedy_for

ME, *OTHERS = (PublicKey(bytes([number]) * 32) for number in range(1, 8))
NOW = Millis(1_000_000)
LONG_AGO = Millis(NOW - 120_000)


def voter(key: PublicKey, *, weight: int = 1, silent: int | None = 500) -> Voter:
    """Return a validator that was heard so many milliseconds ago; None: never."""
    return Voter(
        key=key, weight=Weight(weight), voted_at=None if silent is None else Millis(NOW - silent)
    )


def peer(key: PublicKey, *, height: int = 100, refusal: Refusal | None = None) -> PeerFacts:
    return PeerFacts(
        peer=key, is_up=refusal is None, height=Height(height) if height else None, refusal=refusal
    )


ALL_THERE = Facts(
    now=NOW,
    me=ME,
    started=LONG_AGO,
    height=Height(100),
    block_time=Millis(NOW - 300),
    blocks_per_second=2.0,
    clock_ahead=120,
    peers=[peer(key) for key in OTHERS[:3]],
    voters=[voter(key, silent=None if key == ME else 500) for key in (ME, *OTHERS[:3])],
    quorum=Weight(3),
    heartbeat=MillisSpan(10_000),
    may_sign=True,
    paused_for="",
    is_banned=False,
    disk_free=DISK_LOW,
    pending=3,
    pending_max=20_000,
)
STANDING = replace(ALL_THERE, block_time=LONG_AGO, blocks_per_second=0.0)
NAMES = [f"{encode_address(key)[:12]}..." for key in OTHERS]


def test_of_a_node_that_follows_there_is_nothing_to_say() -> None:
    assert explain(ALL_THERE) == ()


@pytest.mark.parametrize(
    ("code", "level", "facts", "text", "remedy"),
    [
        ("banned", Level.TROUBLE, {"is_banned": True}, "proved lie", "another key"),
        (
            "signing_stopped",
            Level.TROUBLE,
            {"may_sign": False},
            "signs no more in this epoch",
            "Never restore an old votes.db",
        ),
        (
            "disk_low",
            Level.WARNING,
            {"disk_free": ByteCount(500 * 1024**2)},
            "500 MiB are free",
            "blobs_bytes_max",
        ),
        ("disk_full", Level.TROUBLE, {"disk_free": ByteCount(0)}, "0 MiB", "free some"),
        ("no_peers", Level.TROUBLE, {"peers": ()}, "no peer is connected", "[[network.peers]]"),
        (
            "refused_no_answer",
            Level.TROUBLE,
            {"peers": [peer(OTHERS[0], refusal=Refusal.NO_ANSWER)]},
            f"no session with {NAMES[0]}: no answer",
            "is its port open",
        ),
        (
            "refused_other_chain",
            Level.NOTE,
            {"peers": [peer(OTHERS[0]), peer(OTHERS[1], refusal=Refusal.OTHER_CHAIN)]},
            f"no session with {NAMES[1]}: other chain",
            "same genesis file",
        ),
        (
            "syncing",
            Level.NOTE,
            {
                "peers": [peer(OTHERS[0], height=220), peer(OTHERS[1], height=0)],
                "blocks_per_second": 40.0,
            },
            "behind: 120 blocks; syncing from 1 peer, 40 blocks/s, about 3 s left",
            "",
        ),
        (
            "catching_up",
            Level.NOTE,
            {
                "peers": [peer(OTHERS[0], height=9_220)],
                "paused_for": "fetching the state at height 9,200",
            },
            "behind: 9,120 blocks; fetching the state at height 9,200",
            "",
        ),
        (
            "not_syncing",
            Level.TROUBLE,
            {
                "peers": [peer(OTHERS[0], height=220), peer(OTHERS[1], height=219)],
                "blocks_per_second": 0.0,
            },
            "behind: 120 blocks, and none has come for a while although 2 peers have more",
            "restart the node",
        ),
        (
            "clock_off",
            Level.WARNING,
            {"clock_ahead": 12_040},
            "your clock is 12 s ahead of the validators'",
            "timedatectl set-ntp true",
        ),
        (
            "clock_off",
            Level.WARNING,
            {"clock_ahead": -9_700},
            "your clock is 10 s behind the validators'",
            "NTP",
        ),
        (
            "mempool_full",
            Level.WARNING,
            {"pending": 20_000},
            "20,000 transactions wait for a block",
            "",
        ),
    ],
)
def test_a_cause_has_its_finding(
    code: str, level: Level, facts: dict[str, Any], text: str, remedy: str
) -> None:
    (finding,) = explain(replace(ALL_THERE, **facts))

    assert (finding.code, finding.level) == (code, level)
    assert text in finding.text
    assert remedy in finding.remedy


@pytest.mark.parametrize(
    ("code", "facts", "text"),
    [
        (
            "no_quorum",
            {
                "peers": [peer(OTHERS[0])],
                "voters": [
                    voter(ME, weight=40, silent=None),
                    voter(OTHERS[0], weight=17),
                    voter(OTHERS[1], weight=23, silent=None),
                    voter(OTHERS[2], weight=20, silent=60_000),
                ],
                "quorum": Weight(67),
            },
            f"validators with 43 % of the weight are not connected: {NAMES[1]}, {NAMES[2]}",
        ),
        (
            "no_quorum",
            {
                "peers": [peer(OTHERS[0])],
                "voters": [voter(ME), *(voter(key, silent=None) for key in OTHERS)],
                "quorum": Weight(5),
            },
            f"{NAMES[5]}",
        ),
        (
            # Whom others relay need not be connected to us.
            "stalled",
            {"peers": [peer(OTHERS[0])]},
            "stalled although enough validators are connected",
        ),
        (
            "stalled",
            {"voters": [voter(ME), voter(OTHERS[0]), voter(OTHERS[1], silent=30_000)]},
            f"no vote is heard of {NAMES[1]}, 33 % of the weight",
        ),
    ],
)
def test_of_a_chain_that_stands_it_is_said_who_is_missing(
    code: str, facts: dict[str, Any], text: str
) -> None:
    (finding,) = explain(replace(STANDING, **facts))

    assert (finding.code, finding.level) == (code, Level.TROUBLE)
    assert text in finding.text
    assert finding.remedy


def test_more_absent_validators_than_one_reads_are_counted() -> None:
    voters = [voter(ME), *(voter(key, silent=None) for key in OTHERS)]
    facts = replace(STANDING, voters=voters, peers=[peer(ME)], quorum=Weight(5))

    (finding,) = explain(facts)

    assert finding.text.endswith(f"{NAMES[4]} and 1 more")


def test_a_node_that_has_just_started_is_given_time() -> None:
    behind = [peer(OTHERS[0], height=500)]
    starting = replace(STANDING, started=Millis(NOW - 1_000))

    assert explain(starting) == ()
    assert explain(replace(starting, peers=behind)) == ()


def test_a_chain_of_one_validator_needs_no_peers() -> None:
    assert explain(replace(ALL_THERE, peers=(), voters=[voter(ME)], clock_ahead=None)) == ()


def test_while_blocks_are_fetched_their_old_times_say_nothing_of_the_clock() -> None:
    facts = replace(ALL_THERE, clock_ahead=86_400_000, peers=[peer(OTHERS[0], height=500)])

    assert [finding.code for finding in explain(facts)] == ["syncing"]


def test_the_worst_is_told_first_and_causes_before_what_follows() -> None:
    facts = replace(
        STANDING,
        peers=(),
        voters=[voter(ME), voter(OTHERS[0], silent=None)],
        quorum=Weight(2),
        disk_free=ByteCount(DISK_LOW - 1),
        clock_ahead=5_000,
    )

    assert [finding.code for finding in explain(facts)] == [
        "no_peers",
        "no_quorum",
        "disk_low",
        "clock_off",
    ]


@pytest.mark.parametrize("refusal", Refusal)
def test_every_refusal_has_a_remedy(refusal: Refusal) -> None:
    assert remedy_for(refusal) != "see that node's log", "lc_node/runtime/health.py, _REMEDIES"
