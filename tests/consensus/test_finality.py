"""Delivering what is final, over any gap (docs/CONSENSUS.md, D.7)."""

from collections.abc import Sequence

import pytest
from msgspec.structs import replace

from lc_node.chain.blocks import Block, block_id
from lc_node.chain.crypto import sha256
from lc_node.chain.types import Digest, Epoch, Height, View
from lc_node.chain.votes import Certificate
from lc_node.consensus.delivery import ChainForked, StateDiverged
from lc_node.consensus.messages import Blocks, CertificateMessage, GetBlocks
from lc_node.consensus.outputs import Audience, Deliver, Fault, Misbehaviour, Output, Send
from tests.consensus.stage import (
    FINALIZE,
    MEMBERS,
    NOTARIZE,
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
)

PEER = MEMBERS[0]
LENGTH = 6


def final(block: Block) -> Certificate:
    """Return the finalisation of a block on the view before."""
    view = block.header.view
    return certificate(FINALIZE, view, subject_of(block, view - 1))


@pytest.fixture
def author() -> Author:
    return Author()


@pytest.fixture
def chain(author: Author) -> list[Block]:
    """Blocks of heights 1 to LENGTH, one in each view."""
    blocks: list[Block] = []
    parent = ROOT_ID
    for view in range(1, LENGTH + 1):
        blocks.append(author.block(view, parent, START + view))
        parent = block_id(blocks[-1].header)
    return blocks


@pytest.fixture
def follower() -> Stage:
    return Stage(None).start()


def delivered(outputs: Sequence[Output]) -> list[int]:
    return [block.header.height for output in of(Deliver, outputs) for block in output.blocks]


def answer(*blocks: Block, certified: bool = True) -> Blocks:
    return Blocks(blocks=blocks, certificate=(final(blocks[-1]),) if certified else ())


def test_a_voter_delivers_a_block_it_voted_for_with_its_certificate(author: Author) -> None:
    stage = Stage(bystander(1)).start()
    block = author.block(1)
    stage.tell(propose(block, 0))
    (delivery,) = of(Deliver, stage.adopt(stage.certificate(FINALIZE, 1, subject_of(block, 0))))

    assert (delivery.blocks, delivery.certificate.kind) == ((block,), FINALIZE)


def test_a_finalisation_leads_to_the_next_view(follower: Stage, chain: list[Block]) -> None:
    follower.adopt(final(chain[3]))

    assert (follower.core.view, follower.core.finalized) == (5, 4)


def test_a_finalisation_is_passed_on_to_followers(follower: Stage, chain: list[Block]) -> None:
    outputs = follower.adopt(final(chain[0]))

    assert sent(CertificateMessage, outputs, Audience.FOLLOWERS) == [
        CertificateMessage(certificate=final(chain[0]))
    ]


def test_a_notarised_but_unfinalised_block_is_not_delivered(author: Author) -> None:
    stage = Stage(bystander(1)).start()
    block = author.block(1)
    stage.tell(propose(block, 0))
    outputs = stage.adopt(stage.certificate(NOTARIZE, 1, subject_of(block, 0)))

    assert delivered(outputs) == []


def test_one_finalisation_delivers_its_whole_prefix(follower: Stage, chain: list[Block]) -> None:
    follower.adopt(final(chain[2]))
    outputs = follower.tell(answer(*chain[:3]))

    assert delivered(outputs) == [1, 2, 3]


def test_who_tells_of_a_finalisation_is_asked_for_its_blocks_then_anyone(
    follower: Stage, chain: list[Block]
) -> None:
    outputs = follower.adopt(final(chain[0])) + follower.wait(1_000)

    asked = [send.to for send in of(Send, outputs) if isinstance(send.message, GetBlocks)]
    assert asked == [PEER.public_key, Audience.ANYONE]


def test_a_nearer_finalisation_is_reached_first(follower: Stage, chain: list[Block]) -> None:
    follower.adopt(final(chain[5]))
    first = follower.tell(answer(*chain[:2]))
    second = follower.tell(answer(*chain[2:4]))
    last = follower.tell(answer(*chain[4:]))

    assert [delivered(outputs) for outputs in (first, second, last)] == [[1, 2], [3, 4], [5, 6]]


def test_after_a_batch_the_next_is_asked_for_at_once(follower: Stage, chain: list[Block]) -> None:
    follower.adopt(final(chain[5]))
    outputs = follower.tell(answer(*chain[:2]))

    assert [question.first for question in sent(GetBlocks, outputs)] == [3]


def test_the_top_of_a_run_is_kept_and_the_rest_asked_for(
    follower: Stage, chain: list[Block]
) -> None:
    follower.adopt(final(chain[5]))
    outputs = follower.tell(answer(*chain[4:]))

    assert sent(GetBlocks, outputs) == [GetBlocks(first=Height(1), below=Height(5))]


