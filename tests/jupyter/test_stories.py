"""What a node tells, laid out for people."""

import pytest
from msgspec.structs import replace

from lc_jupyter.overviews import show_jobs, show_peers, show_status
from lc_jupyter.stories import show_latest, show_story
from lc_node.api import schema, schema_jobs
from lc_node.api.schema import Address, Event, Millis, NanoLoss, Phase
from tests.api.sample_service import ADDRESS, JOB, event, summary
from tests.jupyter.desk import bid_of, story_of

NOW = 561_000
LIAR, HONEST = "lc1liarliarliarliar", "lc1honesthonesthonest"


def bid_event(bidder: str, loss: int, time: int) -> Event:
    return Event(
        time=Millis(time),
        code="bid",
        text=f"{bidder} announced",
        account=Address(bidder),
        loss=NanoLoss(loss),
    )


def verdict(**fields: object) -> schema_jobs.VerdictView:
    base = schema_jobs.VerdictView(
        verifier=ADDRESS, candidate=Address(LIAR), committed=False, revealed=False
    )
    return replace(base, **fields)


BANNED = replace(event("banned"), account=Address(LIAR))
CAUGHT = story_of(
    Phase.SETTLED,
    bids=[
        bid_of(LIAR, 4_706_000, void="refuted"),
        bid_of(HONEST, 47_060_000, rank=2, standing="confirmed"),
    ],
    events=[bid_event(HONEST, 47_060_000, 2_000), bid_event(LIAR, 4_706_000, 9_000), BANNED],
    winner=Address(HONEST),
)


@pytest.mark.parametrize(
    "line",
    [
        "digits · aaaaaaaaaaaa",
        "settled, 20 credits",
        "Won by lc1hones…nest with 0.123457, label strong.",
        "   1  lc1liarl…liar  0.004706  refuted, banned",
        "   2  lc1hones…nest  0.047060  confirmed",
    ],
)
def test_the_story_of_a_liar_says(line: str) -> None:
    assert line in show_story(CAUGHT, NOW).text


def test_a_refuted_bid_is_a_cross_in_the_picture() -> None:
    assert "refuted</figcaption>" in show_story(CAUGHT, NOW).html


def test_an_open_job_counts_down() -> None:
    assert "open, 20 credits, 40s left in this phase" in show_story(story_of(), NOW).text


def test_an_open_job_says_what_is_done_for_it_here() -> None:
    story = story_of()
    busy = replace(story, summary=replace(story.summary, local="pulling 42 %"))

    assert "; here: pulling 42 %" in show_story(busy, NOW).text


def test_a_refund_says_why() -> None:
    story = replace(story_of(Phase.REFUNDED), reason_text="refunded: no bids")

    assert "refunded: no bids" in show_story(story, NOW).text


@pytest.mark.parametrize(
    ("given", "tone", "said"),
    [
        (verdict(), "dim", "evaluating"),
        (verdict(committed=True), "dim", "committed"),
        (verdict(confirms=True, mean=NanoLoss(1)), "good", "confirms"),
        (verdict(confirms=False, mean=NanoLoss(1)), "bad", "refutes"),
        (verdict(fault="timed_out"), "bad", "timed out"),
    ],
)
def test_a_verdict_is_told_as_it_comes(
    given: schema_jobs.VerdictView, tone: str, said: str
) -> None:
    html = show_story(replace(story_of(Phase.REVEAL), verdicts=(given,)), NOW).html

    assert f'<td class="{tone}">{said}</td>' in html


def test_of_many_bids_the_best_are_shown() -> None:
    bids = [bid_of(f"lc1bidder{n}", n, rank=n) for n in range(1, 31)]
    text = show_story(story_of(bids=bids), NOW).text

    assert "Bids (the best 10 of 30)" in text
    assert "lc1bidder11" not in text


def test_earlier_events_are_folded() -> None:
    events = [replace(event("x"), text=f"event {n}") for n in range(20)]
    shown = show_story(story_of(events=events), NOW)

    assert "<summary>12 earlier events</summary>" in shown.html
    assert "event 19" in shown.text
    assert "event 11" not in shown.text


def test_the_latest_event_fits_in_a_line() -> None:
    assert show_latest(story_of()).endswith("  posted happened")


def test_without_events_there_is_no_latest_one() -> None:
    assert show_latest(story_of(events=())) == ""


def status_of(**fields: object) -> schema.Status:
    base = schema.Status(
        address=ADDRESS,
        chain_id=schema.Digest("c" * 64),
        software="0.1.0",
        height=7,
        block_time=Millis(1_000),
        clock=Millis(2_000),
        peers=3,
        sync=schema.SyncState.FOLLOWING,
        network_height=7,
        balance=schema.MicroCredits(100_000_000),
        bonded=schema.MicroCredits(50_000_000),
        unbonding=schema.MicroCredits(0),
        is_validator=True,
        is_banned=False,
        is_working=True,
        sandbox=schema.SandboxState(engine="bubblewrap", version="0.11", enforced=()),
        activities=(),
        jobs_open=1,
    )
    return replace(base, **fields)


NO_SANDBOX = schema.SandboxState(engine="", version="", enforced=(), problem="install bubblewrap")
RUNNING = schema.Activity(
    job=JOB, title="digits", kind="train", step="training, 7 models", since=Millis(1)
)


@pytest.mark.parametrize(
    ("status", "said"),
    [
        (status_of(), "height     7 (following)"),
        (status_of(), "sandbox    bubblewrap 0.11, takes jobs"),
        (status_of(no_jobs_now="it is night"), "0.11, takes no job now: it is night"),
        (status_of(sync=schema.SyncState.CATCHING_UP), "7 (catching up)"),
        (status_of(is_banned=True), "node       banned"),
        (status_of(sandbox=NO_SANDBOX), "install bubblewrap"),
        (status_of(activities=(RUNNING,)), "train digits: training, 7 models"),
    ],
)
def test_the_status_says(status: schema.Status, said: str) -> None:
    assert said in show_status(status).text


def test_a_job_is_named_by_digits_that_a_command_takes() -> None:
    assert "a" * 12 + "  digits (mine)  open" in show_jobs([summary(JOB)], NOW).text


def test_a_job_that_is_over_has_no_time_left() -> None:
    assert show_jobs([summary(JOB, Phase.REFUNDED)], NOW).text.splitlines()[-1].endswith("–")


def peer_of(**fields: object) -> schema.Peer:
    base = schema.Peer(
        address=ADDRESS,
        endpoint="10.0.0.1",
        height=9,
        is_validator=True,
        is_outbound=True,
        since=Millis(1_000),
        latency_ms=12,
        software="",
    )
    return replace(base, **fields)


def test_peers_are_listed_with_their_latency() -> None:
    last = show_peers([peer_of()], 6_000).text.splitlines()[-1]

    assert last.split() == ["lc1sample", "10.0.0.1", "9", "yes", "12", "ms", "5s"]


def test_of_a_peer_that_is_not_connected_the_reason_is_shown() -> None:
    away = peer_of(software="no answer", remedy="is it running?")

    assert show_peers([away], 6_000).text.splitlines()[-1].endswith("no answer")


def test_what_keeps_the_node_behind_is_shown_with_the_remedy() -> None:
    finding = schema.Finding(
        code="clock_off", level=schema.Level.WARNING, text="your clock is off", remedy="use NTP"
    )

    shown = show_status(status_of(findings=(finding,)))

    assert "your clock is off; use NTP" in shown.text
