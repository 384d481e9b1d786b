"""The door for programs with an event loop: the jupyter-server extension and tests."""

import asyncio
import itertools
import os
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Self, TypeVar

import zmq
import zmq.asyncio

from lc_node.api.calls import Call, EventsSince, method_name
from lc_node.api.client import SILENCE_SECONDS
from lc_node.api.codec import (
    FRAME_BYTES_MAX,
    NUMBER_BYTES,
    decode_answer,
    decode_pulse,
    encode_call,
    payload_for,
)
from lc_node.api.endpoint import explain_silence, find_endpoint, read_token
from lc_node.api.errors import CallTimedOut, NotAllowed
from lc_node.api.following import Follower
from lc_node.api.schema import Event, JobId, Place

A = TypeVar("A")


class AsyncClient:
    """A connection to one node of this machine, of one event loop."""

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
        self._context = zmq.asyncio.Context()
        self._idle: list[zmq.asyncio.Socket] = []
        self._numbers = itertools.count(1)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        self.close()

    async def call(self, call: Call[A], *, timeout_seconds: float | None = None) -> A:
        """Ask the node and return its answer.

        Raises:
            ApiError: the node refused, failed, is gone, or took longer than ``timeout_seconds``
                (by default the call's own).
        """
        patience = call.timeout_seconds if timeout_seconds is None else timeout_seconds
        try:
            async with asyncio.timeout(patience):
                try:
                    return await self._call(call)
                except NotAllowed:
                    self._find_again()  # the node has restarted since: its token is another
                    return await self._call(call)
        except TimeoutError as error:
            raise CallTimedOut(method_name(call), patience) from error

    async def events(
        self, *, job: JobId | None = None, place: Place | None = None
    ) -> AsyncIterator[Event]:
        """Yield a job's events, or all, from now or from a place, none missed.

        Raises:
            NodeUnreachable: the node has been silent for longer than a living one is.
        """
        follower = Follower(job=job, place=place)
        with self._context.socket(zmq.SUB) as socket:
            socket.set(zmq.LINGER, 0)
            socket.subscribe(b"")
            socket.connect(self._endpoint.events)
            missed: tuple[Event, ...] | None = None
            while True:
                if missed is None:
                    question = EventsSince(place=follower.place, job=job)
                    missed = follower.catch_up(await self.call(question))
                for event in missed:
                    yield event
                frames = await self._heard(socket)
                missed = follower.take(decode_pulse(frames[0]))

    def close(self) -> None:
        """Close all sockets; a second call changes nothing."""
        self._close_idle()
        self._context.destroy(linger=0)

    async def _call(self, call: Call[A]) -> A:
        number = next(self._numbers).to_bytes(NUMBER_BYTES, "big")
        async with self._socket() as socket:
            await socket.send_multipart([self._token, number, encode_call(call)])
            while True:
                payload = payload_for(number, await self._heard(socket))
                if payload is not None:
                    break
        return decode_answer(call, payload)

    async def _heard(self, socket: zmq.asyncio.Socket) -> list[bytes]:
        """Return the next frames from the node, which speaks every second while it lives."""
        if not await socket.poll(int(self._silence_seconds * 1000)):
            raise explain_silence(self._endpoint, self._silence_seconds)
        return await socket.recv_multipart()

    @asynccontextmanager
    async def _socket(self) -> AsyncIterator[zmq.asyncio.Socket]:
        """Lend a socket; one on which a call did not end well is closed, its answer may still come."""
        socket = self._idle.pop() if self._idle else self._connected()
        try:
            yield socket
        except BaseException:
            socket.close(linger=0)
            raise
        self._idle.append(socket)

    def _connected(self) -> zmq.asyncio.Socket:
        socket = self._context.socket(zmq.DEALER)
        socket.set(zmq.LINGER, 0)
        socket.set(zmq.MAXMSGSIZE, FRAME_BYTES_MAX)
        socket.connect(self._endpoint.calls)
        return socket

    def _find_again(self) -> None:
        self._endpoint = find_endpoint(self._where, self._environment)
        self._token = read_token(self._endpoint)
        self._close_idle()

    def _close_idle(self) -> None:
        for socket in self._idle:
            socket.close(linger=0)
        self._idle.clear()
