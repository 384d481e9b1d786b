"""A cell's output that is replaced in place; a terminal gets its lines one after the other."""

import time
from typing import Final, Self

from IPython.core.getipython import get_ipython
from IPython.display import DisplayHandle, display

from lc_jupyter.display import Shown, paragraph, stack

REDRAW_SECONDS: Final = 0.2
"""What changes all the time is redrawn at most five times a second."""


def tell(shown: object) -> None:
    """Show something at the end of the cell's output."""
    display(shown)


class Live:
    """What stays of an output, and below it what is only shown for now.

    Used as a context: at its end only what stays is left, which a saved notebook then shows.
    """

    def __init__(self) -> None:
        """Show nothing yet."""
        self._kept: list[Shown] = []
        self._now: Shown | None = None
        self._line = ""
        self._drawn = ""
        self._drawn_at = float("-inf")
        self._handle: DisplayHandle | None = None
        self._in_place = hasattr(get_ipython(), "kernel")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._now = None
        self._draw()

    def show(self, now: Shown, line: str) -> None:
        """Show something until the next; a terminal prints ``line`` unless it has just done so."""
        self._now = now
        self._draw()
        if not self._in_place and line not in {"", self._line}:
            tell(paragraph(line))
        self._line = line

    def show_progress(self, now: Shown) -> None:
        """Show what changes all the time, as often as one can read; a terminal does without."""
        if time.monotonic() - self._drawn_at >= REDRAW_SECONDS:
            self._now = now
            self._draw()

    def keep(self, part: Shown) -> None:
        """Let a part stay, in place of what was shown for now."""
        self._kept.append(part)
        self._now = None
        if not self._in_place:
            tell(part)
        self._draw()

    def _draw(self) -> None:
        shown = stack(*self._kept, *([self._now] if self._now is not None else []))
        if not self._in_place or shown.html == self._drawn:
            return
        self._drawn, self._drawn_at = shown.html, time.monotonic()
        if self._handle is None:
            self._handle = display(shown, display_id=True)
        else:
            self._handle.update(shown)
