"""Calls, answers and events as frames, without a socket: both sides and all clients share it.

A call is three frames: token, number of the call, MessagePack of the call. What comes back is the call's
number, one byte that says what follows, and the payload. While a call is worked on, the node says so every
second, so that a client can tell a long call from a dead node.
"""

from enum import Enum
from functools import cache
from typing import Any, Final, NoReturn, TypeVar

import msgspec

from lc_node.api.calls import AnyCall, Call, answer_kind
from lc_node.api.errors import REMOTE_ERRORS, ApiError, BadCall
from lc_node.api.schema import API_VERSION, CHUNK_BYTES_MAX, Event, Place

A = TypeVar("A")

FRAME_BYTES_MAX: Final = CHUNK_BYTES_MAX + 64 * 1024
"""The largest frame that either side accepts."""

WORKING_EVERY_SECONDS: Final = 1.0
"""How often a node says that it is still working, and where its events stand."""

NUMBER_BYTES: Final = 8
"""The length of a call's number."""

_REPLY_FRAMES: Final = 3  # number, kind, payload


class Kind(bytes, Enum):
    """What a reply's payload is."""

    ANSWER = b"A"
    REFUSAL = b"R"
    WORKING = b"W"


class Refusal(msgspec.Struct, frozen=True, kw_only=True):
    """An error on its way to the client."""

    error: str
    """The name of the class, one of ``REMOTE_ERRORS``."""
    code: str
    message: str
    fields: dict[str, str]


class Pulse(msgspec.Struct, frozen=True, kw_only=True):
    """Sent with every event and every second: where the events stand."""

    latest: Place
    event: Event | None = None


class _Envelope(msgspec.Struct, frozen=True, kw_only=True):
    """A call with the version of the API that it is written in."""

    api: int
    call: msgspec.Raw


class _NewEnvelope(msgspec.Struct, frozen=True, kw_only=True):
    """The same, as it is written."""

    api: int
    call: Any


_encoder = msgspec.msgpack.Encoder()
_envelope_decoder = msgspec.msgpack.Decoder(_Envelope)
_call_decoder: msgspec.msgpack.Decoder[AnyCall] = msgspec.msgpack.Decoder(AnyCall)
_refusal_decoder = msgspec.msgpack.Decoder(Refusal)
_pulse_decoder = msgspec.msgpack.Decoder(Pulse)
_errors: Final = {kind.__name__: kind for kind in REMOTE_ERRORS}


def encode_call(call: Call[Any]) -> bytes:
    """Return the payload of a call."""
    return _encoder.encode(_NewEnvelope(api=API_VERSION, call=call))


def decode_call(data: bytes) -> AnyCall:
    """Return the call in a payload.

    Raises:
        BadCall: not a call of this version; the message says who should upgrade.
    """
    try:
        envelope = _envelope_decoder.decode(data)
        if envelope.api != API_VERSION:
            older = "client" if envelope.api < API_VERSION else "node"
            message = f"The node speaks API {API_VERSION}, the client {envelope.api}: upgrade the {older}."
            raise BadCall("VersionMismatch", message)
        return _call_decoder.decode(envelope.call)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise BadCall("BadCall", f"The node does not understand the call: {error}.") from error


def encode_answer(answer: object) -> bytes:
    """Return the payload of an answer."""
    return _encoder.encode(answer)


def decode_answer(call: Call[A], data: bytes) -> A:
    """Return the answer to a call.

    Raises:
        BadCall: it is not what the call promises: node and client are of different versions.
    """
    try:
        answer: A = _answer_decoder(type(call)).decode(data)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        message = f"The node's answer is not understood ({error}); upgrade the older of the two."
        raise BadCall("BadAnswer", message) from error
    return answer


def encode_refusal(error: ApiError) -> bytes:
    """Return the payload of an error."""
    return _encoder.encode(
        Refusal(
            error=type(error).__name__, code=error.code, message=error.message, fields=error.fields
        )
    )


def raise_refusal(data: bytes) -> NoReturn:
    """Raise the error in a payload."""
    try:
        refusal = _refusal_decoder.decode(data)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise BadCall("BadAnswer", f"The node's error is not understood: {error}.") from error
    kind = _errors.get(refusal.error, ApiError)
    raise kind(refusal.code, refusal.message, refusal.fields)


def payload_for(number: bytes, frames: list[bytes]) -> bytes | None:
    """Return the answer to the call of this number; None for a sign of life, or another's frames.

    Raises:
        ApiError: the node refused.
    """
    if len(frames) != _REPLY_FRAMES or frames[0] != number:
        return None
    _, kind, payload = frames
    if kind == Kind.REFUSAL.value:
        raise_refusal(payload)
    return payload if kind == Kind.ANSWER.value else None


def encode_pulse(pulse: Pulse) -> bytes:
    """Return the frame of an event, or of a moment without one."""
    return _encoder.encode(pulse)


def decode_pulse(data: bytes) -> Pulse:
    """Return what a frame of the event stream says.

    Raises:
        BadCall: it is of another version.
    """
    try:
        return _pulse_decoder.decode(data)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise BadCall("BadEvent", f"The node's event is not understood: {error}.") from error


@cache
def _answer_decoder(call: type[Call[A]]) -> msgspec.msgpack.Decoder[A]:
    return msgspec.msgpack.Decoder(answer_kind(call))
