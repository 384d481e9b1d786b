"""Log lines: whole objects for programs, whole lines for people, and never more than a disk can bear."""

import io
import json
import logging
import subprocess
import sys
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from lc_node.api.calls import GetStatus
from lc_node.api.client import Client
from lc_node.api.endpoint import find_endpoint, read_token
from lc_node.cli.logs import BURST, CHARACTERS_MAX, MESSAGES_MAX, REFILL_SECONDS, Allowance, log_to
from lc_node.runtime.config import LogConfig
from lc_node.runtime.devnet import Role, prepare
from tests.e2e.graphs import short_folder

LOGGER = logging.getLogger("lc_node.tests.logs")
HOSTILE = "a title\n2026-01-01 ERROR lc_node: all is lost\x1b[2J"


@pytest.fixture
def stream() -> io.StringIO:
    """Return where to log to."""
    return io.StringIO()


def objects(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_a_record_is_an_object_with_its_fields(stream: io.StringIO) -> None:
    log_to(stream, LogConfig(format="json"))
    LOGGER.warning("job %s: refused", "ab12", extra={"job": "ab12", "height": 7})

    (said,) = objects(stream)

    assert datetime.fromisoformat(said.pop("time")).tzinfo is not None
    assert said == {
        "level": "WARNING",
        "logger": "lc_node.tests.logs",
        "message": "job ab12: refused",
        "job": "ab12",
        "height": 7,
    }


def test_an_error_with_its_traceback_is_one_object(stream: io.StringIO) -> None:
    log_to(stream, LogConfig(format="json"))
    try:
        int(HOSTILE)
    except ValueError:
        LOGGER.exception("a call failed")

    (said,) = objects(stream)

    assert "Traceback" in said["exc_info"]


def test_words_of_strangers_forge_no_line_and_drive_no_terminal(stream: io.StringIO) -> None:
    log_to(stream, LogConfig())
    LOGGER.warning("job taken: %s", HOSTILE)

    (line,) = stream.getvalue().splitlines()

    assert "\x1b" not in line
    assert "WARNING lc_node.tests.logs: job taken: a title" in line


@pytest.mark.parametrize("form", ["text", "json"])
def test_an_endless_message_is_cut(form: Any, stream: io.StringIO) -> None:
    log_to(stream, LogConfig(format=form))
    LOGGER.warning("%s", "x" * 10 * CHARACTERS_MAX)

    assert len(stream.getvalue()) < 2 * CHARACTERS_MAX


@pytest.mark.parametrize("form", ["text", "json"])
def test_what_repeats_itself_is_held_back(form: Any, stream: io.StringIO) -> None:
    log_to(stream, LogConfig(format=form))
    for number in range(10_000):
        LOGGER.warning("peer %d: bad signature", number)
    LOGGER.warning("something else")

    lines = stream.getvalue().splitlines()

    assert len(lines) == BURST + 1
    assert "something else" in lines[-1]


def test_below_the_level_nothing_is_said(stream: io.StringIO) -> None:
    log_to(stream, LogConfig(level="warning"))
    LOGGER.info("a detail")

    assert stream.getvalue() == ""


class Allowed:
    """An allowance on a clock that the test sets."""

    def __init__(self) -> None:
        self.now = 0.0
        self._allowance = Allowance(lambda: self.now)

    def passes(self, message: str) -> logging.LogRecord | None:
        record = logging.LogRecord("a logger", logging.INFO, "", 0, message, None, None)
        return record if self._allowance.filter(record) else None

    @property
    def tables(self) -> list[int]:
        allowance = self._allowance
        return [len(table) for table in (allowance._left, allowance._at, allowance._held)]


def test_after_a_while_a_message_passes_again_and_tells_how_many_did_not() -> None:
    allowed = Allowed()
    passed = [allowed.passes("again") for _ in range(BURST + 5)]
    allowed.now += REFILL_SECONDS

    first, second = allowed.passes("again"), allowed.passes("again")

    assert passed.count(None) == 5
    assert first is not None
    assert (first.held_back, second) == (5, None)  # type: ignore[attr-defined]  # the filter's


def test_the_table_of_messages_is_bounded() -> None:
    allowed = Allowed()
    for number in range(2 * MESSAGES_MAX):
        for _ in range(BURST + 1 if number < 3 else 1):
            allowed.passes(f"message {number}")

    assert max(allowed.tables) <= MESSAGES_MAX


@pytest.mark.slow
def test_every_line_of_a_real_node_is_an_object_and_tells_no_secret() -> None:
    with short_folder() as folder:
        (place,) = prepare(folder, [Role(name="one", bonded=100, votes=True)])
        home = place.home
        with home.config_path.open("a") as config:
            config.write('[log]\nlevel = "debug"\nformat = "json"\n')
        said, token = _run_and_stop(home.path)
        secrets = [json.loads(home.key_path.read_bytes())["seed"], token]

    records = [json.loads(line) for line in said.splitlines()]
    assert all({"time", "level", "logger", "message"} <= record.keys() for record in records)
    listening = [record for record in records if "listening" in record["message"]]
    assert [record["port"] for record in listening] == [place.port]
    assert not [secret for secret in secrets if secret in said]


def _run_and_stop(home: Path) -> tuple[str, str]:
    """Run a node until it has answered a call; return what it logged, and its door's token."""
    words = (sys.executable, "-m", "lc_node", "--home", str(home), "run", "--until-eof")
    with subprocess.Popen(
        words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        with Client(home) as client:
            assert client.call(GetStatus()).peers == 0
        token = read_token(find_endpoint(home, {})).hex()
        _, said = process.communicate(timeout=60)
    assert process.returncode == 0, said
    return said, token
