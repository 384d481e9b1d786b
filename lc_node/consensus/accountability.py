"""Who must have broken the rules when two chains are final: what certificates convict (docs/CONSENSUS.md, G)."""

from collections.abc import Iterable, Mapping, Sequence
from itertools import combinations

from lc_node.chain.evidence import is_equivocation
from lc_node.chain.types import Epoch, PublicKey, View
from lc_node.chain.votes import Certificate, Vote
from lc_node.consensus.certificates import is_valid, votes_of
from lc_node.consensus.setting import Setting

Conviction = tuple[Vote, Vote]
"""Two votes that no honest validator signs both of."""


def convictions(
    certificates: Iterable[Certificate], settings: Mapping[Epoch, Setting]
) -> Mapping[PublicKey, Conviction]:
    """Return one proof for each validator whom the valid ones among some certificates convict.

    Two conflicting finalisations convict more than a third of the weight (F.7), if for every view from
    the one to the other the certificates of both sides are here.
    """
    found: dict[PublicKey, Conviction] = {}
    for (epoch, _), held in sorted(_by_view(certificates).items()):
        setting = settings.get(epoch)
        if setting is None:
            continue  # nobody knows any more who voted then
        sound = [c for c in held if is_valid(c, setting, _is_never_known)]
        for first, second in combinations(sound, 2):
            for pair in _shared(first, second, setting):
                found.setdefault(pair[0].signer, pair)
    return found


def _by_view(
    certificates: Iterable[Certificate],
) -> dict[tuple[Epoch, View], list[Certificate]]:
    views: dict[tuple[Epoch, View], list[Certificate]] = {}
    for certificate in certificates:
        held = views.setdefault((certificate.epoch, certificate.view), [])
        if certificate not in held:
            held.append(certificate)
    return views


def _shared(first: Certificate, second: Certificate, setting: Setting) -> Sequence[Conviction]:
    """Return the votes of those who signed both, where nobody may."""
    others = {vote.signer: vote for vote in votes_of(second, setting.validators)}
    pairs = (
        (vote, others[vote.signer])
        for vote in votes_of(first, setting.validators)
        if vote.signer in others
    )
    return [pair for pair in pairs if is_equivocation(*pair)]


def _is_never_known(vote: Vote) -> bool:
    del vote
    return False
