"""What a node and the workers of a Dask cluster say to each other about runs.

A node asks, a worker answers; each question can be put twice without harm, so that an answer that was lost
on its way costs nothing. Questions and answers travel as bytes inside Dask's own messages, over its own
connections, through its scheduler: a node need not be able to reach a worker, nor a worker a node.
"""

from pathlib import Path
from typing import Any, Final, TypeAlias, dataclass_transform

import msgspec

from lc_node.chain.types import Digest
from lc_node.ports.images import PreparedImage
from lc_node.ports.sandbox import Outcome, RunRequest

OPERATION: Final = "learningchain"
"""The name of our operation among those of a Dask worker."""

PIECE_BYTES: Final = 4 << 20
"""How much of a file one message carries; it passes through the scheduler's memory."""

LISTEN_SECONDS: Final = 5.0
"""How long a worker keeps a question waiting for an answer that is not there yet."""

LINES_AHEAD_MAX: Final = 64
"""Lines of a job that a worker holds until the node has asked for them; the job waits beyond them."""


@dataclass_transform(frozen_default=True, kw_only_default=True)
class Message(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Base of questions and answers."""


# About a worker and its images.


class Greeting(Message):
    """What a worker is; with a problem it is given no work."""

    software: str
    problem: str
    engine: str = ""
    version: str = ""
    enforced: tuple[str, ...] = ()
    gpus: int = 0
    gpu_problem: str = ""


class Offer(Message):
    """Which of these blobs, of ``(digest, bytes, path on the node)``, are not here yet?

    A blob that the worker finds under the same path, on a file system that both share, it copies itself.
    """

    blobs: tuple[tuple[Digest, int, str], ...]


class Missing(Message):
    """These are not, and so many bytes of each are here."""

    blobs: tuple[tuple[Digest, int], ...]


class Piece(Message):
    """The next bytes of a blob."""

    blob: Digest
    size: int
    offset: int
    data: bytes


class Have(Message):
    """So many bytes of it are here now."""

    bytes: int


class Unpack(Message):
    """Prepare an image, all blobs of which are here."""

    manifest: Digest


class Unpacked(Message):
    """An image is ready."""

    image: bytes
    """See ``encode_image``."""


# About a run.


class Put(Message):
    """The next bytes of a file that the run finds among its inputs."""

    run: str
    name: str
    offset: int
    data: bytes


class Begin(Message):
    """Start what was reserved; the request's paths are the worker's business."""

    run: str
    manifest: Digest
    request: bytes
    """See ``encode_request``."""


class Renew(Message):
    """The node lives and wants the run; without a word from it for a lease's time, the worker ends the run."""

    run: str


class Listen(Message):
    """What has the job said after so many lines?"""

    run: str
    heard: int


class Heard(Message):
    """The next lines, perhaps none; ``is_over`` says that none will follow them."""

    lines: tuple[bytes, ...]
    is_over: bool


class Say(Message):
    """A line for the job, the run's ``number``-th."""

    run: str
    number: int
    line: bytes


class Take(Message):
    """Copy a file out of the sandbox; the worker keeps it under ``number`` until it is dropped."""

    run: str
    number: int
    name: str
    bytes_max: int


class Taken(Message):
    """What was taken."""

    digest: Digest
    size: int


class Read(Message):
    """Give some bytes of a file that was taken; those before them may be forgotten."""

    run: str
    number: int
    offset: int


class Data(Message):
    """These are they."""

    data: bytes


class Drop(Message):
    """A file that was taken is no longer needed."""

    run: str
    number: int


class Kill(Message):
    """End the job now."""

    run: str


class Wait(Message):
    """How has it ended?"""

    run: str


class Ended(Message):
    """So; or not yet."""

    outcome: Outcome | None


class Release(Message):
    """Kill what is left, forget the run and give its room back to the cluster."""

    run: str


class Done(Message):
    """That was done."""


class Failed(Message):
    """It was not, and whose fault that is."""

    kind: str
    """The name of an error class: BadOutputFile, ImageRefused, SandboxUnavailable; all others are SandboxFailed."""
    text: str


FileQuestion: TypeAlias = Put | Take | Read | Drop
RunQuestion: TypeAlias = FileQuestion | Renew | Listen | Say | Kill | Wait
Question: TypeAlias = Offer | Piece | Unpack | Begin | Release | RunQuestion
Answer: TypeAlias = (
    Greeting | Missing | Have | Unpacked | Heard | Taken | Data | Ended | Done | Failed
)

_QUESTIONS: Final[msgspec.msgpack.Decoder[Question]] = msgspec.msgpack.Decoder(Question)
_ANSWERS: Final[msgspec.msgpack.Decoder[Answer]] = msgspec.msgpack.Decoder(Answer)


def encode(message: Message) -> bytes:
    """Return a question or an answer as bytes."""
    return msgspec.msgpack.encode(message)


def decode_question(data: bytes) -> Question:
    """Return a question.

    Raises:
        msgspec.MsgspecError: it is none that this version knows.
    """
    return _QUESTIONS.decode(data)


def decode_answer(data: bytes) -> Answer:
    """Return an answer.

    Raises:
        msgspec.MsgspecError: it is none that this version knows.
    """
    return _ANSWERS.decode(data)


def encode_request(request: RunRequest) -> bytes:
    """Return a run's request; of its inputs only the names count."""
    return msgspec.msgpack.encode(request, enc_hook=str)


def decode_request(data: bytes) -> RunRequest:
    """Return a run's request, whose paths still are the node's.

    Raises:
        msgspec.MsgspecError: it is none that this version knows.
    """
    return msgspec.msgpack.decode(data, type=RunRequest, dec_hook=_path)


def encode_image(image: PreparedImage) -> bytes:
    """Return what an image says of itself; where it is unpacked is the worker's business."""
    return msgspec.msgpack.encode(image, enc_hook=str)


def decode_image(data: bytes) -> PreparedImage:
    """Return what an image says of itself; its root file system is not here.

    Raises:
        msgspec.MsgspecError: it is none that this version knows.
    """
    return msgspec.msgpack.decode(data, type=PreparedImage, dec_hook=_path)


def _path(wanted: type[Any], value: object) -> object:
    if wanted is Path and isinstance(value, str):
        return Path(value)
    raise NotImplementedError(wanted)


def pieces_of(path: Path, offset: int = 0) -> list[tuple[int, int]]:
    """Return where the pieces of a file begin, from an offset on, and how long each is; an empty file has one."""
    size = path.stat().st_size
    return [
        (start, min(PIECE_BYTES, size - start)) for start in range(offset, size, PIECE_BYTES)
    ] or [(offset, 0)]
