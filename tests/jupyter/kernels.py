"""A real kernel in a process of its own, driven the way a notebook's front end drives it."""

import os
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from queue import Empty
from typing import Any

from jupyter_client.manager import KernelManager

PATIENCE_SECONDS = 30
_REST_SECONDS = 1
"""How long what a kernel has sent may be under way when it has ended."""


@dataclass
class Reply:
    """What the front end got for a cell."""

    status: str = ""
    name: str = ""
    seconds: float = 0.0
    """Since it was interrupted, or sent."""
    text: str = ""
    """All that was printed or shown, in order."""
    shown: dict[str, str] = field(default_factory=dict)
    """The HTML of each output as it stands at the end, by display id."""
    drawn: list[str] = field(default_factory=list)
    """The HTML of every drawing."""


class Kernel:
    """A kernel with the magics loaded, that finds a node by its home."""

    def __init__(
        self,
        folder: Path,
        home: Path,
        cache: Path,
        before: Path | None = None,
        *,
        patience_seconds: int = PATIENCE_SECONDS,
    ) -> None:
        """Start one; modules of the folder ``before`` are found before all others."""
        self._patience_seconds = patience_seconds
        self._manager = KernelManager(transport="ipc", ip=str(folder / "k"))
        environment = {
            "LC_NODE": str(home),
            "IPYTHONDIR": str(folder),
            "XDG_CACHE_HOME": str(cache),
        }
        if before is not None:
            environment["PYTHONPATH"] = str(before)
        self._manager.start_kernel(env={**os.environ, **environment})
        self._client = self._manager.client()
        self._client.start_channels()
        self._client.wait_for_ready(timeout=PATIENCE_SECONDS)

    def start(self, code: str) -> str:
        """Send a cell, and return its name."""
        return str(self._client.execute(code))

    def run(self, code: str) -> Reply:
        """Run a cell to its end."""
        return self.finish(self.start(code))

    def wait_shown(self, cell: str) -> None:
        """Return when a running cell has shown something."""
        message = self._next(cell)
        while message is not None and message["msg_type"] not in {"display_data", "stream"}:
            message = self._next(cell)
        assert message is not None, "the cell ended without showing anything"

    def interrupt(self, cell: str) -> Reply:
        """Press the stop button, and return how the cell ended."""
        self._manager.interrupt_kernel()
        return self.finish(cell)

    def finish(self, cell: str) -> Reply:
        """Return how a cell ended."""
        began, reply = time.monotonic(), Reply()
        for message in iter(lambda: self._next(cell), None):
            _note(reply, message)
        answer = self._answer(cell)
        reply.seconds = time.monotonic() - began
        reply.status = answer["content"]["status"]
        reply.name = answer["content"].get("ename", "")
        return reply

    def end(self) -> list[dict[str, Any]]:
        """Shut it down as a front end does, and return all that it has sent meanwhile."""
        self._manager.shutdown_wait_time = (
            2 * PATIENCE_SECONDS
        )  # half of it is for a kernel to go by itself
        self._manager.shutdown_kernel(now=False)
        heard: list[dict[str, Any]] = []
        with suppress(Empty):
            while True:
                heard.append(self._client.get_iopub_msg(timeout=_REST_SECONDS))
        return heard

    def stop(self) -> None:
        """End the kernel."""
        self._client.stop_channels()
        self._manager.shutdown_kernel(now=True)
        self._manager.cleanup_resources()

    def _answer(self, cell: str) -> dict[str, Any]:
        while True:
            answer: dict[str, Any] = self._client.get_shell_msg(timeout=self._patience_seconds)
            if answer["parent_header"].get("msg_id") == cell:
                return answer

    def _next(self, cell: str) -> dict[str, Any] | None:
        """Return the cell's next message; None when the kernel is idle again."""
        while True:
            try:
                message: dict[str, Any] = self._client.get_iopub_msg(
                    timeout=self._patience_seconds
                )
            except Empty:
                return None
            if message["parent_header"].get("msg_id") != cell:
                continue
            if message["content"].get("execution_state") == "idle":
                return None
            return message


def _note(reply: Reply, message: dict[str, Any]) -> None:
    content = message["content"]
    data = content.get("data", {})
    reply.text += content.get("text", "") + data.get("text/plain", "")
    reply.text += "\n".join(content.get("traceback", []))
    name = content.get("transient", {}).get("display_id")
    if name is not None:
        reply.shown[name] = data.get("text/html", "")
        reply.drawn.append(data.get("text/html", ""))
