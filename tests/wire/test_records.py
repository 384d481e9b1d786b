"""Node records: what is signed, what is believed, what is refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lc_node.chain.codec import encode
from lc_node.chain.errors import MalformedBytes
from lc_node.chain.types import Millis, Signature
from lc_node.wire.endpoints import Endpoint, Host, Port
from lc_node.wire.records import (
    AHEAD_MAX,
    ASK_DECODER,
    ENDPOINTS_MAX,
    LIFETIME,
    RECORD_BYTES_MAX,
    RECORD_DECODER,
    RECORDS_MAX,
    TELL_DECODER,
    AskRecords,
    NodeRecord,
    RecordFault,
    SignedRecord,
    TellRecords,
    endpoint,
    fault_of,
    next_sequence,
    sign_record,
)
from lc_node.wire.session import TransportKey
from tests.peer_nodes import CHAIN, OTHER_CHAIN, SeededSigner

NOW = Millis(1_800_000_000_000)
ANN = SeededSigner(1)
BOB = SeededSigner(2)


def at(host: str, port: int = 4040) -> Endpoint:
    return Endpoint(host=Host(host), port=Port(port))


def signed(*endpoints: Endpoint, sequence: int = NOW, signer: SeededSigner = ANN) -> SignedRecord:
    record = NodeRecord(
        chain_id=CHAIN,
        node_key=ANN.public_key,
        transport_key=TransportKey(bytes(32)),
        endpoints=endpoints,
        sequence=Millis(sequence),
    )
    return sign_record(record, signer)


def test_a_record_survives_the_way() -> None:
    one = signed(at("10.0.0.1"), at("2001:db8::1"), at("node.example"))

    assert RECORD_DECODER.decode(encode(one)) == one
    assert fault_of(one, CHAIN, NOW) is None


def test_a_node_that_only_dials_out_has_a_record_too() -> None:
    assert fault_of(signed(), CHAIN, NOW) is None


def test_the_longest_record_fits() -> None:
    name = ".".join(["a" * 62] * 4)
    longest = signed(*(at(name, 65_535 - n) for n in range(ENDPOINTS_MAX)))

    assert fault_of(longest, CHAIN, NOW) is None
    assert len(encode(longest)) <= RECORD_BYTES_MAX
    assert ASK_DECODER.decode(encode(AskRecords(own=longest))).own == longest
    answer = TellRecords(you="2001:db8::1", records=(longest,) * RECORDS_MAX)
    assert TELL_DECODER.decode(encode(answer)) == answer


@pytest.mark.parametrize(
    "wrong",
    [
        signed(*(at("10.0.0.1", port) for port in range(1, ENDPOINTS_MAX + 2))),
        signed(at("", 1)),
        signed(at("10.0.0.1", 0)),
        signed(at("10.0.0.1", 2**16)),
        signed(at("a" * 254)),
    ],
    ids=["five endpoints", "no host", "port 0", "port 65536", "a long host"],
)
def test_what_no_record_may_hold_does_not_decode(wrong: SignedRecord) -> None:
    with pytest.raises(MalformedBytes):
        RECORD_DECODER.decode(encode(wrong))


@pytest.mark.parametrize(
    "wrong",
    [(at("127.1"),), (at("0.1.2.3"),), (at("FE80::1"),), (at("10.0.0.1"), at("10.0.0.1"))],
    ids=["no host", "nobody's", "another spelling", "one twice"],
)
def test_what_nobody_could_dial_is_refused(wrong: tuple[Endpoint, ...]) -> None:
    assert fault_of(signed(*wrong), CHAIN, NOW) is RecordFault.BAD_ENDPOINT


def test_a_record_of_another_chain_is_refused() -> None:
    assert fault_of(signed(), OTHER_CHAIN, NOW) is RecordFault.OTHER_CHAIN


def test_nobody_signs_for_another_node() -> None:
    assert fault_of(signed(signer=BOB), CHAIN, NOW) is RecordFault.BAD_SIGNATURE


def test_no_signature_means_anything_else() -> None:
    one = signed()
    plain = Signature(ANN.sign(encode(one.record)))

    assert fault_of(SignedRecord(record=one.record, signature=plain), CHAIN, NOW) is (
        RecordFault.BAD_SIGNATURE
    )


def test_a_record_ends_with_its_lifetime() -> None:
    assert fault_of(signed(sequence=NOW - LIFETIME), CHAIN, NOW) is None
    assert fault_of(signed(sequence=NOW - LIFETIME - 1), CHAIN, NOW) is RecordFault.EXPIRED


def test_clocks_may_differ_by_an_hour() -> None:
    assert fault_of(signed(sequence=NOW + AHEAD_MAX), CHAIN, NOW) is None
    late = fault_of(signed(sequence=NOW + AHEAD_MAX + 1), CHAIN, NOW)
    assert late is RecordFault.FROM_THE_FUTURE


def test_only_what_depends_on_clocks_is_no_offence() -> None:
    innocent = {fault for fault in RecordFault if not fault.is_offence}

    assert innocent == {RecordFault.EXPIRED, RecordFault.FROM_THE_FUTURE}


def test_a_sequence_grows_though_the_clock_was_set_back() -> None:
    assert next_sequence(Millis(5), NOW) == NOW
    assert next_sequence(NOW, Millis(NOW - AHEAD_MAX)) == NOW + 1


def test_a_sequence_that_nobody_can_have_believed_is_not_outdone() -> None:
    assert next_sequence(NOW, Millis(NOW - AHEAD_MAX - 1)) == NOW - AHEAD_MAX - 1


@pytest.mark.parametrize(
    ("host", "port"), [("127.1", 1), ("0.1.2.3", 1), ("10.0.0.1", 0), ("10.0.0.1", 2**16)]
)
def test_what_nobody_could_dial_makes_no_endpoint(host: str, port: int) -> None:
    assert endpoint(host, port) is None


def test_a_host_and_a_port_make_an_endpoint() -> None:
    assert endpoint("10.0.0.1", 4040) == at("10.0.0.1")


@given(st.binary(max_size=200), st.sampled_from([RECORD_DECODER, ASK_DECODER, TELL_DECODER]))
def test_no_bytes_do_worse_than_not_decode(data: bytes, decoder: object) -> None:
    try:
        decoder.decode(data)  # type: ignore[attr-defined]  # any of the three
    except MalformedBytes:
        return
