"""Commands that speak with a running node, through real sockets."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TypeAlias

import msgspec
import pytest

from lc_node.api import schema
from lc_node.cli.exits import Exit
from lc_node.cli.main import run
from lc_node.oci.chunks import chunk_digest
from tests.api.background import Background
from tests.api.sample_service import JOB, OTHER_JOB, event, summary

Capture: TypeAlias = pytest.CaptureFixture[str]


@pytest.fixture
def node(short: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Background]:
    started = Background(short)
    monkeypatch.setenv("LC_NODE", str(started.home))
    yield started
    started.stop()


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        ("status", "height      7 (following)"),
        ("status", "balance     100 credits"),
        ("status", "sandbox     bubblewrap 0.11"),
        ("peers", "No peers"),
        ("wallet", "escrowed   0 credits"),
        ("policy show", "bounty at least     1 credits"),
        ("jobs", "0.123457"),
        ("job show aaaa", "posted by     lc1sample (this node)"),
        ("job cancel aaaa", ""),
        ("job extend aaaa 10m", "Extended at height 7."),
        ("job stop aaaa", "Stopped."),
        ("send lc1other 2.5", "Sent 2.5 credits at height 7"),
        ("bond 3", "Bonded 3 credits at height 7"),
        ("unbond 3", "Unbonding 3 credits at height 7"),
    ],
)
def test_a_command_says(command: str, expected: str, node: Background, capsys: Capture) -> None:
    assert node.home.exists()
    run(command.split())

    assert expected in capsys.readouterr().out


@pytest.mark.parametrize("command", ["status", "peers", "wallet", "policy show", "jobs"])
def test_a_command_answers_in_json(command: str, node: Background, capsys: Capture) -> None:
    assert node.home.exists()
    assert run([*command.split(), "--json"]) == Exit.OK
    assert json.loads(capsys.readouterr().out) is not None


def test_a_node_is_found_by_its_home(node: Background, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LC_NODE")

    assert run(["status", "--home", str(node.home)]) == Exit.OK


def test_jobs_that_are_over_are_shown_only_on_demand(node: Background, capsys: Capture) -> None:
    assert node.home.exists()
    run(["jobs"])
    some = capsys.readouterr().out
    run(["jobs", "--all"])
    everything = capsys.readouterr().out

    assert OTHER_JOB[:8] not in some
    assert OTHER_JOB[:8] in everything


def test_a_refusal_by_the_chain_is_told(node: Background, capsys: Capture) -> None:
    assert node.home.exists()
    assert run(["job", "cancel", "aaaa"]) == Exit.REFUSED
    assert "Error: The balance is too low" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("job", "code", "why"),
    [
        ("dddd", Exit.REFUSED, "No job begins with dddd"),
        ("xyz", Exit.REFUSED, "not a job's id"),
        ("", Exit.REFUSED, "not a job's id"),
    ],
)
def test_a_job_that_is_not_there_is_named(
    *, job: str, code: Exit, why: str, node: Background, capsys: Capture
) -> None:
    assert node.home.exists()
    assert run(["job", "show", job]) == code
    assert why in capsys.readouterr().err


def test_too_short_an_id_asks_for_more_digits(node: Background, capsys: Capture) -> None:
    node.service.summaries.append(summary(schema.JobId("ab" * 32)))

    assert run(["job", "show", "a"]) == Exit.USAGE
    assert "write more digits" in capsys.readouterr().err


def test_a_policy_is_changed_in_what_is_named(node: Background, capsys: Capture) -> None:
    before = node.service.policy_now

    assert run(["policy", "set", "--jobs-at-once", "3", "--no-work"]) == Exit.OK
    assert node.service.policy_now == msgspec.structs.replace(before, jobs_at_once=3, work=False)
    assert "jobs at once        3" in capsys.readouterr().out


def test_an_offer_is_changed_in_what_is_named(node: Background, capsys: Capture) -> None:
    before = node.service.policy_now.offered

    assert run(["policy", "set", "--cpus", "1.5", "--memory", "2G"]) == Exit.OK
    after = node.service.policy_now.offered
    assert after == msgspec.structs.replace(before, millicpus=1500, memory_bytes=2 * 2**30)
    assert "processors          1.5" in capsys.readouterr().out


def test_a_mistyped_size_is_answered_with_an_example(node: Background, capsys: Capture) -> None:
    assert node.home.exists()
    assert run(["policy", "set", "--disk", "lots"]) == Exit.USAGE
    assert "'lots' is not a size, such as 500M or 20G." in capsys.readouterr().err


def test_a_policy_s_lists_are_written_with_commas(node: Background, capsys: Capture) -> None:
    words = [
        "--deny",
        "lc1other, lc1third",
        "--hours",
        "22:00-07:30",
        "--others-percent-max",
        "30",
    ]

    assert run(["policy", "set", "--pause-on-battery", *words]) == Exit.OK
    assert node.service.policy_now.deny == ("lc1other", "lc1third")
    shown = " ".join(capsys.readouterr().out.split())
    assert "never from lc1other, lc1third hours 22:00-07:30 on battery begins nothing" in shown


def test_an_empty_list_takes_back_what_it_said(node: Background, capsys: Capture) -> None:
    node.service.policy_now = msgspec.structs.replace(
        node.service.policy_now, hours=("22:00-07:30",)
    )

    assert run(["policy", "set", "--hours", ""]) == Exit.OK
    assert node.service.policy_now.hours == ()
    assert "22:00" not in capsys.readouterr().out


def test_the_status_says_why_no_job_is_taken(node: Background, capsys: Capture) -> None:
    node.service.no_jobs_now = "the machine runs on its battery"

    assert run(["status"]) == Exit.OK
    assert "takes jobs  not now: the machine runs on its battery" in capsys.readouterr().out


def test_a_policy_without_changes_is_a_mistake(node: Background, capsys: Capture) -> None:
    assert node.home.exists()
    assert run(["policy", "set"]) == Exit.USAGE
    assert "Say what to change" in capsys.readouterr().err


def test_a_job_is_watched_until_it_is_over(node: Background, capsys: Capture) -> None:
    over = msgspec.structs.replace(event("settled"), phase=schema.Phase.SETTLED)
    node.service.when_asked = lambda: node.server.publish(over)

    assert run(["job", "watch", "aaaa"]) == Exit.OK
    codes = [line.split()[1] for line in capsys.readouterr().out.splitlines()]
    assert codes == ["posted", "settled"]


def test_a_job_that_is_over_is_told_and_not_waited_for(node: Background, capsys: Capture) -> None:
    assert node.home.exists()
    assert run(["job", "watch", "bbbb", "--json"]) == Exit.OK
    lines = capsys.readouterr().out.splitlines()
    assert [json.loads(line)["code"] for line in lines] == ["posted"]


@pytest.fixture
def model(node: Background, tmp_path: Path) -> Path:
    path = tmp_path / "stored"
    path.write_bytes(b"model")
    node.service.model_path = path
    node.service.model_root = schema.Digest(chunk_digest(b"model").hex())
    return path


def test_a_model_is_pulled_into_a_file(model: Path, tmp_path: Path, capsys: Capture) -> None:
    assert model.exists()
    assert run(["job", "pull", JOB, "--to", str(tmp_path / "mine")]) == Exit.OK
    assert (tmp_path / "mine").read_bytes() == b"model"
    assert "5 bytes, skops, strong" in capsys.readouterr().out


def test_a_pulled_model_overwrites_nothing(model: Path, tmp_path: Path, capsys: Capture) -> None:
    assert model.exists()
    (tmp_path / "mine").write_text("precious")

    assert run(["job", "pull", JOB, "--to", str(tmp_path / "mine")]) == Exit.REFUSED
    assert "choose another file" in capsys.readouterr().err
    assert (tmp_path / "mine").read_text() == "precious"


def test_other_bytes_than_the_models_are_not_kept(model: Path, tmp_path: Path) -> None:
    model.write_bytes(b"tampered")

    assert run(["job", "pull", JOB, "--to", str(tmp_path / "mine")]) == Exit.REFUSED
    assert not (tmp_path / "mine").exists()


def test_a_title_cannot_drive_the_terminal(node: Background, capsys: Capture) -> None:
    hostile = msgspec.structs.replace(summary(JOB), title="\x1b[2J[red]x")
    node.service.summaries[0] = hostile
    run(["jobs"])
    shown = capsys.readouterr().out

    assert "\x1b" not in shown
    assert "[red]x" in shown
