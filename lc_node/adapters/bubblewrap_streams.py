"""A job's standard streams, bounded: lines in, lines out, and the tail of its log."""

import asyncio
import contextlib
import os
from collections.abc import Callable
from typing import Final

from lc_node.adapters.bubblewrap_process import Spawned
from lc_node.adapters.sandbox_policy import LOG_TAIL_BYTES, for_people
from lc_node.ports.sandbox import Limits

_READ_BYTES: Final = 64 * 1024


class Streams:
    """Our ends of stdin, stdout and stderr.

    Memory is bounded: one read and two lines of stdout, the tail of stderr, nothing of stdin. Whoever writes too
    much is not slowed down but reported, once, through ``on_excess``.
    """

    def __init__(self, spawned: Spawned, limits: Limits, on_excess: Callable[[], None]) -> None:
        """Take over the three pipes."""
        self._loop = asyncio.get_running_loop()
        self._stdin, self._stderr = spawned.stdin, spawned.stderr
        self._stdout = os.fdopen(spawned.stdout, "rb", 0)
        self._bytes_left = int(limits.log_bytes)
        self._on_excess = on_excess
        self._lines = asyncio.StreamReader(limit=limits.line_bytes)
        self._transport: asyncio.ReadTransport | None = None
        self._writing = asyncio.Lock()
        self._tail = b""
        self._is_closed = False
        self._loop.add_reader(self._stderr, self._on_stderr)

    async def open(self) -> None:
        """Start to read stdout."""
        self._transport, _ = await self._loop.connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(self._lines), self._stdout
        )

    async def read_line(self) -> bytes | None:
        """Return the next line of stdout without its newline, None at the end or past a limit."""
        try:
            line = await self._lines.readuntil()
        except asyncio.IncompleteReadError as error:
            line = error.partial
        except asyncio.LimitOverrunError:
            self._exceed()
            return None
        return line.removesuffix(b"\n") if line and self._is_within(len(line)) else None

    async def write_line(self, line: bytes) -> None:
        """Write a line to stdin; wait while the pipe is full, give up when nobody can read it any more."""
        async with self._writing:
            rest = memoryview(line + b"\n")
            while rest:
                try:
                    rest = rest[os.write(self._stdin, rest) :]
                except BlockingIOError:
                    await self._until_writable()
                except OSError:
                    return

    @property
    def log_tail(self) -> str:
        """The end of stderr, for people: what could move a cursor or hide text is left out."""
        return for_people(self._tail)

    def drain_log(self) -> None:
        """Read what stderr still holds, once no process can write to it."""
        if self._is_closed:
            return
        with contextlib.suppress(BlockingIOError):
            while self._read_log():
                continue

    def close(self) -> None:
        """Let go of the three pipes; the tail of the log stays."""
        self.drain_log()
        self._is_closed = True
        self._loop.remove_reader(self._stderr)
        self._loop.remove_writer(self._stdin)
        os.close(self._stdin)
        os.close(self._stderr)
        if self._transport is None:
            self._stdout.close()
        else:
            self._transport.close()

    def _on_stderr(self) -> None:
        with contextlib.suppress(BlockingIOError):
            if not self._read_log():
                self._loop.remove_reader(self._stderr)

    def _read_log(self) -> bool:
        data = os.read(self._stderr, _READ_BYTES)
        self._tail = (self._tail + data)[-LOG_TAIL_BYTES:]
        self._is_within(len(data))
        return bool(data)

    def _is_within(self, count: int) -> bool:
        self._bytes_left -= count
        if self._bytes_left < 0:
            self._exceed()
        return self._bytes_left >= 0

    def _exceed(self) -> None:
        self._bytes_left = -1
        self._on_excess()

    async def _until_writable(self) -> None:
        writable = self._loop.create_future()
        self._loop.add_writer(self._stdin, writable.set_result, None)
        try:
            await writable
        finally:
            self._loop.remove_writer(self._stdin)
