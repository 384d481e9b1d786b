"""The books explain every credit, and miss any that moves without a word."""

from collections.abc import Callable

import pytest
from msgspec.structs import replace

from lc_node.chain.audit import (
    BEFORE,
    Books,
    BooksDiffer,
    Cause,
    sorted_causes,
    validate_supply,
)
from lc_node.chain.events import Reason
from lc_node.chain.params import CREDIT
from lc_node.chain.state import State
from lc_node.chain.transactions import Cancel, Transfer
from lc_node.chain.types import JobId, MicroCredits
from tests.chain.actors import DORA
from tests.chain.epoch_chain import FOUR, SHORT, Chain, four_members, hourly
from tests.chain.market import Market, flat, key

LOSS = 500_000_000


def ended_epoch() -> tuple[Books, State]:
    """Return a chain in which blocks and duties were paid for."""
    chain = Chain(four_members(params=replace(SHORT, issue_per_hour=hourly(600))))
    chain.step()
    account = chain.account(DORA)
    served = replace(account.service, duties=1)
    chain.state.set_account(DORA.public_key, replace(account, service=served))
    chain.finish(*FOUR)
    return chain.books, chain.state


def story() -> tuple[Books, State]:
    """Return a market in which people gave, won, judged, cheated, kept silent and gave up."""
    market = Market(["sue", "bob", "eve", "mia"])
    market.send("sue", Transfer(to=key("mia"), amount=MicroCredits(5), memo=b""))
    market.send("sue", Cancel(job=market.post()))
    first = market.post()
    market.auction(first, {"eve": LOSS // 2, "bob": LOSS})
    while not market.job(first).phase.is_over:
        judge(market, first)
    market.check()
    return market.books, market.state


def judge(market: Market, job: JobId) -> None:
    """Let all members but the first find what is true; that one keeps silent."""
    silent = market.new_members(job)[0]
    market.judge(job, lambda who: None if who == silent else flat(LOSS))


STORIES: dict[Cause, Callable[[], tuple[Books, State]]] = {
    cause: ended_epoch if cause in (Cause.BLOCKS, Cause.DUTIES) else story for cause in Cause
}


@pytest.mark.parametrize("cause", Cause)
def test_the_books_of_a_chain_differ_from_its_state_if_a_cause_is_dropped(cause: Cause) -> None:
    books, state = STORIES[cause]()
    books.validate_whole(state)
    dropped = [account.pop(cause) for account in books.accounts.values() if cause in account]

    assert any(dropped)
    with pytest.raises(BooksDiffer):
        books.validate_whole(state)


def test_the_winner_has_won_what_the_submitter_offered() -> None:
    books, _ = story()
    won = dict(sorted_causes(books.accounts[key("bob")]))
    offered = dict(sorted_causes(books.accounts[key("sue")]))

    assert (
        won[Cause.BOUNTY_WON],
        offered[Cause.BOUNTY_OFFERED],
        offered[Cause.BOUNTY_RETURNED],
    ) == (
        10 * CREDIT,
        -20 * CREDIT,
        10 * CREDIT,
    )


def test_what_some_give_others_get() -> None:
    books, _ = story()

    assert books.total(Cause.SENT) == -5
    assert books.total(Cause.RECEIVED) == 5


def test_an_account_is_told_in_the_order_of_the_causes() -> None:
    books, _ = story()

    assert [cause for cause, _ in sorted_causes(books.accounts[key("mia")])] == [
        Cause.BEGINNING,
        Cause.RECEIVED,
    ]


def test_what_is_burned_is_told_by_its_reason() -> None:
    books, state = story()

    assert set(books.burned) == {Reason.SILENT, Reason.GROSSLY_REFUTED, Reason.REFUTED}
    assert sum(books.burned.values()) == state.meta.burned


def test_credits_that_burn_without_a_word_are_missed() -> None:
    books, state = story()
    del books.burned[Reason.SILENT]

    with pytest.raises(BooksDiffer, match="all that is burned"):
        books.validate_whole(state)


def test_credits_that_are_issued_without_a_word_are_missed() -> None:
    books, state = story()
    state.set_meta(replace(state.meta, issued=MicroCredits(1)))

    with pytest.raises(BooksDiffer, match="all that is issued: 0 credits are explained"):
        books.validate_whole(state)


def test_credits_that_nobody_has_are_missed() -> None:
    books, state = story()
    more = MicroCredits(state.meta.genesis_credits + 1)
    state.set_meta(replace(state.meta, genesis_credits=more))

    with pytest.raises(BooksDiffer, match="all credits"):
        books.validate_whole(state)


def test_credits_that_a_job_holds_without_a_word_are_missed() -> None:
    market = Market(["sue"])
    job = market.post()
    market.check()
    market.state.set_job(job, replace(market.job(job), escrow=MicroCredits(1)))

    with pytest.raises(BooksDiffer, match=f"job {job.hex()}"):
        market.books.validate(market.state, (), (job,))


def test_an_account_that_appears_from_nowhere_is_found() -> None:
    books, state = story()
    stranger = key("a stranger")
    state.set_account(stranger, replace(state.account(stranger), balance=MicroCredits(1)))

    with pytest.raises(BooksDiffer, match=f"account {stranger.hex()}: 0 credits are explained"):
        books.validate(state, (stranger,), ())


def test_books_can_be_opened_on_any_state() -> None:
    market = Market(["sue", "bob", "eve", "mia"])
    job = market.post()
    market.auction(job, {"eve": LOSS // 2, "bob": LOSS})
    judge(market, job)
    market.open_books()
    while not market.job(job).phase.is_over:
        judge(market, job)
    market.post()
    market.tick()
    market.open_books()

    market.books.validate_whole(market.state)
    assert BEFORE in market.books.burned


def test_a_block_that_makes_credits_is_found() -> None:
    _, state = story()
    state.flatten()
    child = state.child()
    account = state.account(key("sue"))
    more = MicroCredits(account.balance + 1)
    child.set_account(key("sue"), replace(account, balance=more))

    with pytest.raises(BooksDiffer, match="all that the block changed: 0 credits"):
        validate_supply(state, child)


def test_a_block_that_loses_what_a_job_held_is_found() -> None:
    market = Market(["sue"])
    job = market.post()
    market.state.flatten()
    child = market.state.child()
    child.delete_job(job)

    with pytest.raises(BooksDiffer):
        validate_supply(market.state, child)
