"""Events over a real WebSocket: as they happen, one job's or all, and whether the node is there."""

import asyncio
import json
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tornado.httpclient import HTTPClientError
from tornado.websocket import WebSocketClientConnection

from tests.api.sample_service import JOB, OTHER_JOB, event
from tests.jupyter.desk import Desk
from tests.jupyter.servers import Server, hang_up


async def _next(socket: WebSocketClientConnection) -> Any:
    async with asyncio.timeout(30):
        message = await socket.read_message()
    assert message is not None
    return json.loads(message)


async def test_an_event_reaches_the_browser(server: Server, node: Desk) -> None:
    socket = await server.listen()
    assert await _next(socket) == {"reachable": True}

    node.publish("bid")

    assert (await _next(socket))["event"]["code"] == "bid"
    await hang_up(socket)


async def test_only_the_events_of_the_job_that_was_asked_for_come(
    server: Server, node: Desk
) -> None:
    socket = await server.listen(f"events?job={OTHER_JOB}")
    assert await _next(socket) == {"reachable": True}

    node.publish("bid")
    node.loop.call_soon_threadsafe(node.server.publish, event("posted", job=OTHER_JOB))

    assert (await _next(socket))["event"]["job"] == OTHER_JOB
    await hang_up(socket)


@pytest.mark.parametrize("headers", [{}, {"Authorization": "token wrong"}])
async def test_without_the_token_nobody_listens(server: Server, headers: dict[str, str]) -> None:
    with pytest.raises(HTTPClientError, match="403"):
        await server.listen(headers=headers)


async def test_a_page_of_another_site_cannot_listen(server: Server) -> None:
    headers = {**await server.log_in(), "Origin": "http://evil.example"}

    with pytest.raises(HTTPClientError, match="403"):
        await server.listen(headers=headers)


async def test_a_name_that_is_no_job_s_is_refused(server: Server) -> None:
    with pytest.raises(HTTPClientError, match="400"):
        await server.listen("events?job=zz")


@pytest.fixture
def apart() -> Iterator[Path]:
    """Return a folder for a node that comes and goes."""
    made = Path(tempfile.mkdtemp(prefix="lcs"))
    yield made
    shutil.rmtree(made)


async def test_a_node_that_goes_and_comes_back_is_told(apart: Path) -> None:
    node = Desk(apart)
    lab = Server(apart, node.home)
    try:
        socket = await lab.listen()
        assert await _next(socket) == {"reachable": True}
        node.stop()
        gone = await _next(socket)
        assert gone["reachable"] is False
        assert "lc-node run" in gone["problem"]
        refused = await lab.ask("status")
        assert (refused.code, refused.body["code"]) == (503, "NodeUnreachable")

        node = Desk(apart)
        while (told := await _next(socket)) != {"reachable": True}:
            assert told["reachable"] is False
        assert (await lab.ask(f"jobs/{JOB}")).code == 404
        await hang_up(socket)
    finally:
        lab.stop()
        node.stop()
