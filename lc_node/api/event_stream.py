"""A node's events one after the other, none missed, for programs without an event loop."""

import time
from collections import deque
from collections.abc import Callable, Iterator
from typing import Self

import zmq

from lc_node.api.calls import EventsSince
from lc_node.api.codec import decode_pulse
from lc_node.api.errors import NodeUnreachable
from lc_node.api.following import Follower
from lc_node.api.schema import Event, EventBatch, Place


class EventStream:
    """An iterator over events, to be used as a context; one thread at a time."""

    def __init__(
        self,
        socket: "zmq.Socket[bytes]",
        fetch: Callable[[EventsSince], EventBatch],
        follower: Follower,
        *,
        silence_seconds: float,
        explain: Callable[[], NodeUnreachable],
    ) -> None:
        """Take over a subscribed socket; ``fetch`` asks the node for what was missed, ``explain`` says why it is silent."""
        self._socket = socket
        self._fetch = fetch
        self._follower = follower
        self._silence_seconds = silence_seconds
        self._explain = explain
        self._heard = time.monotonic()
        self._ready: deque[Event] = deque()
        try:
            self._catch_up()
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __iter__(self) -> Iterator[Event]:
        while True:
            if (event := self.next(self._silence_seconds)) is not None:
                yield event

    @property
    def place(self) -> Place:
        """Where we stand: give it to ``Client.events`` to go on from here."""
        return self._follower.place

    def next(self, timeout_seconds: float) -> Event | None:
        """Return the next event; None if there was none within the time.

        Raises:
            NodeUnreachable: the node has been silent for longer than a living one is.
        """
        deadline = time.monotonic() + timeout_seconds
        while not self._ready:
            left = deadline - time.monotonic()
            if left <= 0:
                return None
            self._listen(left)
        return self._ready.popleft()

    def close(self) -> None:
        """Stop following."""
        self._socket.close(linger=0)

    def _listen(self, seconds: float) -> None:
        """Wait for one pulse, and take what it brings."""
        if not self._socket.poll(int(min(seconds, self._silence_seconds) * 1000) + 1):
            if time.monotonic() - self._heard > self._silence_seconds:
                self._heard = time.monotonic()
                raise self._explain()
            return
        events = self._follower.take(decode_pulse(self._socket.recv()))
        self._heard = time.monotonic()
        if events is None:
            self._catch_up()
        else:
            self._ready.extend(events)

    def _catch_up(self) -> None:
        follower = self._follower
        batch = self._fetch(EventsSince(place=follower.place, job=follower.job))
        self._ready.extend(follower.catch_up(batch))
