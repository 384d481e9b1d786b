"""Nodes that a job makes need each other find each other, over real sockets."""

from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from lc_node.chain.types import MillisSpan
from lc_node.wire.outbound import Why
from tests.finders import finder
from tests.peer_nodes import people, until


async def test_whom_a_job_needs_is_connected_until_it_is_needed_no_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lc_node.runtime.discovery.TICK_SECONDS", 0.05)
    monkeypatch.setattr("lc_node.runtime.discovery.ASK_FIRST", MillisSpan(200))
    monkeypatch.setattr("lc_node.wire.outbound.OUTBOUND_WANTED", 0)
    first, second, third = people(3)
    async with AsyncExitStack() as stack:
        a = await stack.enter_async_context(finder(first, tmp_path))
        b, c = [
            await stack.enter_async_context(finder(who, tmp_path, seeds=[a.address]))
            for who in (second, third)
        ]
        await until(lambda: b.discovery._book.get(third.key) is not None)

        b.discovery.seek(frozenset({third.key}))

        await until(lambda: third.key in b.discovery._calls and third.key in b.peers)
        await until(lambda: b.discovery._calls[third.key].why is Why.WORK)
        b.discovery.seek(frozenset())
        await until(lambda: third.key not in b.peers and second.key not in c.peers)
