"""Who is in another epoch than we are, at the edges: too far ahead, too late, too often, or of something pruned."""

import pytest
from msgspec.structs import replace

from lc_node.chain.types import Epoch, View
from lc_node.chain.votes import VoteKind
from lc_node.consensus.messages import (
    CertificateMessage,
    Certificates,
    EpochProofs,
    GetEpochs,
    VoteMessage,
)
from lc_node.consensus.outputs import Misbehaviour, PersistCertificate
from tests.consensus.epoch_stage import NEWCOMER, STAYER, EpochStage, Network
from tests.consensus.stage import MEMBERS, NULLIFY, Stage, bystander, certificate, of, sent

OTHER = MEMBERS[2]


def late_vote() -> VoteMessage:
    return VoteMessage(vote=Network().vote(OTHER, VoteKind.NULLIFY, 2))


@pytest.fixture
def ahead() -> EpochStage:
    """Return a node that is in epoch 1."""
    node = EpochStage(STAYER)
    Network().finish(node)
    return node


def test_a_new_epoch_starts_with_nothing_final_and_a_vote_to_cast(ahead: EpochStage) -> None:
    node = ahead.node

    assert (node.epoch, node.view, node.finalized, node.may_sign) == (1, 1, 0, True)
    assert NEWCOMER.public_key in node.validators


def test_who_is_two_epochs_ahead_is_asked_for_the_way_too() -> None:
    node = EpochStage(STAYER)
    vote = replace(late_vote().vote, epoch=Epoch(2))

    asked = sent(GetEpochs, node.tell(VoteMessage(vote=vote), peer=OTHER), OTHER.public_key)
    assert asked == [GetEpochs(first=Epoch(0))]


def test_the_way_is_shown_to_a_peer_once_in_a_while(ahead: EpochStage) -> None:
    question = GetEpochs(first=Epoch(0))

    answers = [len(sent(EpochProofs, ahead.tell(question, peer=OTHER))) for _ in range(2)]
    assert answers == [1, 0]


def test_a_way_that_is_not_kept_is_not_shown(
    ahead: EpochStage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ahead.ledger, "epoch_proof", lambda _epoch: None)

    assert ahead.tell(GetEpochs(first=Epoch(0)), peer=OTHER) == []


def test_of_an_end_that_is_not_kept_nobody_is_told(
    ahead: EpochStage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ahead.ledger, "epoch_proof", lambda _epoch: None)

    assert ahead.tell(late_vote(), peer=OTHER) == []


def test_who_has_not_kept_an_epochs_last_block_still_tells_how_it_ended(
    ahead: EpochStage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ahead.ledger, "finalization", lambda _height: None)

    assert (
        len(sent(CertificateMessage, ahead.tell(late_vote(), peer=OTHER), OTHER.public_key)) == 1
    )


def test_a_way_over_an_epoch_that_we_have_left_since_harms_nobody(ahead: EpochStage) -> None:
    asker, network = EpochStage(NEWCOMER), Network()
    (way,) = sent(EpochProofs, ahead.tell(GetEpochs(first=Epoch(0)), peer=OTHER))
    asker.tell(VoteMessage(vote=replace(late_vote().vote, epoch=Epoch(1))), peer=OTHER)
    network.finish(asker)

    assert of(Misbehaviour, asker.tell(way, peer=OTHER)) == []
    assert asker.node.epoch == 1


def test_a_core_alone_knows_nothing_of_other_epochs() -> None:
    stage = Stage(bystander(1)).start()

    assert stage.tell(GetEpochs(first=Epoch(0))) == []


def test_a_certificate_that_comes_twice_at_once_is_adopted_once() -> None:
    stage, held = Stage(bystander(1)).start(), certificate(NULLIFY, 1)
    outputs = stage.tell(Certificates(certificates=(held, held)))

    assert len(of(PersistCertificate, outputs)) == 1
    assert stage.core.view == View(2)
