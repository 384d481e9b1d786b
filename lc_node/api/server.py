"""The node's side of the door: answers calls, publishes events, survives whatever is sent to it."""

import asyncio
import hmac
import logging
import secrets
import time
from typing import Final

import zmq
import zmq.asyncio

from lc_node.api.calls import AnyCall, EventsSince, method_name
from lc_node.api.codec import (
    FRAME_BYTES_MAX,
    NUMBER_BYTES,
    WORKING_EVERY_SECONDS,
    Kind,
    Pulse,
    decode_call,
    encode_answer,
    encode_pulse,
    encode_refusal,
)
from lc_node.api.endpoint import Endpoint, read_token
from lc_node.api.errors import ApiError, NodeFailed, NotAllowed, Overloaded, Refused
from lc_node.api.event_log import EventLog
from lc_node.api.schema import Event, Millis
from lc_node.api.service import Service
from lc_node.chain.errors import LearningChainError

CALLS_AT_ONCE_MAX: Final = 64
"""How many calls are worked on; more are refused as ``Overloaded``."""

_QUEUED_CALLS_MAX: Final = 16
_QUEUED_EVENTS_MAX: Final = 10_000
_LINGER_MS: Final = 200
_FRAMES: Final = 4  # who, token, number, call

_log = logging.getLogger(__name__)


class ApiServer:
    """A ROUTER for calls and a PUB for events, on the sockets of an endpoint."""

    def __init__(
        self,
        endpoint: Endpoint,
        service: Service,
        *,
        beat_seconds: float = WORKING_EVERY_SECONDS,
    ) -> None:
        """Bind the sockets; needs a running event loop. ``run`` then serves."""
        self._beat_seconds = beat_seconds
        self._service = service
        self._token = read_token(endpoint)
        self._events = EventLog(secrets.token_hex(8))
        self._outstanding: set[tuple[bytes, bytes]] = set()
        self._malformed = 0
        self._context = zmq.asyncio.Context()
        self._router = self._context.socket(zmq.ROUTER)
        self._router.set(zmq.MAXMSGSIZE, FRAME_BYTES_MAX)
        self._router.set(zmq.RCVHWM, _QUEUED_CALLS_MAX)
        self._router.bind(endpoint.calls)
        # A PUB socket never blocks, so it needs no event loop, and publishing is a plain call.
        self._publisher: zmq.Socket[bytes] = zmq.Context(self._context).socket(zmq.PUB)
        self._publisher.set(zmq.SNDHWM, _QUEUED_EVENTS_MAX)
        self._publisher.bind(endpoint.events)

    @property
    def outstanding(self) -> int:
        """How many calls are being worked on."""
        return len(self._outstanding)

    @property
    def malformed(self) -> int:
        """How many messages were not even calls; they are dropped without an answer."""
        return self._malformed

    @property
    def published(self) -> int:
        """How many events were published in this life."""
        return self._events.latest.sequence

    def publish(self, event: Event) -> None:
        """Number an event, keep it, and send it to whoever listens; never blocks."""
        numbered = self._events.add(event)
        self._publisher.send(encode_pulse(Pulse(latest=self._events.latest, event=numbered)))

    async def run(self) -> None:
        """Serve until cancelled; then close the sockets."""
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._beat())
                while True:
                    frames = await self._router.recv_multipart()
                    self._receive(group, frames)
        finally:
            self.close()

    def close(self) -> None:
        """Close the sockets; a second call changes nothing."""
        self._publisher.close(linger=_LINGER_MS)
        self._context.destroy(linger=_LINGER_MS)

    def _receive(self, group: asyncio.TaskGroup, frames: list[bytes]) -> None:
        """Start work on a call, if it is one and may be made."""
        if len(frames) != _FRAMES or len(frames[2]) != NUMBER_BYTES:
            self._malformed += 1
            return
        who, token, number, payload = frames
        if refusal := self._refusal(who, token, number):
            group.create_task(self._reply(who, number, Kind.REFUSAL, encode_refusal(refusal)))
        else:
            self._outstanding.add((who, number))
            group.create_task(self._answer(who, number, payload))

    def _refusal(self, who: bytes, token: bytes, number: bytes) -> ApiError | None:
        if not hmac.compare_digest(token, self._token):
            return NotAllowed("NotAllowed", "The token is not this node's; connect again.")
        if len(self._outstanding) >= CALLS_AT_ONCE_MAX:
            message = (
                f"The node works on {CALLS_AT_ONCE_MAX} calls already; try again in a moment."
            )
            return Overloaded("Overloaded", message)
        if (who, number) in self._outstanding:
            return Refused("NumberInUse", "This call's number is in use; number calls apart.")
        return None

    async def _answer(self, who: bytes, number: bytes, payload: bytes) -> None:
        try:
            kind, reply = await self._perform(payload)
            await self._reply(who, number, kind, reply)
        finally:
            self._outstanding.discard((who, number))

    async def _perform(self, payload: bytes) -> tuple[Kind, bytes]:
        """Decode, ask the service, encode; whatever goes wrong becomes a refusal."""
        try:
            answer = await self._ask(decode_call(payload))
            return Kind.ANSWER, encode_answer(answer)
        except ApiError as error:
            return Kind.REFUSAL, encode_refusal(error)
        except LearningChainError as error:
            return Kind.REFUSAL, encode_refusal(Refused(type(error).__name__, str(error)))
        except Exception as error:  # noqa: BLE001  # a service's bug ends one call, not the node
            _log.exception("a call failed")
            message = f"The node failed on this call ({type(error).__name__}); its log says more."
            return Kind.REFUSAL, encode_refusal(NodeFailed("NodeFailed", message))

    async def _ask(self, call: AnyCall) -> object:
        if isinstance(call, EventsSince):
            return self._events.since(call, Millis(time.time_ns() // 1_000_000))
        arguments = (call,) if call.__struct_fields__ else ()
        answer: object = await getattr(self._service, method_name(call))(*arguments)
        return answer

    async def _reply(self, who: bytes, number: bytes, kind: Kind, payload: bytes) -> None:
        """Send a reply; to a client that has gone it is dropped."""
        await self._router.send_multipart([who, number, kind.value, payload])

    async def _beat(self) -> None:
        """Show every second that we live: to those who wait for an answer, and to listeners."""
        while True:
            await asyncio.sleep(self._beat_seconds)
            for who, number in sorted(self._outstanding):
                await self._reply(who, number, Kind.WORKING, b"")
            self._publisher.send(encode_pulse(Pulse(latest=self._events.latest)))
