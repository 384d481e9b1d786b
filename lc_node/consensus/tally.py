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


@dataclass(slots=True)
class _ViewVotes:
    """The votes of one view, by what they say and by who cast them."""

    groups: dict[tuple[VoteKind, Subject], _Group] = field(default_factory=dict)
    cast: dict[tuple[VoteKind, PublicKey], tuple[Vote, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Counted:
    """What a vote changed."""

    quorum: tuple[Vote, ...]
    """The votes that now make a quorum; empty if they do not, or did before."""
    conflict: Vote | None
    """An earlier vote of the signer that convicts it together with this one."""


_NOTHING: Final = Counted(quorum=(), conflict=None)
"""What most votes change."""


class Tally:
    """The verified votes of an epoch's unfinalised views."""

    def __init__(self, validators: ValidatorSet) -> None:
        """Start with no votes."""
        self._weight, self._quorum = validators.weight_of, validators.quorum
        self._blocking = validators.blocking
        self._views: dict[View, _ViewVotes] = {}

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
        view = self._views.get(vote.view)
        if view is None:
            view = self._views[vote.view] = _ViewVotes()
        conflict = self._conflict(vote)
        group = view.groups.get((vote.kind, vote.subject))
        if group is None:
            group = view.groups[vote.kind, vote.subject] = _Group()
        if vote.signer in group.votes:
            return _NOTHING
        before, group.weight = group.weight, Weight(group.weight + self._weight(vote.signer))
        group.votes[vote.signer] = vote
        named = (vote.kind, vote.signer)
        view.cast[named] = (*view.cast.get(named, ()), vote)
        crossed = before < self._quorum <= group.weight
        if conflict is None and not crossed:
            return _NOTHING
        return Counted(quorum=tuple(group.votes.values()) if crossed else (), conflict=conflict)

    def is_blocked(self, view: View) -> bool:
        """Return whether so much weight nullifies a view that it can hardly be finalised any more."""
        nullifying = self._group(VoteKind.NULLIFY, view, NO_SUBJECT)
        return nullifying is not None and nullifying.weight >= self._blocking

    def prune(self, finalized: View) -> None:
        """Forget the votes of finalised views."""
        self._views = {view: votes for view, votes in self._views.items() if view > finalized}

    def _group(self, kind: VoteKind, view: View, subject: Subject) -> _Group | None:
        votes = self._views.get(view)
        return None if votes is None else votes.groups.get((kind, subject))

    def _cast(self, view: View, kind: VoteKind, signer: PublicKey) -> tuple[Vote, ...]:
        votes = self._views.get(view)
        return () if votes is None else votes.cast.get((kind, signer), ())

    def _conflict(self, vote: Vote) -> Vote | None:
        same = self._cast(vote.view, vote.kind, vote.signer)  # G (i) and (ii)
        opposite = _OPPOSITE.get(vote.kind)
        crossed = self._cast(vote.view, opposite, vote.signer) if opposite else ()  # G (iii)
        return next(iter((*same, *crossed)), None)
