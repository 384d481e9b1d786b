"""A node's place among the validators: it says in each epoch that it is ready for the next one."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Final

from lc_node.chain.errors import LearningChainError
from lc_node.chain.events import Banned, EpochBegan
from lc_node.chain.params import ProtocolParams
from lc_node.chain.records import Account
from lc_node.chain.transactions import Body, Ready
from lc_node.chain.types import PublicKey
from lc_node.chain.validators import is_validator
from lc_node.runtime.ledger import Finalized, Ledger

_log = logging.getLogger(__name__)


class Validation:
    """Follows the epochs: asks to validate, and parts from banned keys once these vote no more."""

    def __init__(
        self,
        *,
        me: PublicKey,
        ledger: Ledger,
        send: Callable[[Body], Awaitable[object]],
        hang_up: Callable[[PublicKey], None],
        is_wanted: bool,
    ) -> None:
        """Hear of every block; ``hang_up`` is told of banned peers, ``send`` sees a body through."""
        self._me: Final = me
        self._ledger = ledger
        self._send = send
        self._hang_up = hang_up
        self._is_wanted = is_wanted
        self._changed = asyncio.Event()
        self._changed.set()
        self._members = ledger.state.validators.members
        ledger.hear(self._on_finalized)

    async def run(self) -> None:
        """Ask once in each epoch to validate in the next one, until cancelled."""
        while True:
            await self._changed.wait()
            self._changed.clear()
            state = self._ledger.state
            if self._is_wanted and can_ask(state.account(self._me), self._ledger.params):
                await self._ask(Ready(epoch=state.meta.epoch))

    def wake(self) -> None:
        """Look again: the chain has moved without a block that was heard of."""
        self._changed.set()

    async def _ask(self, body: Ready) -> None:
        try:
            await self._send(body)
        except LearningChainError as error:
            _log.info("not ready for the next epoch: %s", error)

    def _on_finalized(self, finalized: Finalized) -> None:
        self._changed.set()
        validators = finalized.state.validators
        for event in finalized.events:
            if isinstance(event, Banned) and not is_validator(validators, event.key):
                self._part_from(event.key)
            if isinstance(event, EpochBegan):
                self._part_from_former(finalized)

    def _part_from_former(self, finalized: Finalized) -> None:
        """Hang up on validators that were banned in an epoch which has ended."""
        former, self._members = self._members, finalized.state.validators.members
        for member in former:
            is_banned = finalized.state.account(member.key).is_banned
            if is_banned and not is_validator(finalized.state.validators, member.key):
                self._part_from(member.key)

    def _part_from(self, key: PublicKey) -> None:
        if key != self._me:
            self._hang_up(key)


def can_ask(account: Account, params: ProtocolParams) -> bool:
    """Return whether a key may become a validator, and has not said in this epoch that it will."""
    return (
        bool(params.epoch_heights)
        and 0 < account.bond >= params.validator_bond_min
        and bool(account.link or account.next_link)
        and not account.is_banned
        and not account.service.is_ready
    )