def test_uncertified_blocks_fill_the_gap_below_the_goal(
    follower: Stage, chain: list[Block]
) -> None:
    follower.adopt(final(chain[5]))
    follower.tell(answer(*chain[4:]))
    outputs = follower.tell(answer(*chain[:4], certified=False))

    assert delivered(outputs) == [1, 2, 3, 4, 5, 6]


def test_a_newer_finalisation_may_come_with_the_blocks(
    follower: Stage, chain: list[Block]
) -> None:
    follower.adopt(final(chain[0]))
    outputs = follower.tell(answer(*chain[:3]))

    assert delivered(outputs) == [1, 2, 3]


def test_blocks_that_nobody_asked_for_are_dropped(follower: Stage, chain: list[Block]) -> None:
    outputs = follower.tell(answer(*chain[:2], certified=False))

    assert delivered(outputs + follower.adopt(final(chain[1]))) == []


def test_blocks_with_other_transactions_are_dropped(follower: Stage, chain: list[Block]) -> None:
    follower.adopt(final(chain[0]))
    false = replace(chain[0], transactions=follower.payments(1))

    assert delivered(follower.tell(answer(false))) == []


def test_an_old_finalisation_is_no_goal(follower: Stage, chain: list[Block]) -> None:
    follower.adopt(final(chain[3]))
    follower.tell(answer(*chain[:4]))
    outputs = follower.tell(answer(*chain[:2]))

    assert of(Misbehaviour, outputs) == []
    assert sent(GetBlocks, outputs) == []


def test_after_a_restart_an_old_finalisation_is_no_goal(
    follower: Stage, chain: list[Block]
) -> None:
    follower.adopt(final(chain[3]))
    follower.tell(answer(*chain[:4]))
    again = follower.restart()
    again.adopt(final(chain[5]))
    outputs = again.tell(answer(*chain[:2]))

    assert delivered(outputs + again.tell(answer(*chain[4:]))) == [5, 6]


def test_a_farther_goal_does_not_replace_a_nearer_one(follower: Stage, chain: list[Block]) -> None:
    follower.adopt(final(chain[5]))
    follower.tell(answer(*chain[1:3]))
    outputs = follower.tell(answer(*chain[4:5])) + follower.tell(answer(*chain[:1]))

    assert delivered(outputs)[:1] == [1]


def test_a_forged_finalisation_of_the_past_accuses_its_sender(
    follower: Stage, chain: list[Block]
) -> None:
    follower.adopt(final(chain[5]))
    forged = certificate(FINALIZE, 2, subject_of(chain[1], 1), MEMBERS[:2])
    outputs = follower.tell(Blocks(blocks=tuple(chain[:2]), certificate=(forged,)))

    assert [o.fault for o in of(Misbehaviour, outputs)] == [Fault.BAD_CERTIFICATE]


@pytest.mark.parametrize("kind", [NOTARIZE, "another epoch"])
def test_only_finalisations_of_this_epoch_come_with_blocks(
    kind: object, follower: Stage, chain: list[Block]
) -> None:
    follower.adopt(final(chain[5]))
    other = final(chain[1])
    other = (
        replace(other, epoch=Epoch(1))
        if kind == "another epoch"
        else certificate(NOTARIZE, 2, other.subject)
    )
    outputs = follower.tell(Blocks(blocks=tuple(chain[:2]), certificate=(other,)))

    assert delivered(outputs) == []


def test_a_finalised_block_that_does_not_execute_stops_the_node(
    follower: Stage, chain: list[Block]
) -> None:
    header = replace(chain[0].header, state_root=Digest(sha256(b"another")))
    alien = replace(chain[0], header=header)
    follower.adopt(final(alien))

    with pytest.raises(StateDiverged, match="after height 0"):
        follower.tell(answer(alien))


def test_a_finalised_chain_that_leaves_the_delivered_one_stops_the_node(
    follower: Stage, author: Author, chain: list[Block]
) -> None:
    follower.adopt(final(chain[0]))
    follower.tell(answer(chain[0]))
    other = author.block(2, ROOT_ID, START + 9)
    child = author.block(3, block_id(other.header), START + 10)
    follower.adopt(final(child))

    with pytest.raises(ChainForked, match="final at height 1"):
        follower.tell(answer(child))


def test_votes_on_finalised_views_are_no_longer_counted(
    follower: Stage, chain: list[Block]
) -> None:
    follower.adopt(final(chain[3]))
    follower.adopt(certificate(NOTARIZE, 2, subject_of(chain[1], 1)))

    assert follower.core.finalized == View(4)


def test_a_member_far_behind_asks_for_finalised_blocks_only(chain: list[Block]) -> None:
    stage = Stage(bystander(6)).start()
    stage.adopt(stage.certificate(FINALIZE, 5, subject_of(chain[4], 4)))
    outputs = stage.tell(propose(chain[5], 5))

    assert {type(s.message) for s in of(Send, outputs)} <= {GetBlocks}
