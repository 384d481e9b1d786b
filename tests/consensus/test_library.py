"""Answers of finalised blocks, and how messages travel (docs/CONSENSUS.md, B and D.7)."""

import pytest
from msgspec.structs import replace

from lc_node.chain.blocks import Block, block_id
from lc_node.chain.codec import encode
from lc_node.chain.types import Epoch, Height, View
from lc_node.consensus import library
from lc_node.consensus.messages import (
    BLOCKS_MAX,
    MESSAGE_BYTES_MAX,
    MESSAGE_DECODER,
    Blocks,
    CertificateMessage,
    Certificates,
    GetBlock,
    GetBlocks,
    GetCertificates,
    Message,
    VoteMessage,
)
from lc_node.consensus.outputs import Send
from tests.consensus.stage import (
    FINALIZE,
    MEMBERS,
    NULLIFY,
    PARAMS,
    ROOT_ID,
    START,
    Author,
    Stage,
    bystander,
    certificate,
    of,
    propose,
    sent,
    subject_of,
    vote,
)

ME = bystander(1, 2)
PEER = MEMBERS[0].public_key


@pytest.fixture
def author() -> Author:
    return Author()


class Shelf(Stage):
    """A follower that has delivered a chain, with a certificate at some of its heights."""

    def __init__(self, author: Author, length: int, certified: set[int], weight: int = 0) -> None:
        super().__init__(None)
        parent = ROOT_ID
        pending: list[Block] = []
        for view in range(1, length + 1):
            block = author.block(view, parent, START + view, payments=weight)
            pending.append(block)
            parent = block_id(block.header)
            if view in certified:
                final = certificate(FINALIZE, view, subject_of(block, view - 1))
                self.disk.append(tuple(pending), final)
                pending = []

    def answer(self, first: int, below: int = 2_000) -> tuple[list[int], list[int]]:
        """Return heights and the certificates' views of the answer to a question."""
        question = GetBlocks(first=Height(first), below=Height(below))
        found = library.finalized_blocks(question, self.ledger)
        if found is None:
            return [], []
        return [b.header.height for b in found.blocks], [c.view for c in found.certificate]


@pytest.mark.parametrize(
    ("certified", "first", "below", "heights", "views"),
    [
        ({2, 5}, 1, 9, [1, 2, 3, 4, 5], [5]),
        ({2, 5}, 1, 5, [1, 2], [2]),
        ({2, 5}, 3, 5, [3, 4], []),
        ({2, 5}, 6, 9, [], []),
    ],
    ids=["all", "up to the last certified", "uncertified", "nothing"],
)
def test_blocks_are_handed_out_up_to_a_certified_one(
    author: Author,
    certified: set[int],
    first: int,
    below: int,
    heights: list[int],
    views: list[int],
) -> None:
    assert Shelf(author, 5, certified).answer(first, below) == (heights, views)


def test_of_a_run_whose_certified_block_is_gone_nothing_is_handed_out(
    author: Author, monkeypatch: pytest.MonkeyPatch
) -> None:
    shelf = Shelf(author, 70, {70})
    kept = shelf.ledger.finalized_block
    monkeypatch.setattr(
        shelf.ledger, "finalized_block", lambda height: None if height == 70 else kept(height)
    )

    assert shelf.answer(1) == ([], [])


def test_no_more_blocks_than_allowed_are_handed_out_at_once(author: Author) -> None:
    heights, views = Shelf(author, 70, set(range(1, 71))).answer(1)

    assert (heights, views) == (list(range(1, 65)), [64])


def test_of_a_run_that_does_not_fit_the_top_is_handed_out(author: Author) -> None:
    heights, views = Shelf(author, 70, {70}).answer(1)

    assert (heights, views) == (list(range(7, 71)), [70])


def test_of_a_long_run_no_more_blocks_are_read_than_two_answers_hold(
    author: Author, monkeypatch: pytest.MonkeyPatch
) -> None:
    shelf, read = Shelf(author, 400, {400}), list[int]()
    read_block = shelf.ledger.finalized_block

    def counted(height: Height) -> Block | None:
        read.append(height)
        return read_block(height)

    monkeypatch.setattr(shelf.ledger, "finalized_block", counted)
    heights, views = shelf.answer(1)

    assert (heights[-1], views) == (400, [400])
    assert len(read) <= 2 * (BLOCKS_MAX + 1)


def test_large_blocks_are_handed_out_in_smaller_numbers(author: Author) -> None:
    heights, views = Shelf(author, 4, {1, 2, 3, 4}, weight=500).answer(1)

    assert (heights, views) == ([1, 2], [2])


def test_a_node_that_was_away_for_a_thousand_blocks_catches_up_from_one_peer(
    author: Author,
) -> None:
    shelf = Shelf(author, 1_000, set(range(1, 1_001)))
    peer = Stage(None, disk=shelf.disk).start()
    away = Stage(None).start()
    questions: list[Message] = [
        GetCertificates(epoch=Epoch(0), first=View(1), last=View(32), finalized=View(0))
    ]
    rounds = 0
    while questions and rounds < 100:
        answers = [send.message for send in of(Send, peer.tell(*questions)) if send.to == PEER]
        sends = of(Send, away.tell(*answers))
        questions = [send.message for send in sends if send.to == PEER]
        rounds += 1

    assert (away.core.tip.height, rounds) == (1_000, 17)


def test_a_question_for_finalised_blocks_is_answered(author: Author) -> None:
    shelf = Shelf(author, 3, {3})
    outputs = (
        Stage(None, disk=shelf.disk).start().tell(GetBlocks(first=Height(2), below=Height(9)))
    )

    assert [len(answer.blocks) for answer in sent(Blocks, outputs, PEER)] == [2]


def test_every_message_survives_the_wire(author: Author) -> None:
    block = author.block(1)
    final = certificate(FINALIZE, 1, subject_of(block, 0))
    messages: list[Message] = [
        propose(block, 0, [final]),
        VoteMessage(vote=vote(ME, NULLIFY, 1)),
        CertificateMessage(certificate=final),
        GetBlock(block_id=ROOT_ID),
        GetBlocks(first=Height(1), below=Height(2)),
        Blocks(blocks=(block,), certificate=(final,)),
        GetCertificates(epoch=Epoch(0), first=View(1), last=View(2), finalized=View(0)),
        Certificates(certificates=(final,)),
    ]

    assert [MESSAGE_DECODER.decode(encode(message)) for message in messages] == messages


def test_the_largest_proposal_fits_a_message() -> None:
    large = certificate(NULLIFY, 2**62)
    large = replace(large, bitmap=bytes(13), signatures=large.signatures[:1] * 100)

    assert PARAMS.block_bytes_max + 16 * len(encode(large)) < MESSAGE_BYTES_MAX
