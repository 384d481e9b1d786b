"""One data connection: a socket with a thread for each direction, beside the event loop."""

import asyncio
import contextlib
import logging
import select
import socket
import threading
from collections.abc import Callable
from queue import SimpleQueue
from typing import Final

from lc_node.chain.errors import MalformedBytes
from lc_node.chain.types import ByteCount
from lc_node.wire.buffers import BufferPool
from lc_node.wire.data_frames import HEAD_BYTES, OPENED_MAX, SEALED_MAX, DataKeys, Opener, Sealer
from lc_node.wire.limits import SENDING_BYTES
from lc_node.wire.messages import Frame

_log = logging.getLogger(__name__)

_STUCK_MS: Final = 10_000
"""A connection over which nothing gets for so long is given up (RFC 5482)."""
_UNTAKEN_MAX: Final = 4
"""Frames that wait for the event loop; then the peer is made to wait, by TCP."""
_BUFFERS_MAX: Final = 16
"""Those that are kept for later frames."""
_IDLE_MS: Final = 5_000
"""When nothing comes for so long, memory for more is let go of."""


_SMALL_BYTES: Final = OPENED_MAX // 2
"""A shorter frame is copied: it would hold a whole buffer for as long as it waits."""


class _Over(Exception):
    """The connection has ended."""


class DataConnection:
    """Carries frames both ways until either end closes it; what was on its way then is lost."""

    def __init__(
        self,
        connection: socket.socket,
        keys: DataKeys,
        on_frame: Callable[[Frame], None],
        on_end: Callable[["DataConnection"], None],
    ) -> None:
        """Take over a connected socket.

        Both callbacks run in the running event loop, ``on_end`` when it carries nothing more, and again when
        ``is_over``.

        Raises:
            OSError, RuntimeError: the socket cannot be used, or no thread be started; it is closed then.
        """
        self._socket = connection
        self._on_frame = on_frame
        self._on_end = on_end
        self._loop: Final = asyncio.get_running_loop()
        self._outbox: Final = SimpleQueue[Frame | None]()
        self._lock: Final = threading.Lock()
        self._room: Final = threading.Semaphore(_UNTAKEN_MAX)
        """For frames that wait for the event loop."""
        self._waiting = 0
        """Bytes in the outbox."""
        self._is_closed = False
        self._threads: Final[list[threading.Thread]] = []
        self._working = 0
        """Threads that have not ended."""
        self.bytes_in = ByteCount(0)
        self.bytes_out = ByteCount(0)
        try:
            connection.settimeout(None)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, _STUCK_MS)
            self._start(lambda: self._read(Opener(keys.receiving)))
            self._start(lambda: self._write(Sealer(keys.sending)))
        except (OSError, RuntimeError):
            self.close()
            if not self._threads:
                connection.close()
            raise

    @property
    def is_over(self) -> bool:
        """Whether nothing of it is left."""
        return self._working == 0

    @property
    def carried(self) -> int:
        """How many bytes have come, or have been handed to the system."""
        with self._lock:
            return self.bytes_in + self.bytes_out - self._waiting

    def send(self, frame: Frame) -> bool:
        """Queue a frame without waiting; False if there is no room."""
        with self._lock:
            if self._is_closed or self._waiting + len(frame) > SENDING_BYTES:
                return False
            self._waiting += len(frame)
            self.bytes_out = ByteCount(self.bytes_out + len(frame))
        self._outbox.put(frame)
        return True

    def close(self) -> None:
        """End it; its threads end soon after."""
        with self._lock:
            if self._is_closed:
                return
            self._is_closed = True
        # Wakes whoever reads or writes; the file descriptor is kept until both have gone.
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._outbox.put(None)
        self._room.release()

    async def closed(self) -> None:
        """Close, and return when nothing of it is left."""
        self.close()
        for thread in self._threads:
            await asyncio.to_thread(thread.join)
        self._socket.close()

    def _start(self, work: Callable[[], None]) -> None:
        thread = threading.Thread(target=self._work, args=(work,), name="data", daemon=True)
        thread.start()
        self._threads.append(thread)
        self._working += 1

    def _work(self, work: Callable[[], None]) -> None:
        """Work in a thread; when either ends, both do."""
        try:
            work()
        except (OSError, _Over):
            pass
        except MalformedBytes as error:
            _log.debug("a data connection is closed: %s", error)
        finally:
            self.close()
            with contextlib.suppress(_Over):
                self._call(self._end)

    def _call(self, told: Callable[..., None], *about: object) -> None:
        """Call something in the event loop."""
        try:
            self._loop.call_soon_threadsafe(told, *about)
        except RuntimeError:  # it is closed already
            raise _Over from None

    def _end(self) -> None:
        self._working -= 1
        if not self._working:
            self._socket.close()
        self._on_end(self)

    def _read(self, opener: Opener) -> None:
        head, buffer = memoryview(bytearray(HEAD_BYTES)), memoryview(b"")
        buffers = BufferPool(OPENED_MAX, kept_max=_BUFFERS_MAX)
        poll = select.poll()
        poll.register(self._socket, select.POLLIN)
        while True:
            if not poll.poll(_IDLE_MS):
                buffers.clear()
                buffer = memoryview(b"")
            self._fill(head)
            length = opener.length(bytes(head))
            if not buffer:
                buffer = memoryview(bytearray(SEALED_MAX))
            self._fill(buffer[:length])
            self._room.acquire()
            if self._is_closed:
                return
            frame = opener.open(bytes(head), buffer[:length], buffers.take())
            self._call(self._take, bytes(frame) if len(frame) < _SMALL_BYTES else frame)
            del frame

    def _take(self, frame: Frame) -> None:
        if not self._is_closed:
            self._room.release()
            self.bytes_in = ByteCount(self.bytes_in + len(frame))
            self._on_frame(frame)

    def _fill(self, buffer: memoryview) -> None:
        filled = 0
        while filled < len(buffer):
            count = self._socket.recv_into(buffer[filled:], 0, socket.MSG_WAITALL)
            if not count:
                raise _Over
            filled += count

    def _write(self, sealer: Sealer) -> None:
        while (frame := self._outbox.get()) is not None:
            self._socket.sendall(sealer.seal(frame))
            with self._lock:
                self._waiting -= len(frame)
            del frame  # its memory is used again
