"""The folders for sockets are those of the tests of the door; bubblewrap is really looked at, but once."""

import logging
from collections.abc import Iterator

import pytest

from lc_node.adapters.bubblewrap_sandbox import BubblewrapSandbox
from lc_node.ports.sandbox import Capabilities
from tests.api.conftest import short

__all__ = ["probed_once", "short"]

_PROBE = BubblewrapSandbox.probe
_FOUND: list[Capabilities] = []


@pytest.fixture(autouse=True)
def _logging_is_put_back() -> Iterator[None]:
    """Put back how the tests themselves log: commands that run a node change it for their process."""
    root = logging.getLogger()
    before, level = list(root.handlers), root.level
    yield
    logging.captureWarnings(capture=False)
    root.handlers[:] = before
    root.setLevel(level)


@pytest.fixture
def probed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let bubblewrap run its canary once for all tests: a second each time would be most of them."""
    monkeypatch.setattr(BubblewrapSandbox, "probe", _probe_once)


async def _probe_once(sandbox: BubblewrapSandbox) -> Capabilities:
    if not _FOUND:
        _FOUND.append(await _PROBE(sandbox))
    return _FOUND[0]
