"""A view of a job is told everything once, and then only what is new."""

from msgspec.structs import replace

from lc_jupyter.feed import JobFeed
from lc_node.api import schema_jobs
from lc_node.api.schema import Address, Event, Millis, NanoLoss, Phase
from tests.api.sample_service import event
from tests.jupyter.desk import bid_of, story_of

FIRST, SECOND = "lc1firstfirstfirst", "lc1secondsecondsecond"


def announced(bidder: str, loss: int, time: int) -> Event:
    return Event(
        time=Millis(time),
        code="bid",
        text=f"{bidder} announced",
        account=Address(bidder),
        loss=NanoLoss(loss),
    )


def grown(*events: Event, **fields: object) -> schema_jobs.JobStory:
    """Return an open story of these events."""
    return replace(story_of(events=(event("posted"), *events)), **fields)


def test_a_view_that_opens_gets_every_bid_with_its_bidder() -> None:
    feed = JobFeed(grown(announced(FIRST, 5, 2_000), announced(SECOND, 4, 3_000)))

    assert feed.snapshot["bidders"] == ["lc1first…irst", "lc1secon…cond"]
    assert feed.snapshot["bids"] == [(2_000, 0, 5), (3_000, 1, 4)]


def test_of_a_longer_story_only_the_end_is_told() -> None:
    feed = JobFeed(grown(announced(FIRST, 5, 2_000)))

    delta = feed.take(grown(announced(FIRST, 5, 2_000), announced(SECOND, 4, 3_000)))

    assert delta is not None
    assert delta["bidders"] == ["lc1secon…cond"]
    assert delta["bids"] == [(3_000, 1, 4)]
    assert [line["text"] for line in delta["events"]] == [f"{SECOND} announced"]
    assert "leaderboard" not in delta


def test_of_an_unchanged_story_nothing_is_told() -> None:
    assert JobFeed(grown()).take(grown()) == {}


def test_what_changes_whole_is_told_whole() -> None:
    feed = JobFeed(grown(announced(FIRST, 5, 2_000)))

    delta = feed.take(grown(announced(FIRST, 5, 2_000), bids=(bid_of(FIRST, 5, void="refuted"),)))

    assert delta is not None
    assert delta["refuted"] == [0]
    assert delta["leaderboard"][0][3] == ("refuted", "bad")
    assert "bids" not in delta


def test_a_story_that_does_not_go_on_lets_views_begin_anew() -> None:
    feed = JobFeed(grown(announced(FIRST, 5, 2_000)))

    assert feed.take(grown(announced(SECOND, 4, 3_000))) is None
    assert feed.snapshot["bidders"] == ["lc1secon…cond"]


def test_a_shorter_story_lets_views_begin_anew() -> None:
    feed = JobFeed(grown(announced(FIRST, 5, 2_000)))

    assert feed.take(grown()) is None
    assert feed.snapshot["bids"] == []


def test_the_buttons_are_those_that_the_job_s_phase_allows() -> None:
    open_job, contested = grown(), grown(bids=(bid_of(FIRST, 5),))
    won = story_of(Phase.SETTLED, winner=Address(FIRST))
    summary = replace(open_job.summary, mine=False)

    assert JobFeed(open_job).snapshot["head"]["actions"] == ["top_up", "cancel"]
    assert JobFeed(contested).snapshot["head"]["actions"] == ["top_up"]
    assert JobFeed(won).snapshot["head"]["actions"] == ["pull"]
    assert JobFeed(replace(open_job, summary=summary)).snapshot["head"]["actions"] == []
