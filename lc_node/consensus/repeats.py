"""What is said again because messages get lost, and when to wake up (D.8, D.9)."""

from collections.abc import Iterator

from lc_node.chain.types import Millis, View
from lc_node.consensus.messages import (
    CERTIFICATES_MAX,
    CertificateMessage,
    GetCertificates,
    VoteMessage,
)
from lc_node.consensus.outputs import Audience
from lc_node.consensus.replica import Replica


def repeat(replica: Replica, now: Millis) -> None:
    """Send whatever is due again."""
    again_at = Millis(now + replica.params.retry)
    replica.courtesy.forward(now)
    if replica.resends_at is not None and replica.resends_at <= now:
        replica.resends_at = again_at
        _resend(replica)
    if replica.finalizes_at is not None and replica.finalizes_at <= now:
        replica.finalizes_at = again_at if _resend_finalize(replica) else None
    if replica.polls_at <= now:
        is_pending = replica.book.last_notarized > replica.book.finalized
        replica.polls_at = again_at if is_pending else Millis(now + replica.params.heartbeat)
        _poll(replica)


def wake_times(replica: Replica) -> Iterator[Millis]:
    """Yield every time at which a rule may have something to do, past ones included."""
    times = (
        replica.proposes_at,
        replica.notarizes_at,
        replica.resends_at,
        replica.finalizes_at,
        replica.polls_at,
        replica.courtesy.next_at(),
        replica.questions.next_at(),
    )
    yield from (at for at in times if at is not None)
    if replica.ballot.may_nullify(replica.view):
        yield replica.pace.deadline(replica.book.finalized)


def _resend(replica: Replica) -> None:
    """D.9: all our votes of this view, our proposal, and the certificates that led here."""
    proposal = replica.proposal()
    for vote in replica.ballot.signed_in(replica.view):
        is_proposal = proposal is not None and proposal.vote == vote
        message = proposal if proposal is not None and is_proposal else VoteMessage(vote=vote)
        replica.outbox.send(Audience.VALIDATORS, message)
    entry, newest = replica.book.entry(replica.view), replica.book.finalization
    for certificate in (entry, newest if newest != entry else None):
        if certificate is not None:
            replica.outbox.send(Audience.VALIDATORS, CertificateMessage(certificate=certificate))


def _resend_finalize(replica: Replica) -> bool:
    """Send our last FINALIZE again while its view is not finalised: in a quiet network nobody else would."""
    vote = replica.ballot.last_finalize()
    if vote is not None:
        replica.outbox.send(Audience.VALIDATORS, VoteMessage(vote=vote))
    return vote is not None


def _poll(replica: Replica) -> None:
    """Ask anyone for what we may have missed: a follower hears of nothing it does not ask for."""
    question = GetCertificates(
        epoch=replica.setting.epoch,
        first=replica.view,
        last=View(replica.view + CERTIFICATES_MAX),
        finalized=replica.book.finalized,
    )
    replica.outbox.send(Audience.ANYONE, question)
