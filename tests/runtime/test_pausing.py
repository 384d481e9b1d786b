"""While the ledger is moved by other means the agreement rests, and then goes on from there."""

import asyncio
from pathlib import Path

import pytest

from lc_node.chain.votes import NO_SUBJECT, VoteKind
from lc_node.consensus.messages import VoteMessage
from lc_node.ports.stores import StorageFull
from lc_node.runtime.agreeing import make_core
from lc_node.wire.score import Verdict
from tests.chain.actors import ANNA
from tests.peer_nodes import until
from tests.runtime.small_chain import finalize
from tests.runtime.test_agreement import ALONE, OTHER, FullDisk, running, stage, vote


async def test_a_paused_agreement_hears_signs_and_sends_nothing(tmp_path: Path) -> None:
    on = stage(tmp_path, ALONE, ANNA)
    async with running(on):
        on.agreement.pause(lambda: "moving the ledger")
        before = list(on.peers.sent)
        on.bring_work()
        await asyncio.sleep(0)
        heard = on.hear(VoteMessage(vote=vote(OTHER, VoteKind.NULLIFY, NO_SUBJECT)))

        assert (heard, on.agreement.paused_for) == (Verdict.IGNORE, "moving the ledger")
        assert (on.ledger.height, on.peers.sent) == (0, before)


async def test_an_agreement_goes_on_where_the_ledger_was_moved_to(tmp_path: Path) -> None:
    on = stage(tmp_path, ALONE, ANNA)
    async with running(on):
        on.agreement.pause(lambda: "moving the ledger")
        finalize(on.ledger)
        on.agreement.go_on(make_core(on.ledger, on.votes, ANNA))
        on.bring_work()
        await until(lambda: on.ledger.height == 2)

        assert on.agreement.paused_for == ""


async def test_an_agreement_that_has_failed_does_not_go_on(tmp_path: Path) -> None:
    on = stage(tmp_path, store=FullDisk)
    with pytest.raises(StorageFull):
        await on.agreement.run()
    on.agreement.go_on(on.agreement.core)

    assert on.hear(VoteMessage(vote=vote(OTHER, VoteKind.NULLIFY, NO_SUBJECT))) is Verdict.IGNORE
