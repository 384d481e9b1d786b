"""One data connection: what waits for a slow end is bounded."""

import asyncio
import threading
import time

import pytest

from lc_node.adapters import data_connection
from lc_node.adapters.data_connection import DataConnection
from lc_node.wire.buffers import BufferPool
from tests.adapters.data_ends import ANNA, BERT, both, chunk
from tests.peer_nodes import PATIENCE_SECONDS, until

MIB = 1024 * 1024


def wait_without_a_turn_for_others(connection: DataConnection) -> None:
    """Return when no more frames may wait for the event loop, which stands still meanwhile."""
    end = time.monotonic() + PATIENCE_SECONDS
    while connection._room._value:
        assert time.monotonic() < end, "it takes frames without end"
        threading.Event().wait(0.005)


async def test_a_peer_waits_while_the_event_loop_does_not_take_its_frames_and_no_end_hangs() -> (
    None
):
    async with both() as (anna, bert), asyncio.timeout(PATIENCE_SECONDS):
        to_bert, to_anna = anna.data.of(BERT), bert.data.of(ANNA)
        assert to_bert is not None
        assert to_anna is not None
        for index in range(8):
            to_bert.send(chunk(index, MIB))
        wait_without_a_turn_for_others(to_anna)

        await to_anna.closed()


async def test_memory_for_chunks_is_let_go_of_when_none_come(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pools: list[BufferPool] = []

    class Noted(BufferPool):
        def take(self) -> memoryview:
            pools.append(self)
            return super().take()

    monkeypatch.setattr(data_connection, "BufferPool", Noted)
    monkeypatch.setattr(data_connection, "_IDLE_MS", 50)
    async with both() as (anna, bert):
        to_bert = anna.data.of(BERT)
        assert to_bert is not None
        to_bert.send(chunk(0, MIB))
        await until(lambda: len(bert.heard) == 1)

        await until(lambda: len(pools[0]) == 0)
