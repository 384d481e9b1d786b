"""``lc-node doctor`` says what is missing, and its exit code says so to scripts."""

import json
from pathlib import Path

import pytest

from lc_node.adapters.bubblewrap_sandbox import BubblewrapSandbox
from lc_node.cli.exits import Exit
from lc_node.cli.main import run
from lc_node.ports.sandbox import Capabilities, Enforced, SandboxUnavailable
from lc_node.runtime.home import Home


@pytest.fixture(autouse=True)
def sandbox(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the canary, which has tests of its own, have been fine."""

    async def probe(_self: BubblewrapSandbox) -> Capabilities:
        return Capabilities(
            engine="bubblewrap",
            version="1",
            enforced=frozenset({Enforced.NAMESPACES, Enforced.MEMORY_HARD}),
        )

    monkeypatch.setattr(BubblewrapSandbox, "probe", probe)


def test_an_empty_home_lacks_key_and_genesis(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["doctor", "--home", str(tmp_path / "home")]) == Exit.REFUSED

    said = capsys.readouterr().out
    assert "PROBLEM key" in said
    assert "PROBLEM genesis" in said
    assert "ok      sandbox: bubblewrap 1 enforces memory_hard, namespaces" in said


def test_a_key_that_is_gone_is_noticed_though_its_identity_is_there(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    home = Home(tmp_path / "home")
    home.create(None)
    home.key_path.unlink()

    run(["doctor", "--home", str(home.path)])

    assert "PROBLEM key" in capsys.readouterr().out


def test_a_key_that_others_could_read_is_a_problem_before_the_node_is_started(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    home = Home(tmp_path / "home")
    home.create(None)
    home.key_path.chmod(0o644)

    run(["doctor", "--home", str(home.path)])

    assert "PROBLEM key" in (said := capsys.readouterr().out)
    assert "chmod 600" in said


def test_settings_that_cannot_be_used_are_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    home = Home(tmp_path / "home")
    home.create(None)
    home.config_path.write_text("nonsense = 1\n", encoding="utf-8")

    assert run(["doctor", "--home", str(home.path)]) == Exit.REFUSED
    assert "PROBLEM settings" in capsys.readouterr().out


def test_without_a_sandbox_the_exit_code_and_the_remedy_say_so(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    async def probe(_self: BubblewrapSandbox) -> Capabilities:
        message = "install bubblewrap"
        raise SandboxUnavailable(message)

    monkeypatch.setattr(BubblewrapSandbox, "probe", probe)

    assert run(["doctor", "--sandbox"]) == Exit.NO_SANDBOX
    assert "PROBLEM sandbox: bubblewrap: install bubblewrap" in capsys.readouterr().out


def test_scripts_are_answered_by_the_exit_code_alone(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["doctor", "--sandbox", "--quiet"]) == Exit.OK
    assert capsys.readouterr().out == ""


def test_programs_are_answered_in_json(capsys: pytest.CaptureFixture[str]) -> None:
    run(["doctor", "--sandbox", "--json"])

    (check,) = json.loads(capsys.readouterr().out)["checks"]
    assert (check["name"], check["is_fine"]) == ("sandbox", True)


def test_that_there_is_no_gpu_for_jobs_is_said_and_no_problem(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))  # a driver's program would be found here

    assert run(["doctor", "--sandbox"]) == Exit.OK

    assert "GPUs for jobs: none (no NVIDIA driver is installed here" in capsys.readouterr().out
