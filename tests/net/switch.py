"""An Ethernet switch in user space: carries frames between TAP devices, as well or as badly as a test asks.

netem would need a kernel module that many machines lack; /dev/net/tun is nearly everywhere, and this way
loss, delay and cuts are set for each direction between each two nodes, at any moment, without a process
being started.
"""

import fcntl
import heapq
import os
import random
import selectors
import struct
import threading
import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from itertools import count
from typing import Final

from tests.net.lines import PERFECT, Line, transit_seconds

_TUN: Final = "/dev/net/tun"
_TUNSETIFF: Final = 0x400454CA
_IFF_TAP: Final = 0x0002
_IFF_NO_PI: Final = 0x1000
_REQUEST: Final = struct.Struct("16sH22x")
"""``struct ifreq`` of linux/if.h, as far as TUNSETIFF reads it."""

_FRAME_BYTES_MAX: Final = 65_536
_AT_ONCE_MAX: Final = 64
_ON_THE_WAY_MAX: Final = 100_000
"""Frames that wait for their time; further ones are lost, as in a router whose memory is full."""


def open_tap(device: str) -> int:
    """Make a TAP device and return its other end; the device is gone once that is closed."""
    descriptor = os.open(_TUN, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        request = _REQUEST.pack(device.encode(), _IFF_TAP | _IFF_NO_PI)
        fcntl.ioctl(descriptor, _TUNSETIFF, request)
    except OSError:
        os.close(descriptor)
        raise
    return descriptor


class Switch:
    """Carries frames in a thread of its own; what it does to them may be changed at any time."""

    def __init__(self, seed: int) -> None:
        """Begin with no port; ``seed`` decides which frames are lost."""
        self._chance = random.Random(seed)  # noqa: S311 (repeats a test, guards nothing)
        self._ports: dict[str, int] = {}
        self._lines: dict[tuple[str, str], Line] = {}
        self._cut: frozenset[tuple[str, str]] = frozenset()
        self._homes: dict[bytes, str] = {}
        """At which port an Ethernet address was last seen."""
        self._on_the_way: list[tuple[float, int, int, bytes]] = []
        self._number = count()
        self._selector = selectors.DefaultSelector()
        self._is_over = False

    def plug(self, port: str, descriptor: int) -> None:
        """Connect the other end of a TAP device; the switch closes it at the end."""
        self._ports = {**self._ports, port: descriptor}
        self._selector.register(descriptor, selectors.EVENT_READ, port)

    def set_line(self, source: str, target: str, line: Line) -> None:
        """Say what becomes of frames in one direction."""
        self._lines = {**self._lines, (source, target): line}

    def set_all_lines(self, line: Line) -> None:
        """Say what becomes of frames between any two."""
        ports = tuple(self._ports)
        self._lines = {(one, other): line for one in ports for other in ports}

    def cut(self, sources: Collection[str], targets: Collection[str]) -> None:
        """Let nothing more pass from these to those; the other direction stays as it is."""
        self._cut |= {(one, other) for one in sources for other in targets if one != other}

    def part(self, *sides: Collection[str]) -> None:
        """Cut the network into sides that hear nothing of each other."""
        for side in sides:
            self.cut(side, set(self._ports) - set(side))

    def heal(self) -> None:
        """Take back all cuts; lines stay as they are."""
        self._cut = frozenset()

    @contextmanager
    def running(self) -> Iterator[None]:
        """Carry frames for as long as the context lasts; then close what was plugged in."""
        asleep, alarm = os.pipe()
        self._selector.register(asleep, selectors.EVENT_READ, None)
        thread = threading.Thread(target=self._run, name="switch", daemon=True)
        thread.start()
        try:
            yield
        finally:
            self._is_over = True
            os.write(alarm, b"!")
            thread.join()
            self._selector.close()
            for descriptor in (asleep, alarm, *self._ports.values()):
                os.close(descriptor)

    def _run(self) -> None:
        while not self._is_over:
            for key, _ in self._selector.select(self._pause_seconds()):
                if key.data is not None:
                    self._take(key.data, key.fd)
            self._deliver()

    def _pause_seconds(self) -> float | None:
        """Return how long nothing is to be delivered."""
        if not self._on_the_way:
            return None
        return max(0.0, self._on_the_way[0][0] - time.monotonic())

    def _take(self, port: str, descriptor: int) -> None:
        for _ in range(_AT_ONCE_MAX):
            try:
                frame = os.read(descriptor, _FRAME_BYTES_MAX)
            except OSError:
                return  # nothing more, or the device is down or gone
            self._homes[frame[6:12]] = port
            for target in self._targets(port, frame[:6]):
                self._send(port, target, frame)

    def _targets(self, port: str, address: bytes) -> tuple[str, ...]:
        """Return where a frame goes: to one known, else, as what is for many, to all others."""
        is_for_many = address[0] & 1
        home = None if is_for_many else self._homes.get(address)
        if home is not None:
            return () if home == port else (home,)
        return tuple(other for other in self._ports if other != port)

    def _send(self, port: str, target: str, frame: bytes) -> None:
        if (port, target) in self._cut or len(self._on_the_way) >= _ON_THE_WAY_MAX:
            return
        transit = transit_seconds(self._lines.get((port, target), PERFECT), self._chance)
        if transit is None:
            return
        due = time.monotonic() + transit
        heapq.heappush(self._on_the_way, (due, next(self._number), self._ports[target], frame))

    def _deliver(self) -> None:
        now = time.monotonic()
        while self._on_the_way and self._on_the_way[0][0] <= now:
            _, _, descriptor, frame = heapq.heappop(self._on_the_way)
            with suppress(OSError):  # a full queue or a device that is down loses it
                os.write(descriptor, frame)
