"""Multicast between machines as they are: no router, a second network, a cable that comes in later."""

import select
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import IO

import pytest

from tests.net.lan import Host, Lan, lan, what_is_missing

pytestmark = [
    pytest.mark.skipif(bool(what_is_missing()), reason=what_is_missing()),
    pytest.mark.slow,
]

PATIENCE_SECONDS = 90.0


@contextmanager
def speaking(hosts: Sequence[tuple[Host, int]]) -> Iterator[list["subprocess.Popen[str]"]]:
    """Let hosts announce a port each, and say whom they hear."""
    processes = [
        subprocess.Popen(
            host.command([sys.executable, "-m", "tests.net.speaker", str(port)]),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            text=True,
        )
        for host, port in hosts
    ]
    try:
        yield processes
    finally:
        for process in processes:
            process.kill()
            process.communicate()


def wait_for(process: "subprocess.Popen[str]", line: str) -> None:
    """Return once a program prints a line."""
    assert process.stdout is not None
    deadline = time.monotonic() + PATIENCE_SECONDS
    heard: list[str] = []
    while line not in heard:
        heard.append(_next(process.stdout, deadline - time.monotonic()))


def _next(stream: IO[str], seconds: float) -> str:
    ready, _, _ = select.select([stream], [], [], max(0.0, seconds))
    assert ready, "nobody was heard in time"
    line = stream.readline()
    assert line, "the program has ended"
    return line.strip()


def ip(host: Host, *arguments: str) -> None:
    subprocess.run(host.command(["ip", *arguments]), check=True)


@pytest.fixture
def net() -> Iterator[Lan]:
    """Two machines on one switch that know of no router."""
    with lan(["ann", "bob"]) as made:
        for host in made.hosts.values():
            ip(host, "route", "del", "default")
        yield made


def test_machines_without_a_router_hear_each_other(net: Lan) -> None:
    ann, bob = net.hosts["ann"], net.hosts["bob"]
    with speaking([(ann, 4041), (bob, 4042)]) as (of_ann, of_bob):
        wait_for(of_ann, f"4042 {bob.address}")
        wait_for(of_bob, f"4041 {ann.address}")


def test_a_machine_on_two_networks_is_heard_at_the_address_that_the_listener_shares(
    net: Lan,
) -> None:
    ann, bob = net.hosts["ann"], net.hosts["bob"]
    # Its other address comes first wherever addresses are sorted.
    ip(bob, "link", "add", "other", "type", "bridge")
    ip(bob, "address", "add", "10.1.1.1/24", "dev", "other")
    ip(bob, "link", "set", "other", "up")
    with speaking([(ann, 4041), (bob, 4042)]) as (of_ann, _of_bob):
        wait_for(of_ann, f"4042 {bob.address}")


def test_a_cable_may_come_in_later(net: Lan) -> None:
    ann, bob = net.hosts["ann"], net.hosts["bob"]
    ip(bob, "address", "del", f"{bob.address}/24", "dev", "eth0")
    with speaking([(ann, 4041), (bob, 4042)]) as (of_ann, of_bob):
        ip(bob, "address", "add", f"{bob.address}/24", "dev", "eth0")
        wait_for(of_bob, f"4041 {ann.address}")
        wait_for(of_ann, f"4042 {bob.address}")
