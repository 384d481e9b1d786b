"""Hosts: how they are written, how far they reach, which stand together, whose word about them counts."""

import pytest

from lc_node.wire.endpoints import Reach, group_of, is_host, is_told_in_earnest, reach_of


@pytest.mark.parametrize(
    "host",
    ["10.1.2.3", "2001:db8::1", "::1", "fe80::1", "example.org", "localhost", "a_b.example", "x1"],
)
def test_a_host_is_an_address_or_a_name(host: str) -> None:
    assert is_host(host)


@pytest.mark.parametrize(
    "host",
    [
        "",
        "127.1",
        "0x7f.1",
        "1.0x7f",
        "2130706433",
        "010.1.2.3",
        "1.2.3.4.",
        "2001:DB8::1",
        "2001:db8:0::1",
        "::ffff:1.2.3.4",
        "fe80::1%eth0",
        "Example.org",
        "-a.org",
        "a-.org",
        "a.b-",
        "a..b",
        "a b",
        "münchen.example",
        f"{'a' * 64}.org",
        ".".join(["a" * 60] * 5),
    ],
)
def test_one_host_has_one_text(host: str) -> None:
    assert not is_host(host)


@pytest.mark.parametrize(
    ("host", "reach"),
    [
        ("127.0.0.1", Reach.MACHINE),
        ("::1", Reach.MACHINE),
        ("10.9.8.7", Reach.SITE),
        ("172.31.0.1", Reach.SITE),
        ("192.168.0.1", Reach.SITE),
        ("100.64.0.1", Reach.SITE),
        ("169.254.1.1", Reach.SITE),
        ("fd00::1", Reach.SITE),
        ("172.32.0.1", Reach.WORLD),
        ("8.8.8.8", Reach.WORLD),
        ("2001:db8::1", Reach.WORLD),
        ("example.org", Reach.WORLD),
        ("0.1.2.3", Reach.NOWHERE),
        ("224.0.0.1", Reach.NOWHERE),
        ("255.255.255.255", Reach.NOWHERE),
        ("::", Reach.NOWHERE),
        ("::ffff:8.8.8.8", Reach.NOWHERE),
        ("ff02::1", Reach.NOWHERE),
        ("fe80::1", Reach.NOWHERE),
    ],
)
def test_a_host_reaches_as_far_as_its_network_is_known(host: str, reach: Reach) -> None:
    assert reach_of(host) is reach


def test_addresses_of_one_prefix_are_one_group() -> None:
    assert group_of("8.8.8.8") == group_of("8.8.4.4")
    assert group_of("2001:db8::1") == group_of("2001:db8:ffff::1")


def test_addresses_of_two_prefixes_are_two_groups() -> None:
    assert group_of("8.8.8.8") != group_of("8.9.8.8")
    assert group_of("2001:db8::1") != group_of("2001:db9::1")


def test_all_names_are_one_group() -> None:
    assert group_of("one.example") == group_of("two.example")


@pytest.mark.parametrize(
    ("host", "teller", "is_believed"),
    [
        ("127.0.0.1", "127.0.0.1", True),
        ("127.0.0.1", "10.0.0.1", False),
        ("127.0.0.1", "8.8.8.8", False),
        ("127.0.0.1", "fe80::1", False),
        ("10.0.0.2", "fe80::1", True),
        ("10.0.0.2", "127.0.0.1", True),
        ("10.0.0.2", "192.168.0.1", True),
        ("10.0.0.2", "8.8.8.8", False),
        ("9.9.9.9", "8.8.8.8", True),
        ("9.9.9.9", "127.0.0.1", True),
        ("example.org", "8.8.8.8", True),
        ("0.1.2.3", "127.0.0.1", False),
        ("224.0.0.1", "8.8.8.8", False),
    ],
)
def test_nobody_is_believed_about_hosts_that_reach_less_far_than_itself(
    host: str, teller: str, *, is_believed: bool
) -> None:
    assert is_told_in_earnest(host, teller) is is_believed
