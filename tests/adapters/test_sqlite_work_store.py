"""What a node found out by working is there after a crash."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from lc_node.adapters.sqlite_work_store import SqliteWorkStore
from lc_node.chain.job import Verdict
from lc_node.chain.transactions import Fault
from lc_node.chain.types import ByteCount, Digest, JobId, ModelRoot, NanoLoss, PublicKey
from lc_node.worker.duties import Solution

JOB = JobId(Digest(b"j" * 32))
OTHER = JobId(Digest(b"k" * 32))
CANDIDATE = PublicKey(b"c" * 32)
HONEST = Verdict(losses=(NanoLoss(5),), fault=Fault.NONE)


def solution(loss: int) -> Solution:
    root = ModelRoot(Digest(bytes([loss]) * 32))
    return Solution(loss=NanoLoss(loss), model_root=root, model_bytes=ByteCount(10))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "work.db"


@pytest.fixture
def store(path: Path) -> Iterator[SqliteWorkStore]:
    opened = SqliteWorkStore(path)
    yield opened
    opened.close()


def test_solutions_come_back_in_the_order_found(store: SqliteWorkStore) -> None:
    store.put_solution(JOB, solution(9))
    store.put_solution(JOB, solution(7))
    store.put_solution(OTHER, solution(1))

    assert store.solutions(JOB) == [solution(9), solution(7)]


def test_what_was_put_is_there_in_the_next_life(store: SqliteWorkStore, path: Path) -> None:
    store.put_solution(JOB, solution(9))
    store.put_verdict(JOB, CANDIDATE, HONEST)
    store.put_choice(JOB, wanted=False, why="bounty too low")

    again = SqliteWorkStore(path)

    assert again.solutions(JOB) == [solution(9)]
    assert again.verdicts(JOB) == {CANDIDATE: HONEST}
    assert again.choice(JOB) == (False, "bounty too low")
    again.close()


def test_the_first_verdict_on_a_candidate_stays(store: SqliteWorkStore) -> None:
    store.put_verdict(JOB, CANDIDATE, HONEST)
    store.put_verdict(JOB, CANDIDATE, Verdict(losses=(), fault=Fault.CRASHED))

    assert store.verdicts(JOB) == {CANDIDATE: HONEST}


def test_a_job_never_looked_at_has_no_choice(store: SqliteWorkStore) -> None:
    assert store.choice(JOB) is None


def test_forgetting_a_job_leaves_the_others(store: SqliteWorkStore) -> None:
    store.put_solution(JOB, solution(9))
    store.put_choice(OTHER, wanted=True, why="")

    store.forget(JOB)

    assert store.jobs() == [OTHER]
    assert store.solutions(JOB) == []
