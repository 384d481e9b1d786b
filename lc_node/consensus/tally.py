"""Counting votes, and catching who votes twice (docs/CONSENSUS.md, C and G)."""

from dataclasses import dataclass, field
from typing import Final

from lc_node.chain.types import PublicKey, View, Weight
from lc_node.chain.votes import NO_SUBJECT, Subject, Vote, VoteKind
from lc_node.consensus.validator_set import ValidatorSet

SUBJECTS_MAX: Final = 2
"""Different subjects counted per signer, kind and view: the second is evidence, more say no more."""

_OPPOSITE: Final = {VoteKind.NULLIFY: VoteKind.FINALIZE, VoteKind.FINALIZE: VoteKind.NULLIFY}
_NO_WEIGHT: Final = Weight(0)


@dataclass(slots=True)
class _Group:
    """The votes of one kind, view and subject, and their joint weight."""

    votes: dict[PublicKey, Vote] = field(default_factory=dict)
    weight: Weight = _NO_WEIGHT


@dataclass(frozen=True, slots=True, kw_only=True)
class Counted:
    """What a vote changed."""

    quorum: tuple[Vote, ...]
    """The votes that now make a quorum; empty if they do not, or did before."""
    conflict: Vote | None
    """An earlier vote of the signer that convicts it together with this one."""


class Tally:
    """The verified votes of an epoch's unfinalised views."""

    def __init__(self, validators: ValidatorSet) -> None:
        """Start with no votes."""
        self._validators = validators
        self._views: dict[View, dict[tuple[VoteKind, Subject], _Group]] = {}

    def is_wanted(self, vote: Vote) -> bool:
        """Return whether counting this vote could change anything: ask before verifying it."""
        cast = self._cast(vote.view, vote.kind, vote.signer)
        return len(cast) < SUBJECTS_MAX and all(v.subject != vote.subject for v in cast)

    def has(self, vote: Vote) -> bool:
        """Return whether exactly this vote, signature included, was counted."""
        group = self._group(vote.kind, vote.view, vote.subject)
        return group is not None and group.votes.get(vote.signer) == vote

    def count(self, vote: Vote) -> Counted:
        """Count a wanted, verified vote."""
        conflict = self._conflict(vote)
        groups = self._views.setdefault(vote.view, {})
        group = groups.setdefault((vote.kind, vote.subject), _Group())
        before = group.weight
        if vote.signer not in group.votes:
            group.weight = Weight(before + self._validators.weight((vote.signer,)))
        group.votes[vote.signer] = vote
        crossed = before < self._validators.quorum <= group.weight
        return Counted(quorum=tuple(group.votes.values()) if crossed else (), conflict=conflict)

    def is_blocked(self, view: View) -> bool:
        """Return whether so much weight nullifies a view that it can hardly be finalised any more."""
        nullifying = self._group(VoteKind.NULLIFY, view, NO_SUBJECT)
        return nullifying is not None and nullifying.weight >= self._validators.blocking

    def prune(self, finalized: View) -> None:
        """Forget the votes of finalised views."""
        self._views = {view: votes for view, votes in self._views.items() if view > finalized}

    def _group(self, kind: VoteKind, view: View, subject: Subject) -> _Group | None:
        return self._views.get(view, {}).get((kind, subject))

    def _cast(self, view: View, kind: VoteKind, signer: PublicKey) -> list[Vote]:
        groups = self._views.get(view, {}).items()
        return [
            group.votes[signer] for (k, _), group in groups if k is kind and signer in group.votes
        ]

    def _conflict(self, vote: Vote) -> Vote | None:
        same = self._cast(vote.view, vote.kind, vote.signer)  # G (i) and (ii)
        opposite = _OPPOSITE.get(vote.kind)
        crossed = self._cast(vote.view, opposite, vote.signer) if opposite else []  # G (iii)
        return next(iter((*same, *crossed)), None)
