"""A light client's mind: from validators that are trusted to headers and state entries that are proved.

It holds one epoch's validators and the newest header that they finalised, follows the ends of epochs, and
believes nothing that these do not prove (docs/CONSENSUS.md, H). Each step returns a new mind.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import Enum
from typing import Final

import msgspec

from lc_node.chain.blocks import Header, block_id
from lc_node.chain.job import Job
from lc_node.chain.proofs import verify_entry
from lc_node.chain.records import EMPTY_ACCOUNT, Account
from lc_node.chain.state import ACCOUNT_TABLE, JOB_TABLE
from lc_node.chain.types import Height, JobId, Millis, MillisSpan, PublicKey
from lc_node.chain.votes import Certificate
from lc_node.consensus.inquiries import Finalized, ProvenEntry
from lc_node.consensus.light_errors import (
    BadEpochProof,
    Certified,
    Contradiction,
    EpochAhead,
    NotFinal,
    NotLinked,
    OlderThanKnown,
    PastEpoch,
    TrustExpired,
)
from lc_node.consensus.messages import EpochProof
from lc_node.consensus.proofs import are_linked, is_final, is_proof, next_setting
from lc_node.consensus.setting import Setting

ENDS_KEPT: Final = 1_024
"""Ends of epochs that are kept to be compared with another server's."""

HEARTBEATS_MISSED: Final = 3
"""Blocks come with every heartbeat at least: a header that is older than so many is stale."""

# What a root proves was encoded by the chain's own rules.
_ACCOUNT: Final = msgspec.msgpack.Decoder(Account)
_JOB: Final = msgspec.msgpack.Decoder(Job)


class Freshness(Enum):
    """How a header's time stands to the clock."""

    FRESH = "fresh"
    STALE = "stale"
    """No newer block was shown for longer than a living chain takes: it halts, or the server hides it."""
    AHEAD = "ahead"
    """The header is from the future: the clock here is wrong."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Spans:
    """What a light client needs of the chain's parameters."""

    unbonding: MillisSpan
    """For how long after a header those who voted on it can be made to pay for a lie."""
    heartbeat: MillisSpan
    """How often there is a block even without work."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trusted:
    """What is proved so far, by what one server showed."""

    setting: Setting
    """The epoch whose validators are trusted."""
    spans: Spans
    newest: Certified
    """The newest header that is final; the epoch's root before the first."""
    ends: tuple[Certified, ...] = ()
    """How the epochs ended that were followed."""

    def validate_age(self, now: Millis) -> None:
        """Check that those who are trusted can still be made to pay for a lie.

        Raises:
            TrustExpired: their bonds may be gone.
        """
        seen = self.newest.header.time
        if now - seen > self.spans.unbonding:
            raise TrustExpired(seen, now, self.spans.unbonding)

    def freshness(self, now: Millis) -> Freshness:
        """Return how the newest header's time stands to the clock."""
        span, time = HEARTBEATS_MISSED * self.spans.heartbeat, self.newest.header.time
        if time > now + span:
            return Freshness.AHEAD
        return Freshness.STALE if time + span < now else Freshness.FRESH

    def follow(self, proofs: Sequence[EpochProof]) -> "Trusted":
        """Return what is trusted after these ends of epochs, the first of them of the present one.

        Raises:
            BadEpochProof: one of them is no proof by the validators that the one before named.
            Contradiction: they have finalised another block at the height of the newest one.
        """
        mind = self
        for proof in proofs:
            if not is_proof(proof, mind.setting):
                raise BadEpochProof(mind.setting.epoch)
            end = Certified(header=proof.header, certificate=(proof.certificate,))
            validate_agreement((mind.newest,), (end,))
            mind = replace(
                mind,
                setting=next_setting(proof, mind.setting),
                newest=end,
                ends=(*mind.ends, end)[-ENDS_KEPT:],
            )
        return mind

    def accept(self, header: Header, certificate: Certificate) -> "Trusted":
        """Return what is trusted after a server's newest header.

        Raises:
            EpochAhead: the ends of epochs are to be followed first.
            PastEpoch, OlderThanKnown: the server is behind.
            NotFinal: the validators have not finalised it.
            Contradiction: they have finalised another block there.
        """
        self._validate_final(header, certificate)
        if header.height < self.newest.header.height:
            raise OlderThanKnown(self.newest.header.height, header.height)
        newest = Certified(header=header, certificate=(certificate,))
        validate_agreement((self.newest,), (newest,))
        return replace(self, newest=newest)

    def entry(self, key: bytes, proven: ProvenEntry) -> tuple["Trusted", bytes | None]:
        """Return what is trusted now, and what stands under a key in the state after its newest block.

        Raises:
            BadProof, MalformedEntries: the entry is not proved.
            LearningChainError: the header is not; see ``accept``.
        """
        mind = self.accept(proven.header, proven.certificate)
        return mind, verify_entry(proven.header.state_root, key, proven.proof)

    def header(self, height: Height, finalized: Finalized) -> Header:
        """Return the header of a height in this epoch, by the chain of parents below a final one.

        Raises:
            NotLinked: they do not lead there.
            Contradiction: another block is final at the height of the newest one.
            LearningChainError: the last one is not proved; see ``accept``.
        """
        headers, last = finalized.headers, finalized.headers[-1]
        self._validate_final(last, finalized.certificate)
        if headers[0].height != height or not are_linked(headers):
            raise NotLinked(height)
        proved = Certified(header=last, certificate=(finalized.certificate,))
        for one in headers:
            if _disagree(self.newest.header, one):
                raise Contradiction(one.height, self.newest, proved)
        return headers[0]

    def known(self) -> tuple[Certified, ...]:
        """Return all that one server has proved, to be compared with what another one has."""
        return (*self.ends, self.newest)

    def _validate_final(self, header: Header, certificate: Certificate) -> None:
        epoch = self.setting.epoch
        if header.epoch > epoch:
            raise EpochAhead(epoch, header.epoch)
        if header.epoch < epoch:
            raise PastEpoch(epoch, header.epoch)
        if not is_final(header, certificate, self.setting):
            raise NotFinal(epoch, header.height)


def validate_agreement(one: Sequence[Certified], other: Sequence[Certified]) -> None:
    """Check that two servers have not proved different blocks at one height.

    Raises:
        Contradiction: they have; the first height at which they differ is named.
    """
    known = {certified.header.height: certified for certified in one}
    for second in sorted(other, key=lambda certified: certified.header.height):
        first = known.get(second.header.height)
        if first is not None and _disagree(first.header, second.header):
            raise Contradiction(second.header.height, first, second)


def account_key(key: PublicKey) -> bytes:
    """Return under which key of the state an account stands."""
    return ACCOUNT_TABLE + key


def job_key(job: JobId) -> bytes:
    """Return under which key of the state a job stands."""
    return JOB_TABLE + job


def account_in(entry: bytes | None) -> Account:
    """Return the account that a proved entry holds; a key that was never seen has the empty one."""
    return EMPTY_ACCOUNT if entry is None else _ACCOUNT.decode(entry)


def job_in(entry: bytes | None) -> Job | None:
    """Return the job that a proved entry holds, None if the state holds no such job (any more)."""
    return None if entry is None else _JOB.decode(entry)


def _disagree(one: Header, other: Header) -> bool:
    return one.height == other.height and block_id(one) != block_id(other)
