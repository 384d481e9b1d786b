"""What a node tells of the final chain to whoever asks."""

from pathlib import Path

import pytest
from msgspec.structs import replace

from lc_node.chain.blocks import block_id
from lc_node.chain.codec import encode
from lc_node.chain.proofs import verify_entry
from lc_node.chain.state import ACCOUNT_TABLE
from lc_node.chain.types import Epoch, Height, PublicKey
from lc_node.consensus.inquiries import (
    EPOCH_PROOFS_DECODER,
    FINALIZED_DECODER,
    PROVEN_ENTRY_DECODER,
    TESTIMONY_BYTES_MAX,
    GetEntry,
    GetFinalized,
)
from lc_node.consensus.messages import GetEpochs
from lc_node.consensus.proofs import are_linked
from lc_node.runtime.allowances import REMEMBERED_MAX, Allowances
from lc_node.runtime.ledger import Ledger
from lc_node.runtime.witness import Witness
from lc_node.wire.limits import TESTIMONY_BYTES
from lc_node.wire.topics import Topic
from tests.chain.actors import ANNA, BERT, genesis
from tests.runtime.bench import HandClock
from tests.runtime.small_chain import build, finality, finalize, ledger_at, tip_id

ASKER = BERT.public_key
HEIGHTS = 2


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    """Return a ledger of a chain whose epochs have two blocks, at height 5."""
    document = genesis()
    short = replace(document, params=replace(document.params, epoch_heights=HEIGHTS))
    ledger = ledger_at(tmp_path / "chain.db", document=short)
    for _ in range(5):
        finalize(ledger)
    return ledger


async def ask(ledger: Ledger, topic: Topic, question: object) -> bytes | None:
    witness = Witness(ledger, HandClock())
    return await witness.answerers()[topic](ASKER, encode(question))


async def test_the_newest_header_comes_with_its_certificate(ledger: Ledger) -> None:
    said = await ask(ledger, Topic.FINALIZED, GetFinalized(height=()))

    assert said is not None
    answer = FINALIZED_DECODER.decode(said)
    assert (answer.headers, answer.certificate.subject.block_id) == (
        (ledger.tip,),
        tip_id(ledger),
    )


async def test_a_header_without_a_certificate_comes_with_those_up_to_one(ledger: Ledger) -> None:
    first = build(ledger, view=6)
    second = build(ledger, block_id(first.header), view=7, after=200)
    ledger.deliver([first, second], finality(second))
    said = await ask(ledger, Topic.FINALIZED, GetFinalized(height=(Height(6),)))

    assert said is not None
    headers = FINALIZED_DECODER.decode(said).headers
    assert ([h.height for h in headers], are_linked(headers)) == ([6, 7], True)


async def test_a_height_that_is_not_reached_has_no_header(ledger: Ledger) -> None:
    assert await ask(ledger, Topic.FINALIZED, GetFinalized(height=(Height(6),))) is None


async def test_the_ends_of_past_epochs_are_told(ledger: Ledger) -> None:
    said = await ask(ledger, Topic.EPOCHS, GetEpochs(first=Epoch(1)))

    assert said is not None
    assert [p.header.height for p in EPOCH_PROOFS_DECODER.decode(said).proofs] == [4]


async def test_the_present_epoch_has_not_ended(ledger: Ledger) -> None:
    assert await ask(ledger, Topic.EPOCHS, GetEpochs(first=Epoch(2))) is None


async def test_an_entry_is_proved_under_the_newest_header(ledger: Ledger) -> None:
    key = ACCOUNT_TABLE + ANNA.public_key
    said = await ask(ledger, Topic.STATE, GetEntry(key=key))

    assert said is not None
    answer = PROVEN_ENTRY_DECODER.decode(said)
    entry = verify_entry(answer.header.state_root, key, answer.proof)
    assert (answer.header, entry) == (ledger.tip, encode(ledger.state.account(ANNA.public_key)))


@pytest.mark.parametrize("topic", [Topic.EPOCHS, Topic.FINALIZED, Topic.STATE])
async def test_what_is_no_question_has_no_answer(ledger: Ledger, topic: Topic) -> None:
    assert await ask(ledger, topic, ()) is None


async def test_genesis_is_certified_by_nobody(tmp_path: Path) -> None:
    ledger = ledger_at(tmp_path / "chain.db")

    assert await ask(ledger, Topic.STATE, GetEntry(key=bytes(33))) is None


async def test_who_asks_for_too_much_has_to_wait(ledger: Ledger) -> None:
    answerer = Witness(ledger, HandClock()).answerers()[Topic.FINALIZED]
    question = encode(GetFinalized(height=()))
    first = await answerer(ASKER, question)
    assert first is not None
    most = (TESTIMONY_BYTES - TESTIMONY_BYTES_MAX) // len(first) + 1
    answers = [await answerer(ASKER, question) for _ in range(most)]

    assert answers[-2:] == [first, None]


async def test_others_do_not_pay_for_who_asked_too_much(ledger: Ledger) -> None:
    answerer = Witness(ledger, HandClock()).answerers()[Topic.FINALIZED]
    question = encode(GetFinalized(height=()))
    while await answerer(ASKER, question):
        pass

    assert await answerer(ANNA.public_key, question) is not None


async def test_only_so_many_askers_are_remembered(ledger: Ledger) -> None:
    answerer = Witness(ledger, HandClock()).answerers()[Topic.FINALIZED]
    question = encode(GetFinalized(height=()))
    while await answerer(ASKER, question):
        pass
    for number in range(REMEMBERED_MAX):
        await answerer(PublicKey(number.to_bytes(32, "big")), question)

    assert await answerer(ASKER, question) is not None


async def test_an_answer_that_is_too_long_to_be_sent_is_paid_for_as_well() -> None:
    longest, worked = 10, []

    def answer(question: bytes) -> bytes:
        worked.append(question)
        return bytes(longest + 1)

    answerer = Allowances(3 * longest, HandClock()).bounded(answer, longest=longest)
    answers = [await answerer(ASKER, b"?") for _ in range(5)]

    assert (answers, len(worked)) == ([None] * 5, 2)
