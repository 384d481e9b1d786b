"""The own credits: the balance as it went, what it was earned and spent for, and a picture of it."""

import pytest

from lc_jupyter.wallets import get_balances, show_wallet
from lc_node.api import schema
from lc_node.api.schema import Millis
from tests.api.sample_service import ADDRESS, JOB

CREDIT = 1_000_000
NOW = 60_000


def change(
    amount: int, code: str, *, time: int, text: str = "", job: schema.JobId | None = None
) -> schema.CreditChange:
    return schema.CreditChange(
        height=time,
        time=Millis(time),
        amount=amount * CREDIT,
        code=code,
        text=text or code.replace("_", " "),
        job=job,
    )


CHANGES = (
    change(-3, "transfer", time=40_000, text="to lc1other…abcd: for lunch"),
    change(2, "verifier_pay", time=30_000, job=JOB),
    change(5, "bounty", time=20_000, job=JOB),
    change(7, "bounty", time=10_000),
)


def wallet_of(changes: tuple[schema.CreditChange, ...] = CHANGES) -> schema.Wallet:
    return schema.Wallet(
        address=ADDRESS,
        balance=schema.MicroCredits(1_011 * CREDIT),
        bonded=schema.MicroCredits(0),
        unbonding=schema.MicroCredits(0),
        escrowed=schema.MicroCredits(0),
        changes=changes,
    )


def test_the_balance_after_each_change_ends_at_what_there_is() -> None:
    assert get_balances(wallet_of()) == [b * CREDIT for b in (1_011, 1_014, 1_012, 1_007)]


@pytest.mark.parametrize(
    "line",
    [
        "from 1,000 to 1,011, between 1,000 and 1,014",
        "bounty            2      12",
        "transfer          1              3",
        "     +5    1,012  bounty        aaaaaaaaaaaa",
        "     -3    1,011  transfer                    to lc1other…abcd: for lunch",
    ],
)
def test_a_wallet_says(line: str) -> None:
    assert line in show_wallet(wallet_of(), NOW).text


def test_the_picture_goes_up_and_down_with_the_balance_and_is_named() -> None:
    html = show_wallet(wallet_of(), NOW).html

    assert 'role="img" aria-label="Balance since ' in html
    assert html.count("V") - html.count("V100") >= len(CHANGES)


def test_credits_earned_are_marked() -> None:
    assert '<td class="good n">+5</td>' in show_wallet(wallet_of(), NOW).html


def test_of_many_changes_the_latest_are_listed_and_all_are_counted() -> None:
    many = tuple(change(1, "issuance", time=t) for t in range(30, 0, -1))
    text = show_wallet(wallet_of(many), NOW).text

    assert "Latest changes (10 older ones are left out)" in text
    assert "issuance     30      30" in text


def test_without_changes_there_is_nothing_to_draw() -> None:
    shown = show_wallet(wallet_of(()), NOW)

    assert "No changes yet." in shown.text
    assert "<svg" not in shown.html
