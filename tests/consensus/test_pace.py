"""When a leader proposes and when a voter gives up (docs/CONSENSUS.md, D.1)."""

import pytest

from lc_node.chain.params import DEVNET
from lc_node.chain.types import BlockId, Millis, View
from lc_node.consensus.outputs import SetTimer
from lc_node.consensus.pace import Pace
from lc_node.consensus.params import ConsensusParams
from lc_node.sim.disk import Disk
from lc_node.sim.ledger import SimLedger
from tests.consensus.stage import MEMBERS, PARAMS, ROOT, ROOT_ID, START, Stage, of


@pytest.mark.parametrize(
    ("view", "finalized", "patience"),
    [
        (1, 0, 1_800),
        (3, 0, 1_800),
        (4, 0, 2_700),
        (5, 0, 4_050),
        (6, 0, 6_075),
        (7, 0, 9_111),
        (13, 0, 103_797),
        (14, 0, 103_797),
        (104, 100, 2_700),
    ],
)
def test_patience_grows_by_half_with_each_unfinalised_view_after_three(
    view: int, finalized: int, patience: int
) -> None:
    assert PARAMS.patience(View(view), View(finalized)) == patience


def test_the_constants_are_the_chains() -> None:
    params = ConsensusParams.of(DEVNET)

    assert (params.interval, params.heartbeat) == (DEVNET.block_pause_ms, DEVNET.heartbeat_ms)


class Agenda(SimLedger):
    """A ledger with work from a given time on."""

    def __init__(self, work: int | None) -> None:
        super().__init__(ROOT, Disk(), MEMBERS[0].public_key)
        self.work = None if work is None else Millis(work)

    def work_since(self, parent: BlockId, now: Millis) -> Millis | None:
        del parent, now
        return self.work


def pace_of(work: int | None) -> Pace:
    pace = Pace(Agenda(work), PARAMS)
    pace.enter(View(1), START)
    pace.look(ROOT_ID, START)
    return pace


IDLE = START + PARAMS.heartbeat


@pytest.mark.parametrize(
    ("work", "parent_time", "proposes_at"),
    [
        (None, 0, IDLE),
        (START - 500, START - 500, START - 400),
        (START - 500, START - 30, START + 70),
        (START - 500, START + 400, START + 100),
        (START + 40, START - 500, START + 40),
        (START + 3_000, START - 500, START + 3_000),
        (START + 99_000, START - 500, IDLE),
    ],
    ids=["idle", "rested", "fresh parent", "parent of the future", "new", "due later", "far off"],
)
def test_a_leader_proposes_as_soon_as_there_is_work_and_the_parent_has_rested(
    work: int | None, parent_time: int, proposes_at: int
) -> None:
    assert pace_of(work).proposes_at(Millis(parent_time)) == proposes_at


@pytest.mark.parametrize(
    ("work", "deadline"),
    [
        (None, IDLE + 1_800),
        (START - 500, START + 1_900),
        (START + 3_000, START + 4_900),
        (START + 99_000, IDLE + 1_800),
    ],
    ids=["idle", "work waits", "due later", "far off"],
)
def test_a_voter_gives_up_its_patience_after_a_proposal_was_due(
    work: int | None, deadline: int
) -> None:
    assert pace_of(work).deadline(View(0)) == deadline


def test_work_is_looked_for_once_for_each_head() -> None:
    pace = Pace(agenda := Agenda(None), PARAMS)
    pace.enter(View(1), START)
    pace.look(ROOT_ID, START)
    agenda.work = START
    pace.look(ROOT_ID, START)

    assert pace.proposes_at(START) == IDLE


def test_work_is_looked_for_again_when_told() -> None:
    pace = Pace(agenda := Agenda(None), PARAMS)
    pace.enter(View(1), START)
    pace.look(ROOT_ID, START)
    agenda.work = START
    pace.look_again()
    pace.look(ROOT_ID, START)

    assert pace.proposes_at(START) == START + PARAMS.interval


@pytest.mark.parametrize(("age", "is_recent"), [(12_300, True), (12_301, False)])
def test_a_block_is_too_old_after_heartbeat_patience_and_drift(age: int, is_recent: bool) -> None:  # noqa: FBT001 - a column of a table
    assert pace_of(None).is_recent(Millis(START - age), START, View(0)) is is_recent


def test_a_timer_that_rang_too_early_is_set_again() -> None:
    stage = Stage(None).start()

    assert of(SetTimer, stage.wait(1)) == [SetTimer(at=Millis(START + PARAMS.heartbeat))]
