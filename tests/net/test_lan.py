"""The network of the tests itself: who hears whom, how late, and through which router."""

import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Final

import pytest

from tests.net.lan import Host, Lan, lan, what_is_missing
from tests.net.lines import PERFECT, Line

pytestmark = pytest.mark.skipif(bool(what_is_missing()), reason=what_is_missing())

PORT: Final = 4040
GROUP: Final = "224.0.0.251"
PATIENCE_SECONDS: Final = 20.0
SILENCE_SECONDS: Final = 0.3
"""What has not arrived by then was not sent on: the switch takes less than a millisecond."""


class Talk:
    """Hosts that send each other words."""

    def __init__(self, net: Lan, hosts: dict[str, Host], undo: ExitStack) -> None:
        self.net = net
        self.hosts = hosts
        self._sockets = {
            name: undo.enter_context(host.open_socket(socket.SOCK_DGRAM))
            for name, host in hosts.items()
        }
        for name, one in self._sockets.items():
            one.bind(("", PORT))
            member = socket.inet_aton(GROUP) + socket.inet_aton(hosts[name].address)
            one.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, member)

    def say(self, source: str, target: str, word: bytes = b"word") -> None:
        """Send a word from one host to another."""
        self._sockets[source].sendto(word, (self.hosts[target].address, PORT))

    def say_to_all(self, source: str) -> None:
        """Send a word to whoever listens on the network."""
        self._sockets[source].sendto(b"word", (GROUP, PORT))

    def hears(self, name: str, seconds: float = PATIENCE_SECONDS) -> bytes:
        """Return the next word that reaches a host; nothing if none comes in time."""
        self._sockets[name].settimeout(seconds)
        try:
            return self._sockets[name].recv(100)
        except TimeoutError:
            return b""

    def is_heard(self, source: str, target: str) -> bool:
        """Tell whether a word arrives."""
        self.say(source, target)
        return bool(self.hears(target))

    def is_cut(self, source: str, target: str) -> bool:
        """Tell whether a word does not arrive for a while."""
        self.say(source, target)
        return not self.hears(target, SILENCE_SECONDS)


@pytest.fixture(scope="module")
def shared() -> Iterator[Talk]:
    """Three hosts, and one behind a router."""
    with lan() as net, ExitStack() as undo:
        hosts = {name: net.add(name) for name in "abc"} | {"inner": net.add_behind_nat("inner")}
        talk = Talk(net, hosts, undo)
        for source, target in (("a", "b"), ("b", "a"), ("c", "a"), ("inner", "a")):
            talk.say(source, target)
            assert talk.hears(target)
        yield talk


@pytest.fixture
def talk(shared: Talk) -> Iterator[Talk]:
    """The same hosts on a perfect network."""
    yield shared
    shared.net.switch.heal()
    shared.net.switch.set_all_lines(PERFECT)


def test_hosts_hear_each_other(talk: Talk) -> None:
    talk.say("a", "b")

    assert talk.hears("b") == b"word"


def test_a_word_to_the_group_reaches_all_others(talk: Talk) -> None:
    talk.say_to_all("a")

    assert [talk.hears(name) for name in "bc"] == [b"word", b"word"]


def test_a_cut_silences_one_direction_only(talk: Talk) -> None:
    talk.net.switch.cut({"a"}, {"b"})

    assert talk.is_cut("a", "b")
    assert talk.is_heard("b", "a")


def test_sides_of_a_parted_network_do_not_hear_each_other(talk: Talk) -> None:
    talk.net.switch.part({"a", "c"}, {"b"})

    assert talk.is_cut("a", "b")
    assert talk.is_heard("c", "a")


def test_a_healed_network_carries_words_again(talk: Talk) -> None:
    talk.net.switch.part({"a"}, {"b"})
    talk.net.switch.heal()

    assert talk.is_heard("a", "b")


def test_a_delay_is_kept_and_words_stay_in_order(talk: Talk) -> None:
    talk.net.switch.set_line("a", "b", Line(delay_seconds=0.2))

    since = time.monotonic()
    talk.say("a", "b", b"first")
    talk.say("a", "b", b"second")

    assert [talk.hears("b"), talk.hears("b")] == [b"first", b"second"]
    assert time.monotonic() - since >= 0.2


def test_a_lossy_line_loses_its_share(talk: Talk) -> None:
    talk.net.switch.set_line("a", "b", Line(loss=0.5))

    for number in range(100):
        talk.say("a", "b", b"%d" % number)

    # Of a hundred tosses of a coin, fewer than 20 or more than 80 heads come once in 10^9.
    assert 20 < len(_heard_before_last(talk)) < 80


def test_whoever_is_behind_a_router_is_seen_under_its_address(talk: Talk) -> None:
    with talk.hosts["a"].open_socket(socket.SOCK_STREAM) as door:
        door.bind(("", PORT))
        door.listen()
        with talk.hosts["inner"].open_socket(socket.SOCK_STREAM) as caller:
            caller.settimeout(PATIENCE_SECONDS)
            caller.connect((talk.hosts["a"].address, PORT))
            connection, (address, _) = door.accept()
            with connection:
                assert address == "10.77.0.4"
                assert address != talk.hosts["inner"].address


def test_nobody_reaches_whoever_is_behind_a_router(talk: Talk) -> None:
    assert talk.is_cut("a", "inner")


def _heard_before_last(talk: Talk) -> list[bytes]:
    """Return what was still to arrive at b; the last word is said until it does."""
    heard: list[bytes] = []
    while b"last" not in heard:
        talk.say("a", "b", b"last")
        while word := talk.hears("b", SILENCE_SECONDS):
            heard.append(word)
    return [word for word in heard if word != b"last"]
