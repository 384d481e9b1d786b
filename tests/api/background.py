"""A node's door in a thread of its own, for tests of what has no event loop."""

import asyncio
import threading
from pathlib import Path

from lc_node.api.server import ApiServer
from tests.api.sample_service import SampleService, event, serving


class Background:
    """A node in a thread of its own."""

    def __init__(self, folder: Path, kind: type[SampleService] = SampleService) -> None:
        self.home = folder / "home"
        self._kind = kind
        self._folder = folder
        self._ready = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()))
        self._thread.start()
        assert self._ready.wait(10)

    async def _serve(self) -> None:
        self.loop, self._over = asyncio.get_running_loop(), asyncio.Event()
        async with serving(self._folder, self._kind) as (self.server, self.service):
            self._ready.set()
            await self._over.wait()

    server: ApiServer
    service: SampleService

    def publish(self, code: str) -> None:
        """Publish an event from this thread."""
        self.loop.call_soon_threadsafe(self.server.publish, event(code))

    def stop(self) -> None:
        """End the node; a second call changes nothing."""
        if self._thread.is_alive():
            self.loop.call_soon_threadsafe(self._over.set)
            self._thread.join()
