"""The door for programs without an event loop: notebooks' magics and the command line.

Every call ends: with an answer, an error that names the remedy, or a timeout. A client may be used from
several threads; each call has a socket of its own while it lasts, and sockets are used again.
"""

import itertools
import os
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final, Self, TypeVar

import zmq

from lc_node.api.calls import Call, Hello, method_name
from lc_node.api.codec import (
    FRAME_BYTES_MAX,
    NUMBER_BYTES,
    decode_answer,
    encode_call,
    payload_for,
)
from lc_node.api.endpoint import Endpoint, explain_silence, find_endpoint, read_token
from lc_node.api.errors import (
    ApiError,
    BadCall,
    CallTimedOut,
    NodeFailed,
    NodeUnreachable,
    NotAllowed,
    Overloaded,
    Refused,
    SocketPathTooLong,
    UnknownThing,
    UnsafeFolder,
)
from lc_node.api.event_stream import EventStream
from lc_node.api.following import Follower
from lc_node.api.schema import JobId, NodeVersion, Place

__all__ = [
    "ApiError",
    "BadCall",
    "CallTimedOut",
    "Client",
    "NodeFailed",
    "NodeUnreachable",
    "NotAllowed",
    "Overloaded",
    "Refused",
    "SocketPathTooLong",
    "UnknownThing",
    "UnsafeFolder",
]

A = TypeVar("A")

SILENCE_SECONDS: Final = 5.0
"""A node that says nothing for so long has died or hangs; it speaks every second."""


class Client:
    """A connection to one node of this machine."""

    def __init__(
        self,
        where: Path | None = None,
        *,
        silence_seconds: float = SILENCE_SECONDS,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        """Find the node: by its home or folder of sockets, ``$LC_NODE``, or the default home.

        Raises:
            NodeUnreachable: none runs there; known at once.
            UnsafeFolder: the sockets' folder is not ours alone.
        """
        self._where = where
        self._environment = os.environ if environment is None else environment
        self._silence_seconds = silence_seconds
        self._endpoint = find_endpoint(where, self._environment)
        self._token = read_token(self._endpoint)
        # One for the process: a context of our own that is dropped instead of closed would be ended by the
        # garbage collector, perhaps before its sockets, and wait for these forever (zmq_ctx_term(3)).
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context.instance()
        self._idle: list[zmq.Socket[bytes]] = []
        self._lock = threading.Lock()
        self._is_lost = False
        self._is_closed = False
        self._numbers = itertools.count(1)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def endpoint(self) -> Endpoint:
        """Where the node is."""
        return self._endpoint

    def call(self, call: Call[A], *, timeout_seconds: float | None = None) -> A:
        """Ask the node and return its answer.

        Raises:
            ApiError: the node refused, failed, is gone, or took longer than ``timeout_seconds``
                (by default the call's own).
        """
        if self._is_lost:
            self._find_again()  # known at once, where waiting for an answer would take its time
        try:
            return self._call(call, timeout_seconds)
        except NodeUnreachable:
            self._is_lost = True
            raise
        except NotAllowed:
            self._find_again()  # the node has restarted since: its token is another
            return self._call(call, timeout_seconds)

    def hello(self) -> NodeVersion:
        """Return who answers."""
        return self.call(Hello())

    def events(self, *, job: JobId | None = None, place: Place | None = None) -> EventStream:
        """Follow a job's events, or all, from now or from where an earlier stream stood."""
        return EventStream(
            self._subscribed(),
            self.call,
            Follower(job=job, place=place),
            silence_seconds=self._silence_seconds,
            explain=lambda: explain_silence(self._endpoint, self._silence_seconds),
        )

    def close(self) -> None:
        """Close its sockets, those that calls use at the moment when they end; a second time changes nothing."""
        with self._lock:
            self._is_closed = True
            self._close_idle()

    def _call(self, call: Call[A], timeout_seconds: float | None) -> A:
        patience = call.timeout_seconds if timeout_seconds is None else timeout_seconds
        number = next(self._numbers).to_bytes(NUMBER_BYTES, "big")
        with self._socket() as socket:
            socket.send_multipart([self._token, number, encode_call(call)])
            deadline = time.monotonic() + patience
            while (payload := self._next_payload(socket, number, deadline)) is None:
                if time.monotonic() >= deadline:
                    raise CallTimedOut(method_name(call), patience)
        return decode_answer(call, payload)

    def _next_payload(
        self, socket: "zmq.Socket[bytes]", number: bytes, deadline: float
    ) -> bytes | None:
        """Return the answer; None after a sign of life or at the deadline."""
        left = max(0.0, deadline - time.monotonic())
        if socket.poll(int(min(left, self._silence_seconds) * 1000) + 1):
            return payload_for(number, socket.recv_multipart())
        if left < self._silence_seconds:
            return None
        raise explain_silence(self._endpoint, self._silence_seconds)

    @contextmanager
    def _socket(self) -> Iterator["zmq.Socket[bytes]"]:
        """Lend a socket; one on which a call did not end well is closed, its answer may still come."""
        with self._lock:
            socket, endpoint = (
                self._idle.pop() if self._idle else self._connected(),
                self._endpoint,
            )
        try:
            yield socket
        except BaseException:
            socket.close(linger=0)
            raise
        with self._lock:
            if self._is_closed or endpoint is not self._endpoint:
                socket.close(linger=0)
            else:
                self._idle.append(socket)

    def _connected(self) -> "zmq.Socket[bytes]":
        socket = self._context.socket(zmq.DEALER)
        socket.set(zmq.LINGER, 0)
        socket.set(zmq.MAXMSGSIZE, FRAME_BYTES_MAX)
        socket.set(zmq.SNDTIMEO, int(self._silence_seconds * 1000))
        socket.connect(self._endpoint.calls)
        return socket

    def _subscribed(self) -> "zmq.Socket[bytes]":
        socket = self._context.socket(zmq.SUB)
        socket.set(zmq.LINGER, 0)
        socket.subscribe(b"")
        socket.connect(self._endpoint.events)
        return socket

    def _find_again(self) -> None:
        endpoint = find_endpoint(self._where, self._environment)
        with self._lock:
            self._close_idle()
            self._endpoint, self._token = endpoint, read_token(endpoint)
            self._is_lost = False

    def _close_idle(self) -> None:
        for socket in self._idle:
            socket.close(linger=0)
        self._idle.clear()
