"""What the owner is told of the past: the same before a restart and after it."""

from pathlib import Path

from msgspec.structs import replace

from lc_node.api.schema import Event
from lc_node.chain.genesis import chain_id
from lc_node.chain.params import CREDIT
from lc_node.chain.transactions import Body, Bond, Cancel, PostJob, TopUp, transaction_id
from lc_node.chain.types import Height, JobId, MicroCredits, Millis
from lc_node.runtime.event_texts import short
from lc_node.runtime.history import History
from lc_node.runtime.ledger import Ledger
from tests.chain.actors import ANNA, BERT, CLEO, Person, genesis, signed
from tests.chain.market import EXPIRES_IN, SPEC
from tests.runtime.small_chain import finalize, ledger_at, payment


def history_of(ledger: Ledger, who: Person) -> tuple[History, list[Event]]:
    told: list[Event] = []
    history = History(ledger._store, who.public_key, told.append)
    ledger.hear(history.hear)
    return history, told


def do(ledger: Ledger, who: Person, body: Body) -> JobId:
    """Make one transaction final; return the id of the job if it posts one."""
    nonce = ledger.state.account(who.public_key).nonce + 1
    one = signed(who, body, chain_id=chain_id(genesis()), nonce=nonce)
    finalize(ledger, one)
    return JobId(transaction_id(one.transaction))


def post(ledger: Ledger, who: Person = BERT) -> JobId:
    return do(
        ledger, who, PostJob(spec=replace(SPEC, expiry=Millis(ledger.tip.time + EXPIRES_IN)))
    )


def live(ledger: Ledger) -> None:
    """Let Bert give, be given, post, top up, take back and bond."""
    do(ledger, BERT, payment(3))
    do(ledger, CLEO, payment(2, to=BERT))
    do(ledger, BERT, payment(1, to=BERT))
    job = post(ledger)
    do(ledger, BERT, TopUp(job=job, amount=MicroCredits(5 * CREDIT)))
    do(ledger, BERT, Cancel(job=job))
    do(ledger, BERT, Bond(amount=MicroCredits(7 * CREDIT), link=(), resources=()))


def test_the_changes_add_up_to_the_balance(tmp_path: Path) -> None:
    ledger = ledger_at(tmp_path / "chain.db")
    history, _ = history_of(ledger, BERT)

    live(ledger)

    balance = ledger.state.account(BERT.public_key).balance
    assert sum(one.amount for one in history.changes(100)) == balance - 1_000 * CREDIT


def test_the_changes_are_the_same_after_a_restart(tmp_path: Path) -> None:
    ledger = ledger_at(tmp_path / "chain.db")
    before, _ = history_of(ledger, BERT)
    live(ledger)

    after, _ = history_of(ledger_at(tmp_path / "chain.db"), BERT)

    assert after.changes(100) == before.changes(100)


def test_the_newest_change_comes_first_and_no_more_than_asked_for(tmp_path: Path) -> None:
    ledger = ledger_at(tmp_path / "chain.db")
    history, _ = history_of(ledger, BERT)
    live(ledger)

    (newest,) = history.changes(1)

    assert (newest.code, newest.amount) == ("bonded", -7 * CREDIT)


def test_a_transfer_names_the_other_side_and_what_it_says(tmp_path: Path) -> None:
    ledger = ledger_at(tmp_path / "chain.db")
    history, _ = history_of(ledger, BERT)
    do(ledger, CLEO, payment(2, to=BERT))
    do(ledger, BERT, replace(payment(3), memo=b"for lunch"))

    sent, received = history.changes(2)

    assert received.text == f"from {short(CLEO.public_key)}"
    assert sent.text == f"to {short(ANNA.public_key)}: for lunch"


def test_what_concerns_others_is_no_change_of_ours(tmp_path: Path) -> None:
    ledger = ledger_at(tmp_path / "chain.db")
    history, _ = history_of(ledger, ANNA)

    post(ledger, CLEO)

    assert history.changes(10) == ()


def test_an_event_is_published_once_as_it_happens(tmp_path: Path) -> None:
    ledger = ledger_at(tmp_path / "chain.db")
    _, told = history_of(ledger, BERT)

    job = post(ledger)

    assert [(one.code, one.text, one.job) for one in told] == [
        ("posted", "posted for 10 credits", job.hex())
    ]


def test_a_jobs_story_is_read_from_the_store(tmp_path: Path) -> None:
    ledger = ledger_at(tmp_path / "chain.db")
    job = post(ledger)
    do(ledger, BERT, Cancel(job=job))

    history, _ = history_of(ledger_at(tmp_path / "chain.db"), BERT)

    codes = [event.code for event in history.events_of(job)]
    assert (codes[0], codes[-1]) == ("posted", "cancelled")
    assert history.posted_at(job) == history.time_of(Height(1))


def test_what_is_not_kept_has_no_time(tmp_path: Path) -> None:
    history, _ = history_of(ledger_at(tmp_path / "chain.db"), BERT)

    assert (history.time_of(Height(9)), history.posted_at(JobId(SPEC.image.manifest))) == (0, 0)
