"""The widget of a job: anywidget's side in the kernel."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import anywidget
import traitlets

from lc_jupyter.feed import JobFeed
from lc_node.api.schema_jobs import JobStory

Act = Callable[[str, str], str]
"""Does what a button asks for (its name, an amount) and says what came of it; raises what a user is to read."""

_STATIC: Final = Path(__file__).parent / "static"


class JobWidget(anywidget.AnyWidget):
    """Shows a job as its stories come; views that open later begin with the newest."""

    _esm = _STATIC / "widget.js"
    snapshot = traitlets.Dict().tag(sync=True)

    def __init__(self, story: JobStory, act: Act, tellable: tuple[type[Exception], ...]) -> None:
        """Show ``story``; buttons are done by ``act``, whose ``tellable`` errors are shown."""
        self._feed = JobFeed(story)
        self._act = act
        self._tellable = tellable
        super().__init__(snapshot=self._feed.snapshot)
        self.on_msg(self._hear)

    def show(self, story: JobStory) -> None:
        """Tell all views what is new of a story."""
        delta = self._feed.take(story)
        if delta is None:
            self.send({"kind": "anew", "snapshot": self._feed.snapshot})
        elif delta:
            self.send({"kind": "delta", "delta": delta})

    def say(self, text: str, tone: str) -> None:
        """Say something below the story, in all views."""
        self.send({"kind": "said", "text": text, "tone": tone})

    def get_state(self, key: Any = None, drop_defaults: bool = False) -> dict[str, Any]:  # noqa: FBT001, FBT002  # ipywidgets' signature
        """Return what a view begins with: a trait that changed with each bid would be sent whole each time."""
        if hasattr(self, "_feed"):
            self._trait_values["snapshot"] = self._feed.snapshot
        state: dict[str, Any] = super().get_state(key, drop_defaults)
        return state

    def _hear(self, _widget: object, asked: dict[str, str], _buffers: object) -> None:
        try:
            said, tone = self._act(asked["do"], asked["amount"]), "good"
        except self._tellable as error:
            said, tone = str(error), "bad"
        self.say(said, tone)
