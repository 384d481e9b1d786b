"""Makes the agreement, and its mind anew whenever the ledger was moved by other means."""

from collections.abc import Callable

from lc_node.chain.crypto import Signer, verify
from lc_node.chain.votes import Vote
from lc_node.consensus.epochs import Epochs, Voter
from lc_node.consensus.params import ConsensusParams
from lc_node.ports.clock import Clock
from lc_node.ports.stores import VoteStore
from lc_node.runtime.agreement import Agreement, Peers, Surroundings
from lc_node.runtime.ledger import Ledger


def make_agreement(
    ledger: Ledger,
    votes: VoteStore,
    signer: Signer,
    *,
    network: Peers,
    clock: Clock,
    on_evidence: Callable[[Vote, Vote], None],
) -> Agreement:
    """Return the agreement of a node that has just opened its stores."""
    surroundings = Surroundings(
        votes=votes,
        network=network,
        clock=clock,
        me=signer.public_key,
        deliver=ledger.deliver,
        secure=ledger.secure,
        on_evidence=on_evidence,
    )
    return Agreement(make_core(ledger, votes, signer), surroundings)


def make_core(ledger: Ledger, votes: VoteStore, signer: Signer) -> Epochs:
    """Return a core that stands where the ledger does, and signs where our record of votes is whole."""
    voter = Voter(
        chain_id=ledger.root.chain_id,
        signer=signer,
        verifier=verify,
        signs_from=votes.signs_from(),
    )
    return Epochs(
        ledger, votes, tip=ledger.tip, voter=voter, params=ConsensusParams.of(ledger.params)
    )
