"""Invitations to a private graph: who has standing there signs that a key may come in, until a time."""

from typing import Final

from lc_node.chain.codec import Record
from lc_node.chain.crypto import Signer, digest, verify
from lc_node.chain.types import ChainId, Digest, Millis, PublicKey, Signature

_MILLIS_BYTES: Final = 8


class Invitation(Record):
    """A word of ``inviter`` for ``guest``: a node's key, or a key made for whoever is given its secret."""

    inviter: PublicKey
    guest: PublicKey
    until: Millis
    signature: Signature


class Ticket(Record):
    """An invitation in the hand of one node: worth nothing to another that has seen it."""

    invitation: Invitation
    claim: Signature
    """By the guest's key, over the key of the node that comes."""


def invite(inviter: Signer, chain_id: ChainId, guest: PublicKey, until: Millis) -> Invitation:
    """Return an invitation."""
    message = _invitation_message(chain_id, guest, until)
    return Invitation(
        inviter=inviter.public_key, guest=guest, until=until, signature=inviter.sign(message)
    )


def claim(invitation: Invitation, guest: Signer, chain_id: ChainId, node_key: PublicKey) -> Ticket:
    """Return the ticket of a node that is the guest, or was given the guest's secret."""
    return Ticket(invitation=invitation, claim=guest.sign(_claim_message(chain_id, node_key)))


def is_sound(ticket: Ticket, chain_id: ChainId, node_key: PublicKey, now: Millis) -> bool:
    """Return whether a ticket is this node's and still holds; the inviter's standing is for others to judge."""
    invitation = ticket.invitation
    message = _invitation_message(chain_id, invitation.guest, invitation.until)
    return (
        now <= invitation.until
        and verify(invitation.inviter, message, invitation.signature)
        and verify(invitation.guest, _claim_message(chain_id, node_key), ticket.claim)
    )


def _invitation_message(chain_id: ChainId, guest: PublicKey, until: Millis) -> Digest:
    return digest("lc/invitation/1", chain_id, guest, until.to_bytes(_MILLIS_BYTES, "big"))


def _claim_message(chain_id: ChainId, node_key: PublicKey) -> Digest:
    return digest("lc/claim/1", chain_id, node_key)
