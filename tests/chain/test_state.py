"""The state in layers: branches do not see each other, and its root is that of its entries alone."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from lc_node.chain.commitment import BUCKETS
from lc_node.chain.errors import MalformedEntries
from lc_node.chain.genesis import initial_state
from lc_node.chain.job import Job, Label, Phase
from lc_node.chain.records import EMPTY_ACCOUNT, Account, Member, ValidatorSet
from lc_node.chain.state import META_KEY, VALIDATORS_KEY, State
from lc_node.chain.transactions import (
    ImageReference,
    JobSpec,
    ModelFormat,
    Tolerance,
)
from lc_node.chain.types import (
    ByteCount,
    Digest,
    Epoch,
    JobId,
    MicroCredits,
    Millis,
    NanoLoss,
    PartsPerMillion,
    PublicKey,
    Seconds,
    Weight,
)
from lc_node.merkle import tree_root
from tests.chain.actors import ANNA, BERT, OFFER, genesis

SPEC = JobSpec(
    title="a job",
    image=ImageReference(
        manifest=Digest(bytes(32)), total_bytes=ByteCount(1), references=(), on_graph=True
    ),
    contract="lc/1",
    model_format=ModelFormat.NPZ,
    resources=OFFER,
    trial_seconds=Seconds(1),
    evaluate_seconds=Seconds(1),
    model_bytes_max=ByteCount(1),
    bounty=MicroCredits(1),
    expiry=Millis(1),
    tolerance=Tolerance(absolute=NanoLoss(1_000), relative=PartsPerMillion(1)),
    open_to_newcomers=False,
    hidden_root=(),
    private=False,
)


def job_id(number: int) -> JobId:
    return JobId(Digest(number.to_bytes(32, "big")))


def job(number: int, *, due: int, phase: Phase = Phase.OPEN) -> Job:
    return Job(
        id=job_id(number),
        spec=SPEC,
        submitter=ANNA.public_key,
        phase=phase,
        due=Millis(due),
        expiry=Millis(due),
        bounty=MicroCredits(1),
        escrow=MicroCredits(1),
        fee_held=MicroCredits(0),
        bids=(),
        rounds=0,
        examinations=(),
        suspended=(),
        winner=(),
        label=Label.NONE,
    )


def put(state: State, *jobs: Job) -> State:
    for item in jobs:
        state.set_job(item.id, item)
    return state


def with_balance(state: State, key: PublicKey, amount: int) -> State:
    state.set_account(key, Account(balance=MicroCredits(amount)))
    return state


def key_of(number: int) -> PublicKey:
    return PublicKey(number.to_bytes(32, "little"))


def rebuilt_root(state: State) -> bytes:
    buckets = [state.commitment().bucket(index) for index in range(BUCKETS)]
    return tree_root([bucket.leaf_hash() for bucket in buckets])


def entries_of(state: State) -> dict[bytes, bytes]:
    return dict(state.commitment().entries())


def test_an_unknown_key_has_the_empty_account() -> None:
    assert initial_state(genesis()).account(key_of(7)) == EMPTY_ACCOUNT


def test_a_dropped_child_leaves_no_trace() -> None:
    state = initial_state(genesis())
    before = state.root()
    put(with_balance(state.child(), key_of(7), 5), job(1, due=3))

    assert state.root() == before
    assert state.job(job_id(1)) is None
    assert state.account(key_of(7)) == EMPTY_ACCOUNT


def test_siblings_do_not_see_each_other() -> None:
    state = initial_state(genesis())
    one, other = with_balance(state.child(), key_of(7), 5), state.child()

    assert one.account(key_of(7)).balance == 5
    assert other.account(key_of(7)).balance == 0
    assert one.root() != other.root()


def test_a_parent_that_absorbs_its_child_is_as_the_child_was() -> None:
    state = initial_state(genesis()).child()
    child = put(with_balance(state.child(), key_of(7), 5), job(1, due=3))
    child.set_meta(replace(child.meta, burned=MicroCredits(9)))
    root = child.root()

    state.absorb(child)

    assert state.root() == root


def test_a_changed_validator_set_changes_the_root_and_reaches_the_children() -> None:
    state = initial_state(genesis()).child()
    before = state.root()
    state.set_validators(
        ValidatorSet(epoch=Epoch(0), members=(Member(key=BERT.public_key, weight=Weight(1)),))
    )

    assert state.root() != before
    assert state.child().validators.members[0].key == BERT.public_key
    assert set(state.changes()) == {VALIDATORS_KEY}


def test_the_changes_turn_the_parents_entries_into_the_childs() -> None:
    state = put(initial_state(genesis()).child(), job(1, due=3), job(2, due=4))
    child = with_balance(state.child(), key_of(7), 5)
    child.delete_job(job_id(1))
    entries: dict[bytes, bytes | None] = {**entries_of(state), **child.changes()}

    assert {key: value for key, value in entries.items() if value is not None} == entries_of(child)


def test_a_final_state_has_no_changes_and_the_same_root_and_records() -> None:
    state = put(with_balance(initial_state(genesis()).child(), key_of(7), 5), job(1, due=3))
    root = state.root()

    state.flatten()

    assert state.root() == root
    assert state.changes() == {}
    assert state.account(key_of(7)).balance == 5
    assert state.job(job_id(1)) == job(1, due=3)


def test_the_children_of_a_state_that_became_final_stay_as_they_were() -> None:
    state = put(with_balance(initial_state(genesis()).child(), key_of(7), 5), job(1, due=3))
    child = put(with_balance(state.child(), key_of(7), 6), job(1, due=9))
    grandchild = with_balance(child.child(), key_of(8), 1)
    root = grandchild.root()

    state.flatten()

    assert grandchild.root() == root
    assert grandchild.account(key_of(7)).balance == 6
    assert grandchild.due_jobs(Millis(9), 2) == (job_id(1),)
    grandchild.flatten()
    assert grandchild.root() == root == rebuilt_root(grandchild)


def test_a_final_state_can_be_changed_further() -> None:
    state = initial_state(genesis())
    with_balance(state, key_of(7), 5)

    assert state.account(key_of(7)).balance == 5
    assert state.root() == rebuilt_root(state)


def test_a_state_is_loaded_from_its_entries() -> None:
    state = put(with_balance(initial_state(genesis()).child(), key_of(7), 5), job(1, due=3))
    loaded = State.load(state.commitment().entries())

    assert loaded.root() == state.root()
    assert list(loaded.accounts()) == list(state.accounts())
    assert loaded.due_jobs(Millis(3), 1) == (job_id(1),)


@pytest.mark.parametrize("missing", [META_KEY, VALIDATORS_KEY])
def test_entries_without_a_meta_record_or_validators_are_no_state(missing: bytes) -> None:
    entries = entries_of(initial_state(genesis()))
    del entries[missing]

    with pytest.raises(MalformedEntries, match="lack"):
        State.load(entries.items())


def test_entries_with_a_strange_key_are_no_state() -> None:
    entries = entries_of(initial_state(genesis())) | {b"a": b""}

    with pytest.raises(MalformedEntries, match="33"):
        State.load(entries.items())


def test_due_jobs_come_by_time_then_id_up_to_a_limit() -> None:
    state = put(initial_state(genesis()).child(), job(3, due=5), job(2, due=7), job(1, due=5))

    assert state.due_jobs(Millis(7), 9) == (job_id(1), job_id(3), job_id(2))
    assert state.due_jobs(Millis(7), 2) == (job_id(1), job_id(3))
    assert state.due_jobs(Millis(6), 9) == (job_id(1), job_id(3))
    assert state.due_jobs(Millis(4), 9) == ()
    assert state.next_due() == 5


def test_a_postponed_or_pruned_job_is_due_no_more() -> None:
    state = put(initial_state(genesis()).child(), job(1, due=5), job(2, due=5), job(3, due=5))
    state.flatten()
    child = put(state.child(), job(1, due=9))
    child.delete_job(job_id(2))

    assert child.due_jobs(Millis(5), 9) == (job_id(3),)
    child.flatten()
    assert child.due_jobs(Millis(5), 9) == (job_id(3),)
    assert child.due_jobs(Millis(9), 9) == (job_id(3), job_id(1))


def test_without_jobs_nothing_falls_due() -> None:
    assert initial_state(genesis()).next_due() is None


def test_live_jobs_are_those_that_are_not_over() -> None:
    state = put(
        initial_state(genesis()).child(), job(1, due=5), job(2, due=5, phase=Phase.SETTLED)
    )
    state.delete_job(job_id(1))
    put(state, job(3, due=5))

    assert [item.id for item in state.jobs()] == [job_id(2), job_id(3)]
    assert [item.id for item in state.live_jobs()] == [job_id(3)]


CHANGES = st.lists(
    st.tuples(
        st.sampled_from(["account", "job", "delete", "child", "flatten", "absorb"]),
        st.integers(1, 6),
        st.integers(0, 9),
    ),
    max_size=40,
)


@given(CHANGES)
@settings(max_examples=60)
def test_however_a_state_came_about_its_root_is_that_of_its_records(
    changes: list[tuple[str, int, int]],
) -> None:
    state = initial_state(genesis())
    balances: dict[int, int] = {}
    dues: dict[int, int] = {}
    for what, number, value in changes:
        if what == "account":
            with_balance(state, key_of(number), value)
            balances[number] = value
        elif what == "job":
            put(state, job(number, due=value))
            dues[number] = value
        elif what == "delete":
            state.delete_job(job_id(number))
            dues.pop(number, None)
        elif what == "child":
            state = state.child()
        elif what == "absorb":
            child = with_balance(state.child(), key_of(number), value)
            state.absorb(child)
            balances[number] = value
        else:
            state.flatten()

    straight = initial_state(genesis()).child()
    for number, value in balances.items():
        with_balance(straight, key_of(number), value)
    put(straight, *(job(number, due=value) for number, value in dues.items()))
    in_order = sorted((value, job_id(number)) for number, value in dues.items())
    assert state.root() == straight.root()
    assert list(state.accounts()) == list(straight.accounts())
    assert state.due_jobs(Millis(9), 9) == tuple(name for _, name in in_order)
