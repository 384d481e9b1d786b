"""A core of the agreement, told anything by one false member of four and by peers that relay."""

from collections.abc import Iterator, Sequence
from random import Random
from typing import Final

from msgspec.structs import replace

from lc_node.chain.blocks import Block, block_id
from lc_node.chain.codec import encode
from lc_node.chain.errors import MalformedBytes
from lc_node.chain.types import Epoch, Height, View
from lc_node.chain.votes import Vote, VoteKind
from lc_node.consensus.messages import (
    MESSAGE_DECODER,
    CertificateMessage,
    Message,
    Propose,
    VoteMessage,
)
from lc_node.sim.keys import SimSigner
from tests.consensus.stage import (
    CHAIN,
    MEMBERS,
    ROOT_ID,
    SETTING,
    START,
    Author,
    Stage,
    certificate,
    leader,
    propose,
    subject_of,
    vote,
)
from tests.fuzz.values import value_of

ME: Final = MEMBERS[0]
LIAR: Final = MEMBERS[1]
"""Its votes are signed whatever they say; it is less than a third, so that nothing may go wrong."""
VIEWS: Final = 8
_DRESSED, _REAL, _WAITS = 0x04, 0x08, 0x10
_SPAN_MS: Final = 700


def converse(data: bytes) -> None:
    """Give a core messages, each after a byte that says who tells it and how, and its length in two.

    Nothing may raise: neither a message, nor what follows of it, nor the coming of time.
    """
    stage = Stage(ME).start()
    for flags, raw in _told(data):
        try:
            message = MESSAGE_DECODER.decode(raw)
        except MalformedBytes:
            continue
        if flags & _DRESSED:
            message = _dressed(message, is_real=bool(flags & _REAL))
        stage.tell(message, peer=MEMBERS[flags % len(MEMBERS)])
        if flags & _WAITS:
            stage.wait(_SPAN_MS)
    stage.restart()


def conversations() -> Sequence[bytes]:
    """Return how a view goes well, and how two of them go otherwise."""
    author = Author()
    block = author.block(1, ROOT_ID, time=START)
    subject = subject_of(block, 0)
    well: tuple[Message, ...] = (
        propose(block, 0),
        *(VoteMessage(vote=vote(one, VoteKind.NOTARIZE, 1, subject)) for one in MEMBERS[1:]),
        *(VoteMessage(vote=vote(one, VoteKind.FINALIZE, 1, subject)) for one in MEMBERS[1:]),
    )
    badly: tuple[Message, ...] = (
        *(VoteMessage(vote=vote(one, VoteKind.NULLIFY, 1)) for one in MEMBERS[1:]),
        CertificateMessage(certificate=certificate(VoteKind.NULLIFY, 2)),
    )
    return [_spoken(well, 0), _spoken(badly, _WAITS), _spoken(well, _DRESSED | _REAL)]


def draw(random: Random) -> bytes:
    """Return a conversation of messages out of the air, most of them by the false member."""
    count = random.randint(1, 4)
    return b"".join(
        _one(value_of(Message, random), random.choice((0, _DRESSED, _DRESSED | _REAL)) | turn)
        for turn in range(count)
    )


def _told(data: bytes) -> Iterator[tuple[int, bytes]]:
    while data:
        end = 3 + int.from_bytes(data[1:3], "big")
        yield data[0], data[3:end]
        data = data[end:]


def _spoken(messages: Sequence[Message], flags: int) -> bytes:
    return b"".join(_one(message, flags | 1) for message in messages)


def _one(message: Message, flags: int) -> bytes:
    raw = encode(message)
    return bytes((flags,)) + len(raw).to_bytes(2, "big") + raw


def _dressed(message: Message, *, is_real: bool) -> Message:
    """Return a message as the false member would send it: its votes signed, perhaps in a likely view."""
    match message:
        case VoteMessage(vote=said):
            return VoteMessage(vote=_signed(said, is_real=is_real))
        case Propose(vote=said, block=block, justification=justification):
            view = _led(said.view) if is_real else said.view
            block = _placed(block, view) if is_real else block
            subject = replace(said.subject, block_id=block_id(block.header))
            said = replace(said, kind=VoteKind.NOTARIZE, view=view, subject=subject)
            return Propose(
                vote=_signed(said, is_real=False), block=block, justification=justification
            )
        case _:
            return message


def _signed(said: Vote, *, is_real: bool) -> Vote:
    view = View(said.view % VIEWS) if is_real else said.view
    message = SETTING.message(said.kind, view, said.subject)
    return replace(
        said,
        epoch=Epoch(0),
        view=view,
        signer=LIAR.public_key,
        signature=LIAR.sign(message),
    )


def _placed(block: Block, view: View) -> Block:
    header = replace(
        block.header,
        chain_id=CHAIN,
        epoch=Epoch(0),
        view=view,
        proposer=LIAR.public_key,
        height=Height(1),
        parent_id=ROOT_ID,
    )
    return replace(block, header=header)


def _led(view: View) -> View:
    """Return a view that the false member leads."""
    led = [number for number in range(1, 4 * VIEWS) if _leads(LIAR, number)]
    return View(led[view % len(led)])


def _leads(member: SimSigner, view: int) -> bool:
    return leader(view) == member
