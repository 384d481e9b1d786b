"""Work in threads on a download's file: it is over before anybody goes on."""

import asyncio
import threading
from pathlib import Path

import pytest

from lc_node.adapters.blobs import DirectoryBlobStore
from lc_node.chain.types import ByteCount, Digest
from lc_node.ports.stores import Naming
from lc_node.runtime import blob_file
from lc_node.runtime.blob_news import Wanted
from tests.peer_nodes import PATIENCE_SECONDS, STORE_BYTES


async def test_who_is_cancelled_twice_goes_on_when_the_work_is_over() -> None:
    may_end = threading.Event()
    async with asyncio.TaskGroup() as tasks:
        working = tasks.create_task(blob_file.done(lambda: may_end.wait(PATIENCE_SECONDS)))
        for _ in range(2):
            await _turns()
            working.cancel()
        await _turns()
        was_over_early = working.done()
        may_end.set()

    assert not was_over_early
    assert working.cancelled()


async def test_what_the_work_makes_is_returned() -> None:
    assert await blob_file.done(lambda: 7) == 7


async def test_how_the_work_fails_is_told() -> None:
    with pytest.raises(ZeroDivisionError):
        await blob_file.done(lambda: 1 // 0)


async def test_waiting_for_work_that_fails_is_no_failure() -> None:
    work = blob_file.begun(lambda: 1 // 0)

    await blob_file.over(work)

    assert work.done()


async def test_who_takes_a_download_over_waits_until_its_file_is_let_go_of(tmp_path: Path) -> None:
    store = DirectoryBlobStore(tmp_path / "blobs", bytes_max=STORE_BYTES)
    wanted = Wanted(
        digest=Digest(bytes(32)), naming=Naming.SHA256, size_max=ByteCount(5), sources=None
    )
    before = store.partial(wanted.digest, wanted.size_max, wanted.naming)
    async with asyncio.TaskGroup() as tasks:
        opening = tasks.create_task(blob_file.opened(store, wanted, wanted.size_max))
        await _turns()
        before.close()

    opening.result().close()


async def _turns() -> None:
    """Let everybody go on who can."""
    for _ in range(5):
        await asyncio.sleep(0)
