"""How often a watched job is shown: at once after a quiet while, and bounded in a storm."""

from collections.abc import Iterable
from typing import Self

from lc_jupyter.watching import LOOK_SECONDS, follow
from lc_node.api.schema_jobs import JobStory
from tests.jupyter.desk import story_of


class Scene:
    """A stream of events, a node that tells stories, and a view, by one clock that nobody waits for."""

    def __init__(self, arrivals: Iterable[float], *, fetch_seconds: float = 0.0) -> None:
        self.now = 0.0
        self.shown: list[float] = []
        self._arrivals = list(arrivals)
        self._fetch_seconds = fetch_seconds

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        pass

    def next(self, timeout_seconds: float) -> object | None:
        if self._arrivals and self._arrivals[0] <= self.now + timeout_seconds:
            self.now = max(self.now, self._arrivals.pop(0))
            return "an event"
        self.now += timeout_seconds
        return None

    def fetch(self) -> JobStory:
        self.now += self._fetch_seconds
        return story_of()

    def show(self, story: JobStory) -> None:
        self.shown.append(round(self.now, 3))

    def warn(self, text: str) -> None:
        raise AssertionError(text)

    def follow(self, until: float) -> list[float]:
        """Return when the job was shown."""
        follow(self, self.fetch, self, lambda _: self.now >= until, clock=lambda: self.now)
        return self.shown


def test_an_event_after_a_quiet_while_is_shown_at_once() -> None:
    assert Scene([0.75]).follow(until=0.75) == [0, 0.75]


def test_an_event_soon_after_another_is_shown_when_the_first_has_been_seen() -> None:
    assert Scene([0.75, 0.8]).follow(until=0.8) == [0, 0.75, 0.95]


def test_a_storm_is_drawn_five_times_a_second() -> None:
    shown = Scene(at / 100 for at in range(300)).follow(until=1.9)

    assert shown == [at / 5 for at in range(11)]


def test_a_story_that_takes_long_to_fetch_is_fetched_less_often() -> None:
    shown = Scene((at / 10 for at in range(300)), fetch_seconds=0.5).follow(until=5)

    assert shown == [0.5, 3.0, 5.5]


def test_without_an_event_it_is_looked_again() -> None:
    assert Scene([]).follow(until=2) == [0, LOOK_SECONDS, 2 * LOOK_SECONDS]
