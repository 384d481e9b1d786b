"""The long runs can be started at any time: each target runs under atheris, and notices a broken promise."""

import importlib.util

import pytest

from tests.fuzz.__main__ import main
from tests.fuzz.campaign import CACHE, fuzz_inputs
from tests.fuzz.targets import BROKEN, TARGETS

INPUTS = 300

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        importlib.util.find_spec("atheris") is None,
        reason="atheris has wheels for Linux on x86-64, Python 3.11 to 3.13",
    ),
]


def test_every_target_runs_and_keeps_its_promise() -> None:
    reports = fuzz_inputs(INPUTS, list(TARGETS))

    assert [report.name for report in reports] == list(TARGETS)
    assert not [report for report in reports if report.problem or report.executions < INPUTS]


def test_a_broken_promise_is_found_written_down_and_replayed(
    capsys: pytest.CaptureFixture[str],
) -> None:
    for older in CACHE.glob("found-broken*"):
        older.unlink()

    assert main(["--seconds", "60", BROKEN]) == 1

    (found,) = CACHE.glob("found-broken*")
    assert str(found) in capsys.readouterr().out
    with pytest.raises(OverflowError):
        main(["--replay", str(found), BROKEN])
