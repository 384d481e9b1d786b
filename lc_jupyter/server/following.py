"""What the WebSockets share: who may listen, and a node that goes and comes back."""

import asyncio
from abc import abstractmethod
from typing import Any, Final

import msgspec
from jupyter_server.auth.decorator import authorized, ws_authenticated
from jupyter_server.base.handlers import JupyterHandler
from jupyter_server.base.websocket import WebSocketMixin
from tornado.web import HTTPError
from tornado.websocket import WebSocketClosedError, WebSocketHandler

from lc_jupyter.server.handlers import RESOURCE
from lc_jupyter.server.link import NodeLink
from lc_node.api.errors import ApiError, UnknownThing
from lc_node.api.schema import JobId

RETRY_SECONDS: Final = 1.0
"""How long to wait before looking for a node that was gone."""


class Told(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One message to a browser; this one says whether the node is there."""

    reachable: bool | None = None
    problem: str = ""
    """Why there is nothing to tell at the moment, and what to do."""


class FollowingHandler(WebSocketMixin, WebSocketHandler, JupyterHandler):
    """Tells a browser what it follows, for as long as it listens; ``?job=ID`` names a job."""

    auth_resource = RESOURCE

    needs_job = False
    """Whether it follows one job, and not everything."""

    def initialize(self, link: NodeLink) -> None:
        """Listen through ``link``."""
        self.link = link
        self.job: JobId | None = None
        self._following: asyncio.Task[None] | None = None

    @abstractmethod
    async def follow_while_there(self) -> None:
        """Tell what is followed until the node is gone.

        Raises:
            ApiError: the node is gone, or refuses.
            WebSocketClosedError: the browser has left.
        """

    @ws_authenticated
    @authorized(action="read")  # type: ignore[untyped-decorator]  # its result could be anything
    async def get(self, *args: Any, **kwargs: Any) -> None:  # type: ignore[override]  # for the same reason
        """Open the WebSocket."""
        name = self.get_query_argument("job", "" if self.needs_job else None)
        try:
            self.job = None if name is None else msgspec.convert(name, JobId)
        except msgspec.ValidationError as error:
            raise HTTPError(400, "job is 64 hexadecimal digits") from error
        await super().get(*args, **kwargs)

    def open(self, *args: Any, **kwargs: Any) -> None:  # type: ignore[mutable-override]  # tornado types it as an attribute
        """Begin to follow."""
        super().open(*args, **kwargs)
        self._following = asyncio.create_task(  # noqa: TID251  # tornado has no group; on_close ends it
            self._follow()
        )

    def on_message(self, message: str | bytes) -> None:
        """Hear nothing: what a browser wants done goes by REST."""

    def on_close(self) -> None:
        """Stop following."""
        super().on_close()
        if self._following is not None:
            self._following.cancel()

    async def tell(self, told: msgspec.Struct) -> None:
        """Send a message.

        Raises:
            WebSocketClosedError: the browser has left.
        """
        await self.write_message(msgspec.json.encode(told).decode())

    async def _follow(self) -> None:
        """Tell until the browser leaves; look for a node that is gone again and again."""
        try:
            while True:
                await self._follow_or_say_why_not()
                await asyncio.sleep(RETRY_SECONDS)
        except WebSocketClosedError:
            return

    async def _follow_or_say_why_not(self) -> None:
        try:
            await self.follow_while_there()
        except UnknownThing as error:  # perhaps only not yet: the node may be catching up
            await self.tell(Told(problem=error.message))
        except ApiError as error:
            self.link.close()
            await self.tell(Told(reachable=False, problem=error.message))
