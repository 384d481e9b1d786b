"""Making certificates of votes, and telling a quorum from an imitation (docs/CONSENSUS.md, B)."""

from collections.abc import Callable, Collection, Iterable
from typing import TypeAlias

from lc_node.chain.types import PublicKey, Signature
from lc_node.chain.votes import Certificate, Vote
from lc_node.consensus.setting import Setting, is_well_formed
from lc_node.consensus.validator_set import ValidatorSet

Known: TypeAlias = Callable[[Vote], bool]
"""Whether exactly this vote was verified before, so that its signature need not be again."""


def assemble(votes: Collection[Vote], validators: ValidatorSet) -> Certificate:
    """Return the certificate of one kind, view and subject that these verified votes make."""
    ordered = sorted(votes, key=lambda vote: vote.signer)
    first = ordered[0]
    return Certificate(
        kind=first.kind,
        epoch=first.epoch,
        view=first.view,
        subject=first.subject,
        bitmap=_bitmap((validators.index(vote.signer) for vote in ordered), len(validators)),
        signatures=tuple(vote.signature for vote in ordered),
    )


def signers(certificate: Certificate, validators: ValidatorSet) -> tuple[PublicKey, ...]:
    """Return the members that the bitmap names, in key order."""
    bits = int.from_bytes(certificate.bitmap, "little")
    return tuple(key for index, key in enumerate(validators.keys) if bits >> index & 1)


def votes_of(certificate: Certificate, validators: ValidatorSet) -> tuple[Vote, ...]:
    """Return the votes that a certificate of matching counts consists of."""
    named: Iterable[tuple[PublicKey, Signature]] = zip(
        signers(certificate, validators), certificate.signatures, strict=True
    )
    return tuple(
        Vote(
            kind=certificate.kind,
            epoch=certificate.epoch,
            view=certificate.view,
            subject=certificate.subject,
            signer=signer,
            signature=signature,
        )
        for signer, signature in named
    )


def is_valid(certificate: Certificate, setting: Setting, known: Known) -> bool:
    """Return whether a quorum of the set signed this, in the one encoding there is for it."""
    validators = setting.validators
    named = signers(certificate, validators)
    canonical = _bitmap((validators.index(key) for key in named), len(validators))
    return (
        certificate.epoch == setting.epoch
        and is_well_formed(certificate.kind, certificate.view, certificate.subject)
        and certificate.bitmap == canonical
        and len(certificate.signatures) == len(named)
        and validators.weight(named) >= validators.quorum
        and all(
            known(vote) or setting.verifies(vote) for vote in votes_of(certificate, validators)
        )
    )


def _bitmap(indices: Iterable[int], members: int) -> bytes:
    bits = 0
    for index in indices:
        bits |= 1 << index
    return bits.to_bytes((members + 7) // 8, "little")
