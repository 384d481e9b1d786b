"""A container's standard streams over one socket, bounded: lines in, lines out, and the tail of its log.

The engine sends both outputs in frames of eight bytes of header (which stream, and how long) and the data:
docs.docker.com/reference/api/engine, "Attach to a container". The last bytes of each are the report of the first process.
"""

import asyncio
import collections
import contextlib
import socket
from collections.abc import Callable
from typing import Final

from lc_node.adapters.docker_init import REPORT_BYTES, SECRET_BYTES
from lc_node.adapters.sandbox_policy import LOG_TAIL_BYTES, for_people
from lc_node.ports.sandbox import Limits

QUEUE_BYTES_MAX: Final = 1024 * 1024
"""Lines that nobody has read yet; a job that is ahead by more has to wait."""

_HEADER: Final = 8
_STDOUT: Final = 1
_STDERR: Final = 2


class Streams(asyncio.Protocol):
    """Our end of the socket.

    Memory is bounded: the lines that wait, one more, and the tail of stderr. Whoever writes more than allowed is
    reported, once, through ``on_excess``.
    """

    def __init__(
        self,
        secret: bytes,
        limits: Limits,
        *,
        on_excess: Callable[[], None],
        on_report: Callable[[bytes], None],
        on_lost: Callable[[], None],
    ) -> None:
        """Expect a report that begins with ``secret``, which holds no newline.

        Args:
            secret: what only the container's first process knows, which has been told it.
            limits: how much may come.
            on_excess: more came.
            on_report: the job has ended; gets what follows the secret.
            on_lost: the connection has ended.
        """
        self._secret = secret
        self._line_bytes = int(limits.line_bytes)
        self._bytes_left = limits.log_bytes + 2 * REPORT_BYTES
        self._on_excess, self._on_report, self._on_lost = on_excess, on_report, on_lost
        self._transport: asyncio.Transport | None = None
        self._frame = b""
        self._rest = b""
        self._tail = b""
        self._lines: collections.deque[bytes] = collections.deque()
        self._queued = 0
        self._is_paused = False
        self._is_deaf = False
        self._news = asyncio.Event()
        self._writable = asyncio.Event()
        self._is_at_end = {_STDOUT: False, _STDERR: False}

    async def read_line(self) -> bytes | None:
        """Return the next line of stdout without its newline, None at the end or past a limit."""
        while not self._lines:
            if self._is_deaf or self._is_at_end[_STDOUT]:
                return None
            self._news.clear()
            await self._news.wait()
        line = self._lines.popleft()
        self._queued -= len(line)
        if self._is_paused and self._queued < QUEUE_BYTES_MAX:
            self._resume()
        return line

    async def write_line(self, line: bytes) -> None:
        """Write a line to stdin; wait while the job is behind, until it has ended."""
        if self._transport is None or self._transport.is_closing():
            return
        self._transport.write(line + b"\n")
        await self._writable.wait()

    @property
    def log_tail(self) -> str:
        """The end of stderr, for people: what could move a cursor or hide text is left out."""
        return for_people(self._tail.partition(self._secret)[0][-LOG_TAIL_BYTES:])

    def stop_listening(self) -> None:
        """Read on, but keep no more lines: an engine cannot end a container whose output nobody takes."""
        self._is_deaf = True
        self._resume()
        self._wake()

    def close(self) -> None:
        """End the connection, and with it the container, if it still runs."""
        if self._transport is not None:
            connection = self._transport.get_extra_info("socket")
            with contextlib.suppress(OSError):  # it has ended already
                connection.shutdown(socket.SHUT_RDWR)
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin to listen."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._writable.set()

    def connection_lost(self, _exc: Exception | None) -> None:
        """Nothing more will come, whatever the reason."""
        self._is_at_end = dict.fromkeys(self._is_at_end, True)
        self._wake()
        self._on_lost()

    def pause_writing(self) -> None:
        """The job is behind with reading."""
        self._writable.clear()

    def resume_writing(self) -> None:
        """It has caught up."""
        self._writable.set()

    def data_received(self, data: bytes) -> None:
        """Take frames apart; each piece is handed on as it comes, however long its frame."""
        self._frame += data
        while len(self._frame) > _HEADER:
            stream, length = self._frame[0], int.from_bytes(self._frame[4:_HEADER], "big")
            payload = self._frame[_HEADER : _HEADER + length]
            left = length - len(payload)
            self._frame = self._frame[_HEADER + len(payload) :]
            if left:
                self._frame = bytes((stream, 0, 0, 0)) + left.to_bytes(4, "big") + self._frame
            self._on_data(stream, payload)
            if left:
                return

    def _on_data(self, stream: int, payload: bytes) -> None:
        self._bytes_left -= len(payload)
        if self._bytes_left < 0:
            self._exceed()
        elif stream == _STDERR:
            self._on_log(payload)
        else:
            self._on_output(payload)

    def _on_log(self, payload: bytes) -> None:
        self._tail = (self._tail + payload)[-LOG_TAIL_BYTES - REPORT_BYTES :]
        _, secret, status = self._tail.partition(self._secret)
        if secret and len(status) == REPORT_BYTES - SECRET_BYTES:
            self._end(_STDERR, status)

    def _on_output(self, payload: bytes) -> None:
        """Cut lines; whatever follows the secret is no line."""
        text, secret, status = (self._rest + payload).partition(self._secret)
        *lines, last = text.split(b"\n")
        for line in lines:
            self._on_line(line)
        self._rest = last + secret + status
        if secret and len(status) == REPORT_BYTES - SECRET_BYTES:
            if last:
                self._on_line(last)
            self._end(_STDOUT, status)
        elif len(last) > self._line_bytes + SECRET_BYTES:
            self._exceed()

    def _on_line(self, line: bytes) -> None:
        if self._is_deaf:
            return
        if len(line) > self._line_bytes:
            self._exceed()
            return
        self._lines.append(line)
        self._queued += len(line)
        self._wake()
        if self._queued >= QUEUE_BYTES_MAX and self._transport is not None:
            self._is_paused = True
            self._transport.pause_reading()

    def _end(self, stream: int, status: bytes) -> None:
        self._is_at_end[stream] = True
        self._wake()
        if all(self._is_at_end.values()):
            self._on_report(status)

    def _exceed(self) -> None:
        self._bytes_left = -1
        if not self._is_deaf:
            self.stop_listening()
            self._on_excess()

    def _resume(self) -> None:
        if self._is_paused and self._transport is not None and not self._transport.is_closing():
            self._transport.resume_reading()
        self._is_paused = False

    def _wake(self) -> None:
        """Let who waits look again; at the end nobody waits for the job to read."""
        self._news.set()
        if self._is_at_end[_STDOUT] or self._is_deaf:
            self._writable.set()
