"""How headers name who votes, and who votes next; quorums and leaders are lc_node.consensus's."""

from collections.abc import Iterable

from lc_node.chain.attendance import is_absent
from lc_node.chain.codec import encode
from lc_node.chain.crypto import digest
from lc_node.chain.params import ProtocolParams
from lc_node.chain.records import Account, Member, ValidatorSet
from lc_node.chain.state import State
from lc_node.chain.types import Digest, Epoch, PublicKey, Weight


def set_hash(validators: ValidatorSet) -> Digest:
    """Return the hash under which headers name a validator set."""
    return digest("lc/set/1", encode(validators))


def is_validator(validators: ValidatorSet, key: PublicKey) -> bool:
    """Return whether a key votes in the set's epoch."""
    return any(member.key == key for member in validators.members)


def compute_next_set(state: State, params: ProtocolParams) -> ValidatorSet:
    """Return who votes in the next epoch, as this one's last state has it (rule F.4).

    Those who are ready and were there (F.5), the heaviest first. The set may change only if it is told by enough of those who
    vote now that they are alive; else those go on who still can, and if there are none, all as they were.
    """
    old = state.validators
    ready = _heaviest(_candidates(state, params), params.validators_max)
    if len(ready) < params.validators_ready_min or not _is_carried(state, old):
        ready = _remaining(state, old)
    return ValidatorSet(epoch=Epoch(old.epoch + 1), members=tuple(ready) or old.members)


def _candidates(state: State, params: ProtocolParams) -> Iterable[Member]:
    """Yield who is ready and has enough at stake."""
    for key, account in state.engaged_accounts():
        if _is_candidate(account, params):
            yield Member(key=key, weight=Weight(account.bond))


def _is_candidate(account: Account, params: ProtocolParams) -> bool:
    """Return whether an account is ready, and can validate; without a link it could make no block."""
    return (
        _is_here(account)
        and not account.is_banned
        and 0 < account.bond >= params.validator_bond_min
        and bool(account.next_link or account.link)
    )


def _is_here(account: Account) -> bool:
    """Return whether an account asked to go on, and did not miss its slots (rule F.5)."""
    return account.service.is_ready and not is_absent(account)


def _heaviest(candidates: Iterable[Member], limit: int) -> list[Member]:
    """Return the members of most weight, of equal weight those of lower key, in key order."""
    ranked = sorted(candidates, key=lambda member: (-member.weight, member.key))
    return sorted(ranked[:limit], key=lambda member: member.key)


def _is_carried(state: State, old: ValidatorSet) -> bool:
    """Return whether two thirds of the weight that votes now are here, and ready for the next epoch."""
    ready = sum(m.weight for m in old.members if _is_here(state.account(m.key)))
    return 3 * ready >= 2 * sum(member.weight for member in old.members)


def _remaining(state: State, old: ValidatorSet) -> list[Member]:
    """Return the members that still have something at stake, at their present bonds."""
    accounts = ((member.key, state.account(member.key)) for member in old.members)
    return [
        Member(key=key, weight=Weight(account.bond))
        for key, account in accounts
        if account.bond and not account.is_banned
    ]
