"""What this node has signed, and what it therefore may still sign: all of safety is in this file."""

from lc_node.chain.crypto import Signer
from lc_node.chain.types import PublicKey, View
from lc_node.chain.votes import NO_SUBJECT, Subject, Vote, VoteKind
from lc_node.consensus.setting import Setting

NOTARIZE, NULLIFY, FINALIZE = VoteKind.NOTARIZE, VoteKind.NULLIFY, VoteKind.FINALIZE


class Ballot:
    """Our own votes of an epoch (docs/CONSENSUS.md, C and the stars in D)."""

    def __init__(self, setting: Setting, signer: Signer | None, *, may_sign: bool) -> None:
        """Start with no votes; without a signer in the set, or not ``may_sign``, there will be none."""
        self._setting = setting
        self._signer = signer
        self._votes: dict[tuple[VoteKind, View], Vote] = {}
        self.me = signer.public_key if signer is not None else None
        self.is_member = self.me is not None and self.me in setting.validators
        self.may_sign = may_sign and self.is_member

    @property
    def others(self) -> tuple[PublicKey, ...]:
        """The other members, if this node is one."""
        keys = self._setting.validators.keys if self.is_member else ()
        return tuple(key for key in keys if key != self.me)

    def signed(self, kind: VoteKind, view: View) -> Vote | None:
        """Return our vote of this kind in a view."""
        return self._votes.get((kind, view))

    def signed_in(self, view: View) -> tuple[Vote, ...]:
        """Return all our votes in a view, by kind."""
        return tuple(vote for kind in VoteKind if (vote := self.signed(kind, view)))

    def last_finalize(self) -> Vote | None:
        """Return our FINALIZE of the highest view."""
        views = [view for kind, view in self._votes if kind is FINALIZE]
        return self.signed(FINALIZE, max(views)) if views else None

    def may_notarize(self, view: View) -> bool:
        """D.3: neither NOTARIZE nor NULLIFY of this view is signed."""
        return self._lacks(view, NOTARIZE, NULLIFY)

    def may_nullify(self, view: View) -> bool:
        """D.4: FINALIZE of this view is not signed; a NOTARIZE is no obstacle."""
        return self._lacks(view, NULLIFY, FINALIZE)

    def may_finalize(self, view: View) -> bool:
        """D.5: NULLIFY of this view is not signed."""
        return self._lacks(view, FINALIZE, NULLIFY)

    def sign(self, kind: VoteKind, view: View, subject: Subject = NO_SUBJECT) -> Vote:
        """Return a new vote, which must be durable before it is shown to anyone (E).

        Raises:
            ValueError: there is no key to sign with.
        """
        if self._signer is None:
            raise ValueError("a follower signs nothing")
        vote = Vote(
            kind=kind,
            epoch=self._setting.epoch,
            view=view,
            subject=subject,
            signer=self._signer.public_key,
            signature=self._signer.sign(self._setting.message(kind, view, subject)),
        )
        self._votes[kind, view] = vote
        return vote

    def restore(self, vote: Vote) -> None:
        """Remember a vote from before a restart."""
        self._votes[vote.kind, vote.view] = vote

    def lacks(self, vote: Vote) -> bool:
        """Return whether a vote under our key is none that we know of (E)."""
        ours = self.signed(vote.kind, vote.view)
        return vote.signer == self.me and (ours is None or ours.subject != vote.subject)

    def stop(self) -> None:
        """Sign nothing more in this epoch."""
        self.may_sign = False

    def prune(self, finalized: View) -> None:
        """Forget votes of finalised views, in which nothing is signed any more."""
        self._votes = {key: vote for key, vote in self._votes.items() if key[1] > finalized}

    def _lacks(self, view: View, *kinds: VoteKind) -> bool:
        return self.may_sign and not any((kind, view) in self._votes for kind in kinds)
