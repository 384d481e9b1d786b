"""The own credits, laid out for people: what there is, how it came so over time, and what each change was for."""

from collections.abc import Iterable, Sequence
from itertools import accumulate
from typing import Final

from lc_jupyter.curve import show_steps
from lc_jupyter.display import Cell, Column, Shown, facts, paragraph, stack, table
from lc_jupyter.units import short_job, show_credits
from lc_jupyter.wording import show_moment, words
from lc_node.api.schema import CreditChange, Wallet

_SHOWN: Final = 20

_CAUSES: Final = (
    Column("for"),
    Column("times", is_number=True),
    Column("earned", is_number=True),
    Column("spent", is_number=True),
)
_CHANGES: Final = (
    Column("time"),
    Column("credits", is_number=True),
    Column("balance", is_number=True),
    Column("for"),
    Column("job"),
    Column("what", wraps=True),
)


def show_wallet(wallet: Wallet, now_ms: int) -> Shown:
    """Return what there is, the balance over time, totals by cause, and the latest changes, newest first."""
    owned = facts(
        "Credits",
        [
            ("account", wallet.address),
            ("balance", show_credits(wallet.balance)),
            ("bonded", show_credits(wallet.bonded)),
            ("unbonding", show_credits(wallet.unbonding)),
            ("in jobs and bids", show_credits(wallet.escrowed)),
        ],
    )
    if not wallet.changes:
        return stack(owned, paragraph("No changes yet.", "dim"))
    balances = get_balances(wallet)
    return stack(
        owned,
        _over_time(wallet, balances, now_ms),
        _by_cause(wallet.changes),
        _latest(wallet.changes, balances),
    )


def get_balances(wallet: Wallet) -> list[int]:
    """Return the balance after each change, as they are ordered: newest first."""
    undone = accumulate((change.amount for change in wallet.changes), initial=0)
    return [wallet.balance - later for later in undone][:-1]


def _over_time(wallet: Wallet, balances: Sequence[int], now_ms: int) -> Shown:
    oldest = wallet.changes[-1]
    before = balances[-1] - oldest.amount
    points = [(oldest.time, before)]
    points += [(c.time, b) for c, b in zip(wallet.changes, balances, strict=True)][::-1]
    amounts = [amount for _, amount in points]
    text = (
        f"Balance since {show_moment(oldest.time)}: from {show_credits(before)} to "
        f"{show_credits(wallet.balance)}, between {show_credits(min(amounts))} and {show_credits(max(amounts))}"
    )
    return Shown(show_steps(points, now_ms, text).html, text)


def _by_cause(changes: Sequence[CreditChange]) -> Shown:
    """Return what was earned and spent for each cause, the largest first."""
    causes: dict[str, list[int]] = {}
    for change in changes:
        causes.setdefault(change.code, []).append(change.amount)
    rows = [
        (
            words(code),
            str(len(amounts)),
            _total(amount for amount in amounts if amount > 0),
            _total(-amount for amount in amounts if amount < 0),
        )
        for code, amounts in sorted(causes.items(), key=lambda item: -sum(map(abs, item[1])))
    ]
    return table("Earned and spent", _CAUSES, rows, empty="")


def _latest(changes: Sequence[CreditChange], balances: Sequence[int]) -> Shown:
    rows = [
        (
            show_moment(change.time),
            Cell(_signed(change.amount), "good" if change.amount > 0 else ""),
            show_credits(balance),
            words(change.code),
            short_job(change.job) if change.job else "",
            "" if change.text == words(change.code) else change.text,
        )
        for change, balance in list(zip(changes, balances, strict=True))[:_SHOWN]
    ]
    more = len(changes) - len(rows)
    caption = f"Latest changes ({more} older ones are left out)" if more else "Latest changes"
    return table(caption, _CHANGES, rows, empty="")


def _total(amounts: Iterable[int]) -> str:
    total = sum(amounts)
    return show_credits(total) if total else ""


def _signed(micro: int) -> str:
    return ("+" if micro > 0 else "") + show_credits(micro)
