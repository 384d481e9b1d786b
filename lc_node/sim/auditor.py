"""What an observer checks of its own of all that becomes final, with none of the protocol's code for it."""

from collections.abc import Mapping
from dataclasses import dataclass

from lc_node.chain.blocks import Block, block_id
from lc_node.chain.types import ChainId, Epoch, Millis, MillisSpan, PublicKey, View, Weight
from lc_node.chain.votes import Certificate, VoteKind, vote_message
from lc_node.consensus.setting import Verifier
from lc_node.sim.disk import BrokenInvariant


@dataclass(frozen=True, slots=True, kw_only=True)
class Auditor:
    """Counts the votes of certificates, and looks at the clock."""

    chain_id: ChainId
    verify: Verifier
    ahead_ms: MillisSpan
    """How far ahead of true time a block of honest voters may be."""

    def audit(
        self,
        block: Block,
        certificate: Certificate,
        members: Mapping[PublicKey, Weight],
        now: Millis,
    ) -> None:
        """Check the last of some blocks that were delivered, when it is seen for the first time.

        Raises:
            BrokenInvariant: two thirds of its epoch's weight did not sign for it, or it is of the future.
        """
        header = block.header
        if certificate.kind is not VoteKind.FINALIZE or certificate.epoch != header.epoch:
            raise BrokenInvariant(
                f"height {header.height} is final by another kind of certificate"
            )
        if certificate.subject.block_id != block_id(header):
            raise BrokenInvariant(
                f"height {header.height} is final by another block's certificate"
            )
        if 3 * self._weight(certificate, members) <= 2 * sum(members.values()):
            raise BrokenInvariant(f"height {header.height} is final without a quorum")
        if header.time > now + self.ahead_ms:
            raise BrokenInvariant(f"height {header.height} is of the future")

    def _weight(self, certificate: Certificate, members: Mapping[PublicKey, Weight]) -> int:
        """Return the weight of those members whose signatures are in the certificate."""
        message = vote_message(
            self.chain_id,
            VoteKind.FINALIZE,
            Epoch(certificate.epoch),
            View(certificate.view),
            certificate.subject,
        )
        bits = int.from_bytes(certificate.bitmap, "little")
        named = [key for place, key in enumerate(sorted(members)) if bits >> place & 1]
        signed = zip(named, certificate.signatures, strict=False)
        return sum(members[key] for key, given in signed if self.verify(key, message, given))
