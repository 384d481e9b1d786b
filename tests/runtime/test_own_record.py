"""What a node says about itself: where it is reached, when it says so anew."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest

from lc_node.chain.types import Millis
from lc_node.runtime.own_record import RENEWAL, BadAdvertised, Doorway, OwnRecord, advertised
from lc_node.wire.records import ENDPOINTS_MAX, fault_of
from lc_node.wire.session import TransportKey
from tests.peer_nodes import CHAIN, SeededSigner

NOW = 1_800_000_000_000
ANY = Doorway(host="*", port=4040)


@dataclass
class Hand:
    """A clock that a test moves."""

    at: int = NOW

    def now(self) -> Millis:
        return Millis(self.at)

    async def sleep_until(self, at: Millis) -> None:
        self.at = at


@dataclass
class Machine:
    """A machine whose addresses a test says."""

    hosts: Sequence[str] = ()
    clock: Hand = field(default_factory=Hand)

    def own(self, doorway: Doorway = ANY, sequence: int = 0) -> OwnRecord:
        return OwnRecord(
            signer=SeededSigner(1),
            chain_id=CHAIN,
            transport_key=TransportKey(bytes(32)),
            doorway=doorway,
            hosts=lambda: self.hosts,
            clock=self.clock,
            sequence=Millis(sequence),
        )


def hosts_of(own: OwnRecord) -> list[str]:
    return [one.host for one in own.current().record.endpoints]


def test_the_record_is_one_that_others_take() -> None:
    own = Machine(["10.0.0.1"]).own()

    assert fault_of(own.current(), CHAIN, Millis(NOW)) is None


def test_what_reaches_farthest_comes_first_and_the_loopback_not_at_all() -> None:
    own = Machine(["127.0.0.1", "::1", "10.0.0.1", "2001:db8::1", "fe80::1"]).own()

    assert hosts_of(own) == ["2001:db8::1", "10.0.0.1"]


def test_a_machine_without_a_network_says_its_loopback() -> None:
    assert hosts_of(Machine(["127.0.0.1", "::1"]).own()) == ["127.0.0.1", "::1"]


def test_a_node_that_listens_at_one_address_says_that() -> None:
    assert hosts_of(Machine(["10.0.0.1"]).own(Doorway(host="10.0.0.2", port=1))) == ["10.0.0.2"]


def test_a_node_that_only_dials_out_says_nothing() -> None:
    assert hosts_of(Machine(["10.0.0.1"]).own(Doorway(host="*", port=0))) == []


def test_what_the_owner_says_twice_is_said_once() -> None:
    door = Doorway(host="*", port=4040, advertise=("node.example", "node.example:4040"))
    own = Machine().own(door)

    assert hosts_of(own) == ["node.example"]
    assert fault_of(own.current(), CHAIN, Millis(NOW)) is None


def test_what_the_owner_wants_to_be_dialed_is_said_and_nothing_else() -> None:
    door = Doorway(host="*", port=4040, advertise=("node.example", "192.0.2.1:7"))
    endpoints = Machine(["10.0.0.1"]).own(door).current().record.endpoints

    assert [(one.host, one.port) for one in endpoints] == [
        ("node.example", 4040),
        ("192.0.2.1", 7),
    ]


def test_no_more_is_said_than_a_record_holds() -> None:
    own = Machine([f"10.0.0.{n}" for n in range(1, 9)]).own()

    assert len(hosts_of(own)) == ENDPOINTS_MAX


def test_where_two_networks_see_us_is_said_too() -> None:
    own = Machine(["10.0.0.1"]).own()
    own.seen_as("192.0.2.9", "20.1.1.1")
    own.seen_as("192.0.2.9", "20.2.1.1")

    assert hosts_of(own) == ["192.0.2.9", "10.0.0.1"]


def test_one_network_is_not_believed_about_where_it_sees_us() -> None:
    own = Machine(["10.0.0.1"]).own()
    own.seen_as("192.0.2.9", "20.1.1.1")
    own.seen_as("192.0.2.9", "20.1.2.2")

    assert hosts_of(own) == ["10.0.0.1"]


def test_where_a_private_network_sees_us_is_of_no_use_elsewhere() -> None:
    own = Machine().own()
    own.seen_as("10.9.9.9", "10.1.0.1")
    own.seen_as("10.9.9.9", "10.2.0.1")

    assert hosts_of(own) == []


def test_a_bounded_number_of_networks_is_remembered() -> None:
    own = Machine().own()
    for number in range(100):
        own.seen_as("192.0.2.9", f"20.{number}.1.1")

    assert len(own._witnesses) == 64


def test_a_record_stays_the_same_while_nothing_changes() -> None:
    machine = Machine(["10.0.0.1"])
    own = machine.own()
    first = own.current()
    machine.clock.at += 60_000

    assert own.current() is first


def test_a_new_address_is_said_with_a_higher_sequence() -> None:
    machine = Machine(["10.0.0.1"])
    own = machine.own()
    first = own.current()
    machine.hosts = ["10.0.0.2"]
    machine.clock.at += 60_000

    assert own.current().record.sequence > first.record.sequence
    assert hosts_of(own) == ["10.0.0.2"]


def test_a_record_is_signed_anew_before_others_think_that_we_are_gone() -> None:
    machine = Machine(["10.0.0.1"])
    own = machine.own()
    first = own.current()
    machine.clock.at += RENEWAL

    assert own.current().record.sequence == first.record.sequence + RENEWAL


def test_a_sequence_grows_though_the_clock_was_set_back() -> None:
    assert Machine().own(sequence=NOW + 5).current().record.sequence == NOW + 6


def test_who_was_far_ahead_of_time_is_believed_once_its_clock_is_right() -> None:
    machine = Machine(["10.0.0.1"])
    own = machine.own()
    own.current()
    machine.clock.at -= 30 * 24 * 3_600 * 1_000

    assert fault_of(own.current(), CHAIN, machine.clock.now()) is None


def test_a_higher_sequence_of_ours_is_outbid_and_a_lower_one_is_nothing() -> None:
    own = Machine().own()
    first = own.current()
    own.outbid(Millis(NOW - 1))
    assert own.current() is first
    own.outbid(Millis(NOW + 9))

    assert own.current().record.sequence == own.sequence == NOW + 10


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [
        ("192.0.2.7", "192.0.2.7", 4040),
        ("192.0.2.7:1", "192.0.2.7", 1),
        ("node.example:4041", "node.example", 4041),
        ("2001:db8::7", "2001:db8::7", 4040),
        ("[2001:db8::7]:1", "2001:db8::7", 1),
    ],
)
def test_an_owner_writes_hosts_with_or_without_a_port(text: str, host: str, port: int) -> None:
    found = advertised(text, 4040)

    assert (found.host, found.port) == (host, port)


@pytest.mark.parametrize("text", ["", "127.1", "node.example:x", "node.example:99999", "0.1.2.3"])
def test_what_nobody_could_dial_is_refused(text: str) -> None:
    with pytest.raises(BadAdvertised, match="write"):
        advertised(text, 4040)
