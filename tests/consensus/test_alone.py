"""A network of one member: everything that agreement does, in one step."""

from lc_node.chain.types import Epoch, Millis, Weight
from lc_node.consensus.core import Core
from lc_node.consensus.outputs import Deliver, PersistBlock, PersistCertificate, PersistVote
from lc_node.consensus.setting import Setting
from lc_node.consensus.validator_set import ValidatorSet
from lc_node.sim.disk import Disk
from lc_node.sim.keys import verify
from lc_node.sim.ledger import SimLedger, payment
from tests.consensus.stage import CHAIN, MEMBERS, PARAMS, ROOT, START, of

ME = MEMBERS[0]


def alone() -> tuple[Core, SimLedger]:
    setting = Setting(
        chain_id=CHAIN,
        epoch=Epoch(0),
        validators=ValidatorSet({ME.public_key: Weight(1)}),
        root=ROOT,
        verifier=verify,
    )
    ledger = SimLedger(ROOT, Disk(), ME.public_key)
    return Core(setting, ledger, tip=ROOT, signer=ME), ledger


def test_a_single_member_finalises_its_block_at_once() -> None:
    core, ledger = alone()
    core.start(START)
    ledger.submit(payment(CHAIN, 1), START)
    outputs = core.on_work(Millis(START + PARAMS.interval))

    assert [len(delivery.blocks) for delivery in of(Deliver, outputs)] == [1]


def test_a_single_member_stores_everything_before_it_delivers() -> None:
    core, _ = alone()
    core.start(START)
    outputs = core.on_time(Millis(START + PARAMS.heartbeat))
    stored = [
        type(output)
        for output in outputs
        if isinstance(output, PersistBlock | PersistVote | PersistCertificate | Deliver)
    ]

    assert stored == [PersistBlock, PersistVote, PersistVote, PersistCertificate, Deliver]
