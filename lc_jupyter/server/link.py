"""The server's connection to the node of its user, made anew when the node was restarted."""

from pathlib import Path
from typing import Any, TypeVar

from lc_node.api.async_client import AsyncClient
from lc_node.api.calls import Call
from lc_node.api.errors import NodeUnreachable

A = TypeVar("A")


class NodeLink:
    """Asks the node; a node that is gone is looked for again with the next call."""

    def __init__(self, where: Path | None = None) -> None:
        """Find the node as every client does: ``where``, ``$LC_NODE``, or the default home."""
        self._where = where
        self._client: AsyncClient | None = None

    async def call(self, call: Call[A]) -> A:
        """Return the node's answer.

        Raises:
            ApiError: the node refused, failed, or is gone.
        """
        try:
            return await self.client().call(call)
        except NodeUnreachable:
            self.close()
            raise

    def client(self) -> AsyncClient:
        """Return the client that all requests share.

        Raises:
            NodeUnreachable: no node runs.
        """
        if self._client is None:
            self._client = AsyncClient(self._where)
        return self._client

    def close(self, *_: Any) -> None:
        """Let go of the node; the next call looks for it."""
        if self._client is not None:
            self._client.close()
            self._client = None
