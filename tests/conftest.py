"""What holds for every test: the core opens no socket, and in CI nothing is skipped."""

import os
from collections.abc import Generator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from xdist.remote import Producer

from tests.scheduling import TogetherScheduling
from tests.sim.seeds import fresh_in

# How fast examples come says how busy the machine is, nothing about what is tested.
settings.register_profile("busy", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("busy")

PURE = ("tests/chain/", "tests/consensus/", "tests/wire/", "tests/worker/", "tests/oci/")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Let a skipped test fail where CI is set: what was not run was not shown.

    A plain user's CI cannot run what only root may; everything else it must.
    """
    report = yield
    if report.skipped and os.environ.get("CI") and os.geteuid() == 0:
        report.outcome = "failed"
        report.longrepr = f"{item.nodeid} was skipped, and in CI nothing may be"
    return report


def pytest_addoption(parser: pytest.Parser) -> None:
    """Let pictures be kept: ``make pictures`` does so."""
    parser.addoption("--shots", type=Path, help="the folder that pictures of pages are put into")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say which fresh seeds were simulated, so that each can be run again."""
    reports = (r for found in ("passed", "failed") for r in terminalreporter.getreports(found))
    if seeds := fresh_in(report.capstdout for report in reports):
        terminalreporter.write_line(f"simulated with fresh seeds: {', '.join(map(str, seeds))}")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> TogetherScheduling | None:
    """Keep heavy tests on one worker where a run asks for groups."""
    return TogetherScheduling(config, log) if config.getvalue("dist") == "loadgroup" else None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Measure coverage by the tests of the pure packages alone, and give those that take long their time.

    A pure package is covered by its own tests, or it is not; and to trace the simulator's takes three times as
    long as to run it.
    """
    for item in items:
        if not item.nodeid.startswith(PURE):
            item.add_marker(pytest.mark.no_cover)
        if item.get_closest_marker("soak"):
            item.add_marker(pytest.mark.timeout(0))


@pytest.fixture(autouse=True)
def _no_network_in_the_core(request: pytest.FixtureRequest) -> None:
    """Take the sockets away from tests of the pure packages."""
    if request.node.nodeid.startswith(PURE):
        request.getfixturevalue("socket_disabled")
