"""Showing a job while it goes on: a widget where there is a browser, else pictures or lines in place."""

import atexit
import importlib.util
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Final, Protocol, Self

from IPython.core.getipython import get_ipython
from IPython.display import DisplayHandle, display

from lc_jupyter.errors import UserError
from lc_jupyter.live import REDRAW_SECONDS, Live
from lc_jupyter.stories import show_latest, show_story
from lc_node.api.client import ApiError
from lc_node.api.schema_jobs import JobStory

if TYPE_CHECKING:
    from lc_jupyter.widget import Act, JobWidget

LOOK_SECONDS: Final = 1.0
"""Without an event it is looked again this often: how far this node has come is no event."""

_BUSY_SHARE: Final = 4
"""A story that took long to fetch is fetched again after this many times as long."""


class StoryView(Protocol):
    """Shows one story after the other; used as a context, at its end only the last one stays, without a script."""

    def __enter__(self) -> Self: ...

    def __exit__(self, *error: object) -> None: ...

    def show(self, story: JobStory) -> None:
        """Show a story as it stands."""
        ...

    def warn(self, text: str) -> None:
        """Say what keeps newer ones from coming."""
        ...


class DrawnView:
    """Draws each story anew in its cell's output; a terminal gets a line for each event."""

    def __init__(self) -> None:
        """Show nothing yet."""
        self._live = Live()
        self._story: JobStory | None = None

    def __enter__(self) -> Self:
        self._live.__enter__()
        return self

    def __exit__(self, *error: object) -> None:
        if self._story is not None:
            self._live.keep(show_story(self._story, now_ms()))
        self._live.__exit__(*error)

    def show(self, story: JobStory) -> None:
        """Show a story as it stands."""
        self._story = story
        if not story.summary.phase.is_over:  # the end is kept, and told once
            self._live.show(show_story(story, now_ms()), show_latest(story))

    def warn(self, text: str) -> None:
        """Leave what is shown: who waits sees the error itself."""


class WidgetView:
    """Feeds a widget, and puts what a saved notebook shows in its place at the end."""

    def __init__(self, act: "Act") -> None:
        """Show nothing yet; buttons are done by ``act``."""
        self._act = act
        self._widget: JobWidget | None = None
        self._handle: DisplayHandle | None = None
        self._story: JobStory | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        atexit.unregister(self._leave_picture)
        self._leave_picture()
        if self._widget is not None:
            self._widget.close()

    def _leave_picture(self) -> None:
        """Put a picture in the widget's place, which shows nothing without its kernel.

        A kernel that ends closes no widget: its front end has forgotten them by then, and would say so in its console.
        """
        if self._handle is not None and self._story is not None:
            self._handle.update(  # type: ignore[no-untyped-call]  # IPython has no types for it
                show_story(self._story, now_ms())
            )

    def show(self, story: JobStory) -> None:
        """Show a story as it stands."""
        self._story = story
        if self._widget is None:
            from lc_jupyter.widget import JobWidget  # noqa: PLC0415  # ipywidgets takes its time

            self._widget = JobWidget(story, self._act, (UserError, ApiError))
            self._handle = display(  # type: ignore[no-untyped-call]  # IPython has no types for it
                self._widget, display_id=True
            )
            atexit.register(self._leave_picture)
        else:
            self._widget.show(story)

    def warn(self, text: str) -> None:
        """Say it in the widget."""
        if self._widget is not None:
            self._widget.say(text, "bad")


def open_view(act: "Act", *, in_background: bool = False) -> StoryView:
    """Return the view that this kernel's front end can show.

    A cell that waits for a job blocks the kernel, so that buttons would do nothing: it draws pictures.
    """
    has_widgets = importlib.util.find_spec("anywidget") is not None
    if in_background and has_widgets and hasattr(get_ipython(), "kernel"):
        return WidgetView(act)
    return DrawnView()


class Events(Protocol):
    """Whatever says that there is something new (``lc_node.api.event_stream.EventStream``)."""

    def next(self, timeout_seconds: float) -> object | None:
        """Return the next event; None if there was none within the time."""
        ...


def follow(
    events: Events,
    fetch: Callable[[], JobStory],
    view: StoryView,
    is_enough: Callable[[JobStory], bool],
    *,
    clock: Callable[[], float] = time.monotonic,
) -> JobStory:
    """Show a job whenever one of its events comes, until ``is_enough`` says so of a story that was shown.

    What comes after a quiet while is shown at once; of a storm, what has gathered since the last time.

    Raises:
        ApiError: the node is gone, or does not know the job any more.
    """
    while True:
        asked = clock()
        story = fetch()
        took = clock() - asked
        view.show(story)
        if is_enough(story):
            return story
        rests_until = clock() + max(REDRAW_SECONDS, _BUSY_SHARE * took)
        if events.next(LOOK_SECONDS) is not None:
            while (left := rests_until - clock()) > 0 and events.next(left) is not None:
                continue


def now_ms() -> int:
    """Return this machine's time in Unix milliseconds."""
    return time.time_ns() // 1_000_000
